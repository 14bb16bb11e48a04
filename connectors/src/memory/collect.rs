//! A sink that gives its rows back.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::checkpoint::BucketCut;
use dualgauge_engine::sink::{Prepared, Since, Writing};
use dualgauge_engine::{Epoch, Error, Event, EventTime, Record, Result, Sink, SinkWriter};

use super::has_fields_of;

/// A sink and, by its clones, the handle to what was committed to it.
///
/// # Panics
/// When no field of the record is marked `#[event_time]`.
///
/// ```
/// use dualgauge_connectors::memory;
/// use dualgauge_engine::{Epoch, EventTime, Record, Sink, Writing, record};
///
/// #[record]
/// struct Bid {
///     price: u64,
///     #[event_time]
///     time: EventTime,
/// }
///
/// let bid = Bid { price: 10, time: EventTime::from_millis(1) };
/// let out = memory::collect::<Bid>();
/// let mut writer = out.clone().open(0, &Bid::schema(), &Writing::default()).unwrap();
/// writer.write(&[bid.time], &Bid::encode([&bid].into_iter())).unwrap();
/// let prepared = writer.prepare(Epoch(0), EventTime::MAX).unwrap();
/// assert!(out.rows().is_empty());
/// writer.commit(Epoch(0), &prepared).unwrap();
/// assert_eq!(out.rows(), [bid]);
/// ```
pub fn collect<D: Record>() -> Collect<D> {
    assert!(D::event_time_column().is_some(), "rows are sorted by event time: mark a field #[event_time]");
    Collect { shared: Arc::default(), at_once: false, record: PhantomData }
}

/// Rows that were committed, in memory: what [`collect`] makes.
#[derive(Debug)]
pub struct Collect<D> {
    shared: Arc<Mutex<Shared>>,
    at_once: bool,
    record: PhantomData<fn() -> D>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What was prepared and not committed, by its number.
    prepared: BTreeMap<u64, Vec<RecordBatch>>,
    prepared_count: u64,
    committed: Vec<Committed>,
}

/// Rows that are seen, and by which job and for which epoch.
#[derive(Debug)]
struct Committed {
    job: Option<String>,
    epoch: Epoch,
    rows: RecordBatch,
}

impl Committed {
    /// Whether they are of this job, and later than the commit from which it resumes.
    fn is_later(&self, writing: &Writing) -> bool {
        self.job == writing.job && writing.after.is_some_and(|after| self.epoch > after.epoch)
    }
}

impl<D> Clone for Collect<D> {
    fn clone(&self) -> Collect<D> {
        Collect { shared: self.shared.clone(), at_once: self.at_once, record: PhantomData }
    }
}

impl<D: Record> Collect<D> {
    /// Takes rows as soon as they come, and not when the watermark has passed them; [`Collect::rows`] sorts them all the same.
    pub fn at_once(mut self) -> Collect<D> {
        self.at_once = true;
        self
    }

    /// The committed rows, by event time and then by the record's own order.
    ///
    /// # Panics
    /// When the graph wrote rows of another record to this sink.
    pub fn rows(&self) -> Vec<D> {
        let mut events: Vec<Event<D>> = Vec::new();
        for batch in &lock(&self.shared).committed {
            D::decode(&batch.rows, &mut events).expect("the rows of a sink are of the record that is collected");
        }
        events.sort();
        events.into_iter().map(|event| event.data).collect()
    }
}

impl<D: Record> Sink for Collect<D> {
    fn describe(&self) -> String {
        "memory:collect".to_string()
    }

    fn check(&self, schema: &SchemaRef, _: &Writing) -> Result<()> {
        has_fields_of::<D>(schema, "memory:collect collects")
    }

    /// What this process has committed: of what another one has, nothing is left.
    fn published_since(&self, writing: &Writing, _: &[BucketCut]) -> Result<Since> {
        let shared = lock(&self.shared);
        let later: Vec<_> = shared.committed.iter().filter(|batch| batch.is_later(writing)).collect();
        let rows: usize = later.iter().map(|batch| batch.rows.num_rows()).sum();
        let upto = later.iter().map(|batch| batch.epoch).max();
        Ok(upto.map_or(Since::Nothing, |upto| Since::Published { upto, what: format!("{rows} rows") }))
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        lock(&self.shared).committed.retain(|batch| !batch.is_later(writing));
        Ok(())
    }

    fn writes_at_once(&self) -> bool {
        self.at_once
    }

    fn open(&self, _: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer { shared: self.shared.clone(), job: writing.job.clone(), rows: Vec::new() }))
    }
}

struct Writer {
    shared: Arc<Mutex<Shared>>,
    job: Option<String>,
    /// Written, and not prepared.
    rows: Vec<RecordBatch>,
}

impl SinkWriter for Writer {
    fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
        self.rows.push(rows.clone());
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut shared = lock(&self.shared);
        let number = shared.prepared_count;
        shared.prepared_count += 1;
        shared.prepared.insert(number, std::mem::take(&mut self.rows));
        Ok(number.to_le_bytes().to_vec())
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        let mut shared = lock(&self.shared);
        let number = prepared.try_into().ok().map(u64::from_le_bytes).filter(|number| *number < shared.prepared_count);
        let number = number.ok_or_else(|| {
            Error::usage(format!(
                "epoch {epoch} was prepared by another process, and what it held in memory is gone with it; likely \
                 mistake: a checkpointed job with a memory sink, resumed"
            ))
        })?;
        // Committed before where it is no longer there.
        let rows = shared.prepared.remove(&number).unwrap_or_default();
        shared.committed.extend(rows.into_iter().map(|rows| Committed { job: self.job.clone(), epoch, rows }));
        Ok(())
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        prepared.iter().try_for_each(|one| self.commit(one.epoch, &one.bytes))
    }
}

/// A panic elsewhere leaves no batch half committed.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
