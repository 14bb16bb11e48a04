//! A side of the join as a source of timely: a worker's partitions, one after the other, in event-time order.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration as Wall;

use super::{Failure, fail};
use crate::bench::records::Row;
use crate::bench::workload::Side;
use crate::timely::container::CapacityContainerBuilder;
use crate::timely::dataflow::operators::generic::source as timely_source;
use crate::timely::dataflow::{Scope, StreamVec};
use crate::timely::scheduling::activate::Activator;
use crate::{Duration, Event, EventTime, Next, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch};

/// How many rows are read at once.
const BATCH_ROWS: usize = 8192;

/// How long a side that has nothing waits before it looks again.
const LOOK_AGAIN: Wall = Wall::from_micros(200);

/// How far both sides of a worker are, so that neither runs ahead of the other by more than a window.
pub(super) struct Pace {
    watermarks: [Cell<EventTime>; 2],
    /// A side that is ahead leaves here how to wake it.
    waiting: [Cell<Option<Rc<Activator>>>; 2],
    ahead_max: Duration,
}

impl Pace {
    pub(super) fn new(ahead_max: Duration) -> Pace {
        let watermarks = [const { Cell::new(EventTime::MIN) }; 2];
        Pace { watermarks, waiting: [const { Cell::new(None) }; 2], ahead_max }
    }

    fn is_ahead(&self, side: Side) -> bool {
        let other = 1 - side as usize;
        self.watermarks[side as usize].get() > self.watermarks[other].get() + self.ahead_max
    }

    fn move_to(&self, side: Side, watermark: EventTime) {
        self.watermarks[side as usize].set(watermark);
        if let Some(other) = self.waiting[1 - side as usize].take() {
            other.activate();
        }
    }
}

/// The rows of a side that this worker, `index` of `peers`, reads.
pub(super) fn read<'s>(
    scope: Scope<'s, i64>,
    source: &Arc<dyn Source>,
    side: Side,
    (index, peers): (usize, usize),
    pace: &Rc<Pace>,
    failure: &Failure,
) -> Result<StreamVec<'s, i64, Event<Row>>> {
    let event_time = Row::event_time_column().expect("rows have one").to_string();
    let scan = Scan { schema: Row::schema(), event_time, from: None, to: None, batch_rows: BATCH_ROWS };
    let mut partitions = source.partitions(&scan)?.partitions;
    partitions.sort_by_key(|partition| partition.bound);
    let mine: Vec<Partition> = partitions.into_iter().skip(index).step_by(peers).collect();
    let mut reading = Reading { source: Arc::clone(source), scan, partitions: mine.into(), open: None };
    let (pace, failure) = (Rc::clone(pace), Arc::clone(failure));
    Ok(timely_source::<_, CapacityContainerBuilder<Vec<Event<Row>>>, _, _>(
        scope,
        side.name(),
        move |capability, info| {
            let activator = Rc::new(scope.activator_for(info.address));
            let mut capability = Some(capability);
            let mut watermark = EventTime::MIN;
            move |output| {
                let Some(cap) = &mut capability else { return };
                if pace.is_ahead(side) {
                    return pace.waiting[side as usize].set(Some(Rc::clone(&activator)));
                }
                match reading.next(watermark) {
                    Ok(Read::Rows(mut rows, after)) => {
                        output.session(cap).give_container(&mut rows);
                        watermark = watermark.max(after);
                        cap.downgrade(&watermark.as_micros());
                        activator.activate();
                    }
                    Ok(Read::Pending) => activator.activate_after(LOOK_AGAIN),
                    Ok(Read::End) => (capability, watermark) = (None, EventTime::MAX),
                    Err(error) => {
                        fail(&failure, error);
                        (capability, watermark) = (None, EventTime::MAX);
                    }
                }
                pace.move_to(side, watermark);
            }
        },
    ))
}

/// The partitions that are left, and the one that is open.
struct Reading {
    source: Arc<dyn Source>,
    scan: Scan,
    partitions: VecDeque<Partition>,
    open: Option<Box<dyn PartitionReader>>,
}

/// What a look at the partitions came to.
enum Read {
    /// Rows, and the watermark after them.
    Rows(Vec<Event<Row>>, EventTime),
    /// Nothing now.
    Pending,
    /// Nothing more.
    End,
}

impl Reading {
    fn next(&mut self, watermark: EventTime) -> Result<Read> {
        loop {
            let Some(partition) = self.partitions.front() else { return Ok(Read::End) };
            let reader = match &mut self.open {
                Some(reader) => reader,
                none => none.insert(self.source.open(partition, None, &self.scan)?),
            };
            match reader.next()? {
                Next::Batch(batch) => return self.rows(batch, watermark),
                Next::Bad(record) => return Err(crate::Error::data(record.reason)),
                Next::Pending => return Ok(Read::Pending),
                Next::End => {
                    self.open = None;
                    self.partitions.pop_front();
                }
            }
        }
    }

    fn rows(&self, batch: SourceBatch, watermark: EventTime) -> Result<Read> {
        let mut rows: Vec<Event<Row>> = Vec::with_capacity(batch.rows.num_rows());
        Row::decode(&batch.rows, &mut rows).map_err(|error| crate::Error::data(error.to_string()))?;
        let later = self.partitions.iter().skip(1).filter_map(|partition| partition.bound).min();
        // A log knows no bound, and its rows are in order: the next one is not before the last.
        let seen = || rows.iter().map(|row| row.time).max().unwrap_or(watermark);
        let after = batch.bound_after.unwrap_or_else(seen);
        Ok(Read::Rows(rows, after.min(later.unwrap_or(EventTime::MAX))))
    }
}
