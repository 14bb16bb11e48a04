//! Interval joins: a nested loop over the whole of both inputs.

use std::collections::BTreeMap;

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime, Stream};
use dualgauge_operators::join::{Between, JoinInterval, between};
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Either, KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Judged, case, config, event, in_order};

/// The bounds of a join, as the oracle sees them.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    lower: i64,
    upper: i64,
    without_lower: bool,
    without_upper: bool,
}

impl Bounds {
    fn between(self) -> Between {
        let mut between = between(Duration::from_micros(self.lower), Duration::from_micros(self.upper));
        if self.without_lower {
            between = between.exclusive_lower();
        }
        if self.without_upper {
            between = between.exclusive_upper();
        }
        between
    }

    fn hold(self, left: &Item, right: &Item) -> bool {
        let apart = right.time.as_micros() - left.time.as_micros();
        let above = if self.without_lower { apart > self.lower } else { apart >= self.lower };
        let below = if self.without_upper { apart < self.upper } else { apart <= self.upper };
        above && below
    }
}

/// Bounds of either sign and of both, narrow and wide.
fn bounds() -> impl Strategy<Value = Bounds> {
    let length = prop_oneof![2 => Just(0_i64), 3 => 1..6_i64, 1 => 6..60_i64];
    (-30..20_i64, length, any::<bool>(), any::<bool>()).prop_map(|(lower, length, without_lower, without_upper)| {
        let (without_lower, without_upper) = (without_lower && length > 1, without_upper && length > 1);
        Bounds { lower, upper: lower + length, without_lower, without_upper }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

const KINDS: [Kind; 6] = [Kind::Inner, Kind::Left, Kind::Right, Kind::Full, Kind::Semi, Kind::Anti];

/// One key of all is null where `nulls` are wanted.
fn key(item: &Item, nulls: bool) -> Option<String> {
    Some(item.key.clone()).filter(|key| !nulls || key != "k1")
}

fn pair(left: Option<&Item>, right: Option<&Item>) -> String {
    let side = |item: Option<&Item>| item.map_or("nobody".to_string(), event);
    format!("{} {}", side(left), side(right))
}

fn joined<'s>(
    kind: Kind,
    [left, right]: [Stream<'s, Item>; 2],
    bounds: Bounds,
    [left_lateness, right_lateness]: [Duration; 2],
    nulls: bool,
) -> [Stream<'s, String>; 2] {
    let left = left.key_by(move |item| key(item, nulls)).allowed_lateness(left_lateness);
    let right = right.key_by(move |item| key(item, nulls)).allowed_lateness(right_lateness);
    let join = left.interval_join(right, bounds.between());
    let text = |either: Either<Item, Item>| match either {
        Either::Left(item) => format!("left {}", event(&item)),
        Either::Right(item) => format!("right {}", event(&item)),
    };
    let passed = |items: Stream<'s, Item, Either<Item, Item>>| {
        let late = items.late().map(text);
        [items.map(|item| event(&item)), late]
    };
    let pairs = match kind {
        Kind::Inner => join.inner("join", |left, right| pair(Some(left), Some(right))),
        Kind::Left => join.left("join", |left, right| pair(Some(left), right)),
        Kind::Right => join.right("join", |left, right| pair(left, Some(right))),
        Kind::Full => join.full("join", pair),
        Kind::Semi => return passed(join.semi("join")),
        Kind::Anti => return passed(join.anti("join")),
    };
    let late = pairs.late().map(text);
    [pairs.map(|text| text), late]
}

type Answer = Vec<(EventTime, String)>;

/// What comes of the whole of both inputs, and what is late.
fn oracle(
    kind: Kind,
    left: &[Judged],
    right: &[Judged],
    bounds: Bounds,
    lateness: Duration,
    nulls: bool,
) -> [Answer; 2] {
    let (mut out, mut late) = (Answer::new(), Answer::new());
    let mut accepted = |judged: &[Judged], side: &str| {
        let mut items = Vec::new();
        for Judged { item, stamp } in judged {
            match item.time + lateness < *stamp {
                true => late.push((item.time, format!("{side} {}", event(item)))),
                false => items.push(item.clone()),
            }
        }
        items
    };
    let (left, right) = (accepted(left, "left"), accepted(right, "right"));
    let meet = |left: &Item, right: &Item| {
        key(left, nulls).is_some() && key(left, nulls) == key(right, nulls) && bounds.hold(left, right)
    };
    for l in &left {
        let partners: Vec<_> = right.iter().filter(|r| meet(l, r)).collect();
        match kind {
            Kind::Semi if !partners.is_empty() => out.push((l.time, event(l))),
            Kind::Anti if partners.is_empty() => out.push((l.time, event(l))),
            Kind::Semi | Kind::Anti => {}
            _ => out.extend(partners.iter().map(|r| (l.time.max(r.time), pair(Some(l), Some(r))))),
        }
        if partners.is_empty() && matches!(kind, Kind::Left | Kind::Full) {
            out.push((l.time, pair(Some(l), None)));
        }
    }
    if matches!(kind, Kind::Right | Kind::Full) {
        let alone = right.iter().filter(|r| !left.iter().any(|l| meet(l, r)));
        out.extend(alone.map(|r| (r.time, pair(None, Some(r)))));
    }
    [out, late]
}

fn lateness() -> impl Strategy<Value = Duration> {
    prop_oneof![2 => Just(0_i64), 1 => 0..20_i64].prop_map(Duration::from_micros)
}

fn kind() -> impl Strategy<Value = Kind> {
    (0..KINDS.len()).prop_map(|number| KINDS[number])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3 * config().cases, ..config() })]

    #[test]
    fn an_interval_join_is_a_nested_loop(
        left in case(), right in case(), kind in kind(), bounds in bounds(),
        waits in [lateness(), lateness()], nulls in any::<bool>(),
    ) {
        let answer = left.run_inputs([left.script(), right.script()], move |inputs| joined(kind, inputs, bounds, waits, nulls));
        let lateness = waits[0].max(waits[1]);
        let expected = oracle(kind, &left.judged(), &right.judged(), bounds, lateness, nulls);
        prop_assert_eq!(answer, expected.map(in_order));
    }

    /// However the events lie in partitions, since each of them knows its own bounds.
    #[test]
    fn in_history_nothing_is_late_for_an_interval_join(left in case(), right in case(), kind in kind(), bounds in bounds()) {
        let history = [left.script().promised(), right.script().promised()];
        let no_wait = [Duration::ZERO; 2];
        let answer = left.run_inputs(history, move |inputs| joined(kind, inputs, bounds, no_wait, false));
        let expected = oracle(kind, &left.on_time(), &right.on_time(), bounds, Duration::ZERO, false);
        prop_assert_eq!(answer, expected.map(in_order));
    }

    /// The step holds the watermark for whatever may still leave it.
    #[test]
    fn what_an_interval_join_gives_is_on_time_for_the_window_behind_it(
        left in case(), right in case(), kind in kind(), bounds in bounds(), wait in lateness(), size in 1..12_i64,
    ) {
        let answer = left.run_inputs([left.script(), right.script()], move |inputs| {
            let [pairs, _] = joined(kind, inputs, bounds, [wait, wait], false);
            let windows = pairs.key_by(|text| text.clone()).window(tumbling(Duration::from_micros(size)));
            let counts = windows.aggregate("count", dualgauge_operators::aggregate::count());
            let late = counts.late().map(|text| text);
            [counts.map(|pane| format!("{} {}", pane.value, pane.key)), late]
        });
        let [pairs, _] = oracle(kind, &left.judged(), &right.judged(), bounds, wait, false);
        let mut counts: BTreeMap<(EventTime, String), u64> = BTreeMap::new();
        for (time, text) in pairs {
            let end = time.as_micros().div_euclid(size) * size + size;
            *counts.entry((EventTime::from_micros(end - 1), text)).or_default() += 1;
        }
        let counts = counts.into_iter().map(|((time, text), count)| (time, format!("{count} {text}")));
        prop_assert_eq!(answer, [in_order(counts.collect()), Vec::new()]);
    }
}
