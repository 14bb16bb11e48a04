//! Runs a flow over a script in every way that must not matter.

use std::sync::Arc;

use super::baton::Baton;
use super::crash::survive;
use super::lines::{Lines, as_lines};
use super::script::{Item, Script};
use crate::flow::{NodeSpec, source};
use crate::{Duration, EventTime, Job, Limits, Sink, Source, Stream, VirtualClock};

/// Runs `flow` over `script` and compares the lines it writes with `expected`, each `seconds text`, by event time.
///
/// # Panics
/// When a run fails or writes something else; the message names the run.
#[track_caller]
pub fn check<L: 'static>(
    script: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    expected: &str,
) {
    check_all([script.into()], move |[items]| [flow(items).transform(as_it_is(), |batch| batch)], expected);
}

/// Runs a `flow` of two sources over their scripts, as [`check`] does.
///
/// ```
/// use dualgauge_engine::flow::NodeSpec;
/// use dualgauge_engine::testing::check_two;
///
/// check_two(
///     "a:1@5 a:2@7",
///     "b:1@6",
///     |left, right| {
///         left.concat(NodeSpec::stateless("both"), right).transform(NodeSpec::stateless("key"), |batch| {
///             batch.transform(|event, out| {
///                 out.push(dualgauge_engine::Event::new(event.time, event.data.key))
///             })
///         })
///     },
///     "5 a
///      6 b
///      7 a",
/// );
/// ```
///
/// # Panics
/// When a run fails or writes something else; the message names the run.
#[track_caller]
pub fn check_two<L: 'static>(
    left: &str,
    right: &str,
    flow: impl for<'s> Fn(Stream<'s, Item>, Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    expected: &str,
) {
    let scripts = [left.into(), right.into()];
    check_all(scripts, move |[left, right]| [flow(left, right).transform(as_it_is(), |batch| batch)], expected);
}

#[track_caller]
fn check_all<const M: usize>(
    scripts: [Script; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; 1] + Send + Sync + 'static,
    expected: &str,
) {
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let flow = Arc::new(flow);
    for workers in [1, 2, 3] {
        for epoch_rows in [1, 1_000_000] {
            for seed in [None, Some(1), Some(2), Some(3)] {
                let flow = Arc::clone(&flow);
                let [lines] = run_inputs(scripts.clone(), move |items| flow(items), workers, epoch_rows, seed);
                assert_eq!(
                    lines, expected,
                    "left: what was written, right: what was expected; {workers} workers, epochs of {epoch_rows} rows, schedule {seed:?}"
                );
            }
        }
    }
    for seed in 0..CRASHES {
        let flow = Arc::clone(&flow);
        let [lines] = run_inputs_through_crashes(scripts.clone(), move |items| flow(items), seed);
        assert_eq!(lines, expected, "left: what was written through crashes of seed {seed}, right: what was expected");
    }
}

/// Makes a stream without late records of one with them.
pub(super) fn as_it_is() -> NodeSpec {
    NodeSpec::stateless("text")
}

/// How many runs with crashes a check has.
const CRASHES: u64 = 4;

/// Runs `flow` over `script` through crashes that `seed` draws, and returns the lines it writes, by event time.
///
/// # Panics
/// When it fails other than by a crash.
pub fn run_through_crashes<L: 'static>(
    script: impl Into<Script>,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    seed: u64,
) -> Vec<String> {
    let [lines] =
        run_all_through_crashes(script, move |items| [flow(items).transform(as_it_is(), |batch| batch)], seed);
    lines
}

/// The same for a flow of several outputs.
///
/// # Panics
/// When it fails other than by a crash.
pub fn run_all_through_crashes<const N: usize>(
    script: impl Into<Script>,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    seed: u64,
) -> [Vec<String>; N] {
    run_inputs_through_crashes([script.into()], move |[items]| flow(items), seed)
}

/// The same for a flow of several sources, one for each script.
///
/// # Panics
/// When it fails other than by a crash.
pub fn run_inputs_through_crashes<const M: usize, const N: usize>(
    scripts: [Script; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    seed: u64,
) -> [Vec<String>; N] {
    let outputs: [Lines; N] = std::array::from_fn(|_| Lines::default());
    let job = job(&scripts, scripts.clone(), flow, &outputs);
    survive(seed, || job.clone());
    outputs.map(|lines| lines.text())
}

/// Runs `flow` over `script` in one way, and returns the lines it writes, by event time.
///
/// # Panics
/// When the run fails.
pub fn run<L: 'static>(
    script: impl Into<Script>,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String, L> + Send + Sync + 'static,
    workers: usize,
    epoch_rows: usize,
    seed: Option<u64>,
) -> Vec<String> {
    let [lines] =
        run_all(script, move |items| [flow(items).transform(as_it_is(), |batch| batch)], workers, epoch_rows, seed);
    lines
}

/// Runs a `flow` of several outputs over `script` in one way, and returns the lines of each, by event time.
///
/// # Panics
/// When the run fails.
pub fn run_all<const N: usize>(
    script: impl Into<Script>,
    flow: impl for<'s> Fn(Stream<'s, Item>) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    workers: usize,
    epoch_rows: usize,
    seed: Option<u64>,
) -> [Vec<String>; N] {
    run_inputs([script.into()], move |[items]| flow(items), workers, epoch_rows, seed)
}

/// The same for a flow of several sources, one for each script.
///
/// # Panics
/// When the run fails.
pub fn run_inputs<const M: usize, const N: usize>(
    scripts: [Script; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    workers: usize,
    epoch_rows: usize,
    seed: Option<u64>,
) -> [Vec<String>; N] {
    let outputs: [Lines; N] = std::array::from_fn(|_| Lines::default());
    let limits = Limits { epoch_rows, epoch_interval: Duration::MAX, ..Limits::default() };
    let mut job = job(&scripts, scripts.clone(), flow, &outputs).workers(workers).limits(limits);
    job = job.clock(Arc::new(VirtualClock::at(EventTime::default())));
    if let Some(seed) = seed {
        job = job.turns(Arc::new(Baton::new(workers, seed)));
    }
    job.run().unwrap_or_else(|error| panic!("the run failed: {error}"));
    outputs.map(|lines| lines.text())
}

/// The job that runs `flow` over the scripts, as `sources` read them, and writes its lines to `outputs`.
pub(super) fn job<const M: usize, const N: usize>(
    scripts: &[Script; M],
    sources: [impl Source + 'static; M],
    flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    outputs: &[impl Sink + Clone + 'static; N],
) -> Job {
    let input = |number: usize| if M == 1 { "items".to_string() } else { format!("items {number}") };
    let name = |number: usize| format!("lines {number}");
    let timing = scripts.each_ref().map(|script| (script.disorder, script.idle_after, script.all_idle));
    let graph = move |graph: &crate::Flow<'_>| {
        let items = |number: usize| {
            let (disorder, idle_after, all_idle) = timing[number];
            // The clock begins at the epoch, and a script may name any time.
            let options = source(input(number)).disorder(disorder).all_idle(all_idle).max_ahead(Duration::MAX);
            graph.source::<Item>(idle_after.map_or(options.clone(), |idle_after| options.idle_after(idle_after)))
        };
        for (number, output) in flow(std::array::from_fn(items)).into_iter().enumerate() {
            as_lines(output).sink(&name(number));
        }
    };
    let mut job = Job::new(graph);
    for (number, source) in sources.into_iter().enumerate() {
        job = job.source(&input(number), source);
    }
    for (number, lines) in outputs.iter().enumerate() {
        job = job.sink(&name(number), lines.clone());
    }
    job
}
