//! Runs a flow step by step and says after which event each of its lines is seen.

use std::sync::Arc;

use super::check::{as_it_is, job};
use super::script::{Item, Script, seconds};
use super::stepped::{Moment, Present, Seen, Shows, StepByStep, SteppedScript, Witness, moments};
use crate::{Duration, ErrorKind, EventTime, Limits, Stream, VirtualClock};

/// Runs `flow` over `script` one event at a time, and compares *when* each line is seen: `seconds text behind event`.
///
/// The events come in columns: the first of each partition in turn, then the second of each; a `_` lets the others go
/// first. After each event, promise (`~20`), end of a partition (`.`) and move of the clock (`+5s`) all workers step
/// until nothing moves. What is left at the end of input is seen `behind end`. It is the same on 1, 2 and 7 workers,
/// with epochs of one row and of many.
///
/// ```
/// use dualgauge_engine::flow::NodeSpec;
/// use dualgauge_engine::testing::check_when;
///
/// // A row is seen when the watermark has passed it: when both partitions have.
/// check_when(
///     "a:1@5 a:2@9 _     a:3@20
///      _     _     b:1@7",
///     |items| items.transform(NodeSpec::stateless("key"), |batch| {
///         batch.transform(|event, out| out.push(dualgauge_engine::Event::new(event.time, event.data.key)))
///     }),
///     "5 a behind b:1@7
///      7 b behind end
///      9 a behind end
///      20 a behind end",
/// );
/// ```
///
/// # Panics
/// When a run fails, or something is seen at another moment; the message names the run.
#[track_caller]
pub fn check_when<L: 'static>(
    script: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    expected: &str,
) {
    check_one(script, flow, Shows::Settled, expected);
}

/// The same for lines that are shown as soon as they come, whether or not the watermark has passed them.
///
/// # Panics
/// When a run fails, or something is seen at another moment; the message names the run.
#[track_caller]
pub fn check_when_at_once<L: 'static>(
    script: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    expected: &str,
) {
    check_one(script, flow, Shows::AtOnce, expected);
}

/// The same for all firings of each line: `seconds text firing 2 last behind event`.
///
/// # Panics
/// When a run fails, or something is seen at another moment; the message names the run.
#[track_caller]
pub fn check_when_firings<L: 'static>(
    script: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    expected: &str,
) {
    check_one(script, flow, Shows::AllFirings, expected);
}

/// The same for a `flow` of two sources; in each column the partitions of the left come first.
///
/// # Panics
/// When a run fails, or something is seen at another moment; the message names the run.
#[track_caller]
pub fn check_when_two<L: 'static>(
    left: &str,
    right: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>, Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    expected: &str,
) {
    let scripts = [left.into(), right.into()];
    check_all(
        scripts,
        move |[left, right]| [flow(left, right).transform(as_it_is(), |batch| batch)],
        Shows::Settled,
        expected,
    );
}

#[track_caller]
fn check_one<L: 'static>(
    script: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    shows: Shows,
    expected: &str,
) {
    check_all([script.into()], move |[items]| [flow(items).transform(as_it_is(), |batch| batch)], shows, expected);
}

#[track_caller]
fn check_all<const M: usize>(
    scripts: [Script; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; 1] + Send + Sync + 'static,
    shows: Shows,
    expected: &str,
) {
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let flow = Arc::new(flow);
    let moments = moments(&scripts);
    for workers in [1, 2, 7] {
        for epoch_rows in [1, 1_000_000] {
            let flow = Arc::clone(&flow);
            let [seen] = run_showing(scripts.clone(), move |items| flow(items), workers, epoch_rows, shows);
            let lines: Vec<_> = seen.iter().map(|seen| text(&moments, seen)).collect();
            assert_eq!(
                lines, expected,
                "left: when it was seen, right: when it was expected; {workers} workers, epochs of {epoch_rows} rows"
            );
        }
    }
}

fn text(moments: &[Moment], seen: &Seen) -> String {
    let behind = moments.get(seen.behind).map_or("end".to_string(), Moment::text);
    format!("{} {} behind {behind}", seconds(seen.time), seen.text)
}

/// Runs `flow` over the scripts one of their [`moments`] at a time, and returns the lines of each output with the
/// moment after which they were seen.
///
/// A run in which some partition never ends is stopped when everything has happened.
///
/// # Panics
/// When the run fails.
pub fn run_when<const M: usize, const N: usize>(
    scripts: [Script; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    workers: usize,
    epoch_rows: usize,
) -> [Vec<Seen>; N] {
    run_showing(scripts, flow, workers, epoch_rows, Shows::Settled)
}

fn run_showing<const M: usize, const N: usize>(
    scripts: [Script; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    workers: usize,
    epoch_rows: usize,
    shows: Shows,
) -> [Vec<Seen>; N] {
    let (all, present) = (moments(&scripts), Arc::<Present>::default());
    let clock = Arc::new(VirtualClock::at(EventTime::default()));
    let outputs: [Witness; N] = std::array::from_fn(|_| Witness::new(&present, shows));
    let sources = std::array::from_fn(|input| SteppedScript::new(input, &scripts[input], &all, &present));
    let limits = Limits { epoch_rows, epoch_interval: Duration::MAX, ..Limits::default() };
    let turns = StepByStep::new(workers, all, present, Arc::clone(&clock));
    let job =
        job(&scripts, sources, flow, &outputs).workers(workers).limits(limits).clock(clock).turns(Arc::new(turns));
    match job.run() {
        Err(error) if error.kind() == ErrorKind::Stopped && scripts.iter().any(Script::is_open) => {}
        Err(error) => panic!("the run failed: {error}"),
        Ok(_) => {}
    }
    outputs.map(|witness| witness.seen())
}
