//! Where events come from: three verbs, and no clocks.
//!
//! A connector lists its partitions, opens one at an offset, and gives the next batch. The engine decides everything
//! else: which worker reads what, in which order, under which watermark and in which epoch.

use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use super::Waker;
use crate::{Basis, Change, EventTime, Place, Result};

/// A place that events can be read from, again and again, by offset.
///
/// - **Replayable.** Opening a partition at an offset that an earlier batch carried gives what followed that batch.
/// - **Again, if need be, by whole batches.** A batch whose [`SourceBatch::offset_after`] has been reached before is a
///   repeat: its rows are dropped, and counted as `repeated`. No batch has rows of both sides of an offset it was opened at.
/// - **Listed alike.** Every worker asks for the partitions of a bounded source and gets the same list.
/// - **No clocks.** A source never waits: a reader that has nothing says [`Next::Pending`].
pub trait Source: Send + Sync {
    /// What stands behind the name, as the user wrote it: `parquet:data/bids/`.
    fn describe(&self) -> String;

    /// What its partitions are, for people: `files`, `row groups`.
    fn noun(&self) -> &'static str {
        "partitions"
    }

    /// What it reads, or would read if it were there: a job does not write there.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    /// Whether the source ends by itself.
    fn bounded(&self) -> bool;

    /// Whether it says itself, by [`SourceBatch::bound_after`], below which event times nothing follows in a partition that
    /// is followed. Then no order is assumed of its events; of those of any other followed source it is assumed that none
    /// is behind another, unless a `disorder` says otherwise.
    fn gives_watermarks(&self) -> bool {
        false
    }

    /// The partitions that can hold what the scan asks for.
    fn partitions(&self, scan: &Scan) -> Result<Listing>;

    /// The partitions that could be read now and are not `known`: of a source that is followed, what has come since it was
    /// listed. They are not read in this run, and the job says so. It asks now and then; nothing new unless said otherwise.
    fn appeared(&self, _known: &dyn Fn(&PartitionId) -> bool) -> Result<Vec<PartitionId>> {
        Ok(Vec::new())
    }

    /// What its offsets depend on, and what their rows were read by: options under whose other values an offset would
    /// mean another place, or the rows behind it another thing than those before it.
    fn basis(&self) -> Basis {
        Basis::new()
    }

    /// Whether reading may go on from an offset where an option of the basis has another value.
    fn takes(&self, _change: &Change) -> bool {
        false
    }

    /// Starts reading `partition` after `offset`, or from its start.
    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>>;
}

/// An open partition.
pub trait PartitionReader {
    /// The next rows in the partition's order. Never blocks on something that may not come.
    ///
    /// # Errors
    /// What ends the job whatever the policy for bad records: the data is damaged, or the world is in the way. A record
    /// that is merely bad comes in [`Next::Mixed`], and reading goes on behind it.
    fn next(&mut self) -> Result<Next>;

    /// Takes the means to wake the worker that reads it, right after it was opened; whether it will use them.
    ///
    /// A reader that says so calls [`Waker::wake`] whenever something has come since its [`next`](PartitionReader::next) said
    /// [`Next::Pending`], its end included. It may be called too often, and from any thread. Such a reader is left alone until then (it is
    /// asked once in a second all the same), and its worker sleeps for longer; any other one is asked again every half millisecond.
    fn wake_by(&mut self, waker: &Waker) -> bool {
        let _ = waker;
        false
    }

    /// All up to `offset` is committed: the job never asks for it again, unless a person has it resume from an older savepoint. A
    /// server that keeps rows until they are acknowledged may let go of them.
    ///
    /// - **Never before** the manifest that holds the offset is stored, in every process of the job; without checkpoints, never.
    /// - **On the worker that reads**, between two calls of [`next`](PartitionReader::next): so it must not wait for long either.
    /// - **In order**: offsets that `next` has handed out, each greater than the one before. Those of checkpoints in between may be
    ///   left out.
    /// - **After a resume too**: the offset at which the partition was opened again is told before the first `next`. So nothing
    ///   is left unacknowledged by a crash between the commit and the call.
    /// - **To the end** of a followed partition: its reader is kept until its last offset is committed. That of a bounded one is
    ///   dropped when it says [`Next::End`]. A partition that had ended by the commit from which a job resumes is not opened again: where
    ///   the job died between that commit and the call, its last offset is told to nobody. A server then lets go by itself, or at
    ///   [`Source::partitions`], which is asked at each start.
    ///
    /// # Errors
    /// What ends the job. What can be tried again is better tried at the next call, which covers it.
    fn committed(&mut self, offset: &Offset) -> Result<()> {
        let _ = offset;
        Ok(())
    }
}

/// What a reader has to say.
#[derive(Debug)]
pub enum Next {
    /// Rows, in the order of the partition.
    Batch(SourceBatch),
    /// Rows, which may be none, and at least one record among them that cannot be read. They come together, so that a bad
    /// record costs no turn of the engine. What becomes of it is the source's policy to say.
    Mixed(SourceBatch, Vec<Unreadable>),
    /// Nothing now; ask again later, or when the reader [wakes](PartitionReader::wake_by) its worker.
    Pending,
    /// The partition has ended: nothing will ever follow.
    End,
}

impl Next {
    /// The same with other rows where there are some: for a reader around another one.
    ///
    /// # Errors
    /// That of `change`.
    pub fn with_batch(self, change: impl FnOnce(SourceBatch) -> Result<SourceBatch>) -> Result<Next> {
        Ok(match self {
            Next::Batch(batch) => Next::Batch(change(batch)?),
            Next::Mixed(batch, bad) => Next::Mixed(change(batch)?, bad),
            next => next,
        })
    }
}

/// Rows of one partition that follow each other.
#[derive(Debug)]
pub struct SourceBatch {
    /// The rows; at least the columns of [`Scan::schema`].
    pub rows: RecordBatch,
    /// Where reading goes on after these rows.
    pub offset_after: Offset,
    /// No event time in this partition after these rows is below it, where the source knows that.
    pub bound_after: Option<EventTime>,
}

/// A record that was found and cannot be read, though those around it can.
#[derive(Debug)]
pub struct Unreadable {
    /// The record as it stands there, or as much of it as is worth keeping.
    pub bytes: Vec<u8>,
    /// Where it begins, in the measure of the partition's offsets.
    pub position: u64,
    /// How many rows of its batch come before it.
    pub before: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

impl Unreadable {
    /// What is wrong with it, for a person: place, column, what was found, what was expected.
    pub fn reason(&self) -> String {
        (self.reason.0)(&self.bytes)
    }
}

/// Why a record cannot be read: made of its bytes when somebody asks, since of most bad records nobody does.
pub struct Reason(Box<Words>);

/// What makes the words of the record's bytes.
type Words = dyn Fn(&[u8]) -> String;

impl Reason {
    /// A reason that is made by this of the record's bytes.
    pub fn of(reason: impl Fn(&[u8]) -> String + 'static) -> Reason {
        Reason(Box::new(reason))
    }
}

impl From<String> for Reason {
    fn from(reason: String) -> Reason {
        Reason::of(move |_| reason.clone())
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reason")
    }
}

/// What a graph wants to read.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The columns, as the record names them. Sources read these and no others.
    pub schema: SchemaRef,
    /// The column that holds the event time; empty where the rows are wanted without one, as those of a table are.
    pub event_time: String,
    /// Events before it are not wanted. The engine filters rows; the source may skip whole parts.
    pub from: Option<EventTime>,
    /// Events at or after it are not wanted, likewise.
    pub to: Option<EventTime>,
    /// How many rows a batch should have.
    pub batch_rows: usize,
}

impl Scan {
    /// Whether the scan wants events of this time.
    pub fn wants(&self, time: EventTime) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}

/// The parts of a source.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What is to be read.
    pub partitions: Vec<Partition>,
    /// What the scan's time range leaves out.
    pub pruned: Vec<Partition>,
    /// What a person should know before the run, a sentence each: "file a.parquet has no statistics: scanned `time`".
    pub notes: Vec<String>,
}

/// A part of a source that is read from front to back by one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Its name, the same in every run.
    pub id: PartitionId,
    /// No event time in it is below this, where the source knows. A source whose partitions all know theirs needs no
    /// `disorder`: nothing in it is ever late.
    pub bound: Option<EventTime>,
    /// No event time in it is above this, where the source knows.
    pub upper: Option<EventTime>,
    /// How many rows it has, where known.
    pub rows: Option<u64>,
    /// How many bytes are read for the wanted columns, where known.
    pub bytes: Option<u64>,
    /// Where to start; `None` for its front. The live half of a hybrid source starts at the seam.
    pub start: Option<Offset>,
    /// The largest event time before `start`, where the source knows: the watermark goes on from there.
    pub largest_before: Option<EventTime>,
    /// Of this partition, events before it are not wanted: the seam of a hybrid source that is cut by time.
    pub from: Option<EventTime>,
    /// Of this partition, events at or after it are not wanted, likewise.
    pub to: Option<EventTime>,
    /// Whether it can grow: a followed partition is awaited, a bounded one is read to its end.
    pub followed: bool,
}

impl Partition {
    /// A bounded partition of which nothing is known but its name.
    pub fn new(id: impl Into<String>) -> Partition {
        let id = PartitionId(id.into());
        Partition {
            id,
            bound: None,
            upper: None,
            rows: None,
            bytes: None,
            start: None,
            largest_before: None,
            from: None,
            to: None,
            followed: false,
        }
    }
}

impl Partition {
    /// Whether the scan, and this partition within it, wants events of this time.
    pub fn wants(&self, scan: &Scan, time: EventTime) -> bool {
        scan.wants(time) && self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }

    /// This event time, or the end of what is wanted where that comes before it.
    pub(crate) fn wanted_up_to(&self, time: EventTime, scan: &Scan) -> EventTime {
        [scan.to, self.to].into_iter().flatten().fold(time, EventTime::min)
    }

    /// Whether the scan, and this partition within it, wants events of every time.
    pub fn wants_all(&self, scan: &Scan) -> bool {
        [scan.from, scan.to, self.from, self.to].iter().all(Option::is_none)
    }
}

/// The name of a partition, unique within its source: `bids-0.parquet#3`, `partition 2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId(pub String);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a partition has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// How much came before: rows for Parquet and logs, bytes for text files. It grows with every batch that has rows.
    pub position: u64,
    /// What the source adds to recognise its own data again: a log's chain hash at this offset.
    pub proof: Option<[u8; 32]>,
}

impl Offset {
    /// An offset without a proof.
    pub const fn at(position: u64) -> Offset {
        Offset { position, proof: None }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)
    }
}
