//! A whole graph over a program's own records, run in every way that must not matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::baton::Baton;
use super::crash::survive;
use super::given::Given;
use super::written::Written;
use crate::{Duration, Durations, Event, EventTime, Flow, Job, Limits, Record, VirtualClock};

/// Checks a graph: by its named sources and sinks, over records of its own.
///
/// It runs the graph many times: on one worker and on several, over the records in one partition and dealt to several, in large
/// batches and small ones, with epochs of a row and of many, in schedules that seeds draw, and through crashes after which the
/// job resumes from its checkpoints. Each sink must have the same rows each time. What they ought to be is the test's to say: it
/// gets them back, by sink.
///
/// ```
/// use dualgauge_engine::testing::JobCheck;
/// use dualgauge_engine::{Durations, EventTime, Flow, record};
///
/// #[record]
/// struct Reading {
///     sensor: u64,
///     #[event_time]
///     at: EventTime,
/// }
///
/// fn copies(flow: &Flow) {
///     flow.source::<Reading>("readings").sink("copies");
/// }
///
/// let reading = |sensor, seconds: i64| Reading { sensor, at: EventTime::default() + seconds.seconds() };
/// let checked = JobCheck::new(copies).source("readings", vec![reading(2, 7), reading(1, 5)]).run();
/// assert_eq!(checked.rows::<Reading>("copies"), [reading(1, 5), reading(2, 7)]);
/// ```
pub struct JobCheck {
    graph: Arc<dyn Fn(&Flow<'_>) + Send + Sync>,
    sources: BTreeMap<String, Given>,
    crashes: u64,
}

/// What a graph has written in every run of a [`JobCheck`].
#[must_use = "that all runs agree is one half; what they ought to have written is for the test to compare"]
pub struct Checked {
    sinks: BTreeMap<String, Written>,
}

/// How a run differs from the others without that it may matter.
#[derive(Clone, Copy, Debug)]
struct Way {
    workers: usize,
    partitions: usize,
    batch_rows: usize,
    epoch_rows: usize,
    schedule: Option<u64>,
}

/// The run that all others are held against.
const PLAIN: Way = Way { workers: 1, partitions: 1, batch_rows: usize::MAX, epoch_rows: 1_000_000, schedule: None };

impl JobCheck {
    /// A check of this graph.
    pub fn new(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> JobCheck {
        JobCheck { graph: Arc::new(graph), sources: BTreeMap::new(), crashes: 8 }
    }

    /// What the source, or the table, of this name has: as history, whose times are known, so that nothing is late.
    pub fn source<D: Record>(mut self, name: &str, rows: Vec<D>) -> JobCheck {
        self.sources.insert(name.to_string(), Given::of(&rows, false));
        self
    }

    /// What comes from the source of this name, in this order, as if it happened now: what is late is decided by the graph's
    /// `disorder`.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, JobCheck};
    /// use dualgauge_engine::{Durations, EventTime};
    ///
    /// let item = |seconds: i64| Item { time: EventTime::default() + seconds.seconds(), key: "a".into(), value: seconds };
    /// let check = JobCheck::new(|flow| flow.source::<Item>("items").disorder(1.seconds()).sink("copies"));
    /// assert_eq!(check.live("items", vec![item(1), item(3)]).run().rows::<Item>("copies").len(), 2);
    /// ```
    pub fn live<D: Record>(mut self, name: &str, rows: Vec<D>) -> JobCheck {
        self.sources.insert(name.to_string(), Given::of(&rows, true));
        self
    }

    /// How many of the runs are killed again and again; 8 by default.
    pub fn crashes(mut self, runs: u64) -> JobCheck {
        self.crashes = runs;
        self
    }

    /// Runs the graph in all ways, and returns what it has written.
    ///
    /// # Panics
    /// When a run fails, or a sink has other rows than after the first run; the message names the run, the sink and the first
    /// row that differs.
    #[track_caller]
    pub fn run(self) -> Checked {
        let expected = self.plain();
        for way in ways() {
            let (job, sinks) = self.job(way);
            let mut job = job.workers(way.workers);
            if let Some(seed) = way.schedule {
                job = job.turns(Arc::new(Baton::new(way.workers, seed)));
            }
            job.run().unwrap_or_else(|error| panic!("{way:?}: the run failed: {error}"));
            compare(&expected, &sinks, &format!("{way:?}"));
        }
        for seed in 0..self.crashes {
            let (partitions, batch_rows) = (1 + seed as usize % 3, [1, 3, 1_000][seed as usize / 3 % 3]);
            let (job, sinks) = self.job(Way { partitions, batch_rows, ..PLAIN });
            survive(seed, || job.clone());
            compare(&expected, &sinks, &format!("through crashes of seed {seed}"));
        }
        Checked { sinks: expected }
    }

    #[track_caller]
    fn plain(&self) -> BTreeMap<String, Written> {
        let (job, sinks) = self.job(PLAIN);
        job.run().unwrap_or_else(|error| panic!("the graph does not run over these records: {error}"));
        sinks
    }

    /// The graph, with its sources and sinks bound.
    #[track_caller]
    fn job(&self, way: Way) -> (Job, BTreeMap<String, Written>) {
        let graph = Arc::clone(&self.graph);
        let mut job = Job::new(move |flow| graph(flow));
        let (_, names) = job.names().unwrap_or_else(|error| panic!("the graph is refused: {error}"));
        let sinks: BTreeMap<_, _> = names.into_iter().map(|name| (name, Written::default())).collect();
        for (name, given) in &self.sources {
            job = job.source(name, given.split(way.partitions, way.batch_rows));
        }
        for (name, sink) in &sinks {
            job = job.sink(name, sink.clone());
        }
        let limits = Limits { epoch_rows: way.epoch_rows, epoch_interval: Duration::MAX, ..Limits::default() };
        // Late enough for the records of a test to be in the past.
        let clock = Arc::new(VirtualClock::at(EventTime::default() + 50_000.days()));
        (job.workers(1).limits(limits).clock(clock), sinks)
    }
}

impl Checked {
    /// The rows of a sink, by event time and then by the record's own order.
    ///
    /// # Panics
    /// When the graph has no such sink, or writes another record to it.
    #[track_caller]
    pub fn rows<D: Record>(&self, sink: &str) -> Vec<D> {
        let written = self.sinks.get(sink).unwrap_or_else(|| {
            panic!("the graph has no sink `{sink}`; it has {:?}", self.sinks.keys().collect::<Vec<_>>())
        });
        let mut rows: Vec<Event<D>> = Vec::new();
        for batch in written.batches() {
            D::decode(&batch, &mut rows).unwrap_or_else(|error| panic!("sink `{sink}` holds other records: {error}"));
        }
        rows.sort();
        rows.into_iter().map(|event| event.data).collect()
    }
}

/// The ways that are tried besides the plain one.
fn ways() -> impl Iterator<Item = Way> {
    let sizes = [(1, 1), (3, 2), (1_000, 1_000_000)];
    (1..=3).flat_map(move |workers| {
        (1..=3).flat_map(move |partitions| {
            sizes.into_iter().enumerate().map(move |(number, (batch_rows, epoch_rows))| {
                // Two thirds of them in a schedule of their own.
                let schedule = (number != 2).then_some((workers * 10 + partitions) as u64);
                Way { workers, partitions, batch_rows, epoch_rows, schedule }
            })
        })
    })
}

#[track_caller]
fn compare(expected: &BTreeMap<String, Written>, sinks: &BTreeMap<String, Written>, run: &str) {
    for (name, sink) in sinks {
        let (written, expected) = (sink.texts(), expected[name].texts());
        if written == expected {
            continue;
        }
        let at = written.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(written.len().min(expected.len()));
        let row = |rows: &[String]| rows.get(at).cloned().unwrap_or_else(|| "nothing".to_string());
        panic!(
            "sink `{name}` depends on how the graph is run: {} rows after {run}, {} after a plain run; row {at} is {}, and was {}; \
             likely mistake: a closure that remembers something, or a step told `as_arrives`",
            written.len(),
            expected.len(),
            row(&written),
            row(&expected)
        );
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::flow::NodeSpec;
    use crate::testing::Item;

    fn items(seconds: &[i64]) -> Vec<Item> {
        let time = |seconds: &i64| EventTime::default() + seconds.seconds();
        seconds.iter().map(|at| Item { time: time(at), key: "a".into(), value: *at }).collect()
    }

    #[test]
    #[should_panic(expected = "sink `numbered` depends on how the graph is run")]
    fn a_closure_that_counts_is_found() {
        let graph = |flow: &Flow<'_>| {
            let number = Cell::new(0);
            let numbered = flow.source::<Item>("items").transform(NodeSpec::stateless("number"), move |batch| {
                batch.transform(|event, out| {
                    number.set(number.get() + 1);
                    out.push(Event::new(event.time, Item { value: number.get(), ..event.data }));
                })
            });
            numbered.sink("numbered");
        };
        let _ = JobCheck::new(graph).source("items", items(&[1, 2, 3, 4, 5, 6, 7])).run();
    }

    #[test]
    fn every_sink_gives_its_rows_in_order_and_no_other_has_any() {
        let graph = |flow: &Flow<'_>| {
            let items = flow.source::<Item>("items");
            items.clone().sink("all");
            items.transform(NodeSpec::stateless("none"), |_| crate::Batch::<Item>::default()).sink("none");
            let _: crate::Stream<'_, Item> = flow.source::<Item>("others");
        };
        let check = JobCheck::new(graph).source("items", items(&[3, 1, 2])).live("others", items(&[9])).crashes(2);
        let checked = check.run();
        assert_eq!(checked.rows::<Item>("all"), items(&[1, 2, 3]));
        assert!(checked.rows::<Item>("none").is_empty());
    }

    #[test]
    #[should_panic(expected = "have no column `text`; likely mistake: the graph reads another record under this name")]
    fn records_of_another_kind_are_refused_by_name() {
        let check = JobCheck::new(|flow| flow.source::<crate::testing::Line>("lines").sink("out"));
        let _ = check.source("lines", items(&[1])).run();
    }

    #[test]
    #[should_panic(expected = "the graph has no sink `cold`; it has [\"hot\"]")]
    fn a_sink_that_is_not_there_is_refused_with_those_that_are() {
        let check = JobCheck::new(|flow| flow.source::<Item>("items").sink("hot")).source("items", items(&[1]));
        let _ = check.crashes(0).run().rows::<Item>("cold");
    }
}
