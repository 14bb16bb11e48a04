//! Rows of a sink that the checkpoint keeps until they are committed.
//!
//! Such a sink makes nothing durable itself. What was written since the last checkpoint goes into the layer of the next
//! one, and leaves the state with the layer after its commit; the manifest has no row.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::{ROWS, group_of};
use crate::commit::Checkpointing;
use crate::data::cut::fitting;
use crate::state::{self, Changes, Fingerprint, Kept, Layout};
use crate::{Epoch, Error, Event, EventTime, KeyGroup, Record, Result};

/// The name of the part, which only sinks that keep rows have.
pub(crate) const UNCOMMITTED: &str = "uncommitted";

/// Rows by bucket that are written and not known to be committed.
pub(super) struct Outbox<D> {
    buckets: usize,
    /// Written since the last save.
    fresh: Vec<Vec<Event<D>>>,
    /// All epochs up to this one are committed.
    committed: Rc<Cell<Option<Epoch>>>,
    /// Up to which epoch a save has removed committed rows.
    told: Option<Epoch>,
    /// What an earlier generation left, until it is handed out.
    loaded: BTreeMap<(usize, Epoch), BTreeMap<u64, Event<D>>>,
}

/// The rows of an epoch of a bucket, as batches.
pub(crate) type KeptRows = BTreeMap<(usize, Epoch), Vec<RecordBatch>>;

/// Distinguishes equal rows of an epoch, and gives their order and their time.
#[derive(Serialize, Deserialize)]
struct Number(u64, i64);

impl<D: Record> Outbox<D> {
    pub(super) fn new(buckets: usize) -> Outbox<D> {
        let fresh = (0..buckets).map(|_| Vec::new()).collect();
        Outbox { buckets, fresh, committed: Rc::default(), told: None, loaded: BTreeMap::new() }
    }

    /// Where to note up to which epoch everything is committed.
    pub(super) fn committed(&self) -> Rc<Cell<Option<Epoch>>> {
        Rc::clone(&self.committed)
    }

    /// Takes rows that were written to a bucket.
    pub(super) fn take(&mut self, bucket: usize, rows: &[Event<D>]) {
        self.fresh[bucket].extend_from_slice(rows);
    }

    /// Hands out what was loaded.
    pub(super) fn take_loaded(&mut self) -> Result<KeptRows> {
        let mut kept = KeptRows::new();
        for (place, rows) in std::mem::take(&mut self.loaded) {
            let rows: Vec<D> = rows.into_values().map(|row| row.data).collect();
            let mut rest = &rows[..];
            while !rest.is_empty() {
                let (now, after) = rest.split_at(fitting(rest.iter().take(ROWS))?);
                kept.entry(place).or_default().push(D::encode(now.iter()));
                rest = after;
            }
        }
        Ok(kept)
    }
}

/// Reads what a checkpoint keeps of a sink without a flow: for a job whose input had ended.
pub(crate) fn kept_rows<D: Record>(checkpointing: &Checkpointing, state: &str, buckets: usize) -> Result<KeptRows> {
    let mut outbox = Outbox::<D>::new(buckets);
    checkpointing.load(state, vec![(UNCOMMITTED, &mut outbox)], 0, 1)?;
    outbox.take_loaded()
}

impl<D: Record> Kept for Outbox<D> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<D>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        let committed = self.committed.get();
        if committed > self.told {
            let next = committed.map_or(Epoch(0), Epoch::next);
            changes.remove_range(Vec::new(), next.0.to_be_bytes().to_vec());
            self.told = committed;
        }
        let epoch = changes.epoch().0.to_be_bytes();
        for (bucket, rows) in self.fresh.iter_mut().enumerate() {
            for (number, row) in rows.drain(..).enumerate() {
                let key = Number(number as u64, row.time.as_micros());
                changes.put(group_of(bucket, self.buckets), &epoch, &key, &row.data);
            }
        }
    }

    fn load(&mut self, group: KeyGroup, key: &[u8], value: &[u8]) -> Result<()> {
        let damaged = || Error::data("a row that waits for its commit has no epoch");
        let (epoch, number) = key.split_first_chunk::<8>().ok_or_else(damaged)?;
        let Number(number, time) = state::read(number)?;
        let time = EventTime::from_micros(time);
        let bucket = (0..self.buckets).find(|bucket| group_of(*bucket, self.buckets) == group);
        let bucket = bucket.ok_or_else(|| {
            Error::usage("rows wait for their commit in a bucket that the sink has no more; keep its number of buckets")
        })?;
        let rows = self.loaded.entry((bucket, Epoch(u64::from_be_bytes(*epoch)))).or_default();
        rows.insert(number, Event::new(time, state::read(value)?));
        Ok(())
    }
}
