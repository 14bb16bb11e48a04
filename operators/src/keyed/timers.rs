//! Event-time timers by key.

use std::collections::BTreeSet;

use dualgauge_engine::state::{Changes, Fingerprint, Kept, Layout, Place, read};
use dualgauge_engine::{Error, EventTime, Key, KeyGroup, Result};

/// Timers in the order in which they fire: by time, then by key. Setting one twice sets it once.
#[derive(Debug)]
pub(super) struct Timers<K> {
    /// What has been saved.
    saved: BTreeSet<(EventTime, K)>,
    /// What was set since, and has not been saved.
    fresh: BTreeSet<(EventTime, K)>,
    /// What has been saved and is no longer set.
    gone: Vec<(EventTime, K)>,
}

impl<K: Ord> Timers<K> {
    pub(super) fn new() -> Timers<K> {
        Timers { saved: BTreeSet::new(), fresh: BTreeSet::new(), gone: Vec::new() }
    }

    pub(super) fn set(&mut self, time: EventTime, key: K) {
        let timer = (time, key);
        if !self.saved.contains(&timer) {
            self.fresh.insert(timer);
        }
    }

    pub(super) fn cancel(&mut self, time: EventTime, key: K) {
        let timer = (time, key);
        if !self.fresh.remove(&timer) {
            self.gone.extend(self.saved.take(&timer));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.saved.len() + self.fresh.len()
    }

    /// When the next one fires.
    pub(super) fn next(&self) -> Option<EventTime> {
        self.saved.first().into_iter().chain(self.fresh.first()).map(|(time, _)| *time).min()
    }

    pub(super) fn pop(&mut self) -> Option<(EventTime, K)>
    where
        K: Clone,
    {
        let from_saved = match (self.saved.first(), self.fresh.first()) {
            (Some(saved), Some(fresh)) => saved < fresh,
            (saved, _) => saved.is_some(),
        };
        if !from_saved {
            return self.fresh.pop_first();
        }
        self.gone.extend(self.saved.first().cloned());
        self.saved.pop_first()
    }
}

impl<K: Key> Kept for Timers<K> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<K>()
    }

    fn layout(&self) -> Layout {
        Layout::Bare
    }

    fn save(&mut self, changes: &mut Changes) {
        for (time, key) in self.gone.drain(..) {
            changes.remove(KeyGroup::of(&key), &time.bytes(), &key);
        }
        for (time, key) in &self.fresh {
            changes.put(KeyGroup::of(key), &time.bytes(), key, &());
        }
        self.saved.append(&mut self.fresh);
    }

    fn load(&mut self, _: KeyGroup, mut key: &[u8], _: &[u8]) -> Result<()> {
        let time = EventTime::take(&mut key).ok_or_else(|| Error::data("a timer has no time"))?;
        self.saved.insert((time, read(key)?));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use dualgauge_engine::Epoch;

    use super::*;

    fn told(timers: &mut Timers<u64>) -> Vec<(u8, bool)> {
        let mut changes = Changes::new(Epoch(0));
        timers.save(&mut changes);
        changes.iter().map(|change| (*change.key.last().unwrap(), change.value.is_some())).collect()
    }

    #[test]
    fn a_save_tells_what_was_set_and_what_is_set_no_more() {
        let at = EventTime::from_micros;
        let mut timers = Timers::new();
        (1..4).for_each(|key| timers.set(at(5), key));
        timers.cancel(at(5), 3);
        assert_eq!(told(&mut timers), [(1, true), (2, true)]);
        timers.set(at(5), 1);
        timers.set(at(4), 7);
        assert_eq!(timers.pop(), Some((at(4), 7)));
        assert_eq!(told(&mut timers), []);
        assert_eq!(timers.pop(), Some((at(5), 1)));
        timers.cancel(at(5), 2);
        timers.set(at(5), 2);
        timers.set(at(9), 8);
        assert_eq!(told(&mut timers), [(1, false), (2, false), (2, true), (8, true)]);
        assert_eq!((timers.pop(), timers.pop(), timers.pop()), (Some((at(5), 2)), Some((at(9), 8)), None));
    }
}
