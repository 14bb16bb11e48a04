//! A graph is looked at once and built once on each worker, and what it reads is listed once, whatever a program asks of a
//! job before it runs.
//!
//! Would catch: a plan that is shown and then listed again for the run, which then reads something else; a restart that
//! does not look at what is there now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dualgauge_engine::checkpoint::LocalStore;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::testing::{Listed, Script};
use dualgauge_engine::{Checkpoints, Event, Restart};

use super::*;

/// A number that may be raised from anywhere.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn up(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// How often the graph was built, a source listed, and a table.
struct Counts {
    graph: Count,
    source: Listed,
    table: Listed,
}

impl Counts {
    fn new() -> Counts {
        let script = || Listed::of(Script::from("a:1@1 b:2@2\nc:3@3").promised());
        Counts { graph: Count::default(), source: script(), table: script() }
    }

    fn get(&self) -> (usize, usize, usize) {
        (self.graph.get(), self.source.times(), self.table.times())
    }

    /// A job with a source and a table; `look` sees each event.
    fn job(&self, look: impl Fn() + Clone + Send + Sync + 'static) -> Job {
        let graph = self.graph.clone();
        let graph = move |flow: &Flow<'_>| {
            graph.up();
            let look = look.clone();
            flow.table::<Item>("names");
            let lines = flow.source::<Item>("items").transform(NodeSpec::stateless("look"), move |batch| {
                batch.transform(|event, out| {
                    look();
                    out.push(Event::new(event.time, Line { time: event.time, text: event.data.key }))
                })
            });
            lines.sink("lines");
        };
        let job = Job::new(graph).source("items", self.source.clone());
        job.source("names", self.table.clone()).sink("lines", Lines::default())
    }
}

#[test]
fn a_graph_is_looked_at_once_and_a_source_is_listed_once() {
    type Verb = fn(Job);
    let verbs: [(&str, Verb, bool, usize); 7] = [
        ("names", |job| drop(job.names().unwrap()), false, 0),
        ("graph", |job| drop(job.graph().unwrap()), false, 0),
        ("plan", |job| drop(job.plan().unwrap()), false, 1),
        (
            "names, graph and plan",
            |job| drop((job.names().unwrap(), job.graph().unwrap(), job.plan().unwrap())),
            false,
            1,
        ),
        ("run", |job| drop(job.run().unwrap()), true, 1),
        ("start", |job| drop(job.start().unwrap().join().unwrap()), true, 1),
        (
            "names, and of what is bound the graph, the plan and the run",
            |job| {
                job.names().unwrap();
                let bound = job.bind().unwrap();
                assert_eq!(bound.graph().nodes().len(), bound.plan().graph.nodes().len());
                assert_eq!((bound.plan().sources.len(), bound.plan().tables.len()), (1, 1));
                bound.run().unwrap();
            },
            true,
            1,
        ),
    ];
    for (verb, call, runs, listed) in verbs {
        for workers in [1, 3] {
            let counts = Counts::new();
            call(counts.job(|| {}).workers(workers));
            let built = 1 + if runs { workers } else { 0 };
            assert_eq!(counts.get(), (built, listed, listed), "{verb} with {workers} workers");
        }
    }
}

#[test]
fn a_job_that_starts_again_lists_again() {
    let (counts, failed) = (Counts::new(), Count::default());
    let look = move || assert!(failed.up() > 0, "the first event of the first start");
    let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    let restart = Restart { limit: 5, backoff: Duration::ZERO };
    counts.job(look).checkpoints(Checkpoints::in_store(store)).restart(restart).run().unwrap();
    assert_eq!(counts.get(), (3, 2, 2), "one look, and for each of two starts a worker and a listing");
}
