//! Windows over slices by two stacks.
//!
//! The slices of the current window are in two parts. The *back* is one merge, to which each new slice is added. The
//! *front* has, for each of its slices, the merge of that slice and all later ones of the front; dropping the oldest
//! slice is then dropping one merge. When the front is used up, the slices behind it become the new one. Each slice is
//! merged a fixed number of times, however many slices a window has. (Two-stacks aggregation, after Tangwongsan, Hirzel
//! and Schneider, "Low-latency sliding-window aggregation in worst-case constant time", DEBS 2017, whose simplest form
//! this is.)
//!
//! The keys are numbered, and a merge is a column by number: a key is looked up once for each slice that it is in, and
//! what is merged, turned and fired after that goes from column to column.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hash};

use dualgauge_engine::EventTime;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The slices of the current window.
pub(super) struct Slices<K, A> {
    keys: Numbered<K>,
    /// Oldest first: the start of a slice, and the merge from it to the end of the front.
    front: VecDeque<(EventTime, Column<A>)>,
    /// The slices after the front, which become the next one: accumulators with the numbers of their keys.
    later: BTreeMap<EventTime, Vec<(usize, A)>>,
    /// Their merge.
    back: Column<A>,
    /// Used-up columns, kept for their memory: never more than the front has had since it was made.
    spare: Vec<Column<A>>,
}

impl<K: Hash + Eq, A: Clone> Slices<K, A> {
    pub(super) fn new() -> Slices<K, A> {
        let (front, later) = (VecDeque::new(), BTreeMap::new());
        Slices { keys: Numbered::default(), front, later, back: Column::default(), spare: Vec::new() }
    }

    /// Forgets all slices.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        while let Some((_, column)) = self.front.pop_front() {
            self.retire(column);
        }
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
                let number = self.keys.of(key);
                self.back.add(number, &acc, &merge);
                slice.push((number, acc));
            });
        }
        // Every merge of the front that begins at or before the slice includes it; the slice itself may be new there.
        let at = self.front.partition_point(|(front, _)| *front < start);
        if self.front[at].0 != start {
            let newer = self.front[at].1.clone();
            self.front.insert(at, (start, newer));
        }
        drain(&mut |key, acc| {
            let number = self.keys.of(key);
            self.front.iter_mut().take(at + 1).for_each(|(_, column)| column.add(number, &acc, &merge));
        });
    }

    /// Drops the slices that start before `start`.
    pub(super) fn drop_before(&mut self, start: EventTime, merge: impl Fn(&mut A, &A)) {
        while self.front.front().is_some_and(|(slice, _)| *slice < start) {
            let (_, column) = self.front.pop_front().expect("it was just seen");
            self.retire(column);
        }
        if self.front.is_empty() && self.later.first_key_value().is_some_and(|(slice, _)| *slice < start) {
            self.later = self.later.split_off(&start);
            self.turn(merge);
        }
    }

    /// Makes the slices of the back the new front, and forgets the keys that are in none of them.
    fn turn(&mut self, merge: impl Fn(&mut A, &A)) {
        let mut is_there = vec![false; self.keys.len()];
        self.later.values().flatten().for_each(|(number, _)| is_there[*number] = true);
        let numbers = self.keys.retain(&is_there);
        self.later.values_mut().flatten().for_each(|(number, _)| *number = numbers[*number]);
        self.back.clear();
        while let Some((start, slice)) = self.later.pop_last() {
            let mut merged = self.spare.pop().unwrap_or_default();
            if let Some((_, newer)) = self.front.front() {
                merged.0.clone_from(&newer.0);
            }
            slice.iter().for_each(|(number, acc)| merged.add(*number, acc, &merge));
            self.front.push_front((start, merged));
        }
        self.spare.clear(); // slices that came late to the front leave some over
    }

    /// Keeps the memory of a used-up column, but none of its contents.
    fn retire(&mut self, mut column: Column<A>) {
        column.clear();
        self.spare.push(column);
    }

    /// Gives each key of the window and its merge to `each`.
    pub(super) fn for_each(&self, merge: impl Fn(&mut A, &A), mut each: impl FnMut(&K, &A)) {
        let none = Column::default();
        let front = self.front.front().map_or(&none, |(_, column)| column);
        for (number, key) in self.keys.iter() {
            match (front.get(number), self.back.get(number)) {
                (Some(older), Some(newer)) => {
                    let mut both = older.clone();
                    merge(&mut both, newer);
                    each(key, &both);
                }
                (Some(acc), None) | (None, Some(acc)) => each(key, acc),
                (None, None) => {}
            }
        }
    }
}

/// A merge: accumulators by the numbers of their keys.
#[derive(Clone)]
struct Column<A>(Vec<Option<A>>);

impl<A> Default for Column<A> {
    fn default() -> Column<A> {
        Column(Vec::new())
    }
}

impl<A: Clone> Column<A> {
    fn get(&self, number: usize) -> Option<&A> {
        self.0.get(number)?.as_ref()
    }

    #[inline]
    fn add(&mut self, number: usize, acc: &A, merge: impl Fn(&mut A, &A)) {
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        match &mut self.0[number] {
            Some(total) => merge(total, acc),
            none => *none = Some(acc.clone()),
        }
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Keys, numbered from 0 without gaps.
struct Numbered<K> {
    keys: Vec<K>,
    numbers: HashTable<usize>,
    hasher: FixedState,
}

impl<K> Default for Numbered<K> {
    fn default() -> Numbered<K> {
        Numbered { keys: Vec::new(), numbers: HashTable::new(), hasher: FixedState::default() }
    }
}

impl<K: Hash + Eq> Numbered<K> {
    /// The number of `key`, which gets one if it has none.
    #[inline]
    fn of(&mut self, key: K) -> usize {
        let Numbered { keys, numbers, hasher } = self;
        let hash = hasher.hash_one(&key);
        let entry = numbers.entry(hash, |number| keys[*number] == key, |number| hasher.hash_one(&keys[*number]));
        let new = || {
            keys.push(key);
            keys.len() - 1
        };
        *entry.or_insert_with(new).get()
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys in the order of their numbers.
    fn iter(&self) -> impl Iterator<Item = (usize, &K)> {
        self.keys.iter().enumerate()
    }

    /// Forgets the keys whose number is not to be kept. For the others it returns the new number, by the old one.
    fn retain(&mut self, keep: &[bool]) -> Vec<usize> {
        let before = |kept: &mut usize, keep: &bool| Some(std::mem::replace(kept, *kept + usize::from(*keep)));
        let new: Vec<_> = keep.iter().scan(0, before).collect();
        self.numbers.retain(|number| {
            let kept = keep[*number];
            *number = new[*number];
            kept
        });
        let mut keep = keep.iter();
        self.keys.retain(|_| *keep.next().expect("an answer for each key"));
        new
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.numbers.clear();
    }
}
