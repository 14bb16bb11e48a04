//! Values by key, of which a save records what changed.

use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Changes, Fingerprint, Kept, Layout, kept};
use crate::{Data, Key, KeyGroup, Result};

/// Values by key, of which a save records what changed.
///
/// Until the first save everything is new, so nothing is noted down: a table that is filled and emptied between two
/// checkpoints costs no more than a map. From then on a key is noted at its first change after a save.
///
/// ```
/// use dualgauge_engine::Epoch;
/// use dualgauge_engine::state::{Changes, Kept, Table};
///
/// let mut counts = Table::<u64, u64>::new();
/// *counts.change(1, || 0) += 1;
/// *counts.change(2, || 0) += 1;
/// let mut first = Changes::new(Epoch(0));
/// counts.save(&mut first);
/// assert_eq!(first.len(), 2);
///
/// *counts.change(2, || 0) += 1;
/// let mut second = Changes::new(Epoch(1));
/// counts.save(&mut second);
/// assert_eq!(second.len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    map: HashMap<K, Slot<V>, FixedState>,
    /// What differs from the last save; `None` before the first, when everything does.
    since_save: Option<SinceSave<K>>,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    value: V,
    /// Whether the key is among the changed ones.
    changed: bool,
    /// Whether the step has marked it.
    marked: bool,
}

impl<V> Slot<V> {
    fn new(value: V, changed: bool) -> Slot<V> {
        Slot { value, changed, marked: false }
    }
}

#[derive(Clone, Debug)]
struct SinceSave<K> {
    changed: Vec<K>,
    removed: Vec<K>,
}

impl<K> Default for SinceSave<K> {
    fn default() -> SinceSave<K> {
        SinceSave { changed: Vec::new(), removed: Vec::new() }
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table { map: HashMap::default(), since_save: None }
    }
}

impl<K: Hash + Eq + Clone, V> Table<K, V> {
    /// An empty table.
    pub fn new() -> Table<K, V> {
        Table::default()
    }

    /// The value of `key`, to be changed; `start` where it has none.
    #[inline]
    pub fn change(&mut self, key: K, start: impl FnOnce() -> V) -> &mut V {
        self.change_ref(&key, start)
    }

    /// The same for a borrowed key: it is cloned if it is new.
    #[inline]
    pub fn change_ref(&mut self, key: &K, start: impl FnOnce() -> V) -> &mut V {
        &mut self.slot(key, start).value
    }

    /// The value of `key`, to be changed, which is marked from here on; `fresh` is called if it was not marked before.
    ///
    /// Marks are the step's own, to find in one look-up what it has seen already. No save records them.
    #[inline]
    pub fn change_and_mark(&mut self, key: &K, start: impl FnOnce() -> V, fresh: impl FnOnce()) -> &mut V {
        let slot = self.slot(key, start);
        if !std::mem::replace(&mut slot.marked, true) {
            fresh();
        }
        &mut slot.value
    }

    /// Marks `key`, if it is there.
    pub fn mark(&mut self, key: &K) {
        if let Some(slot) = self.map.get_mut(key) {
            slot.marked = true;
        }
    }

    /// Takes the mark off `key` and gives its value, if it is there.
    pub fn unmark(&mut self, key: &K) -> Option<&V> {
        let slot = self.map.get_mut(key)?;
        slot.marked = false;
        Some(&slot.value)
    }

    #[inline]
    fn slot(&mut self, key: &K, start: impl FnOnce() -> V) -> &mut Slot<V> {
        let slot = self.map.entry_ref(key).or_insert_with(|| Slot::new(start(), false));
        if let Some(since) = &mut self.since_save
            && !std::mem::replace(&mut slot.changed, true)
        {
            since.changed.push(key.clone());
        }
        slot
    }

    /// The value of `key`, to be changed, if it has one.
    pub fn change_if_there(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.map.get_mut(key)?;
        if let Some(since) = &mut self.since_save
            && !slot.changed
        {
            since.changed.push(key.clone());
            slot.changed = true;
        }
        Some(&mut slot.value)
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(|slot| &slot.value)
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let slot = self.map.remove(key)?;
        if let Some(since) = &mut self.since_save {
            since.removed.push(key.clone());
        }
        Some(slot.value)
    }

    /// All keys and values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter().map(|(key, slot)| (key, &slot.value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Empties the table but keeps its room; no save records this, so it is for tables whose entries are removed by
    /// their prefix.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        self.since_save = None;
        self.map.drain().map(|(key, slot)| (key, slot.value))
    }

    /// Whether an earlier save recorded anything of it.
    pub(super) fn was_saved(&self) -> bool {
        self.since_save.is_some()
    }
}

impl<K: Key, V: Data> Table<K, V> {
    pub(super) fn shape() -> Fingerprint {
        Fingerprint::of::<(K, V)>()
    }

    pub(super) fn save_under(&mut self, prefix: &[u8], changes: &mut Changes) {
        match &mut self.since_save {
            None => {
                for (key, slot) in &mut self.map {
                    slot.changed = false;
                    changes.put(KeyGroup::of(key), prefix, key, &slot.value);
                }
                self.since_save = Some(SinceSave::default());
            }
            Some(since) => {
                for key in since.removed.drain(..).filter(|key| !self.map.contains_key(key)) {
                    changes.remove(KeyGroup::of(&key), prefix, &key);
                }
                for key in since.changed.drain(..) {
                    // A key that was removed and came back is noted twice, and saved once.
                    if let Some(slot) = self.map.get_mut(&key).filter(|slot| slot.changed) {
                        slot.changed = false;
                        changes.put(KeyGroup::of(&key), prefix, &key, &slot.value);
                    }
                }
            }
        }
    }

    pub(super) fn load_one(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.since_save.get_or_insert_default();
        self.map.insert(kept::read(key)?, Slot::new(kept::read(value)?, false));
        Ok(())
    }
}

impl<K: Key, V: Data> Kept for Table<K, V> {
    fn fingerprint(&self) -> Fingerprint {
        Table::<K, V>::shape()
    }

    fn layout(&self) -> Layout {
        Layout::Keyed
    }

    fn save(&mut self, changes: &mut Changes) {
        self.save_under(&[], changes);
    }

    fn load(&mut self, _: KeyGroup, key: &[u8], value: &[u8]) -> Result<()> {
        self.load_one(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    /// What a save records: each key with its value, or without one if it was removed.
    fn told(table: &mut Table<u64, u64>) -> Vec<(u64, Option<u64>)> {
        let mut changes = Changes::new(Epoch(0));
        table.save(&mut changes);
        let read = |bytes| kept::read::<u64>(bytes).unwrap();
        let mut told: Vec<_> = changes.iter().map(|change| (read(change.key), change.value.map(read))).collect();
        told.sort();
        told
    }

    #[test]
    fn each_save_tells_what_differs_from_the_last() {
        let mut table = Table::new();
        (0..3).for_each(|key| *table.change(key, || 10) += key);
        assert_eq!(told(&mut table), [(0, Some(10)), (1, Some(11)), (2, Some(12))]);
        assert_eq!(told(&mut table), []);
        *table.change(1, || 0) += 1;
        *table.change(1, || 0) += 1;
        *table.change(7, || 70) += 0;
        table.remove(&2);
        assert_eq!(told(&mut table), [(1, Some(13)), (2, None), (7, Some(70))]);
        table.remove(&1);
        *table.change(1, || 5) += 0;
        assert_eq!(told(&mut table), [(1, Some(5))]);
        *table.change(7, || 0) += 1;
        table.remove(&7);
        assert_eq!(told(&mut table), [(7, None)]);
        *table.change_if_there(&1).unwrap() += 1;
        assert_eq!(table.change_if_there(&9), None);
        assert_eq!(told(&mut table), [(1, Some(6))]);
    }

    #[test]
    fn what_was_loaded_counts_as_saved() {
        let mut saved = Table::new();
        saved.change("a".to_string(), || 1_u64);
        saved.change("b".to_string(), || 2);
        let mut changes = Changes::new(Epoch(0));
        saved.save(&mut changes);
        let mut loaded = Table::<String, u64>::new();
        changes.iter().for_each(|c| loaded.load(c.group, c.key, c.value.unwrap()).unwrap());
        assert_eq!(loaded.get(&"b".to_string()), Some(&2));
        let mut changes = Changes::new(Epoch(1));
        loaded.save(&mut changes);
        assert!(changes.is_empty());
        assert!(loaded.load(KeyGroup(0), &[1, b'c', 0], &[1]).is_err(), "a byte too many");
    }
}
