//! Sessions: the visits to a web site, each as long as its clicks are less than half an hour apart. A click that comes
//! too late for its visit is not lost: it comes out in a stream of its own.
//!
//! `cargo run --example sessions`

use dualgauge::prelude::*;
use dualgauge::testing::JobCheck;

#[record]
struct Click {
    user: String,
    #[event_time]
    at: EventTime,
}

#[record]
struct Visit {
    user: String,
    #[event_time]
    time: EventTime,
    first: EventTime,
    last: EventTime,
    clicks: u64,
}

/// Clicks further apart than this belong to different visits.
fn gap() -> Duration {
    30.minutes()
}

/// Phones may deliver clicks up to ten minutes after others that happened later.
pub fn visits(flow: &Flow) {
    let visits = flow
        .source::<Click>("clicks")
        .disorder(10.minutes())
        .key_by(|click| click.user.clone())
        .window(session(gap()))
        .aggregate("visits", agg::count());
    visits.late().sink("late");
    visits
        .map(|pane| Visit {
            time: pane.time,
            first: pane.window.start,
            last: pane.window.end - gap(),
            user: pane.key,
            clicks: pane.value,
        })
        .sink("visits");
}

/// Who clicked, and in which minute, in the order of arrival.
const CLICKS: [(&str, i64); 11] = [
    ("ada", 0),
    ("ada", 6),
    ("bob", 12),
    ("ada", 3), // out of order, within the ten minutes
    ("cyd", 31),
    ("bob", 40),
    ("ada", 36), // half an hour after her last: another visit
    ("cyd", 50),
    ("bob", 20), // half an hour before the newest: too late
    ("cyd", 75),
    ("bob", 70), // half an hour after his last: another visit
];

fn main() -> dualgauge::Result<()> {
    let at = |minute: i64| EventTime::default() + minute.minutes();
    let clicks = CLICKS.map(|(user, minute)| Click { user: user.to_string(), at: at(minute) }).to_vec();
    let (visits_out, late_out) = (memory::collect::<Visit>(), memory::collect::<Click>());
    Job::new(visits)
        .source("clicks", memory::rows(clicks.clone()).as_live())
        .sink("visits", visits_out.clone())
        .sink("late", late_out.clone())
        .run()?;

    let minute = |time: EventTime| (time - at(0)).as_micros() / 60_000_000;
    println!("user  clicks  0        15        30        45        60        75   minutes");
    for visit in visits_out.rows() {
        let (from, to) = (minute(visit.first) as usize * 2 / 3, minute(visit.last) as usize * 2 / 3);
        println!("{:<4}  {:>6}  {}{}", visit.user, visit.clicks, " ".repeat(from), "━".repeat(to - from + 1));
    }
    for click in late_out.rows() {
        let from = minute(click.at) as usize * 2 / 3;
        println!("{:<4}  {:>6}  {}x", click.user, "late", " ".repeat(from));
    }

    let seen: Vec<_> =
        visits_out.rows().iter().map(|visit| (visit.user.clone(), minute(visit.first), visit.clicks)).collect();
    let expected = [("ada", 0, 3), ("ada", 36, 1), ("bob", 12, 2), ("bob", 70, 1), ("cyd", 31, 3)];
    assert_eq!(seen, expected.map(|(user, first, clicks)| (user.to_string(), first, clicks)));
    assert_eq!(late_out.rows(), [Click { user: "bob".to_string(), at: at(20) }]);

    // The same holds on any number of workers, in batches of any size, and through crashes.
    let checked = JobCheck::new(visits).live("clicks", clicks).run();
    assert_eq!(checked.rows::<Visit>("visits"), visits_out.rows());
    assert_eq!(checked.rows::<Click>("late"), late_out.rows());
    Ok(())
}
