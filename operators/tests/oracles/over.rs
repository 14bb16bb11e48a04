//! Events with their neighbours: each key's events in order, and what stands before each.

use std::collections::BTreeMap;

use dualgauge_engine::EventTime;
use dualgauge_engine::testing::Item;
use dualgauge_operators::aggregate::{collect, count, sum};
use dualgauge_operators::keyed::{Neighbours, rows_before, time_before};
use dualgauge_operators::{KeyBy, Map};
use proptest::prelude::*;

use crate::case::{case, config, event, in_order};
use crate::ordered::by_key;
use crate::windows::{lateness, micros};

type Frame = (u64, i64, Vec<Item>);

fn frame(item: &Item, (count, sum, items): Frame) -> String {
    let items: Vec<_> = items.iter().map(event).collect();
    format!("{} {count} {sum} {items:?}", event(item))
}

/// A row for each event of each key, made of all of them and the number of the one.
fn rows(keys: &BTreeMap<String, Vec<Item>>, row: impl Fn(&[Item], usize) -> String) -> Vec<String> {
    let of_key = |items: &Vec<Item>| -> Vec<(EventTime, String)> {
        (0..items.len()).map(|at| (items[at].time, row(items, at))).collect()
    };
    in_order(keys.values().flat_map(of_key).collect())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_event_is_seen_with_those_of_its_key_before_it(
        case in case(), n in 1..4_usize, before in 0..4_usize, length in micros(0..12), lateness in lateness(),
    ) {
        let answer = case.run(case.script(), move |items| {
            let over = || items.clone().key_by(|item| item.key.clone()).allowed_lateness(lateness).over();
            let all = || (count(), sum(|item: &Item| item.value), collect());
            let numbers = over().row_number("numbers", |item, number| format!("{number} {}", event(&item)));
            let late = numbers.late().map(|item| event(&item));
            let lag = over().lag("lag", n, |item, before| format!("{} {:?}", event(&item), before.map(event)));
            let of_rows = over().frame("rows", rows_before(before), all(), |item, all| frame(&item, all));
            let of_time = over().frame("time", time_before(length), all(), |item, all| frame(&item, all));
            let same = |text: String| text;
            [numbers.map(same), late, lag.map(same), of_rows.map(same), of_time.map(same)]
        });
        let (keys, late) = by_key(&case, lateness);
        let framed = |items: &[Item]| {
            let sum = items.iter().map(|item| item.value).sum();
            (items.len() as u64, sum, items.to_vec())
        };
        let expected = [
            rows(&keys, |items, at| format!("{} {}", at + 1, event(&items[at]))),
            late,
            rows(&keys, |items, at| format!("{} {:?}", event(&items[at]), at.checked_sub(n).map(|at| event(&items[at])))),
            rows(&keys, |items, at| frame(&items[at], framed(&items[at.saturating_sub(before)..=at]))),
            rows(&keys, |items, at| {
                let from = items.iter().position(|item| items[at].time - item.time <= length).expect("it is one itself");
                frame(&items[at], framed(&items[from..=at]))
            }),
        ];
        prop_assert_eq!(answer, expected);
    }
}
