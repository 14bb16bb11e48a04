//! Tables by place: windows that open, fill and close.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::ops::Bound;

use super::{Changes, Fingerprint, Kept, Layout, Place, Table};
use crate::{Data, Error, Key, KeyGroup, Result};

/// Tables by place, in the order of the places; a whole table goes at once.
///
/// A table that comes and goes between two saves is never recorded.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_engine::state::Tables;
///
/// let mut panes = Tables::<EventTime, u64, u64>::new();
/// *panes.table(EventTime::from_millis(10)).change(1, || 0) += 5;
/// assert_eq!(panes.first(), Some(EventTime::from_millis(10)));
/// panes.drain_first(|key, count| assert_eq!((key, count), (1, 5)));
/// assert_eq!(panes.first(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Tables<P, K, V> {
    by_place: BTreeMap<P, Table<K, V>>,
    /// Tables of places that are gone: their room is reused, so that a window does not grow its own from nothing.
    spare: Vec<Table<K, V>>,
    /// Places that are gone, and that an earlier save recorded.
    gone: Vec<P>,
}

impl<P: Copy + Ord, K: Hash + Eq + Clone, V> Default for Tables<P, K, V> {
    fn default() -> Tables<P, K, V> {
        Tables { by_place: BTreeMap::new(), spare: Vec::new(), gone: Vec::new() }
    }
}

impl<P: Copy + Ord, K: Hash + Eq + Clone, V> Tables<P, K, V> {
    /// No tables.
    pub fn new() -> Tables<P, K, V> {
        Tables::default()
    }

    /// The table at `place`, which is created where there is none.
    #[inline]
    pub fn table(&mut self, place: P) -> &mut Table<K, V> {
        self.by_place.entry(place).or_insert_with(|| self.spare.pop().unwrap_or_default())
    }

    /// The table at `place`, if there is one.
    pub fn get(&self, place: P) -> Option<&Table<K, V>> {
        self.by_place.get(&place)
    }

    /// The places after `place` that have tables, in their order.
    pub fn places_after(&self, place: P) -> impl Iterator<Item = P> {
        self.by_place.range((Bound::Excluded(place), Bound::Unbounded)).map(|(place, _)| *place)
    }

    /// The first place that has a table.
    pub fn first(&self) -> Option<P> {
        self.by_place.first_key_value().map(|(place, _)| *place)
    }

    /// The tables in the order of their places.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (P, &Table<K, V>)> {
        self.by_place.iter().map(|(place, table)| (*place, table))
    }

    /// The tables in the order of their places, to be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (P, &mut Table<K, V>)> {
        self.by_place.iter_mut().map(|(place, table)| (*place, table))
    }

    /// Removes the first table and hands its entries out.
    pub fn drain_first(&mut self, each: impl FnMut(K, V)) {
        if let Some((place, table)) = self.by_place.pop_first() {
            self.retire(place, table, each);
        }
    }

    /// Removes the table at `place` and hands its entries out.
    pub fn drain(&mut self, place: P, each: impl FnMut(K, V)) {
        if let Some(table) = self.by_place.remove(&place) {
            self.retire(place, table, each);
        }
    }

    /// Removes the tables of places that are not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(P) -> bool) {
        let closed: Vec<_> = self.by_place.extract_if(.., |place, _| !keep(*place)).collect();
        closed.into_iter().for_each(|(place, table)| self.retire(place, table, |_, _| {}));
    }

    fn retire(&mut self, place: P, mut table: Table<K, V>, mut each: impl FnMut(K, V)) {
        if table.was_saved() {
            self.gone.push(place);
        }
        table.drain().for_each(|(key, value)| each(key, value));
        self.spare.push(table);
    }
}

impl<P: Place, K: Key, V: Data> Kept for Tables<P, K, V> {
    fn fingerprint(&self) -> Fingerprint {
        Table::<K, V>::shape()
    }

    fn layout(&self) -> Layout {
        Layout::Keyed
    }

    fn save(&mut self, changes: &mut Changes) {
        for place in self.gone.drain(..) {
            changes.remove_prefix(&place.bytes());
        }
        for (place, table) in &mut self.by_place {
            table.save_under(&place.bytes(), changes);
        }
    }

    fn load(&mut self, _: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let place = P::take(&mut key).ok_or_else(|| Error::data("an entry of the state is too short for its place"))?;
        self.table(place).load_one(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, EventTime};

    fn saved(tables: &mut Tables<EventTime, u64, u64>) -> Changes {
        let mut changes = Changes::new(Epoch(0));
        tables.save(&mut changes);
        changes
    }

    #[test]
    fn a_table_that_was_saved_and_is_gone_is_told_by_its_place() {
        let at = EventTime::from_micros;
        let mut tables = Tables::new();
        tables.table(at(5)).change(1, || 1);
        tables.table(at(6)).change(1, || 1);
        assert_eq!(saved(&mut tables).len(), 2);
        tables.drain_first(|_, _| {});
        tables.table(at(7)).change(1, || 1);
        tables.drain(at(7), |_, _| {});
        let changes = saved(&mut tables);
        assert_eq!((changes.len(), changes.ranges()), (0, &[(at(5).bytes(), at(6).bytes())][..]));
        // It comes again: what is there now stands, what was there before does not.
        tables.retain(|_| false);
        tables.table(at(6)).change(2, || 2);
        let changes = saved(&mut tables);
        assert_eq!((changes.len(), changes.ranges()), (1, &[(at(6).bytes(), at(7).bytes())][..]));
    }
}
