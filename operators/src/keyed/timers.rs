//! Event-time timers by key.

use std::collections::BTreeSet;

use dualgauge_engine::EventTime;

/// Timers in the order in which they fire: by time, then by key. Setting one twice is setting it once.
#[derive(Debug)]
pub(super) struct Timers<K> {
    set: BTreeSet<(EventTime, K)>,
}

impl<K: Ord> Timers<K> {
    pub(super) fn new() -> Timers<K> {
        Timers { set: BTreeSet::new() }
    }

    pub(super) fn set(&mut self, time: EventTime, key: K) {
        self.set.insert((time, key));
    }

    pub(super) fn cancel(&mut self, time: EventTime, key: K) {
        self.set.remove(&(time, key));
    }

    /// When the next one fires.
    pub(super) fn next(&self) -> Option<EventTime> {
        self.set.first().map(|(time, _)| *time)
    }

    pub(super) fn pop(&mut self) -> Option<(EventTime, K)> {
        self.set.pop_first()
    }
}
