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
    latest: Latest<D>,
}

/// The latest firing of each result. What is stored is the same whether or not anybody counts the firings.
pub(super) struct Latest<D> {
    /// The stamp and the rows of each result's latest firing, by its identity.
    rows: Tables<EventTime, u128, (Stamp, Vec<D>)>,
    /// The number of that firing, where it is not the first.
    firings: Tables<EventTime, u128, u64>,
}

impl<D: Data> Latest<D> {
    pub(super) fn new() -> Latest<D> {
        Latest { rows: Tables::new(), firings: Tables::new() }
    }

    /// The rows of this firing, if none is newer. Where it is newer than what is kept, that is handed out with its number.
    pub(super) fn rows(
        &mut self,
        time: EventTime,
        version: Version,
        replaced: impl FnOnce(u64, std::vec::Drain<'_, D>),
    ) -> Option<&mut Vec<D>> {
        let results = self.rows.table(time);
        let (firing, rows) = results.change(version.identity, || (version.firing, Vec::new()));
        if *firing < version.firing {
            *firing = version.firing;
            let number = self.firings.table(time).change(version.identity, || 1);
            replaced(*number, rows.drain(..));
            *number += 1;
        }
        (*firing == version.firing).then_some(rows)
    }

    /// The number and the rows of a result's latest firing.
    pub(super) fn get(&self, time: EventTime, identity: u128) -> Option<(u64, &[D])> {
        let (_, rows) = self.rows.get(time)?.get(&identity)?;
        let number = self.firings.get(time).and_then(|firings| firings.get(&identity));
        Some((number.copied().unwrap_or(1), rows))
    }

    /// Takes away the results below `watermark`, which change no more.
    pub(super) fn settle(&mut self, watermark: EventTime, mut each: impl FnMut(EventTime, u64, Vec<D>)) {
        while let Some(time) = self.first().filter(|time| *time < watermark) {
            let firings = self.firings.get(time);
            let number = |identity| firings.and_then(|firings| firings.get(&identity)).copied().unwrap_or(1);
            self.rows.drain_first(|identity, (_, rows)| each(time, number(identity), rows));
            self.firings.drain(time, |_, _| {});
        }
    }

    pub(super) fn first(&self) -> Option<EventTime> {
        self.rows.first()
    }

    pub(super) fn kept(&mut self) -> Parts<'_> {
        vec![("latest", &mut self.rows), ("firings", &mut self.firings)]
    }
}

impl<D: Data> Settle<D> {
    pub(super) fn new() -> Settle<D> {
        Settle { latest: Latest::new() }
    }

    /// The rows of this firing, emptied first if it is newer than what is kept; `None` if it is older.
    fn rows(&mut self, time: EventTime, version: Version) -> Option<&mut Vec<D>> {
        self.latest.rows(time, version, |_, _| {})
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
        self.latest.settle(watermark, |time, _, rows| rows.into_iter().for_each(|row| out.emit.give(time, row)));
    }

    fn kept(&mut self) -> Parts<'_> {
        self.latest.kept()
    }

    fn holds(&self) -> Option<EventTime> {
        self.latest.first()
    }
}
