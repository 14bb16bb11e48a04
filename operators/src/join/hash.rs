//! The hash join: a table of the smaller side's keys, in which those of the larger side are looked up.

use std::hash::Hash as StdHash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::strategy::{Keys, NONE, Numbers, Strategy};

/// A table from key to number. Its memory is reused from window to window.
pub(super) struct Hash<K> {
    table: HashMap<K, u32, FixedState>,
}

impl<K> Default for Hash<K> {
    fn default() -> Hash<K> {
        Hash { table: HashMap::default() }
    }
}

impl<K: StdHash + Eq + Clone> Strategy<K> for Hash<K> {
    fn number(&mut self, left: &impl Keys<K>, right: &impl Keys<K>, every: bool, numbers: &mut Numbers) {
        self.table.clear();
        let Numbers { left: lefts, right: rights, count } = numbers;
        if left.len() <= right.len() {
            self.build(left, lefts);
            self.probe(right, every, rights);
        } else {
            self.build(right, rights);
            self.probe(left, every, lefts);
        }
        *count = self.table.len() as u32;
    }
}

impl<K: StdHash + Eq + Clone> Hash<K> {
    fn build(&mut self, keys: &impl Keys<K>, numbers: &mut Vec<u32>) {
        numbers.reserve(keys.len());
        keys.each(|key| numbers.push(key.map_or(NONE, |key| self.number_of(key))));
    }

    fn probe(&mut self, keys: &impl Keys<K>, every: bool, numbers: &mut Vec<u32>) {
        if every {
            return self.build(keys, numbers);
        }
        numbers.reserve(keys.len());
        let table = &self.table;
        keys.each(|key| numbers.push(key.and_then(|key| table.get(key)).map_or(NONE, |number| *number)));
    }

    #[inline]
    fn number_of(&mut self, key: &K) -> u32 {
        let next = self.table.len() as u32;
        *self.table.entry_ref(key).or_insert(next)
    }
}
