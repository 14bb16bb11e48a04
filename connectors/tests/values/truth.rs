//! A row's `#[event_time]` field and the event time by which it is sorted are one: every sink refuses a row where they differ.
//!
//! Would catch: a file whose rows are not where their own column says, and a sink, or a way through its driver (rows that
//! wait, rows that are written as they come, rows with their firings), that does not compare.

use std::path::Path;

use dualgauge_connectors::{binding, memory};
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::testing::{Item, Script};
use dualgauge_engine::{Batch, Code, Durations, ErrorKind, Event, EventTime, Flow, Job, Sink, Stream};

/// Every sink, by its binding; `memory` stands for those that have none.
const SINKS: &[&str] = &[
    "parquet:out",
    "parquet:out?buckets=3&span=1s",
    "csv:out.csv",
    "csv:out/?span=1s&buckets=2",
    "json:out.jsonl",
    "json:out.jsonl?firings=all",
    "log:out",
    "log:out?partitions=2&firings=all",
    "memory",
    "memory at once",
];

fn sink(binding: &str, dir: &Path) -> Box<dyn Sink> {
    match binding.split_once(':') {
        Some((scheme, rest)) => binding::sink(&format!("{scheme}:{}/{rest}", dir.display())).unwrap(),
        None if binding == "memory" => Box::new(memory::collect::<Item>()),
        None => Box::new(memory::collect::<Item>().at_once()),
    }
}

/// Each item a second later, by its own field alone, where its value is more than 3.
#[track_caller]
fn shifted<'s>(items: Stream<'s, Item>) -> Stream<'s, Item> {
    items.transform(NodeSpec::stateless("map"), |batch| {
        batch.transform(|event: Event<Item>, out: &mut Vec<Event<Item>>| {
            let later = event.data.time + 1.seconds();
            let time = if event.data.value > 3 { later } else { event.data.time };
            out.push(Event::new(event.time, Item { time, ..event.data }));
        })
    })
}

/// A step that passes on what it was given.
fn filter() -> NodeSpec {
    NodeSpec::stateless("filter").passes_rows()
}

/// Passes everything on, as a filter does.
fn passed<'s>(items: Stream<'s, Item>, spec: NodeSpec) -> Stream<'s, Item> {
    items.transform(spec, |batch: Batch<Item>| batch)
}

#[test]
fn every_sink_refuses_a_row_whose_event_time_is_another_than_it_says() {
    for binding in SINKS {
        for workers in [1, 2] {
            let dir = tempfile::tempdir().unwrap();
            let line = line!() + 1;
            let graph = |flow: &Flow<'_>| passed(shifted(flow.source::<Item>("items")), filter()).sink("out");
            let job = Job::new(graph).source("items", Script::from("a:1@1 b:3@3 | c:4@7 d:2@8"));
            let job = job.sink_with("out", sink(binding, dir.path()).into()).workers(workers);
            let error = job.run().expect_err(binding);
            assert_eq!((error.code(), error.kind()), (Some(Code::EventTime), ErrorKind::Usage), "{binding}: {error}");
            let text = error.to_string();
            for part in [
                "sink out: E-EVENT-TIME: map at ",
                &format!("truth.rs:{line}:"),
                "field `time` says 1970-01-01T00:00:08Z, and whose event time is 1970-01-01T00:00:07Z",
                "Item { ",
                "value: 4",
            ] {
                assert!(text.contains(part), "{binding}, {workers} workers: `{part}` is not in {text}");
            }
            assert!(!text.contains("filter"), "{binding}: it has changed nothing: {text}");
        }
    }
}

#[test]
fn rows_that_say_their_event_time_are_written_by_every_sink() {
    for binding in SINKS {
        for workers in [1, 2] {
            let dir = tempfile::tempdir().unwrap();
            let graph = |flow: &Flow<'_>| shifted(flow.source::<Item>("items")).sink("out");
            let job = Job::new(graph).source("items", Script::from("a:1@1 b:3@3 | c:2@7"));
            let job = job.sink_with("out", sink(binding, dir.path()).into()).workers(workers);
            let outcome = job.run().unwrap_or_else(|error| panic!("{binding}: {error}"));
            assert_eq!(outcome.metrics.sink("out").rows, 3, "{binding}, {workers} workers");
        }
    }
}

#[test]
fn of_several_steps_that_may_have_made_a_row_each_is_named() {
    let graph = |flow: &Flow<'_>| {
        let items = flow.source::<Item>("items");
        let one = shifted(items.clone());
        let both =
            one.concat(NodeSpec::stateless("union").passes_rows(), passed(items, NodeSpec::stateless("flat_map")));
        passed(both, NodeSpec::stateless("inspect").passes_rows()).sink("out");
    };
    let job = Job::new(graph).source("items", Script::from("a:5@1")).sink("out", memory::collect::<Item>());
    let text = job.run().unwrap_err().to_string();
    assert!(text.contains("E-EVENT-TIME: map at ") && text.contains(" or flat_map at "), "{text}");
}

#[test]
fn a_source_whose_event_times_are_made_beside_the_field_is_named_too() {
    let graph = |flow: &Flow<'_>| {
        let made = |item: &Item| Some(EventTime::from_micros(item.value));
        flow.source::<Item>("items").event_time_by(made).sink("out");
    };
    let job = Job::new(graph).source("items", memory::rows(vec![item(5)])).sink("out", memory::collect::<Item>());
    let text = job.run().unwrap_err().to_string();
    assert!(text.contains("sink out: E-EVENT-TIME: source items at "), "{text}");
}

fn item(value: i64) -> Item {
    Item { time: EventTime::from_millis(value), key: "a".to_string(), value }
}
