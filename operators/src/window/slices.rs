//! Windows over slices by two stacks.
//!
//! The slices of the current window are in two parts. The *back* is one map, into which each new slice is merged. The
//! *front* has, for each of its slices, the merge of that slice and all later ones of the front; dropping the oldest
//! slice is then dropping one map. When the front is used up, the slices behind it become the new one. Each slice is
//! merged a fixed number of times, however many slices a window has. (Two-stacks aggregation, after Tangwongsan, Hirzel
//! and Schneider, "Low-latency sliding-window aggregation in worst-case constant time", DEBS 2017, whose simplest form
//! this is.)

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;

use dualgauge_engine::EventTime;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

type Map<K, A> = HashMap<K, A, FixedState>;

/// The slices of the current window.
pub(super) struct Slices<K, A> {
    /// Oldest first: the start of a slice, and the merge from it to the end of the front.
    front: VecDeque<(EventTime, Map<K, A>)>,
    /// The slices after the front, which become the next one.
    later: BTreeMap<EventTime, Map<K, A>>,
    /// Their merge.
    back: Map<K, A>,
}

impl<K: Hash + Eq + Clone, A: Clone> Slices<K, A> {
    pub(super) fn new() -> Slices<K, A> {
        Slices { front: VecDeque::new(), later: BTreeMap::new(), back: Map::default() }
    }

    /// Forgets all slices.
    pub(super) fn clear(&mut self) {
        self.front.clear();
        self.later.clear();
        self.back.clear();
    }

    /// The start of the newest slice.
    pub(super) fn last_slice(&self) -> Option<EventTime> {
        self.later.keys().next_back().or(self.front.back().map(|(start, _)| start)).copied()
    }

    /// Adds what `drain` gives to the slice from `start`.
    ///
    /// A slice may come again, with records that were late for the windows before: they count from here on.
    pub(super) fn add(
        &mut self,
        start: EventTime,
        drain: impl FnOnce(&mut dyn FnMut(K, A)),
        merge: impl Fn(&mut A, &A),
    ) {
        if self.front.back().is_none_or(|(last, _)| *last < start) {
            let slice = self.later.entry(start).or_default();
            return drain(&mut |key, acc| {
                add_to(&mut self.back, key.clone(), &acc, &merge);
                add_to(slice, key, &acc, &merge);
            });
        }
        // Every merge of the front that begins at or before the slice has it in it; the slice itself may be new there.
        let at = self.front.partition_point(|(front, _)| *front < start);
        if self.front[at].0 != start {
            let newer = self.front[at].1.clone();
            self.front.insert(at, (start, newer));
        }
        drain(&mut |key, acc| {
            self.front.iter_mut().take(at + 1).for_each(|(_, map)| add_to(map, key.clone(), &acc, &merge));
        });
    }

    /// Drops the slices that start before `start`.
    pub(super) fn drop_before(&mut self, start: EventTime, merge: impl Fn(&mut A, &A)) {
        while self.front.front().is_some_and(|(slice, _)| *slice < start) {
            self.front.pop_front();
        }
        if self.front.is_empty() && self.later.first_key_value().is_some_and(|(slice, _)| *slice < start) {
            self.later = self.later.split_off(&start);
            self.turn(merge);
        }
    }

    /// Makes the slices of the back the new front.
    fn turn(&mut self, merge: impl Fn(&mut A, &A)) {
        self.back.clear();
        let mut merged: Map<K, A> = Map::default();
        while let Some((start, slice)) = self.later.pop_last() {
            slice.into_iter().for_each(|(key, acc)| add_to(&mut merged, key, &acc, &merge));
            let so_far = if self.later.is_empty() { std::mem::take(&mut merged) } else { merged.clone() };
            self.front.push_front((start, so_far));
        }
    }

    /// Gives each key of the window and its merge to `each`.
    pub(super) fn for_each(&self, merge: impl Fn(&mut A, &A), mut each: impl FnMut(&K, &A)) {
        let none = Map::default();
        let front = self.front.front().map_or(&none, |(_, map)| map);
        for (key, acc) in front {
            match self.back.get(key) {
                None => each(key, acc),
                Some(newer) => {
                    let mut both = acc.clone();
                    merge(&mut both, newer);
                    each(key, &both);
                }
            }
        }
        self.back.iter().filter(|(key, _)| !front.contains_key(*key)).for_each(|(key, acc)| each(key, acc));
    }
}

fn add_to<K: Hash + Eq, A: Clone>(map: &mut Map<K, A>, key: K, acc: &A, merge: impl Fn(&mut A, &A)) {
    map.entry(key).and_modify(|total| merge(total, acc)).or_insert_with(|| acc.clone());
}
