//! Days, weeks and months in a time zone: each event against the clocks of its zone, looked at minute by minute.
//!
//! Would catch: a day that is taken for 24 hours, a midnight that the clocks skip or show twice, a date that they skip, a
//! date that they show again when its day is over, and a window that begins where no other ends.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use dualgauge_engine::testing::{Item, Line, Lines, Script, check_two};
use dualgauge_engine::{Duration, Durations, EventTime, Flow, Job};
use dualgauge_operators::aggregate::{collect, count, distinct_count, first, last, sum};
use dualgauge_operators::window::{Calendar, InWindow, Rows, Window, days_in, months_in, weeks_in};
use dualgauge_operators::{KeyBy, Map};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use proptest::prelude::*;

use crate::case::{case, config, event};
use crate::windows::{aligned, early, everything, lateness, text};

/// Zones, and the instant at which their clocks do something.
const ZONES: [(&str, &str); 8] = [
    ("America/New_York", "2015-03-08T07:00:00Z"),  // an hour is skipped at two
    ("Europe/Berlin", "2015-10-25T01:00:00Z"),     // an hour comes twice at two
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"), // midnight is skipped
    ("America/Havana", "2015-11-01T05:00:00Z"),    // midnight comes twice
    ("America/St_Johns", "2010-11-07T02:31:00Z"),  // at one minute past midnight it is the day before again
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),      // a date is skipped
    ("America/Toronto", "1919-03-31T04:30:00Z"),   // from 23:30 on an hour is skipped, over midnight
    ("Asia/Kathmandu", "2015-01-01T00:00:00Z"),    // nothing, at 5:45
];

type Kind = (&'static str, fn(&str) -> Calendar, fn(Date) -> Date, fn(Date) -> Date);

/// A unit: its name, its windows, the first date of the unit that a date is in, and of the next one.
const KINDS: [Kind; 3] = [
    ("days", days_in, |date| date, |date| date.tomorrow().unwrap()),
    ("weeks", weeks_in, monday, |date| monday(date).checked_add(Span::new().weeks(1)).unwrap()),
    ("months", months_in, Date::first_of_month, |date| date.last_of_month().tomorrow().unwrap()),
];

fn monday(mut date: Date) -> Date {
    while date.weekday() != jiff::civil::Weekday::Monday {
        date = date.yesterday().unwrap();
    }
    date
}

fn shown(zone: &TimeZone, time: EventTime) -> Date {
    zone.to_datetime(Timestamp::from_microsecond(time.as_micros()).unwrap()).date()
}

/// The first minute at which the clocks show `date` or a later one.
fn beginning(zone: &TimeZone, date: Date) -> EventTime {
    static FOUND: LazyLock<Mutex<HashMap<(String, Date), EventTime>>> = LazyLock::new(Mutex::default);
    let key = (zone.iana_name().unwrap().to_string(), date);
    let utc = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap().as_microsecond();
    let from = EventTime::from_micros(utc) - 15.hours();
    let find = || (0..).map(|minute: i64| from + minute.minutes()).find(|time| shown(zone, *time) >= date).unwrap();
    *FOUND.lock().unwrap().entry(key).or_insert_with(find)
}

fn window_of(zone: &TimeZone, kind: Kind, time: EventTime) -> Window {
    let (_, _, first, next) = kind;
    let mut date = shown(zone, time);
    if beginning(zone, date.tomorrow().unwrap()) <= time {
        date = date.tomorrow().unwrap();
    }
    Window { start: beginning(zone, first(date)), end: beginning(zone, next(date)) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn days_weeks_and_months_are_those_of_the_clocks(
        case in case(), zone in 0..ZONES.len(), kind in 0..KINDS.len(), minutes in prop_oneof![1..9_i64, 60..400_i64],
        lateness in lateness(), early in early(),
    ) {
        let ((name, origin), kind) = (ZONES[zone], KINDS[kind]);
        let unit = minutes * 60_000_000;
        let (zone, windows) = (TimeZone::get(name).unwrap(), kind.1(name));
        let case = case.stretched(unit, origin.parse::<EventTime>().unwrap());
        let stretched = |duration: Duration| Duration::from_micros(duration.as_micros() * unit);
        let (lateness, early) = (stretched(lateness), early.map(stretched));
        let answer = case.run(case.script(), move |items| {
            let windowed = items.key_by(|item| item.key.clone()).window(windows.clone()).allowed_lateness(lateness);
            let windowed = if let Some(every) = early { windowed.early(every) } else { windowed };
            let panes = windowed.aggregate("everything", everything!());
            let late = panes.late().map(|item| event(&item));
            [panes.map(text), late]
        });
        prop_assert_eq!(answer, aligned(&case.judged(), lateness, |time| vec![window_of(&zone, kind, time)]));
    }

    /// From the first instant to the last.
    #[test]
    fn each_window_begins_where_another_ends(
        time in any::<i64>(), near in -400_000_000_000_000_000..400_000_000_000_000_000_i64, zone in 0..ZONES.len(),
        kind in 0..KINDS.len(),
    ) {
        let windows = KINDS[kind].1(ZONES[zone].0);
        for time in [time, near, i64::MIN + 1, i64::MAX - 1].map(EventTime::from_micros) {
            let window = windows.window_of(time);
            prop_assert!(window.start <= time && time < window.end, "{} is not in {}", time, window);
            for same in [window.start, window.last_instant()] {
                prop_assert_eq!(windows.window_of(same), window);
            }
            if window.end.is_instant() {
                prop_assert_eq!(windows.window_of(window.end).start, window.end);
            }
        }
    }
}

#[test]
fn the_days_on_which_clocks_are_changed_are_shorter_and_longer() {
    let hours = |zone: &str, noon: &str| {
        let day = days_in(zone).window_of(noon.parse().unwrap());
        (day.end - day.start).as_micros() as f64 / 3_600_000_000.0
    };
    for (zone, noon, expected) in [
        ("America/New_York", "2026-03-08T16:00:00Z", 23.0),
        ("America/New_York", "2026-11-01T16:00:00Z", 25.0),
        ("Europe/Berlin", "2026-03-29T12:00:00Z", 23.0),
        ("Australia/Lord_Howe", "2026-04-05T02:00:00Z", 24.5),
        ("America/Havana", "2015-11-01T17:00:00Z", 25.0),
        ("America/Sao_Paulo", "2018-11-04T15:00:00Z", 23.0),
        ("America/St_Johns", "2010-11-07T16:00:00Z", 25.0),
        ("Pacific/Apia", "2011-12-29T22:00:00Z", 24.0),
    ] {
        assert_eq!(hours(zone, noon), expected, "{zone} {noon}");
    }
}

#[test]
fn what_clocks_show_again_of_a_day_that_has_ended_belongs_to_the_day_after_it() {
    // In St. John's it was 00:00 on the seventh at 02:30 UTC, and a minute later 23:01 on the sixth again, for an hour.
    let days = days_in("America/St_Johns");
    let day = |time: &str| days.window_of(time.parse().unwrap()).to_string();
    assert_eq!(day("2010-11-07T02:29:59Z"), "[2010-11-06T02:30:00Z, 2010-11-07T02:30:00Z)");
    for time in ["2010-11-07T02:30:00Z", "2010-11-07T02:31:00Z", "2010-11-07T03:00:00Z", "2010-11-07T12:00:00Z"] {
        assert_eq!(day(time), "[2010-11-07T02:30:00Z, 2010-11-08T03:30:00Z)", "{time}");
    }
}

#[test]
fn a_window_join_is_cut_by_the_calendar_too() {
    // In Tokyo the day ends at 15:00 UTC.
    check_two(
        "a:1@53999 a:2@54000",
        "a:7@0 a:8@54001",
        |left, right| {
            let days = left.key_by(|item| item.key.clone()).window(days_in("Asia/Tokyo"));
            let join = days.join(right.key_by(|item| item.key.clone()));
            join.inner("pairs", |_, left, right| format!("{} {}", left.value, right.value))
        },
        "53999.999999 1 7
         140399.999999 2 8",
    );
}

#[test]
fn a_zone_that_does_not_exist_refuses_the_graph_and_says_which_was_meant() {
    for (zone, expected) in [
        ("America/New_Yrok", "did you mean `America/New_York`?"),
        ("New York", "did you mean `America/New_York`?"),
        ("berlin", "did you mean `Europe/Berlin`?"),
        ("+02:00", "write a name such as Europe/Berlin"),
        ("", "write a name such as Europe/Berlin"),
    ] {
        let graph = move |flow: &Flow<'_>| {
            let items = flow.source::<Item>("items").key_by(|item| item.key.clone());
            let panes = items.clone().window(days_in(zone)).aggregate("per_day", count());
            let line = |text: String| Line { time: EventTime::default(), text };
            panes.rows(move |key, _, _| line(key)).sink("out");
            let pairs = items.clone().window(weeks_in(zone)).join(items).inner("pairs", |_, left, _| left.key.clone());
            pairs.map(line).sink("pairs");
        };
        let job = Job::new(graph).source("items", Script::from("a:1@1"));
        let error = job.sink("out", Lines::default()).sink("pairs", Lines::default()).run().unwrap_err();
        let said = error.to_string();
        assert_eq!(error.kind(), dualgauge_engine::ErrorKind::Usage, "{said}");
        for part in ["aggregate per_day", "join pairs", "calendar.rs:", &format!("`{zone}` is no time zone"), expected]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
