//! A reader of a partition: from an offset to its present end, and on as the writer commits.

use std::collections::VecDeque;
use std::io::ErrorKind;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_select::concat::concat_batches;
use dualgauge_engine::cut::{BATCH_BYTES, bytes_of};
use dualgauge_engine::{Code, Error, EventTime, Next, Offset, PartitionReader, Result, SourceBatch};
use xxhash_rust::xxh3::xxh3_64;

use super::directory::Log;
use super::files::{on, read_bytes};
use super::follow::{Follower, Look};
use super::format::Entry;
use super::message::{Decoder, project};
use super::recovery::bad_checksum;

/// How many bytes of messages are read at once, if there are that many.
const CHUNK_BYTES: u64 = 4 << 20;

/// A reader of one partition, which follows what its writer commits.
///
/// Asking when there is nothing new costs one read of the index, and no more. A batch is what was appended together, or
/// several such appends if they are small.
#[derive(Debug)]
pub struct LogReader {
    follower: Follower,
    decoder: Decoder,
    batch_rows: u64,
    /// The offset of the next row to be given.
    next: u64,
    /// Where a bounded reader ends.
    until: Option<u64>,
    /// Committed batches that were found and not yet given, all of one segment.
    queue: VecDeque<Entry>,
    /// Messages of that segment, the queue's first among them if any, and the position of the first byte.
    chunk: (u64, Buffer),
}

/// What a reader gives.
///
/// ```
/// use dualgauge_connectors::log::ReadOptions;
///
/// let two_columns = ReadOptions::default().columns(["auction", "price"]).batch_rows(8_192);
/// # let _ = two_columns;
/// ```
#[derive(Clone, Debug)]
pub struct ReadOptions {
    columns: Option<Vec<String>>,
    batch_rows: usize,
    bounded: bool,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions { columns: None, batch_rows: 16_384, bounded: false }
    }
}

impl ReadOptions {
    /// Reads these columns and no others.
    pub fn columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> ReadOptions {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Puts small appended batches together up to this many rows. Larger ones are given as they are.
    pub fn batch_rows(mut self, rows: usize) -> ReadOptions {
        self.batch_rows = rows;
        self
    }

    /// Ends at what is committed now, and does not follow.
    pub fn bounded(mut self, bounded: bool) -> ReadOptions {
        self.bounded = bounded;
        self
    }
}

impl LogReader {
    pub(super) fn open(log: &Log, partition: u32, from: Option<&Offset>, options: ReadOptions) -> Result<LogReader> {
        let columns = options.columns.as_deref().map(|columns| project(log.schema(), columns)).transpose();
        let columns = columns.map_err(|error| error.at(log.dir.display()))?;
        let mut queue = VecDeque::new();
        let follower = Follower::open(log, partition, from, &mut queue)?;
        let next = follower.wanted();
        let until = if options.bounded { Some(follower.committed_end()?.max(next)) } else { None };
        Ok(LogReader {
            follower,
            decoder: Decoder::new(log.schema(), columns),
            batch_rows: options.batch_rows as u64,
            next,
            until,
            queue,
            chunk: (0, Buffer::default()),
        })
    }

    /// The largest event time that the partition had at its committed end when the reader last looked there; `None`
    /// where it is not known.
    pub fn max_event_time(&self) -> Option<EventTime> {
        Some(self.follower.max_time()).filter(|&time| time != EventTime::MIN)
    }

    /// Finds batches to give, or says why there are none.
    fn fill(&mut self) -> Result<Option<Next>> {
        while self.queue.is_empty() {
            if self.is_at_bound() {
                return Ok(Some(Next::End));
            }
            match self.follower.look(&mut self.queue)? {
                Look::Ended => return Ok(Some(Next::End)),
                Look::NextSegment => self.chunk = (0, Buffer::default()),
                Look::Absent => return Ok(Some(Next::Pending)),
                Look::Here if self.queue.is_empty() && !self.follower.has_rolled() => return Ok(Some(Next::Pending)),
                Look::Here => {}
            }
        }
        Ok(None)
    }

    fn is_at_bound(&self) -> bool {
        self.until.is_some_and(|until| self.next >= until)
    }

    /// The queue's first batch, without the rows before `next`.
    fn take(&mut self) -> Result<(RecordBatch, Entry)> {
        let message = self.message()?;
        let entry = self.queue.pop_front().expect("a queued batch");
        let rows = self.decoder.decode(&message).and_then(|rows| {
            let same = rows.num_rows() as u64 == entry.rows;
            same.then_some(rows)
                .ok_or_else(|| Error::data("the message has another number of rows than the index says"))
        });
        let rows = rows.map_err(|error| {
            error.at(format!(
                "{}: the batch at offset {}",
                self.follower.segment().segment.path().display(),
                entry.first
            ))
        })?;
        let skip = self.next.saturating_sub(entry.first) as usize;
        let keep = self.until.map_or(entry.end(), |until| until.min(entry.end())) - entry.first;
        self.next = entry.first + keep;
        Ok((rows.slice(skip, keep as usize - skip), entry))
    }

    /// The message of the queue's first batch; those that follow it are read with it.
    fn message(&mut self) -> Result<Buffer> {
        let open = self.follower.segment();
        let entry = self.queue.front().expect("a queued batch");
        let (start, bytes) = &self.chunk;
        if entry.position < *start || entry.position + entry.length > start + bytes.len() as u64 {
            let limit = entry.position + CHUNK_BYTES.max(entry.length);
            let within = self.queue.iter().take_while(|other| other.position + other.length <= limit);
            let last = within.last().expect("the first batch at least");
            let length = last.position + last.length - entry.position;
            let path = open.segment.path();
            let (segment, _) = match open.segment.file() {
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone(entry).at(path.display())),
                opened => on(path, opened)?,
            };
            let bytes = read_bytes(&**segment, entry.position, length).map_err(|error| {
                let message = format!("the batch at offset {} cannot be read", entry.first);
                Error::data(message).caused_by(error).at(path.display())
            })?;
            self.chunk = (entry.position, bytes);
        }
        let (start, bytes) = &self.chunk;
        let message = bytes.slice_with_length((entry.position - start) as usize, entry.length as usize);
        if xxh3_64(&message) != entry.checksum {
            return Err(bad_checksum(entry).at(open.segment.path().display()));
        }
        Ok(message)
    }
}

/// A segment went while its batches were being read, which is noticed if it was closed meanwhile.
fn gone(entry: &Entry) -> Error {
    Code::SourceGap.error(format!(
        "the segment is gone before the batch at offset {} was read; likely mistake: retention deletes what is \
         not read yet, or the log was moved or removed",
        entry.first
    ))
}

impl PartitionReader for LogReader {
    fn next(&mut self) -> Result<Next> {
        if let Some(next) = self.fill()? {
            return Ok(next);
        }
        let (first, mut last) = self.take()?;
        let (mut count, mut bytes) = (first.num_rows() as u64, bytes_of(&first));
        let mut parts = vec![first];
        while let Some(next) = self.queue.front()
            && count + next.rows <= self.batch_rows
            && bytes <= BATCH_BYTES
            && !self.is_at_bound()
        {
            let (more, entry) = self.take()?;
            count += more.num_rows() as u64;
            bytes += bytes_of(&more);
            parts.push(more);
            last = entry;
        }
        let rows = if parts.len() == 1 {
            parts.remove(0)
        } else {
            concat_batches(parts[0].schema_ref(), &parts)
                .map_err(|error| Error::data("small batches cannot be put together").caused_by(error))?
        };
        let proof = (self.next == last.end()).then_some(last.chain);
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset { position: self.next, proof }, bound_after: None }))
    }
}

#[cfg(test)]
impl LogReader {
    /// Closes its files, as the pool of handles does when it is full, and forgets the bytes that were read ahead.
    pub(super) fn shut(&mut self) {
        self.follower.segment().shut();
        self.chunk = (0, Buffer::default());
    }
}
