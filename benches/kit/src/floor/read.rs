//! Our sources as timely sources: a worker's partitions of each, one after the other, in event-time order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration as Wall;

use super::Failure;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::operators::generic::source as timely_source;
use dualgauge::timely::dataflow::{Scope, StreamVec};
use dualgauge::timely::scheduling::activate::Activator;
use dualgauge::{
    Duration, Event, EventTime, Next, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch,
};

/// How many rows are read at once.
const BATCH_ROWS: usize = 8192;

/// How long a source with nothing to read waits before it looks again.
const LOOK_AGAIN: Wall = Wall::from_micros(200);

/// How far the sources of a worker have got, so that none runs ahead of another by more than a certain time.
struct Pace {
    ahead_max: Duration,
    sources: RefCell<Vec<Progress>>,
}

struct Progress {
    watermark: EventTime,
    /// How to wake a source that is ahead.
    waiting: Option<Rc<Activator>>,
}

impl Pace {
    fn is_ahead(&self, source: usize) -> bool {
        let sources = self.sources.borrow();
        let last = sources.iter().map(|source| source.watermark).min().expect("it is among them");
        sources[source].watermark > last + self.ahead_max
    }

    fn wait(&self, source: usize, activator: &Rc<Activator>) {
        self.sources.borrow_mut()[source].waiting = Some(Rc::clone(activator));
    }

    fn move_to(&self, source: usize, watermark: EventTime) {
        let mut sources = self.sources.borrow_mut();
        sources[source].watermark = watermark;
        sources.iter_mut().filter_map(|source| source.waiting.take()).for_each(|waiting| waiting.activate());
    }
}

/// What a worker reads, each source in event-time order and none far ahead of the others.
pub struct Sources<'s> {
    scope: Scope<'s, i64>,
    pace: Rc<Pace>,
    failure: Failure,
}

impl<'s> Sources<'s> {
    /// None yet. Later ones may be ahead of each other by `ahead_max`.
    pub fn new(scope: Scope<'s, i64>, ahead_max: Duration, failure: &Failure) -> Sources<'s> {
        let pace = Rc::new(Pace { ahead_max, sources: RefCell::default() });
        Sources { scope, pace, failure: failure.clone() }
    }

    /// This worker's share of a source's partitions.
    ///
    /// # Errors
    /// What the source says when it is asked for them.
    pub fn read<R: Record>(&mut self, source: &Arc<dyn Source>) -> Result<StreamVec<'s, i64, Event<R>>> {
        let event_time = R::event_time_column().expect("rows have one").to_string();
        let scan = Scan { schema: R::schema(), event_time, from: None, to: None, batch_rows: BATCH_ROWS };
        let mut partitions = source.partitions(&scan)?.partitions;
        partitions.sort_by_key(|partition| partition.bound);
        let mine: Vec<Partition> =
            partitions.into_iter().skip(self.scope.index()).step_by(self.scope.peers()).collect();
        let mut reading = Reading { source: Arc::clone(source), scan, partitions: mine.into(), open: None };
        let (scope, pace, failure) = (self.scope, Rc::clone(&self.pace), self.failure.clone());
        let number = pace.sources.borrow().len();
        pace.sources.borrow_mut().push(Progress { watermark: EventTime::MIN, waiting: None });
        Ok(timely_source::<_, CapacityContainerBuilder<Vec<Event<R>>>, _, _>(scope, "read", move |capability, info| {
            let activator = Rc::new(scope.activator_for(info.address));
            let mut capability = Some(capability);
            let mut watermark = EventTime::MIN;
            move |output| {
                let Some(cap) = &mut capability else { return };
                if pace.is_ahead(number) {
                    return pace.wait(number, &activator);
                }
                match reading.next::<R>(watermark) {
                    Ok(Read::Rows(mut rows, after)) => {
                        output.session(cap).give_container(&mut rows);
                        watermark = watermark.max(after);
                        cap.downgrade(&watermark.as_micros());
                        activator.activate();
                    }
                    Ok(Read::Pending) => activator.activate_after(LOOK_AGAIN),
                    Ok(Read::End) => (capability, watermark) = (None, EventTime::MAX),
                    Err(error) => {
                        failure.note(error);
                        (capability, watermark) = (None, EventTime::MAX);
                    }
                }
                pace.move_to(number, watermark);
            }
        }))
    }
}

/// The partitions that are left, and the one that is open.
struct Reading {
    source: Arc<dyn Source>,
    scan: Scan,
    partitions: VecDeque<Partition>,
    open: Option<Box<dyn PartitionReader>>,
}

/// What a look at the partitions came to.
enum Read<R> {
    /// Rows, and the watermark after them.
    Rows(Vec<Event<R>>, EventTime),
    /// Nothing now.
    Pending,
    /// Nothing more.
    End,
}

impl Reading {
    fn next<R: Record>(&mut self, watermark: EventTime) -> Result<Read<R>> {
        loop {
            let Some(partition) = self.partitions.front() else { return Ok(Read::End) };
            let reader = match &mut self.open {
                Some(reader) => reader,
                none => none.insert(self.source.open(partition, None, &self.scan)?),
            };
            match reader.next()? {
                Next::Batch(batch) => return self.rows(batch, watermark),
                Next::Mixed(_, bad) => return Err(dualgauge::Error::data(bad[0].reason())),
                Next::Pending => return Ok(Read::Pending),
                Next::End => {
                    self.open = None;
                    self.partitions.pop_front();
                }
            }
        }
    }

    fn rows<R: Record>(&self, batch: SourceBatch, watermark: EventTime) -> Result<Read<R>> {
        let mut rows: Vec<Event<R>> = Vec::with_capacity(batch.rows.num_rows());
        R::decode(&batch.rows, &mut rows).map_err(|error| dualgauge::Error::data(error.to_string()))?;
        let later = self.partitions.iter().skip(1).filter_map(|partition| partition.bound).min();
        // A log knows no bound, and its rows are in order: the next one is not before the last.
        let seen = || rows.iter().map(|row| row.time).max().unwrap_or(watermark);
        let after = batch.bound_after.unwrap_or_else(seen);
        Ok(Read::Rows(rows, after.min(later.unwrap_or(EventTime::MAX))))
    }
}
