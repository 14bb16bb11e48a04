//! The layers of a chain as one: of each key the newest entry, unless a newer layer removed a range around it.

use super::format::{self, RawEntry};
use super::read::{Layer, Sections};
use crate::checkpoint::{GroupRange, Store};
use crate::{KeyGroup, Result};

/// What takes entries: a key, and its value unless it was removed.
pub(super) type Each<'a> = dyn FnMut(&[u8], Option<&[u8]>) -> Result<()> + 'a;

/// One part of a chain, group by group.
pub(super) struct PartMerge<'a> {
    /// The layers that hold the part, newest first.
    layers: Vec<PartLayer<'a>>,
}

struct PartLayer<'a> {
    sections: Sections<'a>,
    /// What newer layers have removed, in order and without overlap.
    removed: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'a> PartMerge<'a> {
    pub fn new(store: &'a dyn Store, layers: &'a [Layer], step: &str, part: &str, groups: GroupRange) -> Self {
        let mut merge = PartMerge { layers: Vec::new() };
        let mut removed = Vec::new();
        for layer in layers.iter().rev() {
            if let Some(index) = layer.index(step, part) {
                let sections = Sections::new(store, layer, index, groups);
                merge.layers.push(PartLayer { sections, removed: removed.clone() });
                if !index.ranges.is_empty() {
                    removed.extend(index.ranges.iter().cloned());
                    removed = format::joined(removed);
                }
            }
        }
        merge
    }

    /// Goes to the next group that has entries.
    pub fn next_group(&mut self) -> Result<Option<KeyGroup>> {
        let Some(group) = self.layers.iter().filter_map(|layer| layer.sections.next_group()).min() else {
            return Ok(None);
        };
        for layer in &mut self.layers {
            layer.sections.advance(group)?;
        }
        Ok(Some(KeyGroup(group)))
    }

    /// Hands out the present group in the order of its keys. With `removals`, also the keys that the newest layer to
    /// mention them removed: earlier layers that are not here may hold them.
    pub fn entries(&self, removals: bool, each: &mut Each<'_>) -> Result<()> {
        let mut cursors = Vec::new();
        for (age, layer) in self.layers.iter().enumerate() {
            let (rest, removed) = (layer.sections.present(), layer.removed.as_slice());
            let cursor = Cursor { layer, age, rest, removed, entry: (&[], None) };
            cursors.extend(cursor.next()?);
        }
        if let [Cursor { removed: [], entry, mut rest, layer, .. }] = cursors[..] {
            return plain(layer, entry, &mut rest, removals, each);
        }
        // The smallest key comes last; of equal keys, the one of the newest layer.
        cursors.sort_by(|a, b| b.order().cmp(&a.order()));
        let mut previous = None;
        while let Some(cursor) = cursors.pop() {
            let (key, value) = cursor.entry;
            if previous != Some(key) && (value.is_some() || removals) {
                each(key, value)?;
            }
            previous = Some(key);
            if let Some(next) = cursor.next()? {
                match cursors.last() {
                    Some(last) if last.order() < next.order() => {
                        let at = cursors.partition_point(|other| other.order() > next.order());
                        cursors.insert(at, next);
                    }
                    _ => cursors.push(next),
                }
            }
        }
        Ok(())
    }
}

/// A single layer, from which newer ones have removed nothing.
fn plain<'a>(
    layer: &PartLayer<'_>,
    first: RawEntry<'a>,
    rest: &mut &'a [u8],
    removals: bool,
    each: &mut Each<'_>,
) -> Result<()> {
    let mut entry = first;
    loop {
        if entry.1.is_some() || removals {
            each(entry.0, entry.1)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        entry = format::take_entry(rest).ok_or_else(|| layer.sections.damaged("an entry cannot be read"))?;
    }
}

#[derive(Clone, Copy)]
struct Cursor<'a> {
    layer: &'a PartLayer<'a>,
    /// How many layers are newer.
    age: usize,
    rest: &'a [u8],
    /// The ranges that may hold keys from here on.
    removed: &'a [(Vec<u8>, Vec<u8>)],
    entry: RawEntry<'a>,
}

impl<'a> Cursor<'a> {
    fn order(&self) -> (&'a [u8], usize) {
        (self.entry.0, self.age)
    }

    /// At the next entry that no newer layer's range has removed.
    fn next(mut self) -> Result<Option<Cursor<'a>>> {
        while !self.rest.is_empty() {
            let entry = format::take_entry(&mut self.rest);
            let (key, value) = entry.ok_or_else(|| self.layer.sections.damaged("an entry cannot be read"))?;
            while self.removed.first().is_some_and(|(_, to)| to.as_slice() <= key) {
                self.removed = &self.removed[1..];
            }
            if self.removed.first().is_none_or(|(from, _)| key < from.as_slice()) {
                self.entry = (key, value);
                return Ok(Some(self));
            }
        }
        Ok(None)
    }
}
