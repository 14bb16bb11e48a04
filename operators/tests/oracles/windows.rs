//! Windows: each event against every window it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime, Stream};
use dualgauge_operators::aggregate::{collect, count, distinct_count, first, last, sum};
use dualgauge_operators::window::{InWindow, Pane, Window, counted, cumulate, session, sliding, tumbling, whole};
use dualgauge_operators::{KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Case, Judged, case, config, event, in_order};

/// One of each sort of aggregate: counted, added, kept whole in order, picked by order, and a set.
macro_rules! everything {
    () => {
        (count(), sum(|item: &Item| item.value), (collect(), first(), last()), distinct_count(|item: &Item| item.value))
    };
}

pub(crate) use everything;

pub type Everything = (u64, i64, (Vec<Item>, Option<Item>, Option<Item>), u64);

pub fn text(pane: Pane<String, Everything>) -> String {
    let (count, sum, (items, first, last), distinct) = pane.value;
    let events: Vec<_> = items.iter().map(event).collect();
    let (first, last) = (first.as_ref().map(event), last.as_ref().map(event));
    let Window { start, end } = pane.window;
    let window = format!("[{},{})", start.as_micros(), end.as_micros());
    format!("{} {window} {count} {sum} {distinct} {first:?} {last:?} {events:?}", pane.key)
}

/// What `text` writes for a pane of these events.
fn expected(key: &str, window: Window, mut items: Vec<Item>) -> (EventTime, String) {
    items.sort_by_key(|item| (item.time, item.clone()));
    let distinct: BTreeSet<_> = items.iter().map(|item| item.value).collect();
    let (count, sum) = (items.len() as u64, items.iter().map(|item| item.value).sum());
    let (first, last) = (items.first().cloned(), items.last().cloned());
    let value = (count, sum, (items, first, last), distinct.len() as u64);
    (window.last_instant(), text(Pane::new(key.to_string(), window, value)))
}

/// The answer and the late records of windows that lie alike for every key.
pub fn aligned(
    events: &[Judged],
    lateness: Duration,
    windows_of: impl Fn(EventTime) -> Vec<Window>,
) -> [Vec<String>; 2] {
    let mut panes: BTreeMap<(Window, &str), Vec<Item>> = BTreeMap::new();
    let mut late = Vec::new();
    for Judged { item, stamp } in events {
        let windows = windows_of(item.time);
        if windows.is_empty() {
            continue; // between two windows is not late
        }
        let open: Vec<_> = windows.into_iter().filter(|window| window.end + lateness > *stamp).collect();
        if open.is_empty() {
            late.push((item.time, event(item)));
        }
        for window in open {
            panes.entry((window, &item.key)).or_default().push(item.clone());
        }
    }
    let panes = panes.into_iter().map(|((window, key), items)| expected(key, window, items));
    [in_order(panes.collect()), in_order(late)]
}

/// The windows of `size`, one every `slide` from `offset`, that hold `time`.
pub fn windows_of(time: EventTime, size: i64, slide: i64, offset: i64) -> Vec<Window> {
    let time = time.as_micros();
    let at = EventTime::from_micros;
    let starts = (time - size + 1..=time).filter(|start| (start - offset).rem_euclid(slide) == 0);
    starts.map(|start| Window { start: at(start), end: at(start + size) }).collect()
}

/// The windows of up to `size`, growing by `step` from `offset`, that hold `time`.
pub fn growing_windows_of(time: EventTime, step: i64, size: i64, offset: i64) -> Vec<Window> {
    let time = time.as_micros();
    let start = time - (time - offset).rem_euclid(size);
    let at = EventTime::from_micros;
    let ends = (1..=size / step).map(|number| start + number * step).filter(|end| time < *end);
    ends.map(|end| Window { start: at(start), end: at(end) }).collect()
}

/// The answer and the late records of sessions.
fn sessions(events: &[Judged], lateness: Duration, gap: Duration) -> [Vec<String>; 2] {
    let late = |judged: &Judged| judged.item.time + lateness < judged.stamp;
    let mut by_key: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for judged in events.iter().filter(|judged| !late(judged)) {
        by_key.entry(&judged.item.key).or_default().push(&judged.item);
    }
    let mut panes = Vec::new();
    for (key, mut items) in by_key {
        items.sort();
        for session in items.chunk_by(|a, b| b.time - a.time < gap) {
            let window = Window { start: session[0].time, end: session[session.len() - 1].time + gap };
            panes.push(expected(key, window, session.iter().copied().cloned().collect()));
        }
    }
    let late = events.iter().filter(|judged| late(judged)).map(|judged| (judged.item.time, event(&judged.item)));
    [in_order(panes), in_order(late.collect())]
}

/// The answer and the late records of windows of `size` events; what is left of a key is one up to the end of time.
fn chunks(events: &[Judged], lateness: Duration, size: u64) -> [Vec<String>; 2] {
    let (late, taken): (Vec<_>, Vec<_>) = events.iter().partition(|judged| judged.item.time + lateness < judged.stamp);
    let mut by_key: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
    taken.iter().for_each(|judged| by_key.entry(&judged.item.key).or_default().push(judged.item.clone()));
    let mut panes = Vec::new();
    for (key, mut items) in by_key {
        items.sort_by_key(|item| (item.time, item.clone()));
        for chunk in items.chunks(size as usize) {
            let last = chunk[chunk.len() - 1].time + Duration::from_micros(1);
            let end = if chunk.len() as u64 == size { last } else { EventTime::MAX };
            panes.push(expected(key, Window { start: chunk[0].time, end }, chunk.to_vec()));
        }
    }
    let late = late.iter().map(|judged| (judged.item.time, event(&judged.item)));
    [in_order(panes), in_order(late.collect())]
}

pub fn micros(range: std::ops::Range<i64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_micros)
}

pub fn lateness() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), micros(1..25)]
}

pub fn early() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![2 => Just(None), 1 => micros(1..8).prop_map(Some)]
}

/// Runs a kind of windows over the events of a case, as they come or as history.
macro_rules! run {
    ($case:expr, $script:expr, $kind:expr, $lateness:expr, $early:expr) => {{
        let (kind, lateness, early): (_, Duration, Option<Duration>) = ($kind, $lateness, $early);
        $case.run($script, move |items| {
            let windowed = items.key_by(|item| item.key.clone()).window(kind).allowed_lateness(lateness);
            let windowed = if let Some(every) = early { windowed.early(every) } else { windowed };
            let panes = windowed.aggregate("everything", everything!());
            let late = panes.late().map(|item| event(&item));
            [panes.map(text), late]
        })
    }};
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn tumbling_windows(
        case in case(), (size, offset) in (1..20_i64).prop_flat_map(|size| (Just(size), 1 - size..size)),
        lateness in lateness(), early in early(),
    ) {
        let kind = tumbling(Duration::from_micros(size)).offset(Duration::from_micros(offset));
        let windows = |time| windows_of(time, size, size, offset);
        prop_assert_eq!(run!(case, case.script(), kind, lateness, early), aligned(&case.judged(), lateness, windows));
    }

    #[test]
    fn sliding_windows(
        case in case(),
        (size, slide, offset) in (1..12_i64).prop_flat_map(|slide| (1..30_i64, Just(slide), 1 - slide..slide)),
        lateness in lateness(), early in early(),
    ) {
        let kind = sliding(Duration::from_micros(size), Duration::from_micros(slide));
        let kind = kind.offset(Duration::from_micros(offset));
        let windows = |time| windows_of(time, size, slide, offset);
        prop_assert_eq!(run!(case, case.script(), kind, lateness, early), aligned(&case.judged(), lateness, windows));
    }

    #[test]
    fn cumulating_windows(
        case in case(),
        (step, size, offset) in (1..8_i64, 1..6_i64).prop_flat_map(|(step, steps)| {
            (Just(step), Just(step * steps), 1 - step * steps..step * steps)
        }),
        lateness in lateness(), early in early(),
    ) {
        let kind = cumulate(Duration::from_micros(step), Duration::from_micros(size));
        let kind = kind.offset(Duration::from_micros(offset));
        let windows = |time| growing_windows_of(time, step, size, offset);
        prop_assert_eq!(run!(case, case.script(), kind, lateness, early), aligned(&case.judged(), lateness, windows));
    }

    #[test]
    fn counted_windows(case in case(), size in 1..6_u64, lateness in lateness()) {
        let answer = run!(case, case.script(), counted(size), lateness, None);
        prop_assert_eq!(answer, chunks(&case.judged(), lateness, size));
    }

    #[test]
    fn session_windows(case in case(), gap in micros(1..15), lateness in lateness()) {
        let answer = run!(case, case.script(), session(gap), lateness, None);
        prop_assert_eq!(answer, sessions(&case.judged(), lateness, gap));
    }

    #[test]
    fn the_whole_of_time(case in case(), lateness in lateness(), early in early()) {
        let windows = |_| vec![Window { start: EventTime::MIN, end: EventTime::MAX }];
        let answer = run!(case, case.script(), whole(), lateness, early);
        prop_assert_eq!(answer, aligned(&case.judged(), lateness, windows));
    }

    /// However the events lie in partitions, since each of them knows its own bounds.
    #[test]
    fn in_history_nothing_is_late_in_any_window(
        case in case(), size in 1..20_i64, slide in 1..20_i64, gap in micros(1..15),
    ) {
        let (size, slide) = (size.max(slide), size.min(slide));
        let micros = Duration::from_micros;
        let history = || case.script().promised();
        let events = case.on_time();

        let windows = |time| windows_of(time, size, size, 0);
        let answer = run!(case, history(), tumbling(micros(size)), Duration::ZERO, None);
        prop_assert_eq!(answer, aligned(&events, Duration::ZERO, windows));

        let windows = |time| windows_of(time, size, slide, 0);
        let answer = run!(case, history(), sliding(micros(size), micros(slide)), Duration::ZERO, None);
        prop_assert_eq!(answer, aligned(&events, Duration::ZERO, windows));

        let answer = run!(case, history(), session(gap), Duration::ZERO, None);
        prop_assert_eq!(answer, sessions(&events, Duration::ZERO, gap));
    }

    /// Results are on time for whatever comes after their window: the step holds the watermark for them.
    #[test]
    fn windows_over_the_results_of_windows(
        case in case(), size in 1..12_i64, slide in 1..8_i64, outer in 1..20_i64, gap in micros(1..15),
        lateness in lateness(),
    ) {
        let size = size.max(slide);
        let micros = Duration::from_micros;
        let answer = case.run(case.script(), move |items| {
            let slid = items.clone().key_by(|item| item.key.clone()).window(sliding(micros(size), micros(slide)));
            let slid = slid.aggregate("slid", count());
            let late = slid.late().map(|item| event(&item));
            let [over_slid, none] = sum_again(slid, "over slid", micros(outer));

            let sessions = items.key_by(|item| item.key.clone()).window(session(gap)).allowed_lateness(lateness);
            let [over_sessions, no_session] = sum_again(sessions.aggregate("sessions", count()), "over sessions", micros(outer));
            [over_slid, late, none, over_sessions, no_session]
        });

        let (slid, late) = counts(&case, |item, stamp| {
            windows_of(item.time, size, slide, 0).into_iter().filter(|window| window.end > stamp).collect()
        });
        let sessions = session_counts(&case, lateness, gap);
        let expected = [sums(&slid, outer), late, Vec::new(), sums(&sessions, outer), Vec::new()];
        prop_assert_eq!(answer, expected);
    }
}

/// The counts of some panes added up in tumbling windows, and those that were late for it.
fn sum_again<'s, L: 'static>(
    panes: Stream<'s, Pane<String, u64>, L>,
    name: &str,
    size: Duration,
) -> [Stream<'s, String>; 2] {
    let windows = panes.map(|pane| (pane.key, pane.value)).key_by(|(key, _)| key.clone()).window(tumbling(size));
    let sums = windows.aggregate(name, sum(|(_, count): &(String, u64)| *count));
    let late = sums.late().map(|(key, count)| format!("{key} {count}"));
    [sums.map(|pane| format!("{} {} {}", pane.key, pane.time.as_micros(), pane.value)), late]
}

type Counts = BTreeMap<(Window, String), u64>;

fn counts(case: &Case, windows: impl Fn(&Item, EventTime) -> Vec<Window>) -> (Counts, Vec<String>) {
    let (mut counts, mut late) = (Counts::new(), Vec::new());
    for Judged { item, stamp } in case.judged() {
        let windows = windows(&item, stamp);
        if windows.is_empty() {
            late.push((item.time, event(&item)));
        }
        for window in windows {
            *counts.entry((window, item.key.clone())).or_default() += 1;
        }
    }
    (counts, in_order(late))
}

fn session_counts(case: &Case, lateness: Duration, gap: Duration) -> Counts {
    let mut times: BTreeMap<String, Vec<EventTime>> = BTreeMap::new();
    for Judged { item, stamp } in case.judged() {
        if item.time + lateness >= stamp {
            times.entry(item.key).or_default().push(item.time);
        }
    }
    let mut counts = Counts::new();
    for (key, mut times) in times {
        times.sort();
        for session in times.chunk_by(|a, b| *b - *a < gap) {
            let window = Window { start: session[0], end: session[session.len() - 1] + gap };
            counts.insert((window, key.clone()), session.len() as u64);
        }
    }
    counts
}

/// The sum of the counts of each key in each tumbling window of `size`.
fn sums(counts: &Counts, size: i64) -> Vec<String> {
    let mut sums: BTreeMap<(EventTime, &str), u64> = BTreeMap::new();
    for ((window, key), count) in counts {
        let outer = windows_of(window.last_instant(), size, size, 0)[0];
        *sums.entry((outer.last_instant(), key)).or_default() += count;
    }
    in_order(sums.into_iter().map(|((time, key), sum)| (time, format!("{key} {} {sum}", time.as_micros()))).collect())
}
