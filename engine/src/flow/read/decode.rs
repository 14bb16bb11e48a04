//! From the rows of a batch to events, less those that are bad and may be dropped.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::super::options::BadRecords;
use super::partition::OpenPartition;
use crate::job::{BoundSource, Counter, Shared};
use crate::{Batch, DecodeError, Durations, Error, Event, Record, Result};

/// What becomes of the rows of a source, good and bad.
pub(super) struct Decoder {
    source: BoundSource,
    shared: Arc<Shared>,
    bad: Counter,
}

impl Decoder {
    pub(super) fn of(source: &BoundSource, shared: &Arc<Shared>) -> Decoder {
        let bad = shared.metrics.counter(source.options.name(), "bad");
        Decoder { source: source.clone(), shared: Arc::clone(shared), bad }
    }

    /// Whether a bad record is left out and counted, and does not end the job.
    pub(super) fn drops_bad_records(&self) -> bool {
        self.source.options.bad_records == Some(BadRecords::Drop)
    }

    /// Counts a bad record that was left out.
    pub(super) fn drop_one(&self) {
        self.bad.add(1);
    }

    /// The good rows as events.
    pub(super) fn decode<D: Record>(&self, open: &OpenPartition, rows: &RecordBatch) -> Result<Batch<D>> {
        let mut events = Vec::new();
        let mut start = 0;
        while let Err(error) = D::decode(&rows.slice(start, rows.num_rows() - start), &mut events) {
            let Some(row) = error.row.filter(|_| self.drops_bad_records()) else {
                let row = error.row.map(|row| row + start + open.rows as usize);
                let error = Error::data(DecodeError { row, ..error }.to_string());
                // What is wrong with no row is wrong with the column.
                let error = if row.is_none() { error.at("E-SCHEMA") } else { error };
                return Err(error.at(&open.partition.id));
            };
            self.drop_one();
            D::decode(&rows.slice(start, row), &mut events).expect("the rows before the first bad one are good");
            start += row + 1;
        }
        self.guard_the_future(open, &mut events)?;
        Ok(Batch::from(events))
    }

    /// An event too far ahead of the clock is bad: it would make everything after it late.
    fn guard_the_future<D>(&self, open: &OpenPartition, events: &mut Vec<Event<D>>) -> Result<()> {
        let by_default = open.partition.followed.then(|| 1.days());
        let Some(max_ahead) = self.source.options.max_ahead.or(by_default) else { return Ok(()) };
        let latest = self.shared.clock.now() + max_ahead;
        let Some(row) = events.iter().position(|event| event.time > latest) else { return Ok(()) };
        if !self.drops_bad_records() {
            return Err(Error::data(format!(
                "row {} has event time {}, more than {max_ahead} ahead of the clock; it would make everything after it \
                 late. Raise `max_ahead`, or drop bad records",
                open.rows + row as u64,
                events[row].time,
            ))
            .at(&open.partition.id));
        }
        let before = events.len();
        events.retain(|event| event.time <= latest);
        self.bad.add((before - events.len()) as u64);
        Ok(())
    }
}
