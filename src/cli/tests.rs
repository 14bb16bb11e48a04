//! What a call costs the graph and its sources: the graph is looked at once, a source is listed once. And what the
//! program's own connector is to the command line: everything that one of ours is.
//!
//! Would catch: a verb that binds a second time, for the names, for the plan that a run shows, or for the start; a word
//! of the command line that works only for our own connectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::connectors::binding::Binding;
use crate::connectors::memory;
use crate::testing::{Item, Listed, Script};
use crate::{EventTime, Sink, Source};

#[test]
fn each_verb_looks_at_the_graph_once_and_lists_a_source_once() {
    let calls: [(&[&str], usize, usize); 4] = [
        (&["graph"], 1, 0),
        (&["plan"], 1, 1),
        (&["run", "--quiet"], 1 + 1, 1),
        (&["run", "--quiet", "--workers", "3"], 1 + 3, 1),
    ];
    let (mut found, mut right) = (Vec::new(), Vec::new());
    for (words, built, listed) in calls {
        let graphs = Arc::new(AtomicUsize::new(0));
        let (counted, copies) = (Arc::clone(&graphs), memory::collect::<Item>());
        let graph = move |flow: &Flow<'_>| {
            counted.fetch_add(1, Ordering::SeqCst);
            flow.source::<Item>("items").sink("copies");
        };
        let source = Listed::of(Script::from("a:1@1 b:2@2\nc:3@3").promised());
        let job = Job::new(graph).source("items", source.clone()).sink("copies", copies.clone());
        let words: Vec<OsString> = ["copy"].iter().chain(words).map(OsString::from).collect();
        let Ok(call) = args::parse(words.clone(), &Registry::new()) else { panic!("{words:?} is a call") };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let interrupt = Interrupt::default();
        let mut console = Console { out: &mut out, err: &mut err, terminal: false, interrupt };
        assert_eq!(answer(job, &Registry::new(), words.clone(), call, &mut console).unwrap(), Exit::Done);
        found.push((words.clone(), graphs.load(Ordering::SeqCst), source.times()));
        right.push((words, built, listed));
    }
    assert_eq!(found, right, "the words, how often the graph was built and how often its source was listed");
}

/// `made:KEY?count=N`: this many rows; as a sink, where they are collected.
struct Made(memory::Collect<Item>);

impl Connector for Made {
    fn scheme(&self) -> &str {
        "made"
    }

    fn help(&self) -> (&str, &str) {
        ("made:a?count=10", "rows that are made")
    }

    fn standard_input(&self) -> bool {
        true
    }

    fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
        let count: i64 = binding.take("count", "a whole number")?.unwrap_or(1);
        let key = binding.path().to_string();
        let item = |value: i64| Item { time: EventTime::default() + value.seconds(), key: key.clone(), value };
        Ok(Box::new(memory::rows((0..count).map(item).collect())))
    }

    fn sink(&self, _: &mut Binding) -> Result<Box<dyn Sink>> {
        Ok(Box::new(self.0.clone()))
    }

    /// For two of its own kind it knows where the one ends and the other begins: only the live part is read.
    fn behind(&self, scheme: &str, _: &mut Binding, live: &mut Binding) -> Result<Option<Box<dyn Source>>> {
        if scheme == "made" { self.source(live).map(Some) } else { Ok(None) }
    }
}

#[test]
fn a_connector_of_the_programs_own_is_bound_planned_helped_and_refused_as_ours_are() {
    let call = |words: &str| {
        let copies = memory::collect::<Item>();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let console = Console { out: &mut out, err: &mut err, terminal: false, interrupt: Interrupt::default() };
        let cli = new(|flow: &Flow<'_>| flow.source::<Item>("items").sink("copies")).connector(Made(copies.clone()));
        let exit = cli.run_from(std::iter::once("copy").chain(words.split(' ')), console);
        let said = String::from_utf8([out, err].concat()).unwrap();
        (exit, copies.rows().len(), said)
    };
    let is = |words: &str, exit: Exit, rows: usize, text: &str| {
        let found = call(words);
        assert_eq!((found.0, found.1), (exit, rows), "{words}: {}", found.2);
        assert!(found.2.contains(text), "{words}: {}", found.2);
    };
    is("run --quiet --source items=made:a?count=3 --sink copies=made:out", Exit::Done, 3, "");
    is("plan --source items=made:a?count=3", Exit::Done, 0, "partitions");
    is("--help", Exit::Done, 0, "made:a?count=10                rows that are made");
    is("run --source items=made:a?cuont=3 --sink copies=made:out", Exit::Usage, 0, "did you mean `count`?");
    is("run --source items=made:a?count=x --sink copies=made:out", Exit::Usage, 0, "`x` is not a whole number");
    is("run --source items=maed:a --sink copies=made:out", Exit::Usage, 0, "did you mean `made`?");
    // Its scheme separates bindings in a list, and it decides what it may follow.
    is("run --quiet --source items=made:a?count=2,made:b?count=5 --sink copies=made:out", Exit::Done, 5, "");
    is("run --source items=csv:a.csv,made:b --sink copies=made:out", Exit::Usage, 0, "say the seam");
    is("run --source items=made:- --sink copies=made:out --processes 2", Exit::Usage, 0, "cannot share standard input");
}

#[test]
#[should_panic = "there is a connector `csv` already"]
fn a_scheme_belongs_to_one_connector() {
    struct Mine;
    impl Connector for Mine {
        fn scheme(&self) -> &str {
            "csv"
        }
    }
    new(|_: &Flow<'_>| ()).connector(Mine);
}
