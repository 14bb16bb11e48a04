//! Ordered steps: each key's events in event-time order, and its timers after them.

use std::collections::{BTreeMap, BTreeSet};

use dualgauge_engine::testing::Item;
use dualgauge_engine::{Duration, EventTime};
use dualgauge_operators::keyed::{Context, Fold, Process, ProcessWith, Reduce};
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{KeyBy, Map};
use proptest::prelude::*;

use crate::case::{Case, Judged, case, config, event, in_order};

/// Says when a key has been quiet for a while, how much it had until then, and once more some time later.
///
/// It does what can be done with timers: sets one twice, takes one back, sets one in the past, sets one from another,
/// and forgets the state while timers are set.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    after: Duration,
    again: Duration,
}

/// Count and sum since the last reset, and the timer that is set.
type State = (u64, i64, Option<EventTime>);

impl Process<String, Item> for Quiet {
    type State = State;
    type Out = String;

    fn on_event(&mut self, key: &String, item: Item, state: &mut State, context: &mut Context<'_, String, String>) {
        state.0 += 1;
        state.1 += item.value;
        if let Some(timer) = state.2.take() {
            context.cancel_timer(timer);
        }
        let timer = context.time() + self.after;
        state.2 = Some(timer);
        context.set_timer(timer);
        context.set_timer(timer);
        match item.value {
            -1 => context.set_timer(context.time() - Duration::from_micros(7)),
            -2 => context.forget(),
            _ => {}
        }
        context.emit(format!("{key} {} {} {}", item.value, state.0, state.1));
    }

    fn on_timer(&mut self, key: &String, state: &mut State, context: &mut Context<'_, String, String>) {
        context.emit(format!("{key} quiet {} {}", state.0, state.1));
        if state.2 == Some(context.time()) && state.0 > 0 {
            *state = (0, 0, None);
            context.set_timer(context.time() + self.again);
        }
    }
}

/// The accepted events of each key in order, and the late ones.
pub fn by_key(case: &Case, lateness: Duration) -> (BTreeMap<String, Vec<Item>>, Vec<String>) {
    let (mut keys, mut late) = (BTreeMap::<String, Vec<Item>>::new(), Vec::new());
    for Judged { item, stamp } in case.judged() {
        match item.time + lateness < stamp {
            true => late.push((item.time, event(&item))),
            false => keys.entry(item.key.clone()).or_default().push(item),
        }
    }
    keys.values_mut().for_each(|items| items.sort_by_key(|item| (item.time, item.clone())));
    (keys, in_order(late))
}

/// What [`Quiet`] says of one key.
fn quiet(key: &str, items: Vec<Item>, after: Duration, again: Duration) -> Vec<(EventTime, String)> {
    let mut said = Vec::new();
    let mut timers = BTreeSet::new();
    let (mut count, mut sum, mut set) = (0, 0, None);
    let mut items = items.into_iter().peekable();
    loop {
        let timer = timers.first().copied();
        if let Some(item) = items.next_if(|item| timer.is_none_or(|timer| item.time <= timer)) {
            (count, sum) = (count + 1, sum + item.value);
            if let Some(timer) = set {
                timers.remove(&timer);
            }
            set = Some(item.time + after);
            timers.extend(set);
            said.push((item.time, format!("{key} {} {count} {sum}", item.value)));
            match item.value {
                -1 => drop(timers.insert(item.time)),
                -2 => (count, sum, set) = (0, 0, None),
                _ => {}
            }
        } else if let Some(timer) = timers.pop_first() {
            said.push((timer, format!("{key} quiet {count} {sum}")));
            if set == Some(timer) && count > 0 {
                (count, sum, set) = (0, 0, None);
                timers.insert(timer + again);
            }
        } else {
            return said;
        }
    }
}

fn micros(range: std::ops::Range<i64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_micros)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn process_sees_events_in_order_and_timers_after_them(
        case in case(), after in micros(0..12), again in micros(0..12), lateness in prop_oneof![Just(Duration::ZERO), micros(0..20)],
    ) {
        let answer = case.run(case.script(), move |items| {
            let keyed = items.key_by(|item| item.key.clone()).allowed_lateness(lateness);
            let said = keyed.process("quiet", Quiet { after, again });
            let late = said.late().map(|item| event(&item));
            [said.map(|text| text), late]
        });
        let (keys, late) = by_key(&case, lateness);
        let said = keys.into_iter().flat_map(|(key, items)| quiet(&key, items, after, again));
        prop_assert_eq!(answer, [in_order(said.collect()), late]);
    }

    #[test]
    fn fold_and_reduce_say_one_thing_per_event_in_order(
        case in case(), lateness in prop_oneof![Just(Duration::ZERO), micros(0..20)],
    ) {
        let answer = case.run(case.script(), move |items| {
            let keyed = || items.clone().key_by(|item| item.key.clone()).allowed_lateness(lateness);
            let folded = keyed().fold("fold", |seen: &mut Vec<i64>, item: Item| {
                seen.push(item.value);
                format!("{} {seen:?}", item.key)
            });
            let fold_late = folded.late().map(|item| event(&item));
            // Not commutative, so that the order shows.
            let reduced = keyed().reduce("reduce", |total, item| Item { value: (2 * total.value - item.value) % 1000, ..item });
            let reduce_late = reduced.late().map(|item| event(&item));
            [folded.map(|text| text), fold_late, reduced.map(|item| event(&item)), reduce_late]
        });
        let (keys, late) = by_key(&case, lateness);
        let (mut folded, mut reduced) = (Vec::new(), Vec::new());
        for (key, items) in keys {
            let mut total: Option<i64> = None;
            for (at, item) in items.iter().enumerate() {
                let seen: Vec<_> = items[..=at].iter().map(|item| item.value).collect();
                folded.push((item.time, format!("{key} {seen:?}")));
                let value = total.map_or(item.value, |total| (2 * total - item.value) % 1000);
                reduced.push((item.time, event(&Item { value, ..item.clone() })));
                total = Some(value);
            }
        }
        prop_assert_eq!(answer, [in_order(folded), late.clone(), in_order(reduced), late]);
    }

    /// The step holds the watermark for its timers, and for events that wait out the lateness.
    #[test]
    fn what_process_says_is_on_time_for_the_window_behind_it(
        case in case(), after in micros(0..12), again in micros(0..12), size in 1..12_i64, lateness in micros(0..20),
    ) {
        let answer = case.run(case.script(), move |items| {
            let keyed = items.key_by(|item| item.key.clone()).allowed_lateness(lateness);
            let said = keyed.process("quiet", Quiet { after, again });
            let windows = said.key_by(|text| text.clone()).window(tumbling(Duration::from_micros(size)));
            let counts = windows.aggregate("count", dualgauge_operators::aggregate::count());
            let late = counts.late().map(|text| text);
            [counts.map(|pane| format!("{} {}", pane.value, pane.key)), late]
        });
        let (keys, _) = by_key(&case, lateness);
        let mut counts: BTreeMap<(EventTime, String), u64> = BTreeMap::new();
        for (time, text) in keys.into_iter().flat_map(|(key, items)| quiet(&key, items, after, again)) {
            let end = time.as_micros().div_euclid(size) * size + size;
            *counts.entry((EventTime::from_micros(end - 1), text)).or_default() += 1;
        }
        let counts = counts.into_iter().map(|((time, text), count)| (time, format!("{count} {text}")));
        prop_assert_eq!(answer, [in_order(counts.collect()), Vec::new()]);
    }
}
