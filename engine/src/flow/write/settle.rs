//! The last step of an upsert stream: keeps the latest firing of each result until it can no longer change.

use std::vec::Drain;

use crate::data::Version;
use crate::flow::step::{Outputs, Step};
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

    /// Takes firings, each of which may come in several rows and batches. Reports the result of every row of its latest
    /// firing, with the number and the rows of the firing before it where this row is the first of a newer one.
    pub(super) fn apply(
        &mut self,
        mut batch: Batch<D>,
        mut fired: impl FnMut(EventTime, u128, Option<(u64, Drain<'_, D>)>),
    ) {
        let versions = batch.versions.take().expect("an upsert stream has versions in every batch");
        for (event, version) in batch.events.drain(..).zip(versions.rows) {
            if let Some(rows) = self.rows(event.time, version, &mut fired) {
                rows.push(event.data);
            }
        }
        for (time, version) in versions.retracted {
            self.rows(time, version, &mut fired);
        }
    }

    /// The rows of this firing; `None` if there is a newer one.
    fn rows(
        &mut self,
        time: EventTime,
        version: Version,
        fired: &mut impl FnMut(EventTime, u128, Option<(u64, Drain<'_, D>)>),
    ) -> Option<&mut Vec<D>> {
        let results = self.rows.table(time);
        let (firing, rows) = results.change(version.identity, || (version.firing, Vec::new()));
        if *firing > version.firing {
            return None;
        }
        if *firing == version.firing {
            fired(time, version.identity, None);
        } else {
            *firing = version.firing;
            let number = self.firings.table(time).change(version.identity, || 1);
            fired(time, version.identity, Some((*number, rows.drain(..))));
            *number += 1;
        }
        Some(rows)
    }

    /// The number and the rows of a result's latest firing.
    pub(super) fn get(&self, time: EventTime, identity: u128) -> Option<(u64, &[D])> {
        let (_, rows) = self.rows.get(time)?.get(&identity)?;
        let number = self.firings.get(time).and_then(|firings| firings.get(&identity));
        Some((number.copied().unwrap_or(1), rows))
    }

    /// Takes out the results below `watermark`, which can no longer change.
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
}

impl<D: Data> Step for Settle<D> {
    type In = D;
    type Out = D;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, _: EventTime, _: &mut Outputs<D, D>) {
        self.latest.apply(batch, |_, _, _| {});
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
