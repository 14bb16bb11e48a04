//! A source of rows that are there already.

use std::marker::PhantomData;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;
use dualgauge_engine::{
    EventTime, Listing, Next, Offset, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch,
};

/// A bounded source of these rows, in one partition.
///
/// All event times are known, so a partition says at any moment which may still come, and nothing is late; unless
/// [`Rows::as_live`] hides them. Offsets count rows. Rows without an event time are for a table.
///
/// ```
/// use dualgauge_connectors::memory;
/// use dualgauge_engine::{EventTime, Source, record};
///
/// #[record]
/// struct Bid {
///     price: u64,
///     #[event_time]
///     time: EventTime,
/// }
///
/// let bid = |price, time| Bid { price, time: EventTime::from_millis(time) };
/// let bids = memory::rows(vec![bid(10, 1), bid(20, 2)]).partition(vec![bid(30, 1)]);
/// assert!(bids.bounded());
/// assert_eq!(bids.describe(), "memory:3 rows");
/// ```
pub fn rows<D: Record>(rows: Vec<D>) -> Rows<D> {
    let (parts, batch_rows, live, record) = (Vec::new(), None, false, PhantomData);
    Rows { parts, batch_rows, live, record }.partition(rows)
}

/// Rows in memory: what [`rows`] makes.
#[derive(Clone, Debug)]
pub struct Rows<D> {
    parts: Vec<Part>,
    batch_rows: Option<usize>,
    live: bool,
    record: PhantomData<fn() -> D>,
}

#[derive(Clone, Debug)]
struct Part {
    rows: RecordBatch,
    times: Vec<EventTime>,
}

impl<D: Record> Rows<D> {
    /// Deals the rows, in turn, to `count` partitions.
    ///
    /// # Panics
    /// When `count` is zero.
    pub fn deal(mut self, count: usize) -> Rows<D> {
        assert!(count > 0, "rows are dealt to at least one partition");
        let dealt = self.parts.iter().flat_map(|part| (0..count).map(|nth| part.every(nth, count)));
        self.parts = dealt.collect();
        self
    }

    /// Adds a partition with these rows.
    pub fn partition(mut self, rows: Vec<D>) -> Rows<D> {
        let time = |row: &D| row.event_time().unwrap_or(EventTime::MIN);
        self.parts.push(Part { times: rows.iter().map(time).collect(), rows: D::encode(rows.iter()) });
        self
    }

    /// How many rows a batch has; as many as the graph asks for, by default.
    pub fn batch_rows(mut self, rows: usize) -> Rows<D> {
        self.batch_rows = Some(rows.max(1));
        self
    }

    /// Whether the times of the records are those that are wanted, and may be told.
    fn knows(&self, scan: &Scan) -> bool {
        !self.live && !scan.event_time.is_empty()
    }

    /// Hides what is known of the event times to come, as if the rows were happening now: what is late is then decided
    /// by the graph's `disorder`.
    pub fn as_live(mut self) -> Rows<D> {
        self.live = true;
        self
    }
}

impl Part {
    /// Every `step`th row, from the `first` on.
    fn every(&self, first: usize, step: usize) -> Part {
        let indices = UInt64Array::from_iter_values((first..self.times.len()).step_by(step).map(|at| at as u64));
        let rows = take_record_batch(&self.rows, &indices).expect("indices of rows that are there");
        Part { rows, times: self.times.iter().skip(first).step_by(step).copied().collect() }
    }

    /// For each row, and after the last one, the least event time from there on.
    fn bounds(&self) -> Vec<EventTime> {
        let mut bounds = vec![EventTime::MAX];
        bounds.extend(self.times.iter().rev().scan(EventTime::MAX, |least, time| {
            *least = (*least).min(*time);
            Some(*least)
        }));
        bounds.reverse();
        bounds
    }
}

impl<D: Record> Source for Rows<D> {
    fn describe(&self) -> String {
        format!("memory:{} rows", self.parts.iter().map(|part| part.times.len()).sum::<usize>())
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        let partition = |(number, part): (usize, &Part)| {
            let known = self.knows(scan);
            Partition {
                bound: part.times.iter().min().copied().or(Some(EventTime::MAX)).filter(|_| known),
                upper: part.times.iter().max().copied().filter(|_| known),
                rows: Some(part.times.len() as u64),
                ..Partition::new(format!("partition {number}"))
            }
        };
        Ok(Listing { partitions: self.parts.iter().enumerate().map(partition).collect(), ..Listing::default() })
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number = partition.id.0.strip_prefix("partition ").and_then(|number| number.parse::<usize>().ok());
        let part = &self.parts[number.expect("a partition of this source's own listing")];
        Ok(Box::new(RowsReader {
            rows: part.rows.clone(),
            bounds: self.knows(scan).then(|| part.bounds()),
            position: offset.map_or(0, |offset| offset.position as usize).min(part.times.len()),
            batch_rows: self.batch_rows.unwrap_or(scan.batch_rows).max(1),
        }))
    }
}

struct RowsReader {
    rows: RecordBatch,
    bounds: Option<Vec<EventTime>>,
    position: usize,
    batch_rows: usize,
}

impl PartitionReader for RowsReader {
    fn next(&mut self) -> Result<Next> {
        let rest = self.rows.num_rows() - self.position;
        if rest == 0 {
            return Ok(Next::End);
        }
        let rows = self.rows.slice(self.position, rest.min(self.batch_rows));
        self.position += rows.num_rows();
        let bound_after = self.bounds.as_ref().map(|bounds| bounds[self.position]);
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.position as u64), bound_after }))
    }
}
