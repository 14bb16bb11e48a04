//! Broadcast streams: for every event all changes up to its time, made anew.

use std::collections::BTreeMap;

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime, Stream};
use dualgauge_operators::join::Broadcast;
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Either, KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Judged, case, config, event, in_order};

type Answer = Vec<(EventTime, String)>;

/// Every change that was made, in its order: nothing about them is hidden.
type Log = Vec<String>;

fn note(log: &mut Log, change: &Item) {
    log.push(event(change));
}

/// What comes of an event: nothing, one result or two.
fn texts(item: &Item, log: &Log) -> Vec<String> {
    let text = |copy| format!("{copy} {} [{}]", event(item), log.join(" "));
    (0..item.value.rem_euclid(3)).map(text).collect()
}

fn met<'s>(lateness: Duration, [events, changes]: [Stream<'s, Item>; 2]) -> [Stream<'s, String>; 2] {
    let changes = changes.broadcast(|log: &mut Log, change: Item| note(log, &change)).allowed_lateness(lateness);
    let results = events.with_broadcast("met", changes, |item, log| texts(&item, log));
    let late = results.late().map(|late| match late {
        Either::Left(item) => format!("event {}", event(&item)),
        Either::Right(item) => format!("change {}", event(&item)),
    });
    [results.map(|text| text), late.map(|text| text)]
}

/// What is late, and what is not.
fn judge(lateness: Duration, judged: &[Judged], what: &str) -> (Answer, Vec<Item>) {
    let (mut late, mut on_time) = (Answer::new(), Vec::new());
    for Judged { item, stamp } in judged {
        match item.time + lateness < *stamp {
            true => late.push((item.time, format!("{what} {}", event(item)))),
            false => on_time.push(item.clone()),
        }
    }
    (late, on_time)
}

/// What comes of the whole of both inputs, and what is late.
fn oracle(lateness: Duration, events: &[Judged], changes: &[Judged]) -> [Answer; 2] {
    let (mut late, events) = judge(lateness, events, "event");
    let (changes_late, mut changes) = judge(lateness, changes, "change");
    late.extend(changes_late);
    changes.sort_by_key(|change| (change.time, change.clone()));
    let mut out = Answer::new();
    for item in &events {
        let mut log = Log::new();
        changes.iter().filter(|change| change.time <= item.time).for_each(|change| note(&mut log, change));
        out.extend(texts(item, &log).into_iter().map(|text| (item.time, text)));
    }
    [out, late]
}

fn lateness() -> impl Strategy<Value = Duration> {
    prop_oneof![2 => Just(0_i64), 1 => 0..20_i64].prop_map(Duration::from_micros)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * config().cases, ..config() })]

    #[test]
    fn an_event_meets_what_all_changes_up_to_its_time_make(
        events in case(), changes in case(), lateness in lateness(),
    ) {
        let answer = events.run_inputs([events.script(), changes.script()], move |inputs| met(lateness, inputs));
        prop_assert_eq!(answer, oracle(lateness, &events.judged(), &changes.judged()).map(in_order));
    }

    /// However the changes lie in partitions, since each of them knows its own bounds.
    #[test]
    fn in_history_nothing_is_late_for_a_broadcast_stream(
        events in case(), changes in case(), lateness in lateness(),
    ) {
        let history = [events.script().promised(), changes.script().promised()];
        let answer = events.run_inputs(history, move |inputs| met(lateness, inputs));
        prop_assert_eq!(answer, oracle(lateness, &events.on_time(), &changes.on_time()).map(in_order));
    }

    /// The step holds the watermark for whatever may still leave it.
    #[test]
    fn what_an_event_becomes_is_on_time_for_the_window_behind_it(
        events in case(), changes in case(), lateness in lateness(), size in 1..12_i64,
    ) {
        let answer = events.run_inputs([events.script(), changes.script()], move |inputs| {
            let [results, _] = met(lateness, inputs);
            let windows = results.key_by(|text| text.clone()).window(tumbling(Duration::from_micros(size)));
            let counts = windows.aggregate("count", dualgauge_operators::aggregate::count());
            let late = counts.late().map(|text| text);
            [counts.map(|pane| format!("{} {}", pane.value, pane.key)), late]
        });
        let [results, _] = oracle(lateness, &events.judged(), &changes.judged());
        let mut counts: BTreeMap<(EventTime, String), u64> = BTreeMap::new();
        for (time, text) in results {
            let end = time.as_micros().div_euclid(size) * size + size;
            *counts.entry((EventTime::from_micros(end - 1), text)).or_default() += 1;
        }
        let counts = counts.into_iter().map(|((time, text), count)| (time, format!("{count} {text}")));
        prop_assert_eq!(answer, [in_order(counts.collect()), Vec::new()]);
    }
}
