//! Rows at a sink that the watermark has not passed.

use serde::{Deserialize, Serialize};

use super::{bucket_of, group_of};
use crate::state::{self, Changes, Fingerprint, Kept, Layout, Place};
use crate::{Error, Event, EventTime, KeyGroup, Record, Result};

/// Rows that the watermark has not passed, by the bucket that they go to.
pub(super) struct Unsettled<D> {
    buckets: Vec<Bucket<D>>,
    /// How far rows have settled since the last save.
    settled: Option<EventTime>,
}

/// The rows of one bucket.
struct Bucket<D> {
    /// What has been saved.
    saved: Vec<Event<D>>,
    /// What has come since.
    fresh: Vec<Event<D>>,
    earliest: EventTime,
}

/// Distinguishes two equal rows in a checkpoint: the epoch they were saved in, and their number within it.
#[derive(Serialize, Deserialize)]
struct Number(u64, u64);

impl<D: Record> Unsettled<D> {
    pub(super) fn new(buckets: usize) -> Unsettled<D> {
        let bucket = || Bucket { saved: Vec::new(), fresh: Vec::new(), earliest: EventTime::MAX };
        Unsettled { buckets: (0..buckets).map(|_| bucket()).collect(), settled: None }
    }

    pub(super) fn take(&mut self, events: Vec<Event<D>>) {
        let count = self.buckets.len();
        for event in events {
            let bucket = &mut self.buckets[bucket_of(&event.data, count)];
            bucket.earliest = bucket.earliest.min(event.time);
            bucket.fresh.push(event);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.saved.len() + bucket.fresh.len()).sum()
    }

    /// Hands out the rows below `watermark`, a bucket at a time, in the order in which they are written.
    pub(super) fn settle(
        &mut self,
        watermark: EventTime,
        mut each: impl FnMut(usize, &[Event<D>]) -> Result<()>,
    ) -> Result<()> {
        self.settled = Some(watermark);
        for (number, bucket) in self.buckets.iter_mut().enumerate() {
            let rows = bucket.settled_before(watermark);
            if !rows.is_empty() {
                each(number, &rows)?;
            }
        }
        Ok(())
    }
}

impl<D: Record> Bucket<D> {
    fn settled_before(&mut self, watermark: EventTime) -> Vec<Event<D>> {
        // At the end of input even a row at the end of time settles.
        let settled = |time: EventTime| time < watermark || watermark == EventTime::MAX;
        if self.saved.is_empty() && self.fresh.is_empty() || !settled(self.earliest) {
            return Vec::new();
        }
        let mut rows: Vec<_> = self.fresh.extract_if(.., |event| settled(event.time)).collect();
        rows.extend(self.saved.extract_if(.., |event| settled(event.time)));
        let left = self.saved.iter().chain(&self.fresh);
        self.earliest = left.map(|event| event.time).min().unwrap_or(EventTime::MAX);
        rows.sort_unstable_by(|a, b| (a.time, &a.data).cmp(&(b.time, &b.data)));
        rows
    }
}

impl<D: Record> Kept for Unsettled<D> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<D>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        match self.settled.take() {
            Some(EventTime::MAX) => changes.remove_prefix(&[]),
            Some(watermark) => changes.remove_range(Vec::new(), watermark.bytes()),
            None => {}
        }
        let (count, mut number) = (self.buckets.len(), 0);
        for (at, bucket) in self.buckets.iter_mut().enumerate() {
            for event in &bucket.fresh {
                let key = Number(changes.epoch().0, number);
                changes.put(group_of(at, count), &event.time.bytes(), &key, &event.data);
                number += 1;
            }
            bucket.saved.append(&mut bucket.fresh);
        }
    }

    fn load(&mut self, group: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let time = EventTime::take(&mut key).ok_or_else(|| Error::data("a row that waits at a sink has no time"))?;
        let data: D = state::read(value)?;
        let (own, count) = (bucket_of(&data, self.buckets.len()), self.buckets.len());
        // A row that was up-cast stays in the bucket of the row it was: its own may be another worker's.
        let of_group = || (0..count).find(|at| group_of(*at, count) == group);
        let at = if group_of(own, count) == group { own } else { of_group().unwrap_or(own) };
        let bucket = &mut self.buckets[at];
        bucket.earliest = bucket.earliest.min(time);
        bucket.saved.push(Event::new(time, data));
        Ok(())
    }
}
