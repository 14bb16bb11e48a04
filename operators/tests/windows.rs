//! Windows over scripts: what fires, when, and what is late. Each script runs on one to three workers, with epochs of one
//! row and of many, under seeded schedules; an answer that depends on any of these fails: A result never depends on
//! arrival, batch borders, worker count or hash order.

use std::collections::BTreeMap;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::testing::{Item, Line, Lines, Script, Step, check, run, seconds, survive};
use dualgauge_engine::{Duration, Durations, Event, EventTime, Flow, Job, Stream};
use dualgauge_operators::aggregate::{count, sum};
use dualgauge_operators::window::{InWindow, Pane, counted, session, sliding, tumbling, whole};
use dualgauge_operators::{KeyBy, Map, Union};

fn text<V: std::fmt::Debug>(pane: Pane<String, V>) -> String {
    format!("{} [{},{}) {:?}", pane.key, seconds(pane.window.start), seconds(pane.window.end), pane.value)
}

fn late(item: Item) -> String {
    format!("late {}:{}", item.key, item.value)
}

fn tumbling_count(lateness: Duration) -> impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |items| {
        let windowed = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).allowed_lateness(lateness);
        windowed.aggregate("count", (count(), sum(|item: &Item| item.value))).map(text)
    }
}

#[test]
fn a_tumbling_window_holds_its_start_and_not_its_end() {
    check(
        "a:1@0 a:2@9.999999 a:4@10 b:8@10",
        tumbling_count(Duration::ZERO),
        "9.999999 a [0,10) (2, 3)
         19.999999 a [10,20) (1, 4)
         19.999999 b [10,20) (1, 8)",
    );
}

#[test]
fn windows_before_the_epoch_floor_like_all_others_and_empty_ones_are_silent() {
    check(
        "disorder 100s
         a:1@-1 a:2@-10 a:4@-11 a:8@35",
        tumbling_count(Duration::ZERO),
        "-10.000001 a [-20,-10) (1, 4)
         -0.000001 a [-10,0) (2, 3)
         39.999999 a [30,40) (1, 8)",
    );
}

#[test]
fn an_event_below_the_watermark_is_not_late_while_its_window_is_open() {
    check(
        "a:1@5 a:2@3 a:4@9 a:8@1 a:16@20",
        tumbling_count(Duration::ZERO),
        "9.999999 a [0,10) (4, 15)
         29.999999 a [20,30) (1, 16)",
    );
}

#[test]
fn counted_windows_that_are_to_fire_early_or_as_events_arrive_refuse_the_graph() {
    let graph = |flow: &Flow<'_>| {
        let keyed = flow.source::<Item>("items").key_by(|item| item.key.clone());
        let line = |pane: Pane<String, u64>| Line { time: pane.time, text: text(pane) };
        keyed.clone().window(counted(2)).early(1.seconds()).aggregate("early", count()).map(line).sink("early");
        keyed.as_arrives().window(counted(2)).aggregate("arriving", count()).map(line).sink("arriving");
    };
    let error = Job::new(graph).graph().unwrap_err().to_string();
    for part in
        ["aggregate early (counted 2, early every 1s)", "leave `early` out", "aggregate arriving", "`as_arrives` out"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_pane_outlives_the_epochs_that_it_was_filled_in() {
    // A waiting pane holds event time, never an epoch. With a row to an epoch, eight epochs close while it waits, and its
    // result comes in the ninth. One that held its epoch would never let flow control read the ninth row: no answer at all.
    check(
        "a:1@0 | b:1@1 | a:1@2 | b:1@3 | a:1@4 | b:1@5 | a:1@6 | b:1@7 | a:1@10",
        tumbling_count(Duration::ZERO),
        "9.999999 a [0,10) (4, 4)
         9.999999 b [0,10) (4, 4)
         19.999999 a [10,20) (1, 1)",
    );
}

#[test]
fn a_late_record_leaves_by_its_own_stream_and_counts_nowhere() {
    check(
        "a:1@5 a:2@12 a:4@9 | a:8@3 a:16@11",
        |items| {
            let panes = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).aggregate("n", count());
            let late_items = panes.late().map(late);
            panes.map(text).union(late_items)
        },
        "3 late a:8
         9 late a:4
         9.999999 a [0,10) 1
         19.999999 a [10,20) 2",
    );
}

#[test]
fn lateness_is_judged_by_the_partition_of_the_record_and_not_by_the_others() {
    // What is late is decided where it is read, by its own partition's order. The second partition is far ahead; the
    // first is on time by its own.
    check(
        "a:1@1 | a:2@2 | a:4@11 | a:8@5
         b:1@100 | b:1@200 | b:1@300",
        tumbling_count(Duration::ZERO),
        "9.999999 a [0,10) (2, 3)
         19.999999 a [10,20) (1, 4)
         109.999999 b [100,110) (1, 1)
         209.999999 b [200,210) (1, 1)
         309.999999 b [300,310) (1, 1)",
    );
}

#[test]
fn within_the_allowed_lateness_a_window_fires_again_and_the_sink_keeps_the_last() {
    check(
        "a:1@5 | a:2@12 | a:4@9 | a:8@15 | a:16@9 | a:32@19",
        tumbling_count(5.seconds()),
        "9.999999 a [0,10) (2, 5)
         19.999999 a [10,20) (3, 42)",
    );
}

#[test]
fn early_firings_change_nothing_in_the_end() {
    check(
        "a:1@1 | a:2@3 | b:4@4 | a:8@8 | a:16@12",
        |items| {
            let windowed = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).early(2.seconds());
            windowed.aggregate("n", count()).map(text)
        },
        "9.999999 a [0,10) 3
         9.999999 b [0,10) 1
         19.999999 a [10,20) 1",
    );
}

#[test]
fn an_offset_moves_the_starts_either_way() {
    for (offset, expected) in [(3, "2.999999 a [-7,3) 1\n12.999999 a [3,13) 1"), (-3, "6.999999 a [-3,7) 2")] {
        let windows = tumbling(10.seconds()).offset(offset.seconds());
        check(
            "a:1@2 a:1@3",
            move |items| items.key_by(|item| item.key.clone()).window(windows).aggregate("n", count()).map(text),
            expected,
        );
    }
}

#[test]
fn the_whole_of_time_fires_at_the_end() {
    check(
        "a:1@5 b:2@50 a:4@-9 ~60",
        |items| {
            let all =
                items.key_by(|item| item.key.clone()).window(whole()).aggregate("n", sum(|item: &Item| item.value));
            all.map(|pane| format!("{} {}", pane.key, pane.value))
        },
        "9223372036854.775806 a 5
         9223372036854.775806 b 2",
    );
}

fn sliding_count(lateness: Duration) -> impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |items| {
        let windows = sliding(10.seconds(), 4.seconds());
        let windowed = items.key_by(|item| item.key.clone()).window(windows).allowed_lateness(lateness);
        let panes = windowed.aggregate("count", count());
        if lateness.is_positive() {
            return panes.map(text);
        }
        let late_items = panes.late().map(late);
        panes.map(text).union(late_items)
    }
}

#[test]
fn sliding_windows_overlap_and_end_on_their_own_grid() {
    // Windows of 10 s start at every multiple of 4 s, so they end at 10, 14, 18, …
    check(
        "a:1@9 b:1@13 a:1@30",
        sliding_count(Duration::ZERO),
        "9.999999 a [0,10) 1
         13.999999 a [4,14) 1
         13.999999 b [4,14) 1
         17.999999 a [8,18) 1
         17.999999 b [8,18) 1
         21.999999 b [12,22) 1
         33.999999 a [24,34) 1
         37.999999 a [28,38) 1",
    );
}

#[test]
fn a_record_that_is_late_for_some_windows_counts_for_the_others() {
    // At watermark 14 the windows that end at 10 and 14 are closed to the record at 9; the one that ends at 18 is not.
    check(
        "a:1@8 | a:1@14 | a:1@9 | a:1@3",
        sliding_count(Duration::ZERO),
        "3 late a:1
         9.999999 a [0,10) 1
         13.999999 a [4,14) 1
         17.999999 a [8,18) 3
         21.999999 a [12,22) 1",
    );
}

#[test]
fn sliding_windows_are_corrected_within_the_lateness() {
    check(
        "a:1@8 | a:1@14 | a:1@9 | b:1@18 | a:1@13",
        sliding_count(4.seconds()),
        "9.999999 a [0,10) 1
         13.999999 a [4,14) 2
         17.999999 a [8,18) 4
         21.999999 a [12,22) 2
         21.999999 b [12,22) 1
         25.999999 b [16,26) 1",
    );
}

fn sessions(lateness: Duration) -> impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |items| {
        let windowed = items.key_by(|item| item.key.clone()).window(session(5.seconds())).allowed_lateness(lateness);
        let panes = windowed.aggregate("count", count());
        let late_items = panes.late().map(late);
        panes.map(text).union(late_items)
    }
}

#[test]
fn events_a_gap_apart_are_two_sessions() {
    check(
        "a:1@0 a:1@4.999999 b:1@7 a:1@9.999999",
        sessions(Duration::ZERO),
        "9.999998 a [0,9.999999) 2
         11.999999 b [7,12) 1
         14.999998 a [9.999999,14.999999) 1",
    );
}

#[test]
fn an_event_in_the_middle_joins_two_sessions() {
    check(
        "disorder 10s
         a:1@0 a:1@8 a:1@4 a:1@30",
        sessions(Duration::ZERO),
        "12.999999 a [0,13) 3
         34.999999 a [30,35) 1",
    );
}

#[test]
fn a_late_event_never_revives_a_session() {
    check(
        "a:1@0 | a:1@2 | a:1@1 | a:1@20",
        sessions(Duration::ZERO),
        "1 late a:1
         6.999999 a [0,7) 2
         24.999999 a [20,25) 1",
    );
    check(
        "a:1@0 | a:1@2 | a:1@1 | a:1@20",
        sessions(1.seconds()),
        "6.999999 a [0,7) 3
         24.999999 a [20,25) 1",
    );
}

/// History with two records at the first instant, two at the last and one between them, in windows of a kind: how many each has.
macro_rules! at_the_ends_of_time {
    ($workers:expr, $kind:expr, $lateness:expr) => {{
        let item = |time| Item { time, key: "a".to_string(), value: 1 };
        let (start, end) = (item(EventTime::FIRST), item(EventTime::LAST));
        let items = vec![start.clone(), start, item(EventTime::default()), end.clone(), end];
        let script = Script::new(vec![vec![Step::Batch(items, None)]]).promised();
        let lines = run(
            script,
            move |items| {
                let windowed = items.key_by(|item| item.key.clone()).window($kind).allowed_lateness($lateness);
                windowed.aggregate("count", count()).map(|pane| pane.value.to_string())
            },
            $workers,
            100,
            None,
        );
        let counts = lines.iter().map(|line| line.split_once(' ').unwrap().1.to_string());
        counts.collect::<Vec<_>>()
    }};
}

#[test]
fn records_at_the_ends_of_time_end_up_in_windows_like_all_others() {
    for workers in [1, 2] {
        for lateness in [Duration::ZERO, 5.seconds()] {
            assert_eq!(at_the_ends_of_time!(workers, tumbling(10.seconds()), lateness), ["2", "1", "2"]);
            assert_eq!(at_the_ends_of_time!(workers, session(10.seconds()), lateness), ["2", "1", "2"]);
            assert_eq!(at_the_ends_of_time!(workers, whole(), lateness), ["5"]);
            // The windows that would end beyond the end of time are one.
            let slid = at_the_ends_of_time!(workers, sliding(10.seconds(), 5.seconds()), lateness);
            assert_eq!(slid, ["2", "2", "1", "1", "2"]);
        }
    }
}

/// Counts of windows that fire early and again, written to `lines`.
fn early_and_late(lines: Lines) -> Job {
    let script = "a:1@1 b:1@2 a:1@4 | a:1@12 b:1@13 a:1@8 | b:1@9 a:1@17 | a:1@16 a:1@25 b:1@26 | a:1@21 a:1@44
        b:1@3 | b:1@6 a:1@11 | b:1@19 | a:1@14 b:1@31 a:1@33";
    let graph = |flow: &Flow<'_>| {
        let items = flow.source::<Item>("items").disorder(2.seconds()).key_by(|item| item.key.clone());
        let windows = items.window(tumbling(10.seconds())).early(2.seconds()).allowed_lateness(5.seconds());
        let counts = windows.aggregate("n", count()).transform(NodeSpec::stateless("lines"), |batch| {
            batch.transform(|Event { time, data }, out| {
                out.push(Event::new(time, Line { time, text: format!("{} {}", data.key, data.value) }));
            })
        });
        counts.sink("lines");
    };
    Job::new(graph).source("items", Script::from(script)).sink("lines", lines)
}

/// What is written of each result is numbered without a gap, and what is said to be the last is what is written without.
#[test]
fn all_firings_come_exactly_once_through_crashes_and_the_last_are_the_answer() {
    let last = Lines::default();
    early_and_late(last.clone()).run().unwrap();
    for seed in 0..12 {
        let all = Lines::all_firings();
        survive(seed, || early_and_late(all.clone()));
        let (mut shown, mut lasts) = (BTreeMap::<String, Vec<u64>>::new(), Vec::new());
        for line in all.text() {
            let (result, firing) = line.split_once(" firing ").unwrap();
            match firing.strip_suffix(" last") {
                Some(number) => lasts.push((result.to_string(), number.parse::<u64>().unwrap())),
                None => {
                    let key = result.rsplit_once(' ').unwrap().0.to_string();
                    shown.entry(key).or_default().push(firing.parse().unwrap());
                }
            }
        }
        assert_eq!(lasts.iter().map(|(result, _)| result.clone()).collect::<Vec<_>>(), last.text(), "seed {seed}");
        for (result, number) in lasts {
            let mut numbers = shown.remove(result.rsplit_once(' ').unwrap().0).unwrap_or_default();
            numbers.sort();
            assert_eq!(numbers, (1..=number).collect::<Vec<_>>(), "seed {seed}: {result}");
        }
        assert!(shown.is_empty(), "seed {seed}: {shown:?}");
    }
}
