//! Deduplication: each key's records in order, one run through them.

use std::collections::BTreeMap;

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime};
use dualgauge_operators::aggregate::count;
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Deduplicate, KeyBy, Map, first_within, last_within};
use proptest::prelude::*;

use crate::case::{Case, Judged, case, config, event, in_order};

/// The originals with their repeats, each in order, and the late records.
fn repeated(case: &Case, horizon: Duration, lateness: Duration) -> (Vec<Vec<Item>>, Vec<String>) {
    let (mut keys, mut late) = (BTreeMap::<String, Vec<Item>>::new(), Vec::new());
    for Judged { item, stamp } in case.judged() {
        match item.time + lateness < stamp {
            true => late.push((item.time, event(&item))),
            false => keys.entry(item.key.clone()).or_default().push(item),
        }
    }
    let mut groups: Vec<Vec<Item>> = Vec::new();
    for mut items in keys.into_values() {
        items.sort();
        let mut original: Option<EventTime> = None;
        for item in items {
            if original.is_none_or(|original| item.time - original >= horizon) {
                original = Some(item.time);
                groups.push(Vec::new());
            }
            groups.last_mut().expect("the first is an original").push(item);
        }
    }
    (groups, in_order(late))
}

fn lines<'a>(items: impl Iterator<Item = Option<&'a Item>>) -> Vec<String> {
    in_order(items.map(|item| item.expect("no group is empty")).map(|item| (item.time, event(item))).collect())
}

fn micros(range: std::ops::Range<i64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_micros)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn deduplicate_keeps_one_of_each_original_and_its_repeats(
        case in case(), horizon in micros(1..25), lateness in prop_oneof![Just(Duration::ZERO), micros(0..20)],
    ) {
        let answer = case.run(case.script(), move |items| {
            let keyed = || items.clone().key_by(|item| item.key.clone()).allowed_lateness(lateness);
            let firsts = keyed().deduplicate("first", first_within(horizon));
            let lasts = keyed().deduplicate("last", last_within(horizon));
            let (first_late, last_late) = (firsts.late().map(|item| event(&item)), lasts.late().map(|item| event(&item)));
            [firsts.map(|item| event(&item)), lasts.map(|item| event(&item)), first_late, last_late]
        });
        let (groups, late) = repeated(&case, horizon, lateness);
        let firsts = lines(groups.iter().map(|group| group.first()));
        let lasts = lines(groups.iter().map(|group| group.last()));
        prop_assert_eq!(answer, [firsts, lasts, late.clone(), late]);
    }

    /// The step holds the watermark for what it has still to say.
    #[test]
    fn what_deduplicate_keeps_is_on_time_for_the_window_behind_it(
        case in case(), horizon in micros(1..40), size in 1..12_i64, lateness in micros(0..20),
    ) {
        let answer = case.run(case.script(), move |items| {
            let keyed = items.key_by(|item| item.key.clone()).allowed_lateness(lateness);
            let kept = keyed.deduplicate("last", last_within(horizon));
            let windows = kept.key_by(|item| item.key.clone()).window(tumbling(Duration::from_micros(size)));
            let counts = windows.aggregate("count", count());
            let late = counts.late().map(|item| event(&item));
            [counts.map(|pane| format!("{} {}", pane.key, pane.value)), late]
        });
        let mut counts = BTreeMap::<(EventTime, String), u64>::new();
        for group in repeated(&case, horizon, lateness).0 {
            let last = group.last().expect("no group is empty");
            let end = last.time.as_micros().div_euclid(size) * size + size;
            *counts.entry((EventTime::from_micros(end - 1), last.key.clone())).or_default() += 1;
        }
        let counts = counts.into_iter().map(|((time, key), count)| (time, format!("{key} {count}")));
        prop_assert_eq!(answer, [in_order(counts.collect()), Vec::new()]);
    }
}
