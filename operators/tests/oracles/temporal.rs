//! Temporal joins: for every left event a look at the whole of the versions.

use std::collections::BTreeMap;

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime, Stream};
use dualgauge_operators::join::AsOf;
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Either, KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Judged, case, config, event, in_order};

/// How the join is asked.
#[derive(Clone, Copy, Debug)]
struct Ask {
    /// Whether a left event without a version has a result.
    left: bool,
    /// Whether the key `k0` is a null.
    nulls: bool,
    /// The allowed lateness of each side.
    lateness: [Duration; 2],
}

impl Ask {
    fn key(self, item: &Item) -> Option<String> {
        Some(item.key.clone()).filter(|key| !(self.nulls && key == "k0"))
    }

    /// What is late, and what is not.
    fn judge(self, judged: &[Judged], side: &str) -> (Answer, Vec<Item>) {
        let lateness = self.lateness[0].max(self.lateness[1]);
        let (mut late, mut on_time) = (Answer::new(), Vec::new());
        for Judged { item, stamp } in judged {
            match item.time + lateness < *stamp {
                true => late.push((item.time, format!("{side} {}", event(item)))),
                false => on_time.push(item.clone()),
            }
        }
        (late, on_time)
    }
}

type Answer = Vec<(EventTime, String)>;

fn text(left: &Item, version: Option<&Item>) -> String {
    format!("{} {}", event(left), version.map_or("-".to_string(), event))
}

fn joined<'s>(ask: Ask, [left, versions]: [Stream<'s, Item>; 2]) -> [Stream<'s, String>; 2] {
    let left = left.key_by(move |item| ask.key(item)).allowed_lateness(ask.lateness[0]);
    let versions = versions.key_by(move |item| ask.key(item)).allowed_lateness(ask.lateness[1]);
    let join = left.as_of(versions);
    let results = match ask.left {
        true => join.left("join", text),
        false => join.inner("join", |left, version| text(left, Some(version))),
    };
    let late = results.late().map(|late| match late {
        Either::Left(item) => format!("left {}", event(&item)),
        Either::Right(item) => format!("right {}", event(&item)),
    });
    [results.map(|text| text), late.map(|text| text)]
}

/// What comes of the whole of both inputs, and what is late.
fn oracle(ask: Ask, left: &[Judged], versions: &[Judged]) -> [Answer; 2] {
    let (mut late, left) = ask.judge(left, "left");
    let (versions_late, versions) = ask.judge(versions, "right");
    late.extend(versions_late);
    let mut out = Answer::new();
    for item in &left {
        let of_its_key = versions.iter().filter(|version| {
            ask.key(item).is_some() && ask.key(item) == ask.key(version) && version.time <= item.time
        });
        let valid = of_its_key.max_by_key(|version| (version.time, *version));
        if valid.is_some() || ask.left {
            out.push((item.time, text(item, valid)));
        }
    }
    [out, late]
}

fn ask() -> impl Strategy<Value = Ask> {
    let lateness = || prop_oneof![2 => Just(0_i64), 1 => 0..20_i64].prop_map(Duration::from_micros);
    (any::<bool>(), any::<bool>(), [lateness(), lateness()]).prop_map(|(left, nulls, lateness)| Ask {
        left,
        nulls,
        lateness,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * config().cases, ..config() })]

    #[test]
    fn a_temporal_join_finds_what_a_look_at_everything_finds(left in case(), versions in case(), ask in ask()) {
        let answer = left.run_inputs([left.script(), versions.script()], move |inputs| joined(ask, inputs));
        prop_assert_eq!(answer, oracle(ask, &left.judged(), &versions.judged()).map(in_order));
    }

    /// However the events lie in partitions, since each of them knows its own bounds.
    #[test]
    fn in_history_nothing_is_late_for_a_temporal_join(left in case(), versions in case(), ask in ask()) {
        let history = [left.script().promised(), versions.script().promised()];
        let answer = left.run_inputs(history, move |inputs| joined(ask, inputs));
        prop_assert_eq!(answer, oracle(ask, &left.on_time(), &versions.on_time()).map(in_order));
    }

    /// The step holds the watermark for whatever may still leave it.
    #[test]
    fn what_a_temporal_join_gives_is_on_time_for_the_window_behind_it(
        left in case(), versions in case(), ask in ask(), size in 1..12_i64,
    ) {
        let answer = left.run_inputs([left.script(), versions.script()], move |inputs| {
            let [results, _] = joined(ask, inputs);
            let windows = results.key_by(|text| text.clone()).window(tumbling(Duration::from_micros(size)));
            let counts = windows.aggregate("count", dualgauge_operators::aggregate::count());
            let late = counts.late().map(|text| text);
            [counts.map(|pane| format!("{} {}", pane.value, pane.key)), late]
        });
        let [results, _] = oracle(ask, &left.judged(), &versions.judged());
        let mut counts: BTreeMap<(EventTime, String), u64> = BTreeMap::new();
        for (time, text) in results {
            let end = time.as_micros().div_euclid(size) * size + size;
            *counts.entry((EventTime::from_micros(end - 1), text)).or_default() += 1;
        }
        let counts = counts.into_iter().map(|((time, text), count)| (time, format!("{count} {text}")));
        prop_assert_eq!(answer, [in_order(counts.collect()), Vec::new()]);
    }
}
