//! Top-N: each window's records sorted, and the first few of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime};
use dualgauge_operators::window::{InWindow, Places, Ranked, Window, places, session, sliding, tumbling};
use dualgauge_operators::{KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Judged, case, config, event, in_order};

/// Coarse, so that there are ties.
fn by(item: &Item) -> i64 {
    item.value.div_euclid(2)
}

fn text(row: &Ranked<String, Item>) -> String {
    let Window { start, end } = row.window;
    format!("{} [{},{}) #{} {}", row.key, start.as_micros(), end.as_micros(), row.rank, event(&row.value))
}

/// How equals are ranked.
#[derive(Clone, Copy, Debug)]
enum Ties {
    Apart,
    Rank,
    DenseRank,
}

/// Places to give: up to the first number, from the second.
#[derive(Clone, Copy, Debug)]
struct Wanted(u64, u64, Ties);

impl Wanted {
    fn places(self) -> Places {
        let Wanted(to, from, ties) = self;
        let places = places(to as usize).from(from as usize);
        match ties {
            Ties::Apart => places,
            Ties::Rank => places.rank(),
            Ties::DenseRank => places.dense_rank(),
        }
    }
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let ties = prop_oneof![Just(Ties::Apart), Just(Ties::Rank), Just(Ties::DenseRank)];
    (1..5_u64, ties).prop_flat_map(|(to, ties)| (1..=to).prop_map(move |from| Wanted(to, from, ties)))
}

/// The rows of a window of these records.
fn rows(key: &str, window: Window, mut items: Vec<Item>, Wanted(to, from, ties): Wanted) -> Vec<(EventTime, String)> {
    items.sort_by_key(|item| Reverse((by(item), item.clone())));
    let ranked = items.iter().enumerate().map(|(place, value)| {
        let above = items.iter().map(by).filter(|other| *other > by(value));
        let rank = 1 + match ties {
            Ties::Apart => place as u64,
            Ties::Rank => above.count() as u64,
            Ties::DenseRank => above.collect::<BTreeSet<_>>().len() as u64,
        };
        Ranked { key: key.to_string(), window, rank, value: value.clone() }
    });
    ranked.filter(|row| (from..=to).contains(&row.rank)).map(|row| (row.time(), text(&row))).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn top_n_of_tumbling_and_sliding_windows(
        case in case(), n in wanted(), slide in 1..10_i64, slides in 1..4_i64,
        lateness in prop_oneof![Just(0_i64), 1..25_i64], early in prop_oneof![Just(None), (1..8_i64).prop_map(Some)],
    ) {
        let (micros, size) = (Duration::from_micros, slide * slides);
        let answer = case.run(case.script(), move |items| {
            macro_rules! rows {
                ($name:literal, $kind:expr) => {{
                    let windows = items.clone().key_by(|item| item.key.clone()).window($kind);
                    let windows = windows.allowed_lateness(micros(lateness));
                    let windows = if let Some(every) = early { windows.early(micros(every)) } else { windows };
                    let top = windows.top_n($name, n.places(), by);
                    let late = top.late().map(|item| event(&item));
                    [top.map(|row| text(&row)), late]
                }};
            }
            let [tumbled, tumbled_late] = rows!("tumbling", tumbling(micros(size)));
            let [slid, slid_late] = rows!("sliding", sliding(micros(size), micros(slide)));
            [tumbled, tumbled_late, slid, slid_late]
        });
        let expected = |slide: i64| {
            let (mut panes, mut late) = (BTreeMap::<(Window, String), Vec<Item>>::new(), Vec::new());
            for Judged { item, stamp } in case.judged() {
                let time = item.time.as_micros();
                let starts = (time - size + 1..=time).filter(|start| start.rem_euclid(slide) == 0);
                let at = EventTime::from_micros;
                let windows = starts.map(|start| Window { start: at(start), end: at(start + size) });
                let open: Vec<_> = windows.filter(|window| window.end + micros(lateness) > stamp).collect();
                if open.is_empty() {
                    late.push((item.time, event(&item)));
                }
                for window in open {
                    panes.entry((window, item.key.clone())).or_default().push(item.clone());
                }
            }
            let panes = panes.into_iter().flat_map(|((window, key), items)| rows(&key, window, items, n));
            [in_order(panes.collect()), in_order(late)]
        };
        let ([tumbled, tumbled_late], [slid, slid_late]) = (expected(size), expected(slide));
        prop_assert_eq!(answer, [tumbled, tumbled_late, slid, slid_late]);
    }

    #[test]
    fn top_n_of_sessions(case in case(), n in wanted(), gap in 1..20_i64) {
        let gap = Duration::from_micros(gap);
        let answer = case.run(case.script(), move |items| {
            let windows = items.key_by(|item| item.key.clone()).window(session(gap));
            [windows.top_n("top", n.places(), by).map(|row| text(&row))]
        });
        let mut keys = BTreeMap::<String, Vec<Item>>::new();
        for judged in case.judged().into_iter().filter(|judged| judged.item.time >= judged.stamp) {
            keys.entry(judged.item.key.clone()).or_default().push(judged.item);
        }
        let mut expected = Vec::new();
        for (key, mut items) in keys {
            items.sort();
            for session in items.chunk_by(|a, b| b.time - a.time < gap) {
                let window = Window { start: session[0].time, end: session[session.len() - 1].time + gap };
                expected.extend(rows(&key, window, session.to_vec(), n));
            }
        }
        prop_assert_eq!(answer, [in_order(expected)]);
    }
}
