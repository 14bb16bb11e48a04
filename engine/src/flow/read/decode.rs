//! From the rows of a batch to events, and what becomes of those that are bad.
//!
//! A row is bad when its reader could not read it, when the record cannot take it, or when its event time is one that
//! no event can have: an end of time, or too far ahead of the clock. Bad rows are taken out of the batch; the rest is
//! as if they had not been there. A bad row costs about as much as a few good ones: why it is bad is put into words
//! only where somebody reads it.

use std::cell::Cell;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::super::options::BadRecords;
use super::bad_record::BadRecord;
use super::made_time::MakeTime;
use super::partition::OpenPartition;
use super::row_text::row_texts;
use super::watermark::Extent;
use crate::flow::bound::BoundSource;
use crate::run::{Counter, Shared, SourceCounts};
use crate::{Batch, Code, DecodeError, Duration, Durations, Error, Event, EventTime, Record, Result, Unreadable};

/// How many rows are decoded at once behind a bad one: the rows of a piece before a bad one are decoded twice.
const PIECE_ROWS: usize = 32;

/// What becomes of the rows of a source, good and bad.
pub(super) struct Decoder {
    source: BoundSource,
    shared: Arc<Shared>,
    policy: BadRecords,
    bad: Counter,
    /// How many rows are decoded at once: the nearer the last bad one, the fewer.
    piece_rows: Cell<usize>,
}

/// A row that is left out.
struct Refused {
    /// Its place among the rows of the batch.
    row: usize,
    /// How many of the batch's events come before it.
    before: usize,
    why: Why,
}

enum Why {
    /// The record cannot take it.
    Unfit(DecodeError),
    /// It happened so far ahead of the clock.
    Ahead(EventTime, Duration),
    /// It happened at an end of time.
    AtTheEnd(EventTime),
    /// No event time can be made from it.
    Untimed(String),
}

impl Decoder {
    pub(super) fn of(source: &BoundSource, shared: &Arc<Shared>, counts: &SourceCounts) -> Decoder {
        let bad = counts.bad.clone();
        let policy = source.options.bad_records.unwrap_or_default();
        let (source, shared) = (source.clone(), Arc::clone(shared));
        Decoder { source, shared, policy, bad, piece_rows: Cell::new(usize::MAX) }
    }

    /// The good rows as events, with the extent of their times; and, where bad rows go to quarantine, those, with the
    /// ones that the reader could not read.
    pub(super) fn decode<D: Record>(
        &self,
        open: &OpenPartition,
        rows: &RecordBatch,
        unreadable: Vec<Unreadable>,
        time: Option<&MakeTime<D>>,
    ) -> Result<(Batch<D>, Extent, Batch<BadRecord>)> {
        if let (BadRecords::Fail, Some(first)) = (self.policy, unreadable.first()) {
            // A row before it may be bad as well, and then comes first.
            self.events::<D>(open, &rows.slice(0, first.before), time)?;
            return Err(Error::data(first.reason()).at(&open.partition.id));
        }
        let (events, extent, refused) = self.events(open, rows, time)?;
        let count = refused.len() + unreadable.len();
        self.bad.add(count as u64);
        let bad = match self.policy {
            BadRecords::Quarantine if count > 0 => self.bad_records(open, rows, &events, refused, unreadable),
            _ => Batch::default(),
        };
        Ok((Batch::from(events), extent, bad))
    }

    /// The good rows, with the extent of their times, and which rows are bad.
    fn events<D: Record>(
        &self,
        open: &OpenPartition,
        rows: &RecordBatch,
        time: Option<&MakeTime<D>>,
    ) -> Result<(Vec<Event<D>>, Extent, Vec<Refused>)> {
        let (mut events, mut refused) = (Vec::new(), Vec::new());
        let mut start = 0;
        while start < rows.num_rows() {
            let length = self.piece_rows.get().min(rows.num_rows() - start);
            let Some(error) = decode_up_to_bad::<D>(&rows.slice(start, length), &mut events) else {
                self.piece_rows.set(self.piece_rows.get().saturating_mul(2));
                start += length;
                continue;
            };
            let Some(row) = error.row.filter(|_| self.policy != BadRecords::Fail) else {
                let row = error.row.map(|row| row + start);
                let column = row.is_none();
                let error = Error::data(unfit(open, row, error));
                // If no single row is wrong, the column is.
                let error = if column { error.coded(Code::Schema) } else { error };
                return Err(error.at(&open.partition.id));
            };
            refused.push(Refused { row: start + row, before: events.len(), why: Why::Unfit(error) });
            self.piece_rows.set(PIECE_ROWS);
            start += row + 1;
        }
        if let Some(make) = time {
            self.make_times(open, make, &mut events, &mut refused)?;
        }
        let extent = self.guard_the_times(open, &mut events, &mut refused)?;
        Ok((events, extent, refused))
    }

    /// An event at an end of time is bad, in every source: the two ends stand for "before" and "after every event". So
    /// is one too far ahead of the clock, which would make everything after it late. Returns the extent of the good
    /// times.
    fn guard_the_times<D>(
        &self,
        open: &OpenPartition,
        events: &mut Vec<Event<D>>,
        refused: &mut Vec<Refused>,
    ) -> Result<Extent> {
        let by_default = open.partition.followed.then(|| 1.days());
        let max_ahead = self.source.options.max_ahead.or(by_default);
        let latest = max_ahead.map_or(EventTime::LAST, |ahead| (self.shared.clock.now() + ahead).min(EventTime::LAST));
        let why = |time: EventTime| match max_ahead {
            _ if !time.is_instant() => Some(Why::AtTheEnd(time)),
            Some(max_ahead) if time > latest => Some(Why::Ahead(time, max_ahead)),
            _ => None,
        };
        let extent = Extent::of(events);
        if EventTime::FIRST <= extent.least && extent.greatest <= latest {
            return Ok(extent);
        }
        self.refuse_where(open, events, refused, |event| why(event.time))?;
        Ok(Extent::of(events))
    }

    /// An event from which no time can be made is bad: nobody could say where it belongs.
    fn make_times<D>(
        &self,
        open: &OpenPartition,
        make: &MakeTime<D>,
        events: &mut Vec<Event<D>>,
        refused: &mut Vec<Refused>,
    ) -> Result<()> {
        let untimed = |event: &mut Event<D>| match make(&event.data) {
            Ok(time) => {
                event.time = time;
                None
            }
            Err(why) => Some(Why::Untimed(why)),
        };
        self.refuse_where(open, events, refused, untimed)
    }

    /// Takes out the events that are bad in themselves; under the policy to fail, the first one ends the job.
    fn refuse_where<D>(
        &self,
        open: &OpenPartition,
        events: &mut Vec<Event<D>>,
        refused: &mut Vec<Refused>,
        mut bad: impl FnMut(&mut Event<D>) -> Option<Why>,
    ) -> Result<()> {
        let mut earlier = std::mem::take(refused).into_iter().peekable();
        let mut good = Vec::with_capacity(events.len());
        let mut passed = 0;
        for (position, mut event) in events.drain(..).enumerate() {
            while let Some(before) = earlier.next_if(|refused| refused.before <= position) {
                passed += 1;
                refused.push(Refused { before: good.len(), ..before });
            }
            let Some(why) = bad(&mut event) else {
                good.push(event);
                continue;
            };
            let bad = Refused { row: position + passed, before: good.len(), why };
            if self.policy == BadRecords::Fail {
                let advice = format!("{}. {}", bad.reason(open), bad.why.advice());
                return Err(Error::data(advice).at(&open.partition.id));
            }
            refused.push(bad);
        }
        refused.extend(earlier.map(|after| Refused { before: good.len(), ..after }));
        *events = good;
        Ok(())
    }

    /// What was refused and what could not be read, as it goes to quarantine: in the order in which it came.
    fn bad_records<D>(
        &self,
        open: &OpenPartition,
        rows: &RecordBatch,
        events: &[Event<D>],
        refused: Vec<Refused>,
        unreadable: Vec<Unreadable>,
    ) -> Batch<BadRecord> {
        let places: Vec<_> = refused.iter().map(|refused| refused.row).collect();
        let mut refused = refused.into_iter().zip(row_texts(rows, &places)).peekable();
        let mut unreadable = unreadable.into_iter().peekable();
        let (mut largest, mut seen, mut passed) = (open.watermark.largest(), 0, 0);
        let mut records = Vec::new();
        loop {
            let row = refused.peek().map_or(usize::MAX, |(refused, _)| refused.row);
            let (before, offset, bytes, reason) = match unreadable.next_if(|record| record.before <= row) {
                Some(record) => {
                    let reason = record.reason();
                    (record.before - passed, record.position, record.bytes, reason)
                }
                None => {
                    let Some((refused, text)) = refused.next() else { break };
                    passed += 1;
                    (refused.before, open.rows + row as u64, text, refused.reason(open))
                }
            };
            largest = events[seen..before].iter().map(|event| event.time).fold(largest, EventTime::max);
            seen = before;
            let time = if largest == EventTime::MIN { EventTime::default() } else { largest };
            let (source, partition) = (self.source.options.name().to_string(), open.partition.id.to_string());
            let record = BadRecord { time, source, partition, offset, bytes, reason };
            records.push(Event::new(record.time, record));
        }
        Batch::from(records)
    }
}

impl Why {
    /// What to do about a bad record that ends the job.
    fn advice(&self) -> &'static str {
        match self {
            Why::AtTheEnd(_) => "Does it stand for a time that is not known? Drop bad records, or quarantine them",
            Why::Untimed(_) => "Mend `event_time_by`, or drop bad records",
            Why::Unfit(_) | Why::Ahead(..) => "Raise `max_ahead`, or drop bad records",
        }
    }
}

impl Refused {
    fn reason(&self, open: &OpenPartition) -> String {
        match &self.why {
            Why::Unfit(error) => unfit(open, Some(self.row), error.clone()),
            Why::Untimed(why) => {
                format!("row {} has no event time: {why}", open.rows + self.row as u64)
            }
            Why::Ahead(time, max_ahead) => format!(
                "row {} has event time {time}, more than {max_ahead} ahead of the clock; it would make everything after \
                 it late",
                open.rows + self.row as u64,
            ),
            Why::AtTheEnd(time) => format!(
                "row {} has event time {time}, an end of time: it stands for {} every event, and no event can be there",
                open.rows + self.row as u64,
                if *time == EventTime::MIN { "before" } else { "after" },
            ),
        }
    }
}

/// What is wrong with a row of the batch, counted from the partition's first row.
fn unfit(open: &OpenPartition, row: Option<usize>, error: DecodeError) -> String {
    DecodeError { row: row.map(|row| row + open.rows as usize), ..error }.to_string()
}

/// Appends the rows before the first bad one to `events`, and says what is wrong with that one.
fn decode_up_to_bad<D: Record>(rows: &RecordBatch, events: &mut Vec<Event<D>>) -> Option<DecodeError> {
    let (mut good, mut first) = (rows.clone(), None);
    while let Err(error) = D::decode(&good, events) {
        let Some(row) = error.row else { return Some(error) };
        // Columns are checked one after another: a later one may have a bad row before this.
        good = good.slice(0, row);
        first = Some(error);
    }
    first
}
