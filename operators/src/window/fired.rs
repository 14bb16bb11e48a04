//! Which windows have fired, as far as merged slices must know it after a restart.

use std::collections::{BTreeMap, BTreeSet};

use dualgauge_engine::state::{Changes, Fingerprint, Kept, Layout, read};
use dualgauge_engine::{EventTime, KeyGroup, Result};

/// The end of the last window that has fired, by key group.
///
/// Workers stop at different watermarks, and one may take over groups of several: each group resumes from its own. It
/// is kept for groups with merged slices; what waits to be merged says itself in which window it counts first.
#[derive(Debug)]
pub(crate) struct Fired {
    /// The end of the last window that has fired for good on this worker.
    pub(crate) last_end: EventTime,
    merged: BTreeSet<KeyGroup>,
    /// What has been saved, or loaded.
    told: BTreeMap<KeyGroup, EventTime>,
}

impl Fired {
    /// Nothing has fired.
    pub(crate) fn new() -> Fired {
        Fired { last_end: EventTime::MIN, merged: BTreeSet::new(), told: BTreeMap::new() }
    }

    /// A slice of a key of `group` was merged.
    pub(crate) fn merge(&mut self, group: KeyGroup) {
        self.merged.insert(group);
    }

    /// No merged slices are left.
    pub(crate) fn clear(&mut self) {
        self.merged.clear();
    }

    /// The end of the last window that had fired for `group` when its state was stored.
    pub(crate) fn loaded(&self, group: KeyGroup) -> Option<EventTime> {
        self.told.get(&group).copied()
    }
}

impl Kept for Fired {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<EventTime>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        // A group that came from a worker further ahead keeps that end until this worker has caught up.
        let last_end = |group| self.told.get(group).map_or(self.last_end, |told| self.last_end.max(*told));
        let now: BTreeMap<_, _> = self.merged.iter().map(|group| (*group, last_end(group))).collect();
        for group in self.told.keys().filter(|group| !now.contains_key(group)) {
            changes.remove(*group, &[], &());
        }
        for (group, end) in now.iter().filter(|(group, end)| self.told.get(group) != Some(end)) {
            changes.put(*group, &[], &(), end);
        }
        self.told = now;
    }

    fn load(&mut self, group: KeyGroup, _: &[u8], value: &[u8]) -> Result<()> {
        self.told.insert(group, read(value)?);
        Ok(())
    }
}
