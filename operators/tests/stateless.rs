//! Operators without memory over scripts, on plain streams and on those whose results may still be corrected; and what
//! becomes of a graph that cannot run, a closure that panics and a job that is stopped.

use dualgauge_engine::testing::{Item, Line, Lines, Script, as_lines, check};
use dualgauge_engine::{Durations, ErrorKind, Flow, Job, Stream};
use dualgauge_operators::aggregate::{count, sum};
use dualgauge_operators::keyed::{Context, Fold, Process, ProcessWith, Reduce};
use dualgauge_operators::window::{InWindow, Pane, session, sliding, tumbling, whole};
use dualgauge_operators::{Either, Filter, FilterMap, FlatMap, Inspect, KeyBy, Map, Split, Union};

fn text(item: Item) -> String {
    format!("{}:{}", item.key, item.value)
}

#[test]
fn what_passes_keeps_its_time_and_its_lateness() {
    check(
        "a:1@10 b:2@12 a:-3@4 | c:4@5",
        |items| {
            let positive = items.filter(|item| item.value > 0).inspect(|event| assert!(event.data.value > 0));
            let doubled = positive.flat_map(|item| [text(item.clone()), text(item)]);
            let named = doubled.filter_map(|text| text.strip_suffix('4').is_none().then_some(text));
            named.map(|text| format!("<{text}>"))
        },
        "10 <a:1>
         10 <a:1>
         12 <b:2>
         12 <b:2>",
    );
    // The record at 4 is late for the window behind all of these, as it was for the source.
    check(
        "a:1@10 b:2@12 a:-3@4",
        |items| {
            let items = items.filter(|_| true).inspect(|_| ()).flat_map(|item| [item.clone(), item]).filter_map(Some);
            let panes = items.key_by(|item| item.key.clone()).window(tumbling(6.seconds())).aggregate("n", count());
            let late = panes.late().map(|item| format!("late {}", text(item)));
            panes.map(|pane| format!("{} {}", pane.key, pane.value)).union(late)
        },
        "4 late a:-3
         4 late a:-3
         11.999999 a 2
         17.999999 b 2",
    );
}

#[test]
fn split_parts_a_stream_and_union_joins_it_again() {
    check(
        "a:1@1 b:2@2 | c:3@3 d:4@1",
        |items| {
            let side =
                |item: Item| if item.value % 2 == 0 { Either::Left(item.value) } else { Either::Right(item.key) };
            let (even, odd) = items.split(side);
            even.map(|value| format!("even {value}")).union(odd.map(|key| format!("odd {key}")))
        },
        "1 even 4
         1 odd a
         2 even 2
         3 odd c",
    );
}

#[test]
fn the_watermark_of_a_union_is_the_lesser_of_the_two() {
    check(
        "a:1@1 | a:1@2 | a:1@30 | a:1@40",
        |items| {
            let panes = items.clone().key_by(|item| item.key.clone()).window(tumbling(20.seconds()));
            let panes = panes.aggregate("slow", count()).map(|pane| ("slow".to_string(), pane.value));
            let both = items.map(|_| ("fast".to_string(), 1)).union(panes);
            let sums = both.key_by(|_| ()).window(tumbling(20.seconds())).aggregate("sum", count());
            let late = sums.late().map(|which| format!("late {which:?}"));
            sums.map(|pane| pane.value.to_string()).union(late)
        },
        "19.999999 3
         39.999999 2
         59.999999 2",
    );
}

/// Counts in windows of 10 s that are corrected for 5 s. Over the script they are 1, then 2, then 3 for `a`, and 1 for `b`.
fn corrected(items: Stream<'_, Item>) -> Stream<'_, Pane<String, u64>> {
    let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    windows.allowed_lateness(5.seconds()).aggregate("count", count()).map(|pane| pane)
}

const CORRECTIONS: &str = "a:1@5 b:1@6 | c:1@12 | a:1@9 | c:1@13 | a:1@8 | c:1@40";

#[test]
fn a_corrected_result_that_passes_no_more_is_taken_back() {
    fn shown(pane: Pane<String, u64>) -> String {
        format!("{} {}", pane.key, pane.value)
    }
    check(
        CORRECTIONS,
        |items| corrected(items).filter(|pane| pane.value < 3).map(shown),
        "9.999999 b 1
         19.999999 c 2
         49.999999 c 1",
    );
    check(
        CORRECTIONS,
        |items| corrected(items).filter_map(|pane| (pane.value >= 3).then(|| shown(pane))),
        "9.999999 a 3",
    );
}

#[test]
fn a_correction_replaces_all_rows_that_were_made_of_the_result_before() {
    check(
        CORRECTIONS,
        |items| corrected(items).flat_map(|pane| (0..4 - pane.value).map(move |n| format!("{} {n}", pane.key))),
        "9.999999 a 0
         9.999999 b 0
         9.999999 b 1
         9.999999 b 2
         19.999999 c 0
         19.999999 c 1
         49.999999 c 0
         49.999999 c 1
         49.999999 c 2",
    );
}

#[test]
fn a_corrected_result_that_changes_sides_is_on_one_of_them() {
    fn sides(items: Stream<'_, Item>) -> (Stream<'_, String>, Stream<'_, String>) {
        corrected(items).split(|pane| match pane.value % 2 {
            0 => Either::Left(format!("even {} {}", pane.key, pane.value)),
            _ => Either::Right(format!("odd {} {}", pane.key, pane.value)),
        })
    }
    check(CORRECTIONS, |items| sides(items).0, "19.999999 even c 2");
    check(CORRECTIONS, |items| sides(items).1, "9.999999 odd a 3\n9.999999 odd b 1\n49.999999 odd c 1");
    check(
        CORRECTIONS,
        |items| {
            let (even, odd) = sides(items);
            even.union(odd)
        },
        "9.999999 odd a 3
         9.999999 odd b 1
         19.999999 even c 2
         49.999999 odd c 1",
    );
}

/// Why a graph is refused.
fn refusal(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> String {
    let error = Job::new(graph).graph().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    error.to_string()
}

#[test]
fn a_stateful_step_behind_results_that_may_be_corrected_is_refused() {
    let why = refusal(|flow| {
        let keyed = corrected(flow.source::<Item>("items")).key_by(|pane| pane.key.clone());
        let again = keyed.window(tumbling(1.minutes())).aggregate("again", count());
        again.map(|pane| Line { time: pane.time, text: pane.key }).sink("lines");
    });
    for part in ["aggregate again (tumbling 1m) at operators/tests/stateless.rs:", "may still correct its results"] {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn a_union_of_results_that_may_be_corrected_with_others_is_refused() {
    let why = refusal(|flow| {
        let items = flow.source::<Item>("items");
        let panes = corrected(items.clone()).map(|pane| pane.key);
        as_lines(panes.union(items.map(|item| item.key))).sink("lines");
    });
    assert!(why.contains("union at operators/tests/stateless.rs:") && why.contains("the other may not"), "{why}");
}

#[test]
fn a_name_that_is_used_twice_is_refused_with_both_places() {
    let why = refusal(|flow| {
        let items = flow.source::<Item>("items");
        let keyed = || items.clone().key_by(|item| item.key.clone());
        let windows = keyed().window(whole()).aggregate("n", count());
        let sums = keyed().reduce("n", |total, _| total).map(text);
        as_lines(windows.map(|pane| pane.key).union(sums)).sink("lines");
    });
    assert!(why.starts_with("the name `n` is used twice, at operators/tests/stateless.rs:"), "{why}");
    assert_eq!(why.matches("operators/tests/stateless.rs:").count(), 2, "{why}");
}

#[test]
fn a_graph_without_a_sink_is_refused() {
    let why = refusal(|flow| drop(flow.source::<Item>("items").map(text)));
    assert!(why.contains("the graph has no sink"), "{why}");
}

#[test]
fn a_source_that_cannot_tell_when_a_row_happened_is_refused() {
    #[dualgauge_engine::record]
    struct Timeless {
        value: i64,
    }
    let why = refusal(|flow| {
        let rows = flow.source::<Timeless>("rows");
        as_lines(rows.map(|row| row.value.to_string())).sink("lines");
    });
    for part in ["source rows at operators/tests/stateless.rs:", "no field marked #[event_time]"] {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn all_reasons_are_told_at_once() {
    let why = refusal(|flow| {
        let items = flow.source::<Item>("items");
        let panes = corrected(items).key_by(|pane| pane.key.clone());
        let again = panes.window(session(1.minutes())).aggregate("count", count());
        as_lines(again.map(|pane| pane.key)).sink("lines");
    });
    assert!(why.contains("the name `count` is used twice") && why.contains("may still correct"), "{why}");
}

fn plain(flow: &Flow<'_>) {
    as_lines(flow.source::<Item>("items").map(text)).sink("lines");
}

#[test]
fn names_that_do_not_fit_are_told_with_those_that_would() {
    let script = || Script::from("a:1@1");
    let told = |job: Job| {
        let error = job.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        error.to_string()
    };
    assert_eq!(
        told(Job::new(plain).source("item", script()).sink("lines", Lines::default())),
        "unknown source item; the graph has the sources: items"
    );
    assert_eq!(
        told(Job::new(plain).source("items", script()).sink("lines", Lines::default()).sink("out", Lines::default())),
        "unknown sink out; the graph has the sinks: lines"
    );
    assert_eq!(
        told(Job::new(plain).sink("lines", Lines::default())),
        "nothing is bound to source items; the graph has the sources: items"
    );
    assert_eq!(
        told(Job::new(plain).source("items", script())),
        "nothing is bound to sink lines; the graph has the sinks: lines"
    );
    assert_eq!(
        told(Job::new(plain).source("items", script()).source("items", script()).sink("lines", Lines::default())),
        "source items is bound twice; the graph has the sources: items"
    );
}

/// Panics at the one event of the script whose value is 13.
fn careful(value: i64) -> i64 {
    assert!(value != 13, "unlucky");
    value
}

struct Panics {
    on_timer: bool,
}

impl Process<String, Item> for Panics {
    type State = i64;
    type Out = String;

    fn on_event(&mut self, _: &String, item: Item, state: &mut i64, context: &mut Context<'_, String, String>) {
        *state = item.value;
        if !self.on_timer {
            careful(item.value);
        }
        context.set_timer(context.time());
    }

    fn on_timer(&mut self, _: &String, state: &mut i64, _: &mut Context<'_, String, String>) {
        careful(*state);
    }
}

/// Runs a flow with a closure that panics, and wants the step named that it belongs to.
#[track_caller]
fn panics<L: 'static>(
    step: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + Copy + 'static,
) {
    let caller = std::panic::Location::caller();
    for workers in [1, 3] {
        let script = Script::from("a:1@1 b:2@2 | c:13@3 d:4@4 | e:5@20\nx:1@1 | y:2@2\nz:1@3");
        let graph = move |graph: &Flow<'_>| as_lines(flow(graph.source::<Item>("items"))).sink("lines");
        let job = Job::new(graph).source("items", script).sink("lines", Lines::default()).workers(workers);
        let error = job.run().expect_err("a closure panics");
        assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
        let start = format!("{step} at operators/tests/stateless.rs:");
        let message = error.to_string();
        assert!(message.starts_with(&start), "at {caller}, {workers} workers: {message}");
        assert!(
            message.contains("panicked: unlucky (this worker had read last"),
            "at {caller}, {workers} workers: {message}"
        );
    }
}

#[test]
fn a_panic_in_a_closure_ends_the_job_with_the_name_of_the_step_and_the_process_lives_on() {
    panics("map", |items| items.map(|item| careful(item.value).to_string()));
    panics("filter", |items| items.filter(|item| careful(item.value) > 0).map(text));
    panics("filter_map", |items| items.filter_map(|item| Some(careful(item.value).to_string())));
    panics("flat_map", |items| items.flat_map(|item| [careful(item.value).to_string()]));
    panics("inspect", |items| items.inspect(|event| assert!(careful(event.data.value) > 0)).map(text));
    panics("split", |items| {
        let (left, right) = items.split(|item| match careful(item.value) {
            1 => Either::Left(text(item)),
            _ => Either::Right(text(item)),
        });
        left.union(right)
    });
}

#[test]
fn a_panic_in_what_an_aggregate_calls_names_its_step() {
    macro_rules! in_windows {
        ($step:literal, $kind:expr) => {
            panics($step, |items| {
                let windows = items.key_by(|item| item.key.clone()).window($kind);
                windows.aggregate("n", sum(|item: &Item| careful(item.value))).map(|pane| pane.key)
            });
            panics($step, |items| {
                let windows = items.key_by(|item| careful(item.value)).window($kind);
                windows.aggregate("n", count()).map(|pane| pane.key.to_string())
            });
        };
    }
    in_windows!("aggregate n (tumbling 10s)", tumbling(10.seconds()));
    in_windows!("aggregate n (sliding 10s every 5s)", sliding(10.seconds(), 5.seconds()));
    in_windows!("aggregate n (session gap 5s)", session(5.seconds()));
    in_windows!("aggregate n (whole of time)", whole());
}

#[test]
fn a_panic_in_a_keyed_step_names_it() {
    for on_timer in [false, true] {
        panics("process p", move |items| items.key_by(|item| item.key.clone()).process("p", Panics { on_timer }));
    }
    panics("process p", |items| {
        items.key_by(|item| careful(item.value).to_string()).process("p", Panics { on_timer: false })
    });
    panics("fold f", |items| {
        items.key_by(|item| item.key.clone()).fold("f", |_: &mut (), item| careful(item.value).to_string())
    });
    panics("reduce r", |items| {
        let combine = |total: Item, item: Item| Item { value: total.value + careful(item.value), ..item };
        items.key_by(|_| ()).reduce("r", combine).map(text)
    });
}

#[test]
fn a_job_that_is_stopped_fires_no_half_full_window() {
    for workers in [1, 3] {
        let lines = Lines::default();
        let graph = |flow: &Flow<'_>| {
            let windows = flow.source::<Item>("items").key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let panes = windows.aggregate("count", count());
            panes.map(|pane| Line { time: pane.time, text: format!("{} {}", pane.key, pane.value) }).sink("lines");
        };
        let script = Script::from("a:1@1 b:1@2 | a:1@15 ...");
        let job = Job::new(graph).source("items", script).sink("lines", lines.clone()).workers(workers);
        let running = job.start().unwrap();
        while lines.text().len() < 2 {
            assert!(!running.is_finished(), "a partition that does not end keeps the job running");
            std::thread::yield_now();
        }
        running.stop_handle().stop();
        let error = running.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
        assert_eq!(lines.text(), ["9.999999 a 1", "9.999999 b 1"]);
    }
}
