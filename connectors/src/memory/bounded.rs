//! A live source inside a program that does not grow: whoever sends waits while the job is behind.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Wake;

use dualgauge_engine::cut::fitting;
use dualgauge_engine::{
    Code, Error, Listing, Next, Offset, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch, Waker,
};

use super::pipe::{NotPut, Pipe, State, Turn};

/// The two ends of a stream of rows of which at most `capacity` wait: who sends more waits until the graph has read some.
///
/// Senders are cloned for several threads or tasks; when the last one is dropped, the stream ends. When the job has ended,
/// [`BoundedSender::send`] gives the row back.
///
/// A row that was read is gone from memory. So a job that goes back to a checkpoint behind which rows were read is refused,
/// also by a restart of its own, unless the channel [keeps](Bounded::kept_until_committed) them. In a new process a new channel
/// resumes, and whoever sends begins where [`BoundedSender::resumes_at`] says.
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
/// let (sender, bids) = memory::bounded::<Bid>(100);
/// let out = memory::collect::<Bid>();
/// let job = Job::new(|flow| flow.source::<Bid>("bids").sink("copies"));
/// let running = job.source("bids", bids).sink("copies", out.clone()).start().unwrap();
/// for price in 0..1_000 {
///     sender.send(Bid { price, time: EventTime::from_millis(price as i64) }).unwrap();
/// }
/// drop(sender);
/// running.join().unwrap();
/// assert_eq!(out.rows().len(), 1_000);
/// ```
pub fn bounded<D: Record>(capacity: usize) -> (BoundedSender<D>, Bounded<D>) {
    let pipe = Arc::new(Pipe::new(capacity));
    let (all, reads) = (Arc::new(Sends(Arc::clone(&pipe))), Arc::new(Reads(Arc::clone(&pipe))));
    (BoundedSender { pipe: Arc::clone(&pipe), _all: all }, Bounded { pipe, reads, keeps: false })
}

/// The end that sends. The stream ends when the last clone is dropped.
#[derive(Debug)]
pub struct BoundedSender<D> {
    pipe: Arc<Pipe<D>>,
    _all: Arc<Sends<D>>,
}

/// The end that a graph reads: one partition, followed until every sender is gone.
#[derive(Debug)]
pub struct Bounded<D> {
    pipe: Arc<Pipe<D>>,
    reads: Arc<Reads<D>>,
    /// Whether rows stay until they are committed.
    keeps: bool,
}

/// A row that was not sent. It is an error whatever the row is; its words do not show the row.
#[derive(PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSent<D> {
    /// There is no room for it now.
    Full(D),
    /// The job has ended, and nobody will read it.
    Ended(D),
}

impl<D> fmt::Debug for NotSent<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotSent::Full(_) => "Full(..)",
            NotSent::Ended(_) => "Ended(..)",
        })
    }
}

impl<D> fmt::Display for NotSent<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotSent::Full(_) => "memory:bounded: the row was not sent: the channel is full",
            NotSent::Ended(_) => "memory:bounded: the row was not sent: the job has ended, and nobody will read it",
        })
    }
}

impl<D> std::error::Error for NotSent<D> {}

/// Held by every sender.
#[derive(Debug)]
struct Sends<D>(Arc<Pipe<D>>);

/// Held by whoever reads, or may.
#[derive(Debug)]
struct Reads<D>(Arc<Pipe<D>>);

impl<D> Drop for Sends<D> {
    fn drop(&mut self) {
        self.0.change(|state| state.ended = true);
    }
}

impl<D> Drop for Reads<D> {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.deserted = true;
            state.skip(state.len());
        });
    }
}

impl<D> Clone for BoundedSender<D> {
    fn clone(&self) -> BoundedSender<D> {
        BoundedSender { pipe: Arc::clone(&self.pipe), _all: Arc::clone(&self._all) }
    }
}

impl<D: Record> BoundedSender<D> {
    /// Adds a row, and waits while there is no room.
    ///
    /// # Errors
    /// The job has ended; the error holds the row.
    pub fn send(&self, row: D) -> Result<(), NotSent<D>> {
        self.pipe.put(row, 1).map_err(NotSent::Ended)
    }

    /// Adds a row if there is room for it now.
    ///
    /// # Errors
    /// There is none, or the job has ended; the error holds the row.
    pub fn try_send(&self, row: D) -> Result<(), NotSent<D>> {
        self.pipe.try_put(row, 1).map_err(|refused| match refused {
            NotPut::Full(row) => NotSent::Full(row),
            NotPut::Deserted(row) => NotSent::Ended(row),
        })
    }

    /// As [`BoundedSender::send`], for a task: any executor will do. Given up before it is done, it has sent nothing.
    ///
    /// # Errors
    /// The job has ended; the error holds the row.
    pub async fn send_async(&self, row: D) -> Result<(), NotSent<D>> {
        let (mut row, turn) = (Some(row), Turn::at(&self.pipe));
        poll_fn(|context| self.pipe.poll_put(&turn, context, &mut row, 1)).await.map_err(NotSent::Ended)
    }

    /// Waits until a job reads the stream, and says with how many rows of it the job begins: none anew, and else those that
    /// it had read by the checkpoint from which it resumes. The first row that is sent is the one after those. Asked later, it
    /// says the same.
    ///
    /// `None` where no job will read it.
    pub fn resumes_at(&self) -> Option<u64> {
        self.pipe.wait_while(|state| state.opened.is_none() && !state.deserted);
        self.pipe.lock().opened
    }
}

impl<D: Record> Bounded<D> {
    /// Keeps a row that was read until a checkpoint holds it, so that a job that starts itself again finds it there.
    ///
    /// What is kept takes room: give the channel as much as the job reads from one checkpoint to the next. For a job with
    /// checkpoints alone: without them nothing is ever committed, and a full channel stays full.
    pub fn kept_until_committed(mut self) -> Bounded<D> {
        self.keeps = true;
        self
    }
}

impl<D: Record> Source for Bounded<D> {
    fn describe(&self) -> String {
        "memory:bounded".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = Partition { followed: true, ..Partition::new("bounded") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }

    fn open(&self, _: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let position = offset.map_or(0, |offset| offset.position);
        self.pipe.change(|state| {
            // Of a channel that nobody has read, the first row is the one that the job wants next.
            if state.opened.replace(state.opened.unwrap_or(position)).is_none() {
                state.first = position;
            }
            match position.checked_sub(state.first) {
                Some(ahead) if ahead as usize <= state.len() => {
                    // What is kept goes when it is told that it is committed.
                    if !self.keeps {
                        state.skip(ahead as usize);
                    }
                    Ok(())
                }
                _ => Err(gap(position, state.first)),
            }
        })?;
        let (pipe, _reads, turn) = (Arc::clone(&self.pipe), Arc::clone(&self.reads), Turn::at(&self.pipe));
        let (keeps, batch_rows) = (self.keeps, scan.batch_rows.max(1));
        Ok(Box::new(Reader { pipe, _reads, turn, keeps, position, batch_rows, waker: None }))
    }
}

/// Rows that are wanted once more.
fn gap(position: u64, first: u64) -> Error {
    Code::SourceGap.error(format!(
        "memory:bounded: the job goes back to row {position}, and the rows before row {first} were read and are gone; have \
         them kept (`kept_until_committed`), start it with a new channel and send from there, or give it a log"
    ))
}

struct Reader<D> {
    pipe: Arc<Pipe<D>>,
    _reads: Arc<Reads<D>>,
    turn: Turn<D>,
    keeps: bool,
    /// The number of the row that is read next.
    position: u64,
    batch_rows: usize,
    /// The worker that reads, as one who awaits.
    waker: Option<std::task::Waker>,
}

/// Wakes a worker as a task is woken.
struct Woken(Waker);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

impl<D: Record> PartitionReader for Reader<D> {
    fn next(&mut self) -> Result<Next> {
        let position = self.position;
        let is_read = move |state: &State<D>| state.len() as u64 == position - state.first;
        let is_empty = move |state: &State<D>| is_read(state) && !state.ended;
        let waits = match &self.waker {
            Some(waker) => self.turn.waits(waker, is_empty),
            None => is_empty(&self.pipe.lock()),
        };
        if waits {
            return Ok(Next::Pending);
        }
        if is_read(&self.pipe.lock()) {
            return Ok(Next::End);
        }
        // Nobody else takes: what lies there lies there still.
        let (keeps, batch_rows) = (self.keeps, self.batch_rows);
        let (rows, position) = self.pipe.change(|state| {
            let from = (position - state.first) as usize;
            let count = fitting(state.behind(from, batch_rows))?;
            let rows = D::encode(state.behind(from, count));
            if !keeps {
                state.skip(count);
            }
            Ok::<_, Error>((rows, position + count as u64))
        })?;
        self.position = position;
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(position), bound_after: None }))
    }

    fn wake_by(&mut self, waker: &Waker) -> bool {
        self.waker = Some(Arc::new(Woken(waker.clone())).into());
        true
    }

    fn committed(&mut self, offset: &Offset) -> Result<()> {
        if self.keeps {
            self.pipe.change(|state| state.skip(offset.position.saturating_sub(state.first) as usize));
        }
        Ok(())
    }
}
