//! A sink that hands rows to the program as they are committed, and waits while the program is behind.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io::Cursor;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};
use dualgauge_engine::sink::{Prepared, Stopping, Writing};
use dualgauge_engine::{Epoch, Error, ErrorKind, Event, EventTime, Record, Result, Sink, SinkWriter};

use super::has_fields_of;
use super::pipe::{Pipe, Turn};

/// A sink, and the end at which the program gets what was committed to it.
///
/// - **When.** A job with checkpoints hands over the rows of an epoch once the checkpoint that ends it is stored; one without,
///   when the epoch closes. Rows come in the order of event time, those of one commit together.
/// - **Once.** Within a process nothing is handed over twice, also where the job is started again. A process that dies may have
///   been given the last commits without having done anything about them: the next start hands them over again, with the
///   same [`Handed::epoch`]. So a program that keeps the epoch with what it makes of the rows, and leaves out epochs that
///   are not above it, has each row once; of a job without checkpoints nothing comes again. A job that goes back
///   (`--from-checkpoint`) numbers its epochs anew from there: then take back what was made of the epochs behind that checkpoint,
///   and keep its epoch as the last, or new rows are left out.
/// - **How much waits.** When the rows of commits that wait are `capacity` or more, the job waits. So take them while it runs, on
///   another thread or task than the one that joins it, or before that. A job that is to stop, or has failed, does not wait:
///   what it still commits is handed over beyond the capacity, and so is what a checkpoint holds at a start. The rows of a commit are in the checkpoint: this
///   is for results, not for a copy of the input.
/// - **The end.** The rows end when the job has ended, well or not: [`Running::join`](dualgauge_engine::job::Running::join)
///   says which. Where the receiver is dropped, the job ends with an error of the kind `Stopped`.
///
/// # Panics
/// When no field of the record is marked `#[event_time]`.
///
/// ```
/// use dualgauge_connectors::memory;
/// use dualgauge_engine::{EventTime, Job, record};
///
/// #[record]
/// struct Bid {
///     price: u64,
///     #[event_time]
///     time: EventTime,
/// }
///
/// let bids = (1..=3).map(|price| Bid { price, time: EventTime::from_millis(price as i64) }).collect();
/// let (sink, dear) = memory::hand_over::<Bid>(100);
/// let job = Job::new(|flow| flow.source::<Bid>("bids").sink("dear"));
/// let running = job.source("bids", memory::rows(bids)).sink("dear", sink).start().unwrap();
/// let mut prices = Vec::new();
/// for handed in &dear {
///     prices.extend(handed.rows.iter().map(|bid| bid.price));
/// }
/// running.join().unwrap();
/// assert_eq!(prices, [1, 2, 3]);
/// ```
pub fn hand_over<D: Record>(capacity: usize) -> (HandOver<D>, Receiver<D>) {
    assert!(D::event_time_column().is_some(), "rows are sorted by event time: mark a field #[event_time]");
    let pipe = Arc::new(Pipe::new(capacity));
    let handed = Arc::default();
    (HandOver { pipe: Arc::clone(&pipe), handed }, Receiver { pipe })
}

/// The rows of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed<D> {
    /// The epoch that was committed. It grows from one to the next, also over the starts of a job with checkpoints.
    pub epoch: Epoch,
    /// The rows, in the order of event time.
    pub rows: Vec<D>,
}

/// The sink: what [`hand_over`] makes.
pub struct HandOver<D> {
    pipe: Arc<Pipe<Handed<D>>>,
    /// Up to which epoch each job has handed over in this process.
    handed: Arc<Mutex<BTreeMap<String, Epoch>>>,
}

/// The end at which a program takes what was committed.
#[derive(Debug)]
pub struct Receiver<D> {
    pipe: Arc<Pipe<Handed<D>>>,
}

impl<D> fmt::Debug for HandOver<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandOver")
    }
}

impl<D> Receiver<D> {
    /// The next commit, as soon as there is one; none where the job has ended.
    pub fn recv(&self) -> Option<Handed<D>> {
        self.pipe.take()
    }

    /// The next commit, if there is one now.
    pub fn try_recv(&self) -> Option<Handed<D>> {
        self.pipe.try_take()
    }

    /// As [`Receiver::recv`], for a task: any executor will do. Given up before it is done, it has taken nothing.
    pub async fn recv_async(&self) -> Option<Handed<D>> {
        let turn = Turn::at(&self.pipe);
        poll_fn(|context| self.pipe.poll_take(&turn, context)).await
    }
}

impl<D> Iterator for &Receiver<D> {
    type Item = Handed<D>;

    fn next(&mut self) -> Option<Handed<D>> {
        self.recv()
    }
}

impl<D> Drop for Receiver<D> {
    fn drop(&mut self) {
        self.pipe.change(|state| {
            state.deserted = true;
            state.skip(state.len());
        });
    }
}

impl<D> Drop for HandOver<D> {
    fn drop(&mut self) {
        self.pipe.change(|state| state.ended = true);
    }
}

impl<D: Record> Sink for HandOver<D> {
    fn describe(&self) -> String {
        "memory:hand_over".to_string()
    }

    fn check(&self, schema: &SchemaRef, _: &Writing) -> Result<()> {
        has_fields_of::<D>(schema, "memory:hand_over hands over")
    }

    /// Where a job goes back, what was handed over since cannot be taken back: it is handed over again.
    fn take_back(&self, writing: &Writing) -> Result<()> {
        if let (Some(job), Some(after)) = (&writing.job, writing.after) {
            lock(&self.handed).insert(job.clone(), after.epoch);
        }
        Ok(())
    }

    fn open(&self, _: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        let (pipe, handed) = (Arc::clone(&self.pipe), Arc::clone(&self.handed));
        let (job, stopping) = (writing.job.clone(), writing.stopping.clone());
        Ok(Box::new(Writer { pipe, handed, job, stopping, rows: Vec::new(), record: PhantomData }))
    }
}

struct Writer<D> {
    pipe: Arc<Pipe<Handed<D>>>,
    handed: Arc<Mutex<BTreeMap<String, Epoch>>>,
    job: Option<String>,
    stopping: Stopping,
    /// Written, and not prepared.
    rows: Vec<RecordBatch>,
    record: PhantomData<fn() -> D>,
}

impl<D: Record> SinkWriter for Writer<D> {
    fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
        self.rows.push(rows.clone());
        Ok(())
    }

    /// The rows themselves: they are enough to hand over, in another process.
    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        let rows = std::mem::take(&mut self.rows);
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let stream = StreamWriter::try_new(Vec::new(), &first.schema()).and_then(|mut stream| {
            rows.iter().try_for_each(|batch| stream.write(batch))?;
            stream.into_inner()
        });
        stream.map_err(|cause| Error::data("rows that are handed over do not become bytes").caused_by(cause))
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        let stopping = self.stopping.clone();
        self.hand(epoch, prepared, || stopping.asked())
    }

    /// Who takes the rows may still be inside the start of the job: so nothing waits here. They are in the checkpoint, and
    /// no more than that.
    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        prepared.iter().try_for_each(|one| self.hand(one.epoch, &one.bytes, || true))
    }
}

impl<D: Record> Writer<D> {
    /// Hands over the rows of an epoch, unless this process has them; waits for room as long as there is waiting.
    fn hand(&self, epoch: Epoch, prepared: &[u8], no_waiting: impl Fn() -> bool) -> Result<()> {
        if prepared.is_empty() || self.is_handed(epoch) {
            return Ok(());
        }
        let rows = read(prepared).map_err(|cause| {
            Error::data(format!("the rows of epoch {epoch} that a checkpoint holds cannot be read")).caused_by(cause)
        })?;
        let mut events: Vec<Event<D>> = Vec::new();
        for batch in &rows {
            let decoded = D::decode(batch, &mut events);
            decoded.map_err(|cause| Error::data(format!("the rows of epoch {epoch}")).caused_by(cause))?;
        }
        let rows: Vec<D> = events.into_iter().map(|event| event.data).collect();
        let weight = rows.len();
        self.pipe.put_unless(Handed { epoch, rows }, weight, no_waiting).map_err(|_| {
            let gone =
                "the program takes no more of what is handed over: it has dropped the receiver of memory::hand_over";
            Error::new(ErrorKind::Stopped, gone)
        })?;
        if let Some(job) = &self.job {
            lock(&self.handed).insert(job.clone(), epoch);
        }
        Ok(())
    }

    /// Whether this process has been handed the epoch of this job.
    fn is_handed(&self, epoch: Epoch) -> bool {
        self.job.as_ref().is_some_and(|job| lock(&self.handed).get(job).is_some_and(|upto| epoch <= *upto))
    }
}

fn read(bytes: &[u8]) -> std::result::Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(Cursor::new(bytes), None)?.collect()
}

/// A panic elsewhere leaves no epoch half noted.
fn lock(handed: &Mutex<BTreeMap<String, Epoch>>) -> std::sync::MutexGuard<'_, BTreeMap<String, Epoch>> {
    handed.lock().unwrap_or_else(PoisonError::into_inner)
}
