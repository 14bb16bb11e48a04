//! Where the rows of a sink go on one worker: its buckets, what is prepared of them, and what is published.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::outbox::{KeptRows, Outbox};
use super::{ROWS, bucket_of};
use crate::checkpoint::{BucketCut, is_kept};
use crate::commit::{Checkpointing, Output};
use crate::connector::sink::open_bucket;
use crate::data::cut::fitting;
use crate::failpoint::{Point, around};
use crate::flow::graph::NodeId;
use crate::flow::step::within;
use crate::run::{Shared, SinkCounts};
use crate::{Epoch, Event, EventTime, Prepared, Record, Result, Sink, SinkWriter, Writing};

/// Where the rows of a sink go on one worker.
pub(super) struct SinkOutput {
    pub(super) name: String,
    pub(super) schema: SchemaRef,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) writing: Writing,
    pub(super) shared: Arc<Shared>,
    pub(super) writers: Rc<RefCell<Writers>>,
    pub(super) counts: SinkCounts,
    pub(super) checkpointing: Option<Arc<Checkpointing>>,
    /// The buckets of this worker.
    pub(super) owned: Vec<usize>,
}

/// The buckets that this worker writes, those that it has opened.
pub(super) struct Writers {
    name: String,
    buckets: Vec<Option<BucketWriter>>,
}

impl Writers {
    /// So many buckets, none of which is open.
    pub(super) fn new(name: &str, buckets: usize) -> Writers {
        Writers { name: name.to_string(), buckets: (0..buckets).map(|_| None).collect() }
    }
}

/// One bucket, and what was prepared of it.
struct BucketWriter {
    writer: Box<dyn SinkWriter>,
    /// Prepared and not published, oldest first.
    unpublished: Vec<Prepared>,
    /// What commits have prepared to which the job may go back, and whether each is kept for ever.
    kept: Vec<(bool, Prepared)>,
}

impl BucketWriter {
    /// Tells the writer what is kept, now that `epoch` is committed.
    fn keep(&mut self, epoch: Epoch, savepoint: bool) -> Result<()> {
        let here = self.unpublished.iter().find(|prepared| prepared.epoch == epoch).cloned();
        self.kept.extend(here.map(|prepared| (savepoint, prepared)));
        let (count, mut at) = (self.kept.len(), 0..);
        self.kept.retain(|(savepoint, _)| at.next().is_some_and(|at| is_kept(at, count, *savepoint)));
        self.tell_kept()
    }

    fn tell_kept(&mut self) -> Result<()> {
        self.writer.keep(&self.kept.iter().map(|(_, prepared)| prepared).collect::<Vec<_>>())
    }
}

impl SinkOutput {
    /// Opens the buckets of this worker, and takes up what earlier generations have left of them.
    pub(super) fn open_owned(&mut self, mut rows: KeptRows) {
        let Some(checkpointing) = self.checkpointing.clone() else { return };
        for bucket in self.owned.clone() {
            let name = &self.name;
            let (prepared, kept) = (checkpointing.prepared(name, bucket), checkpointing.kept(name, bucket));
            let rows =
                rows.extract_if(.., |(of, _), _| *of == bucket).map(|((_, epoch), rows)| (epoch, rows)).collect();
            if let Err(error) = self.open(bucket, prepared, kept, rows) {
                self.shared.fail(error.at(format_args!("sink {}: bucket {bucket}", self.name)));
            }
        }
    }

    fn open(
        &mut self,
        bucket: usize,
        prepared: Vec<Prepared>,
        kept: Vec<(bool, Prepared)>,
        rows: Vec<(Epoch, Vec<RecordBatch>)>,
    ) -> Result<()> {
        let writer = open_bucket(&*self.sink, bucket, &self.schema, &self.writing)?;
        let mut bucket_writer = BucketWriter { writer, unpublished: Vec::new(), kept };
        bucket_writer.tell_kept()?;
        for (epoch, rows) in rows {
            rows.into_iter().try_for_each(|rows| bucket_writer.writer.restore(epoch, rows))?;
        }
        around(Point::Recover, || bucket_writer.writer.recover(&prepared))?;
        self.writers.borrow_mut().buckets[bucket] = Some(bucket_writer);
        Ok(())
    }

    fn write_all<D: Record>(&mut self, bucket: usize, events: &[Event<D>]) -> Result<()> {
        let mut rest = events;
        while !rest.is_empty() {
            let rows = fitting(rest.iter().take(ROWS).map(|event| &event.data))?;
            let (events, after) = rest.split_at(rows);
            rest = after;
            let times: Vec<_> = events.iter().map(|event| event.time).collect();
            self.write(bucket, &times, &D::encode(events.iter().map(|event| &event.data)))?;
        }
        Ok(())
    }

    fn write(&mut self, bucket: usize, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        if self.writers.borrow().buckets[bucket].is_none() {
            self.open(bucket, Vec::new(), Vec::new(), Vec::new())?;
        }
        let mut writers = self.writers.borrow_mut();
        let bucket = writers.buckets[bucket].as_mut().expect("it is open");
        bucket.writer.write(times, rows)?;
        self.counts.rows.add(times.len() as u64);
        Ok(())
    }

    pub(super) fn publish(&mut self, epoch: Epoch, watermark: EventTime) -> Result<()> {
        for bucket in self.writers.borrow_mut().buckets.iter_mut().flatten() {
            let prepared = bucket.writer.prepare(epoch, watermark)?;
            if !prepared.is_empty() {
                bucket.writer.commit(epoch, &prepared)?;
            }
        }
        Ok(())
    }

    pub(super) fn prepare(&mut self, epoch: Epoch, watermark: EventTime) -> Result<Vec<(String, BucketCut)>> {
        let mut cuts = Vec::new();
        for (number, bucket) in self.writers.borrow_mut().buckets.iter_mut().enumerate() {
            let Some(bucket) = bucket else { continue };
            let bytes = around(Point::Stage, || bucket.writer.prepare(epoch, watermark))?;
            bucket.unpublished.push(Prepared { epoch, bytes });
            cuts.push((self.name.clone(), BucketCut { bucket: number as u32, prepared: bucket.unpublished.clone() }));
        }
        Ok(cuts)
    }
}

/// Publishes what was prepared on this worker.
pub(super) struct Published {
    pub(super) node: NodeId,
    pub(super) writers: Rc<RefCell<Writers>>,
    /// Up to which epoch it is.
    pub(super) committed: Rc<Cell<Option<Epoch>>>,
}

impl Output for Published {
    fn publish(&mut self, epoch: Epoch, savepoint: bool) -> Result<()> {
        let mut writers = self.writers.borrow_mut();
        let Writers { name, buckets } = &mut *writers;
        within(self.node, || {
            for bucket in buckets.iter_mut().flatten() {
                bucket.keep(epoch, savepoint).map_err(|error| error.at(format_args!("sink {name}: epoch {epoch}")))?;
                while let Some(prepared) = bucket.unpublished.first().filter(|prepared| prepared.epoch <= epoch) {
                    if !prepared.bytes.is_empty() {
                        let done = around(Point::Publish, || bucket.writer.commit(prepared.epoch, &prepared.bytes));
                        done.map_err(|error| error.at(format_args!("sink {name}: epoch {}", prepared.epoch)))?;
                    }
                    bucket.unpublished.remove(0); // only now: what is not published stays the oldest
                }
            }
            self.committed.set(Some(epoch));
            Ok(())
        })
    }
}

/// The way of rows to where they are written, and where they are kept.
pub(super) struct Through<'a, D> {
    pub(super) output: &'a mut SinkOutput,
    pub(super) outbox: Option<&'a mut Outbox<D>>,
}

impl<D: Record> Through<'_, D> {
    /// Writes rows as they have come, each to the bucket of its hash.
    pub(super) fn write_dealt(&mut self, buckets: usize, mut events: Vec<Event<D>>) -> Result<()> {
        events.sort_unstable_by(|a, b| (a.time, &a.data).cmp(&(b.time, &b.data)));
        let mut dealt: Vec<Vec<Event<D>>> = (0..buckets).map(|_| Vec::new()).collect();
        events.into_iter().for_each(|event| dealt[bucket_of(&event.data, buckets)].push(event));
        dealt.iter().enumerate().try_for_each(|(bucket, events)| self.write_all(bucket, events))
    }

    pub(super) fn write_all(&mut self, bucket: usize, events: &[Event<D>]) -> Result<()> {
        self.output.write_all(bucket, events)?;
        if let Some(outbox) = &mut self.outbox {
            outbox.take(bucket, events);
        }
        Ok(())
    }
}
