//! The records of a test as a source: dealt to partitions, and read in batches of a size.

use std::any::type_name;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;

use crate::{
    Error, EventTime, Listing, Next, Offset, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch,
};

/// The records of a source, and the time of each.
#[derive(Clone)]
pub(super) struct Given {
    rows: RecordBatch,
    times: Vec<EventTime>,
    record: &'static str,
    /// Whether they are live: in one partition, as they come, and without knowing which times follow.
    live: bool,
    partitions: usize,
    batch_rows: usize,
}

impl Given {
    pub(super) fn of<D: Record>(rows: &[D], live: bool) -> Given {
        let times = rows.iter().map(|row| row.event_time().unwrap_or(EventTime::MIN)).collect();
        let (rows, record) = (D::encode(rows.iter()), type_name::<D>());
        Given { rows, times, record, live, partitions: 1, batch_rows: usize::MAX }
    }

    /// The same in this many partitions and batches of this many rows; live records keep their order.
    pub(super) fn split(&self, partitions: usize, batch_rows: usize) -> Given {
        Given {
            partitions: if self.live { 1 } else { partitions.max(1) },
            batch_rows: batch_rows.max(1),
            ..self.clone()
        }
    }

    /// The rows of a partition; and for each, and after the last one, the least time from there on.
    fn part(&self, number: usize) -> (RecordBatch, Vec<EventTime>) {
        let places: Vec<_> = (number..self.times.len()).step_by(self.partitions).collect();
        let indices = UInt64Array::from_iter_values(places.iter().map(|place| *place as u64));
        let rows = take_record_batch(&self.rows, &indices).expect("rows that are there");
        let mut bounds = vec![EventTime::MAX];
        for place in places.iter().rev() {
            bounds.push(self.times[*place].min(bounds[bounds.len() - 1]));
        }
        bounds.reverse();
        (rows, bounds)
    }

    /// Whether least times may be stated: the records are not live, and the scan wants event times.
    fn knows(&self, scan: &Scan) -> bool {
        !self.live && !scan.event_time.is_empty()
    }
}

impl Source for Given {
    fn describe(&self) -> String {
        format!("{} given records of {}", self.times.len(), self.record)
    }

    fn bounded(&self) -> bool {
        !self.live
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        if let Some(lacks) = scan.schema.fields().iter().find(|field| self.rows.column_by_name(field.name()).is_none())
        {
            return Err(Error::usage(format!(
                "the source was given records of {}, which have no column `{}`; likely mistake: the graph reads another record \
                 under this name",
                self.record,
                lacks.name()
            )));
        }
        let partition = |number: usize| {
            let bound = self.knows(scan).then(|| self.part(number).1[0]);
            Partition { bound, followed: self.live, ..Partition::new(format!("{number}")) }
        };
        Ok(Listing { partitions: (0..self.partitions).map(partition).collect(), ..Listing::default() })
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number = partition.id.0.parse().map_err(|_| Error::usage("not a partition of these records"))?;
        let (rows, bounds) = self.part(number);
        let at = offset.map_or(0, |offset| offset.position as usize);
        let bounds = self.knows(scan).then_some(bounds);
        Ok(Box::new(Reader { rows, bounds, batch_rows: self.batch_rows, at }))
    }
}

struct Reader {
    rows: RecordBatch,
    bounds: Option<Vec<EventTime>>,
    batch_rows: usize,
    at: usize,
}

impl PartitionReader for Reader {
    fn next(&mut self) -> Result<Next> {
        let rest = self.rows.num_rows().saturating_sub(self.at);
        if rest == 0 {
            return Ok(Next::End);
        }
        let rows = self.rows.slice(self.at, rest.min(self.batch_rows));
        self.at += rows.num_rows();
        let bound_after = self.bounds.as_ref().map(|bounds| bounds[self.at]);
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.at as u64), bound_after }))
    }
}
