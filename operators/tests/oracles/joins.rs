//! Window joins: each row of one side against each row of the other, in every window that both are in.

use std::collections::BTreeMap;

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime};
use dualgauge_operators::join::JoinStrategy;
use dualgauge_operators::window::{InWindow, Window, session, sliding, tumbling};
use dualgauge_operators::{Either, KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Case, Judged, case, config, event, in_order};
use crate::windows::{lateness, micros, windows_of};

/// The key, of which `k0` makes a null in a part: it is grouped by its value, and meets nobody.
fn key(item: &Item) -> (Option<String>, i64) {
    match item.key.as_str() {
        "k0" => (None, item.value),
        key => (Some(key.to_string()), 0),
    }
}

fn is_null(item: &Item) -> bool {
    key(item).0.is_none()
}

/// The rows of both sides in a window.
type Sides = (Vec<Item>, Vec<Item>);

/// What each kind of join writes, and what is late.
const OUTPUTS: usize = 8;

fn pair(window: Window, left: Option<&Item>, right: Option<&Item>) -> String {
    let (left, right) = (left.map(event), right.map(event));
    format!("[{},{}) {left:?} {right:?}", window.start.as_micros(), window.end.as_micros())
}

fn group(key: &(Option<String>, i64), window: Window, left: &[Item], right: &[Item]) -> String {
    let events = |items: &[Item]| items.iter().map(event).collect::<Vec<_>>();
    format!("{key:?} [{},{}) {:?} {:?}", window.start.as_micros(), window.end.as_micros(), events(left), events(right))
}

/// The answer of all kinds of joins over these windows.
fn answer(windows: &[(Window, Sides)], late: Vec<(EventTime, String)>) -> [Vec<String>; OUTPUTS] {
    let mut lines: [Vec<(EventTime, String)>; OUTPUTS] = Default::default();
    lines[7] = late;
    for (window, (lefts, rights)) in windows {
        let time = window.last_instant();
        let meet = |left: &Item, right: &Item| !is_null(left) && key(left) == key(right);
        for left in lefts {
            for right in rights.iter().filter(|right| meet(left, right)) {
                (0..4).for_each(|kind| lines[kind].push((time, pair(*window, Some(left), Some(right)))));
            }
            let alone = !rights.iter().any(|right| meet(left, right));
            lines[if alone { 5 } else { 4 }].push((time, event(left)));
            if alone {
                [1, 3].into_iter().for_each(|kind| lines[kind].push((time, pair(*window, Some(left), None))));
            }
        }
        for right in rights.iter().filter(|right| !lefts.iter().any(|left| meet(left, right))) {
            [2, 3].into_iter().for_each(|kind| lines[kind].push((time, pair(*window, None, Some(right)))));
        }
        let mut groups: BTreeMap<_, Sides> = BTreeMap::new();
        lefts.iter().for_each(|left| groups.entry(key(left)).or_default().0.push(left.clone()));
        rights.iter().for_each(|right| groups.entry(key(right)).or_default().1.push(right.clone()));
        for (key, (mut left, mut right)) in groups {
            left.sort();
            right.sort();
            let apart = key.0.is_none() && !left.is_empty() && !right.is_empty();
            match apart {
                true => lines[6]
                    .extend([(&left[..], &[][..]), (&[], &right)].map(|(l, r)| (time, group(&key, *window, l, r)))),
                false => lines[6].push((time, group(&key, *window, &left, &right))),
            }
        }
    }
    lines.map(in_order)
}

/// Both sides' events, the right ones marked.
fn both(left: &[Judged], right: &[Judged]) -> Vec<(Judged, bool)> {
    let side = |events: &[Judged], is_right| events.iter().cloned().map(|event| (event, is_right)).collect::<Vec<_>>();
    [side(left, false), side(right, true)].concat()
}

fn late_line(item: &Item, is_right: bool) -> (EventTime, String) {
    (item.time, format!("{} {}", if is_right { "right" } else { "left" }, event(item)))
}

fn add(sides: &mut Sides, item: Item, is_right: bool) {
    if is_right { sides.1.push(item) } else { sides.0.push(item) }
}

/// The answer over windows that lie alike for every key.
fn aligned(
    events: Vec<(Judged, bool)>,
    lateness: Duration,
    windows_of: impl Fn(EventTime) -> Vec<Window>,
) -> [Vec<String>; OUTPUTS] {
    let (mut windows, mut late): (BTreeMap<Window, Sides>, _) = Default::default();
    for (Judged { item, stamp }, is_right) in events {
        let all = windows_of(item.time);
        if all.is_empty() {
            continue; // between two windows is not late
        }
        let open: Vec<_> = all.into_iter().filter(|window| window.end + lateness > stamp).collect();
        if open.is_empty() {
            Vec::push(&mut late, late_line(&item, is_right));
        }
        open.into_iter().for_each(|window| add(windows.entry(window).or_default(), item.clone(), is_right));
    }
    answer(&Vec::from_iter(windows), late)
}

/// The answer over sessions of both sides together.
fn sessions(events: Vec<(Judged, bool)>, lateness: Duration, gap: Duration) -> [Vec<String>; OUTPUTS] {
    let (mut by_key, mut late): (BTreeMap<_, Vec<(Item, bool)>>, _) = Default::default();
    for (Judged { item, stamp }, is_right) in events {
        match item.time + lateness < stamp {
            true => Vec::push(&mut late, late_line(&item, is_right)),
            false => by_key.entry(key(&item)).or_default().push((item, is_right)),
        }
    }
    let mut windows = Vec::new();
    for mut items in by_key.into_values() {
        items.sort();
        for session in items.chunk_by(|(a, _), (b, _)| b.time - a.time < gap) {
            let window = Window { start: session[0].0.time, end: session[session.len() - 1].0.time + gap };
            let mut sides = Sides::default();
            session.iter().cloned().for_each(|(item, is_right)| add(&mut sides, item, is_right));
            windows.push((window, sides));
        }
    }
    answer(&windows, late)
}

/// Runs every kind of join over two inputs. A macro, since each kind of window is a type of its own.
macro_rules! run {
    ($left:expr, $right:expr, $windows:expr, $lateness:expr, $strategy:expr) => {{
        let (windows, lateness, strategy): (_, Duration, Option<JoinStrategy>) = ($windows, $lateness, $strategy);
        $left.run_inputs([$left.script(), $right.script()], move |[left, right]| {
            let join = || {
                let windowed = left.clone().key_by(key).window(windows).allowed_lateness(lateness);
                let join = windowed.join(right.clone().key_by(key));
                if let Some(strategy) = strategy { join.strategy(strategy) } else { join }
            };
            let inner = join().inner("inner", |window, l, r| pair(window, Some(l), Some(r)));
            let late = inner.late().map(|late| match late {
                Either::Left(item) => late_line(&item, false).1,
                Either::Right(item) => late_line(&item, true).1,
            });
            [
                inner.map(|line| line),
                join().left("left", |window, l, r| pair(window, Some(l), r)).map(|line| line),
                join().right("right", |window, l, r| pair(window, l, Some(r))).map(|line| line),
                join().full("full", pair).map(|line| line),
                join().semi("semi", |_, item| item).map(|item| event(&item)),
                join().anti("anti", |_, item| item).map(|item| event(&item)),
                join().co_group("groups", |key, window, l, r, out| out.emit(group(key, window, l, r))).map(|line| line),
                late,
            ]
        })
    }};
}

fn strategy() -> impl Strategy<Value = Option<JoinStrategy>> {
    prop::option::of(prop::sample::select(JoinStrategy::ALL))
}

fn judged(left: &Case, right: &Case) -> Vec<(Judged, bool)> {
    both(&left.judged(), &right.judged())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn joins_in_tumbling_windows(
        left in case(), right in case(), strategy in strategy(), lateness in lateness(),
        (size, offset) in (1..20_i64).prop_flat_map(|size| (Just(size), 1 - size..size)),
    ) {
        let kind = tumbling(Duration::from_micros(size)).offset(Duration::from_micros(offset));
        let windows = |time| windows_of(time, size, size, offset);
        prop_assert_eq!(run!(left, right, kind, lateness, strategy), aligned(judged(&left, &right), lateness, windows));
    }

    #[test]
    fn joins_in_sliding_windows(
        left in case(), right in case(), strategy in strategy(), lateness in lateness(),
        (size, slide, offset) in (1..12_i64).prop_flat_map(|slide| (1..30_i64, Just(slide), 1 - slide..slide)),
    ) {
        let kind = sliding(Duration::from_micros(size), Duration::from_micros(slide));
        let kind = kind.offset(Duration::from_micros(offset));
        let windows = |time| windows_of(time, size, slide, offset);
        prop_assert_eq!(run!(left, right, kind, lateness, strategy), aligned(judged(&left, &right), lateness, windows));
    }

    #[test]
    fn joins_in_session_windows(left in case(), right in case(), gap in micros(1..15), lateness in lateness()) {
        let answer = run!(left, right, session(gap), lateness, None);
        prop_assert_eq!(answer, sessions(judged(&left, &right), lateness, gap));
    }
}
