//! The last step of an upsert stream: keeps the latest firing of each result until it can change no more.

use super::step::{Outputs, Step};
use crate::data::Version;
use crate::state::{Parts, Tables};
use crate::{Batch, Data, EventTime, Stamp};

/// in: rows with versions; out: the rows of the latest firing of each identity, once the watermark has passed them.
///
/// Remembers each result from its first firing until the watermark passes its event time. Nothing is late here: the step
/// that fires holds the watermark back for as long as it may fire again.
pub(super) struct Settle<D> {
    /// The stamp and the rows of each result's latest firing, by its identity.
    latest: Tables<EventTime, u128, (Stamp, Vec<D>)>,
}

impl<D> Settle<D> {
    pub(super) fn new() -> Settle<D> {
        Settle { latest: Tables::new() }
    }

    /// The rows of this firing, emptied first if it is newer than what is kept; `None` if it is older.
    fn rows(&mut self, time: EventTime, version: Version) -> Option<&mut Vec<D>> {
        let results = self.latest.table(time);
        let (firing, rows) = results.change(version.identity, || (version.firing, Vec::new()));
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
        while let Some(time) = self.latest.first().filter(|time| *time < watermark) {
            self.latest.drain_first(|_, (_, rows)| rows.into_iter().for_each(|row| out.emit.give(time, row)));
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("latest", &mut self.latest)]
    }

    fn holds(&self) -> Option<EventTime> {
        self.latest.first()
    }
}
