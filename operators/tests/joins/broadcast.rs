//! Broadcast streams: which state an event meets, to the microsecond; late, idle and ended sides; other numbers of workers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use dualgauge_engine::checkpoint::LocalStore;
use dualgauge_engine::flow::source;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::job::StopHandle;
use dualgauge_engine::testing::{Baton, Item, Line, Lines, Script, Step, check_two, seconds, survive};
use dualgauge_engine::{Checkpoints, Duration, Durations, ErrorKind, EventTime, Flow, Job, Limits, Stream};
use dualgauge_operators::join::Broadcast;
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Either, Filter, Inspect, KeyBy, Map, Union};

/// All changes so far of the event's own key, in the order in which they were made: nothing about them is hidden.
type Log = BTreeMap<String, Vec<i64>>;

fn note(log: &mut Log, change: Item) {
    log.entry(change.key).or_default().push(change.value);
}

fn text(item: &Item, log: &Log) -> String {
    let changes = log.get(&item.key).into_iter().flatten().map(i64::to_string);
    format!("{} {}", item.value, changes.collect::<Vec<_>>().join("+"))
}

/// The results, and what is late on either side.
fn logged<'s>(events: Stream<'s, Item>, changes: Stream<'s, Item>, lateness: Duration) -> Stream<'s, String> {
    let changes = changes.broadcast(note).allowed_lateness(lateness);
    let results = events.with_broadcast("logged", changes, |item, log| [text(&item, log)]);
    let late = results.late().map(|late| match late {
        Either::Left(item) => format!("late {}", item.value),
        Either::Right(item) => format!("late change {}", item.value),
    });
    results.map(|text| text).union(late)
}

fn at_once<'s>(events: Stream<'s, Item>, changes: Stream<'s, Item>) -> Stream<'s, String> {
    logged(events, changes, Duration::ZERO)
}

#[test]
fn a_change_holds_from_its_own_time_on() {
    check_two(
        "a:1@9.999999 a:2@10 a:3@10.000001 b:4@11 a:5@20",
        "b:9@0 a:7@10 a:8@20",
        at_once,
        "9.999999 1\n10 2 7\n10.000001 3 7\n11 4 9\n20 5 7+8",
    );
}

#[test]
fn the_order_of_arrival_decides_nothing() {
    let expected = "4 1\n6 2 7\n9 3 7+8\n11 4 7+8";
    check_two("a:1@4 a:2@6 a:3@9 a:4@11", "a:7@5 a:8@8", at_once, expected);
    check_two("disorder 10s\na:4@11 a:2@6 | a:3@9 a:1@4", "disorder 10s\na:8@8 | a:7@5", at_once, expected);
    // Either side comes when the other has long been there.
    check_two("_ | _ | _ | a:1@4 a:2@6 a:3@9 a:4@11", "a:7@5 a:8@8", at_once, expected);
    check_two("a:1@4 a:2@6 a:3@9 a:4@11", "_ | _ | _ | a:7@5 | _ | a:8@8", at_once, expected);
    // Each in two partitions, of which one is ahead.
    check_two("a:4@11\na:1@4 a:2@6 a:3@9", "a:8@8\na:7@5", at_once, expected);
}

#[test]
fn changes_of_equal_times_are_made_in_the_order_of_the_records() {
    for changes in ["a:7@5 a:9@5 a:8@5", "a:9@5 a:7@5 a:8@5", "a:9@5\na:8@5\na:7@5"] {
        check_two("a:1@5 b:2@5 a:3@6", changes, at_once, "5 1 7+8+9\n5 2\n6 3 7+8+9");
    }
    // Equal records are as many changes.
    check_two("a:1@5", "a:7@5 a:7@5\na:7@5", at_once, "5 1 7+7+7");
}

#[test]
fn times_before_the_epoch_are_times() {
    check_two(
        "a:1@-20.000001 a:2@-20 a:3@-0.000001 a:4@0",
        "a:7@-20 a:8@0",
        at_once,
        "-20.000001 1\n-20 2 7\n-0.000001 3 7\n0 4 7+8",
    );
}

#[test]
fn a_record_is_judged_by_the_watermark_it_came_under_and_a_late_change_is_told_once() {
    check_two(
        "a:0@14 a:1@20 a:2@19.999999 a:3@20",
        "a:7@10 a:7@15 a:8@14 a:9@15",
        at_once,
        "14 0 7
         14 late change 8
         19.999999 late 2
         20 1 7+7+9
         20 3 7+7+9",
    );
}

#[test]
fn the_allowed_lateness_holds_for_both() {
    check_two(
        "a:1@20 a:2@17 a:3@16.999999",
        "a:7@16 a:8@20 a:9@17 a:10@16.999999",
        |events, changes| logged(events, changes, 3.seconds()),
        "16.999999 late 3
         16.999999 late change 10
         17 2 7+9
         20 1 7+9+8",
    );
}

#[test]
fn a_side_that_ends_early_or_has_nothing_holds_nobody_up() {
    check_two("a:1@1", "a:2@1 a:3@3600 b:4@7200", at_once, "1 1 2");
    check_two("a:1@1 a:2@3600 b:3@7200", "a:7@0", at_once, "1 1 7\n3600 2 7\n7200 3");
    check_two("", "a:2@2 a:3@3600", at_once, "");
    check_two("a:2@2 a:3@3600", "", at_once, "2 2\n3600 3");
    check_two("", "", at_once, "");
}

#[test]
fn an_event_may_become_nothing_or_several() {
    check_two(
        "a:0@4 a:1@5 b:2@6",
        "all:2@5 all:0@6",
        |events, changes| {
            let copies = changes.broadcast(|copies: &mut i64, change: Item| *copies = change.value);
            events.with_broadcast("copies", copies, |item, copies| {
                (0..*copies).map(|copy| format!("{}{copy}", item.key)).collect::<Vec<_>>()
            })
        },
        "5 a0\n5 a1",
    );
}

#[test]
fn what_comes_of_it_is_on_time_for_a_keyed_step_behind() {
    check_two(
        "disorder 2s\na:1@1 b:2@3 a:3@4 b:4@2 a:5@12",
        "a:10@0 b:20@0 | _ | _ | a:30@4",
        |events, changes| {
            let factors = changes.broadcast(|factors: &mut BTreeMap<String, i64>, change: Item| {
                factors.insert(change.key, change.value);
            });
            let scaled = events.with_broadcast("scaled", factors, |item, factors| {
                factors.get(&item.key).map(|factor| Item { value: item.value * factor, ..item.clone() })
            });
            let windows = scaled.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let sums = windows.aggregate("sum", dualgauge_operators::aggregate::sum(|item: &Item| item.value));
            sums.map(|pane| format!("{} {}", pane.key, pane.value))
        },
        "9.999999 a 100
         9.999999 b 120
         19.999999 a 150",
    );
}

#[test]
fn two_streams_may_meet_the_same_changes() {
    check_two(
        "a:1@1 b:2@3",
        "a:10@0 b:20@2",
        |events, changes| {
            let (others, their_changes) = (events.clone().filter(|item| item.key == "b"), changes.clone());
            let one = events.with_broadcast("one", changes.broadcast(note), |item, log| [text(&item, log)]);
            let other = others.with_broadcast("other", their_changes.broadcast(note), |item, log| {
                [format!("other {}", text(&item, log))]
            });
            one.union(other)
        },
        "1 1 10\n3 2 20\n3 other 2 20",
    );
}

/// Ten partitions of events and one of changes, a change every second and several of some seconds, in disorder.
fn long_scripts() -> ([Script; 2], Vec<String>) {
    let drawn = |place: i64| (place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let item = |time: i64, key: u64, value: i64| Item {
        time: EventTime::from_millis(time * 100),
        key: format!("k{}", key % 3),
        value,
    };
    let events: Vec<Vec<Item>> = (0..10)
        .map(|partition| (0..60).map(|n| item(n * 7 - (drawn(n * 10 + partition) % 9) as i64, drawn(n), n)).collect())
        .collect();
    let changes: Vec<Item> = (0..90).map(|n| item(n * 5 - (drawn(n + 5) % 20) as i64, drawn(n + 7), n * 100)).collect();
    let mut expected = Vec::new();
    for event in events.iter().flatten() {
        let mut before: Vec<_> = changes.iter().filter(|change| change.time <= event.time).cloned().collect();
        before.sort();
        let mut log = Log::new();
        before.into_iter().for_each(|change| note(&mut log, change));
        expected.push((event.time, text(event, &log)));
    }
    expected.sort();
    let line = |(time, text): &(EventTime, String)| format!("{} {text}", seconds(*time)).trim_end().to_string();
    let expected = expected.iter().map(line).collect();
    let steps = |items: &Vec<Item>| items.chunks(2).map(|items| Step::Batch(items.to_vec(), None)).collect();
    let script = |partitions: Vec<_>| Script::new(partitions).disorder(2.seconds());
    ([script(events.iter().map(steps).collect()), script(vec![steps(&changes)])], expected)
}

/// `read` is told of each change that is read.
fn long_job(scripts: &[Script; 2], lines: &Lines, read: impl Fn() + Clone + Send + Sync + 'static) -> Job {
    let graph = move |flow: &Flow<'_>| {
        let [events, changes] =
            ["events", "changes"].map(|name| flow.source::<Item>(source(name).disorder(2.seconds())));
        let line = |item: Item, log: &Log| [Line { time: item.time, text: text(&item, log) }];
        let read = read.clone();
        let changes = changes.inspect(move |_| read());
        events.with_broadcast("logged", changes.broadcast(note), line).sink("lines");
    };
    let [events, changes] = scripts.clone();
    Job::new(graph).source("events", events).source("changes", changes).sink("lines", lines.clone())
}

#[test]
fn a_long_run_through_crashes_gives_what_a_look_at_everything_gives() {
    let (scripts, expected) = long_scripts();
    for seed in 0..12 {
        let lines = Lines::default();
        survive(seed, || long_job(&scripts, &lines, || {}));
        assert!(lines.text() == expected, "seed {seed}");
    }
}

#[test]
fn a_job_that_is_stopped_goes_on_with_one_worker_then_three_then_two() {
    let (scripts, expected) = long_scripts();
    for seed in 0..6 {
        let (fs, lines) = (FaultFs::new(), Lines::default());
        for (start, workers) in [1, 3, 2, 1].into_iter().enumerate() {
            // In the midst of the changes the job has itself stopped, so that there is something to go on with.
            let (read, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::<StopHandle>::new()));
            let handle = Arc::clone(&stop);
            let job = long_job(&scripts, &lines, move || {
                if read.fetch_add(1, Ordering::Relaxed) == 9 && start < 3 {
                    handle.wait().stop();
                }
            });
            let limits = Limits { epoch_rows: 4, epoch_interval: Duration::MAX, ..Limits::default() };
            let store = LocalStore::open(Arc::new(fs.clone()), "/job").unwrap();
            let checkpoints = Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO);
            let job = job.limits(limits).checkpoints(checkpoints).turns(Arc::new(Baton::new(workers, seed)));
            let running = job.workers(workers).start().unwrap();
            assert!(stop.set(running.stop_handle()).is_ok(), "a job is started once");
            match (start, running.join()) {
                (3, ended) => drop(ended.unwrap()),
                (_, ended) => assert_eq!(ended.unwrap_err().kind(), ErrorKind::Stopped, "start {start}, seed {seed}"),
            }
        }
        assert!(lines.text() == expected, "seed {seed}");
    }
}

#[test]
fn the_listing_shows_no_deal_by_key_and_late_records_of_both_sides_are_counted() {
    let graph = |flow: &Flow<'_>| {
        let [events, changes] = ["events", "changes"].map(|name| flow.source::<Item>(name));
        let changes = changes.broadcast(note).allowed_lateness(2.seconds());
        let line = |item: Item, log: &Log| [Line { time: item.time, text: text(&item, log) }];
        events.with_broadcast("logged", changes, line).sink("lines");
    };
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("with_broadcast logged (lateness 2s) <- 0, 1"), "{listing}");
    for workers in [1, 3] {
        let lines = Lines::default();
        let job = Job::new(graph).workers(workers).sink("lines", lines.clone());
        let job =
            job.source("events", Script::from("a:1@10 a:2@7")).source("changes", Script::from("a:3@9 a:4@6 a:5@5"));
        let outcome = job.run().unwrap();
        assert_eq!(lines.text(), ["10 1 3"]);
        assert_eq!(outcome.metrics.step("logged").late, 3, "on {workers} workers");
    }
}
