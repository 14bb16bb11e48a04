//! Events that the watermark has passed and that may still meet a partner, by key and in the order of event time.
//!
//! They lie in one queue in time order, so that those with no partner to come are dropped from its front. Each knows
//! the one of its key before it, so finding the partners of an event is a walk from the newest back, and a key costs
//! one entry of a map and no list of its own.

use std::collections::VecDeque;

use dualgauge_engine::{Data, Event, EventTime, Key};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::join::waiting::{Status, Tag};
use crate::key_fn::KeyFn;

/// Events by key and time.
pub(super) struct Held<K, D> {
    rows: VecDeque<Row<D>>,
    /// The place of the first row. Places are counted from 1 and never used again, so that 0 is before them all.
    base: u64,
    /// The place of the newest row of each key.
    newest: HashMap<K, u64, FixedState>,
    /// Every row before this place has met a partner.
    undecided: u64,
}

/// An event that is held.
pub(super) struct Row<D> {
    pub(super) time: EventTime,
    pub(super) tag: Tag,
    pub(super) data: D,
    /// The place of the one of its key before it.
    older: u64,
}

impl<K: Key, D: Data> Held<K, D> {
    pub(super) fn new() -> Held<K, D> {
        Held { rows: VecDeque::new(), base: 1, newest: HashMap::default(), undecided: 1 }
    }

    /// Adds an event; none that was added before has a later time.
    #[inline]
    pub(super) fn insert(&mut self, event: Event<D>, tag: Tag, key: &impl KeyFn<D, Key = K>) {
        let Event { time, data } = event;
        debug_assert!(self.rows.back().is_none_or(|last| last.time <= time), "events are held in the order of time");
        let place = self.end();
        let older = key.with(&data, |key| std::mem::replace(self.newest.entry_ref(key).or_insert(0), place));
        self.rows.push_back(Row { time, tag, data, older });
    }

    /// Gives `each` the place and the row of every event of `key` whose time is in `[from, to]`, the newest first.
    #[inline]
    pub(super) fn meet(&mut self, key: &K, from: EventTime, to: EventTime, mut each: impl FnMut(u64, &mut Row<D>)) {
        let mut place = self.newest.get(key).copied().unwrap_or(0);
        while place >= self.base {
            let row = &mut self.rows[(place - self.base) as usize];
            if row.time < from {
                break;
            }
            if row.time <= to {
                each(place, row);
            }
            place = row.older;
        }
    }

    /// Takes out the events for whose times `gone` holds, the earliest first.
    #[inline]
    pub(super) fn expire(
        &mut self,
        gone: impl Fn(EventTime) -> bool,
        key: &impl KeyFn<D, Key = K>,
        mut each: impl FnMut(Row<D>),
    ) {
        while self.rows.front().is_some_and(|row| gone(row.time)) {
            let row = self.rows.pop_front().expect("it was just seen");
            key.with(&row.data, |key| {
                if self.newest.get(key) == Some(&self.base) {
                    self.newest.remove(key);
                }
            });
            self.base += 1;
            each(row);
        }
    }

    /// The time of the earliest event that has met no partner.
    pub(super) fn first_alone(&self) -> Option<EventTime> {
        self.rows.get(self.undecided.checked_sub(self.base)? as usize).map(|row| row.time)
    }

    /// Finds the earliest event that has met no partner; those before it never lose theirs.
    pub(super) fn find_first_alone(&mut self) {
        self.undecided = self.undecided.max(self.base);
        while self.get(self.undecided).is_some_and(|row| row.tag.status == Status::Matched) {
            self.undecided += 1;
        }
    }

    /// The place of the next row.
    pub(super) fn end(&self) -> u64 {
        self.base + self.rows.len() as u64
    }

    /// The row at `place`, if it is still there.
    pub(super) fn get(&self, place: u64) -> Option<&Row<D>> {
        self.rows.get(place.checked_sub(self.base)? as usize)
    }

    /// For how many rows there is room.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.rows.capacity()
    }

    /// The rows from `place` on.
    pub(super) fn since(&self, place: u64) -> impl Iterator<Item = &Row<D>> {
        self.rows.range(place.saturating_sub(self.base).min(self.rows.len() as u64) as usize..)
    }
}
