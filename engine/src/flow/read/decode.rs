//! From the rows of a batch to events, and what becomes of those that are bad.
//!
//! A row is bad when the record cannot take it, or when its event time is too far ahead of the clock. Bad rows leave the
//! batch at their places; the rest is as if they had not been there.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::super::options::BadRecords;
use super::partition::OpenPartition;
use super::row_text::row_text;
use crate::flow::BadRecord;
use crate::job::{BoundSource, Counter, Shared};
use crate::{Batch, DecodeError, Durations, Error, Event, EventTime, Record, Result, Unreadable};

/// What becomes of the rows of a source, good and bad.
pub(super) struct Decoder {
    source: BoundSource,
    shared: Arc<Shared>,
    policy: BadRecords,
    bad: Counter,
}

/// A row that is left out.
struct Refused {
    /// Its place among the rows of the batch.
    row: usize,
    /// How many of the batch's events come before it.
    before: usize,
    reason: String,
}

impl Decoder {
    pub(super) fn of(source: &BoundSource, shared: &Arc<Shared>) -> Decoder {
        let bad = shared.metrics.counter(source.options.name(), "bad");
        let policy = source.options.bad_records.unwrap_or_default();
        Decoder { source: source.clone(), shared: Arc::clone(shared), policy, bad }
    }

    /// What becomes of a record that its reader could not read: an error, or a row for quarantine, or nothing.
    pub(super) fn refuse(&self, open: &OpenPartition, record: Unreadable) -> Result<Batch<BadRecord>> {
        let Unreadable { bytes, position, reason, .. } = record;
        match self.policy {
            BadRecords::Fail => return Err(Error::data(reason).at(&open.partition.id)),
            BadRecords::Drop => self.bad.add(1),
            BadRecords::Quarantine => {
                self.bad.add(1);
                let record = self.bad_record(open, open.watermark.largest(), position, bytes, reason);
                return Ok(Batch::from(vec![Event::new(record.time, record)]));
            }
        }
        Ok(Batch::default())
    }

    /// The good rows as events, and the bad ones where they go to quarantine.
    pub(super) fn decode<D: Record>(
        &self,
        open: &OpenPartition,
        rows: &RecordBatch,
    ) -> Result<(Batch<D>, Batch<BadRecord>)> {
        let (mut events, mut refused) = (Vec::new(), Vec::new());
        let mut start = 0;
        while let Some(error) = decode_up_to_bad::<D>(&rows.slice(start, rows.num_rows() - start), &mut events) {
            let row = error.row.map(|row| row + start);
            let reason = DecodeError { row: row.map(|row| row + open.rows as usize), ..error }.to_string();
            let Some(row) = row.filter(|_| self.policy != BadRecords::Fail) else {
                let error = Error::data(reason);
                // What is wrong with no row is wrong with the column.
                let error = if row.is_none() { error.at("E-SCHEMA") } else { error };
                return Err(error.at(&open.partition.id));
            };
            refused.push(Refused { row, before: events.len(), reason });
            start = row + 1;
        }
        self.guard_the_future(open, &mut events, &mut refused)?;
        self.bad.add(refused.len() as u64);
        let bad = match self.policy {
            BadRecords::Quarantine if !refused.is_empty() => self.bad_rows(open, rows, &events, refused),
            _ => Batch::default(),
        };
        Ok((Batch::from(events), bad))
    }

    /// An event too far ahead of the clock is bad: it would make everything after it late.
    fn guard_the_future<D>(
        &self,
        open: &OpenPartition,
        events: &mut Vec<Event<D>>,
        refused: &mut Vec<Refused>,
    ) -> Result<()> {
        let by_default = open.partition.followed.then(|| 1.days());
        let Some(max_ahead) = self.source.options.max_ahead.or(by_default) else { return Ok(()) };
        let latest = self.shared.clock.now() + max_ahead;
        if events.iter().all(|event| event.time <= latest) {
            return Ok(());
        }
        let mut earlier = std::mem::take(refused).into_iter().peekable();
        let mut good = Vec::with_capacity(events.len());
        let mut passed = 0;
        for (position, event) in events.drain(..).enumerate() {
            while let Some(before) = earlier.next_if(|refused| refused.before <= position) {
                passed += 1;
                refused.push(Refused { before: good.len(), ..before });
            }
            if event.time <= latest {
                good.push(event);
                continue;
            }
            let row = position + passed;
            let reason = format!(
                "row {} has event time {}, more than {max_ahead} ahead of the clock; it would make everything after it \
                 late",
                open.rows + row as u64,
                event.time,
            );
            if self.policy == BadRecords::Fail {
                let advice = format!("{reason}. Raise `max_ahead`, or drop bad records");
                return Err(Error::data(advice).at(&open.partition.id));
            }
            refused.push(Refused { row, before: good.len(), reason });
        }
        refused.extend(earlier.map(|after| Refused { before: good.len(), ..after }));
        *events = good;
        Ok(())
    }

    /// The rows that were refused, as they go to quarantine.
    fn bad_rows<D>(
        &self,
        open: &OpenPartition,
        rows: &RecordBatch,
        events: &[Event<D>],
        refused: Vec<Refused>,
    ) -> Batch<BadRecord> {
        let (mut largest, mut seen) = (open.watermark.largest(), 0);
        let mut records = Vec::with_capacity(refused.len());
        for Refused { row, before, reason } in refused {
            largest = events[seen..before].iter().map(|event| event.time).fold(largest, EventTime::max);
            seen = before;
            let bytes = row_text(&rows.slice(row, 1));
            let record = self.bad_record(open, largest, open.rows + row as u64, bytes, reason);
            records.push(Event::new(record.time, record));
        }
        Batch::from(records)
    }

    fn bad_record(
        &self,
        open: &OpenPartition,
        largest: EventTime,
        offset: u64,
        bytes: Vec<u8>,
        reason: String,
    ) -> BadRecord {
        let time = if largest == EventTime::MIN { EventTime::default() } else { largest };
        let (source, partition) = (self.source.options.name().to_string(), open.partition.id.to_string());
        BadRecord { time, source, partition, offset, bytes, reason }
    }
}

/// Appends the rows before the first bad one to `events`, and says what is wrong with that one.
fn decode_up_to_bad<D: Record>(rows: &RecordBatch, events: &mut Vec<Event<D>>) -> Option<DecodeError> {
    let (mut good, mut first) = (rows.clone(), None);
    while let Err(error) = D::decode(&good, events) {
        let Some(row) = error.row else { return Some(error) };
        // Columns are looked at one after another: another one may have a bad row before this.
        good = good.slice(0, row);
        first = Some(error);
    }
    first
}
