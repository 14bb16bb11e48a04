//! What aligned windows remember: panes in the order in which they first matter, accumulators by key.

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// The accumulators of one pane. The order of the map never reaches an output: sinks sort.
pub(super) type Keys<K, A> = HashMap<K, Slot<A>, FixedState>;

/// The accumulator of one key.
#[derive(Clone, Debug)]
pub(super) struct Slot<A> {
    pub(super) acc: A,
    /// Whether it is in [`Pane::changed`].
    changed: bool,
}

/// What is kept of one span of event time.
#[derive(Debug)]
pub(super) struct Pane<K, A> {
    keys: Keys<K, A>,
    /// Keys that have changed since the last firing; kept only where a pane may fire more than once.
    changed: Vec<K>,
}

/// All panes, by the place `P` that a kind of window gives them.
#[derive(Debug)]
pub(super) struct Panes<P, K, A> {
    by_place: BTreeMap<P, Pane<K, A>>,
    /// Maps of closed panes, empty but of the right size: growing a new one costs more than filling it.
    spare: Vec<Keys<K, A>>,
    track_changes: bool,
}

impl<P: Copy + Ord, K: Hash + Eq + Clone, A> Panes<P, K, A> {
    /// No panes. `track_changes` where they may fire more than once.
    pub(super) fn new(track_changes: bool) -> Panes<P, K, A> {
        Panes { by_place: BTreeMap::new(), spare: Vec::new(), track_changes }
    }

    /// The pane at `place`, and whether its changes are tracked.
    #[inline]
    pub(super) fn pane(&mut self, place: P) -> (&mut Pane<K, A>, bool) {
        let new = || Pane { keys: self.spare.pop().unwrap_or_default(), changed: Vec::new() };
        (self.by_place.entry(place).or_insert_with(new), self.track_changes)
    }

    /// The earliest pane.
    pub(super) fn first(&self) -> Option<P> {
        self.by_place.first_key_value().map(|(place, _)| *place)
    }

    /// The panes in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (P, &Pane<K, A>)> {
        self.by_place.iter().map(|(place, pane)| (*place, pane))
    }

    /// The panes in their order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (P, &mut Pane<K, A>)> {
        self.by_place.iter_mut().map(|(place, pane)| (*place, pane))
    }

    /// Drops the panes for which `keep` is false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(P) -> bool) {
        let closed = self.by_place.extract_if(.., |place, _| !keep(*place));
        self.spare.extend(closed.map(|(_, mut pane)| {
            pane.keys.clear();
            pane.keys
        }));
    }

    /// Takes the earliest pane away and gives each of its keys to `each`.
    pub(super) fn drain_first(&mut self, mut each: impl FnMut(K, A)) {
        if let Some((_, mut pane)) = self.by_place.pop_first() {
            pane.keys.drain().for_each(|(key, slot)| each(key, slot.acc));
            self.spare.push(pane.keys);
        }
    }
}

impl<K: Hash + Eq + Clone, A> Pane<K, A> {
    /// The accumulator of `key`, which is about to change.
    #[inline]
    pub(super) fn change(&mut self, key: K, track: bool, start: impl FnOnce() -> A) -> &mut A {
        if track {
            let slot = self.keys.entry(key.clone()).or_insert_with(|| Slot { acc: start(), changed: false });
            if !slot.changed {
                slot.changed = true;
                self.changed.push(key);
            }
            return &mut slot.acc;
        }
        &mut self.keys.entry(key).or_insert_with(|| Slot { acc: start(), changed: false }).acc
    }

    /// The accumulator of `key`, if there is one.
    pub(super) fn get(&self, key: &K) -> Option<&A> {
        self.keys.get(key).map(|slot| &slot.acc)
    }

    /// Gives each key that has changed since the last call to `each`.
    pub(super) fn drain_changed(&mut self, mut each: impl FnMut(&K, &A)) {
        for key in self.changed.drain(..) {
            let slot = self.keys.get_mut(&key).expect("a key that changed is kept until its pane closes");
            slot.changed = false;
            each(&key, &slot.acc);
        }
    }

    /// Whether anything has changed since the last firing.
    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }
}
