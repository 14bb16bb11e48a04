//! A live source inside a program: one end sends rows, a graph reads the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dualgauge_engine::cut::fitting;
use dualgauge_engine::{
    Listing, Next, Offset, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch, Waker,
};

/// The two ends of a stream of rows: what is sent can be read, until the sender is sealed or dropped.
///
/// Every row stays in memory, so that a graph that starts again finds it; for a stream without an end, take a log.
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
/// let (sender, bids) = memory::channel::<Bid>();
/// sender.send(Bid { price: 10, time: EventTime::from_millis(1) });
/// sender.seal();
/// assert!(!bids.bounded());
/// ```
pub fn channel<D: Record>() -> (Sender<D>, Channel<D>) {
    let shared = Arc::new(Mutex::new(Stream { rows: Vec::new(), sealed: false, wakers: Vec::new() }));
    (Sender { shared: shared.clone() }, Channel { shared })
}

/// The end that sends. Dropping it seals the stream.
#[derive(Debug)]
pub struct Sender<D> {
    shared: Arc<Mutex<Stream<D>>>,
}

/// The end that a graph reads: one partition, followed until the sender seals it.
#[derive(Clone, Debug)]
pub struct Channel<D> {
    shared: Arc<Mutex<Stream<D>>>,
}

#[derive(Debug)]
struct Stream<D> {
    rows: Vec<D>,
    sealed: bool,
    /// The workers that read it.
    wakers: Vec<Arc<Waker>>,
}

/// Changes the stream, and wakes those who read it once nobody holds it.
fn change<D>(shared: &Mutex<Stream<D>>, change: impl FnOnce(&mut Stream<D>)) {
    let readers = {
        let mut stream = lock(shared);
        change(&mut stream);
        stream.wakers.clone()
    };
    readers.iter().for_each(|reader| reader.wake());
}

impl<D: Record> Sender<D> {
    /// Adds a row.
    pub fn send(&self, row: D) {
        change(&self.shared, |stream| stream.rows.push(row));
    }

    /// Adds rows that become readable together.
    pub fn send_all(&self, rows: impl IntoIterator<Item = D>) {
        change(&self.shared, |stream| stream.rows.extend(rows));
    }

    /// Ends the stream: nothing will ever follow.
    pub fn seal(self) {}
}

impl<D> Drop for Sender<D> {
    fn drop(&mut self) {
        change(&self.shared, |stream| stream.sealed = true);
    }
}

impl<D: Record> Source for Channel<D> {
    fn describe(&self) -> String {
        "memory:channel".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = Partition { followed: true, ..Partition::new("channel") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }

    fn open(&self, _: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let position = offset.map_or(0, |offset| offset.position as usize);
        let (shared, batch_rows) = (self.shared.clone(), scan.batch_rows.max(1));
        Ok(Box::new(ChannelReader { shared, position, batch_rows, waker: None }))
    }
}

struct ChannelReader<D> {
    shared: Arc<Mutex<Stream<D>>>,
    position: usize,
    batch_rows: usize,
    waker: Option<Arc<Waker>>,
}

impl<D> Drop for ChannelReader<D> {
    fn drop(&mut self) {
        if let Some(own) = self.waker.take() {
            lock(&self.shared).wakers.retain(|waker| !Arc::ptr_eq(waker, &own));
        }
    }
}

impl<D: Record> PartitionReader for ChannelReader<D> {
    fn next(&mut self) -> Result<Next> {
        let stream = lock(&self.shared);
        let rest = stream.rows.get(self.position..).unwrap_or_default();
        let rest = &rest[..rest.len().min(self.batch_rows)];
        if rest.is_empty() {
            return Ok(if stream.sealed { Next::End } else { Next::Pending });
        }
        let rest = &rest[..fitting(rest.iter())?];
        self.position += rest.len();
        let rows = D::encode(rest.iter());
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.position as u64), bound_after: None }))
    }

    fn wake_by(&mut self, waker: &Waker) -> bool {
        let waker = Arc::new(waker.clone());
        lock(&self.shared).wakers.push(Arc::clone(&waker));
        self.waker = Some(waker);
        true
    }
}

/// A panic elsewhere leaves no row half sent.
fn lock<D>(shared: &Mutex<Stream<D>>) -> MutexGuard<'_, Stream<D>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
