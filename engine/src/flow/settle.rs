//! The last step of an upsert stream: keeps the latest firing of each result until it can change no more.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::step::{Outputs, Step};
use crate::data::Version;
use crate::state::Parts;
use crate::{Batch, Data, EventTime, Stamp};

/// in: rows with versions; out: the rows of the latest firing of each identity, once the watermark has passed them.
///
/// Remembers each result from its first firing until the watermark passes its event time. Nothing is late here: the step
/// that fires holds the watermark back for as long as it may fire again.
pub(super) struct Settle<D> {
    latest: BTreeMap<EventTime, Firings<D>>,
}

/// The stamp and the rows of each result's latest firing, by its identity.
type Firings<D> = HashMap<u128, (Stamp, Vec<D>), FixedState>;

impl<D> Settle<D> {
    pub(super) fn new() -> Settle<D> {
        Settle { latest: BTreeMap::new() }
    }

    /// The rows of this firing, emptied first if it is newer than what is kept; `None` if it is older.
    fn rows(&mut self, time: EventTime, version: Version) -> Option<&mut Vec<D>> {
        let results = self.latest.entry(time).or_default();
        let (firing, rows) = results.entry(version.identity).or_insert_with(|| (version.firing, Vec::new()));
        if *firing < version.firing {
            *firing = version.firing;
            rows.clear();
        }
        (*firing == version.firing).then_some(rows)
    }
}

impl<D: Data> Step for Settle<D> {
    type In = D;
    type Out = D;
    type Late = D;

    fn apply(&mut self, mut batch: Batch<D>, _: EventTime, _: &mut Outputs<D, D>) {
        let versions = batch.versions.take().expect("an upsert stream has versions in every batch");
        for (event, version) in batch.events.drain(..).zip(versions.rows) {
            if let Some(rows) = self.rows(event.time, version) {
                rows.push(event.data);
            }
        }
        for (time, version) in versions.retracted {
            self.rows(time, version);
        }
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<D, D>) {
        while let Some(first) = self.latest.first_entry().filter(|first| *first.key() < watermark) {
            let (time, results) = first.remove_entry();
            for (_, rows) in results.into_values() {
                rows.into_iter().for_each(|row| out.emit.give(time, row));
            }
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    fn holds(&self) -> Option<EventTime> {
        self.latest.first_key_value().map(|(time, _)| *time)
    }
}
