//! What a call costs the graph and its sources: the graph is looked at once, a source is listed once.
//!
//! Would catch: a verb that binds a second time, for the names, for the plan that a run shows, or for the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::connectors::memory;
use crate::testing::{Item, Listed, Script};

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
        let Ok(call) = args::parse(words.clone()) else { panic!("{words:?} is a call") };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let interrupt = Interrupt::default();
        let mut console = Console { out: &mut out, err: &mut err, terminal: false, interrupt };
        assert_eq!(answer(job, words.clone(), call, &mut console).unwrap(), Exit::Done);
        found.push((words.clone(), graphs.load(Ordering::SeqCst), source.times()));
        right.push((words, built, listed));
    }
    assert_eq!(found, right, "the words, how often the graph was built and how often its source was listed");
}
