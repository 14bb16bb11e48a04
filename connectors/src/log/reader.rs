//! A reader of a partition: from an offset to its present end, and on as the writer commits.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_select::concat::concat_batches;
use dualgauge_engine::fs::FsFile;
use dualgauge_engine::{Error, EventTime, Next, Offset, PartitionReader, Result, SourceBatch};
use xxhash_rust::xxh3::xxh3_64;

use super::directory::Log;
use super::files::{on, read_exactly, segments};
use super::format::{Chain, ENTRY_LENGTH, Entry, HEADER_LENGTH, chain_start, index_name, segment_name};
use super::index::{End, Place, read_entries, read_header};
use super::message::{Decoder, project};
use super::recovery::bad_checksum;

/// How many bytes of messages are read at once, where there are so many.
const CHUNK_BYTES: u64 = 4 << 20;
/// How many bytes of an index are read at once.
const INDEX_BYTES: usize = 512 * ENTRY_LENGTH as usize;

/// A reader of one partition, which follows what its writer commits.
///
/// Asking when there is nothing new costs one read of the index, and no more. A batch is what was appended together, or
/// several of these where they are small.
#[derive(Debug)]
pub struct LogReader {
    log: Log,
    partition: u32,
    dir: PathBuf,
    decoder: Decoder,
    batch_rows: u64,
    /// Rows from here on are given; those before were read before.
    wanted: u64,
    /// The chain hash that is expected at `wanted`, until it was seen there.
    proof: Option<Chain>,
    /// Where a bounded reader ends.
    until: Option<u64>,
    open: Option<Open>,
    /// After the last batch that was committed and is queued.
    place: Place,
    queue: VecDeque<Entry>,
    /// The messages at the head of the queue, and the position of the first byte.
    chunk: (u64, Buffer),
    end: Option<End>,
}

/// The segment that is read.
#[derive(Debug)]
struct Open {
    index: Box<dyn FsFile>,
    segment: Box<dyn FsFile>,
    segment_path: PathBuf,
    index_path: PathBuf,
    /// After the last commit entry that was read.
    index_position: u64,
}

/// What a reader gives.
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

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

impl LogReader {
    pub(super) fn open(log: &Log, partition: u32, from: Option<&Offset>, options: ReadOptions) -> Result<LogReader> {
        let dir = log.partition_dir(partition)?;
        let columns = options.columns.as_deref().map(|columns| project(log.schema(), columns)).transpose();
        let columns = columns.map_err(|error| error.at(log.dir.display()))?;
        let firsts = segments(&*log.fs, &dir)?;
        let front = Place {
            offset: 0,
            position: log.schema_length(),
            chain: chain_start(&log.identity.id, partition),
            max_time: EventTime::MIN,
        };
        let wanted = from.map_or_else(|| firsts.first().copied().unwrap_or(0), |from| from.position);
        let mut reader = LogReader {
            log: log.clone(),
            partition,
            dir,
            decoder: Decoder::new(log.schema(), columns),
            batch_rows: options.batch_rows as u64,
            wanted,
            proof: from.and_then(|from| from.proof),
            until: None,
            open: None,
            place: Place { offset: wanted, ..front.clone() },
            queue: VecDeque::new(),
            chunk: (0, Buffer::default()),
            end: None,
        };
        if firsts.is_empty() && wanted == 0 {
            reader.place = front;
        } else {
            reader.seek(&firsts)?;
        }
        if options.bounded {
            let committed = match firsts.last() {
                Some(&last) => log.index(partition, &reader.dir, last)?.run.place.offset,
                None => 0,
            };
            reader.until = Some(committed.max(wanted));
        }
        reader.check_proof_at_start()?;
        Ok(reader)
    }

    /// The next offset that will be given, with its proof where the reader stands between two batches.
    pub fn offset(&self) -> Offset {
        let between = self.queue.is_empty() && self.place.offset == self.wanted;
        Offset { position: self.wanted, proof: between.then_some(self.place.chain) }
    }

    /// The largest event time that the partition had at its committed end when the reader last looked.
    pub fn max_event_time(&self) -> Option<EventTime> {
        Some(self.place.max_time).filter(|&time| time != EventTime::MIN)
    }

    /// Opens the segment that holds `wanted`, and skips to it.
    fn seek(&mut self, firsts: &[u64]) -> Result<()> {
        let Some(&first) = firsts.iter().rev().find(|&&first| first <= self.wanted) else {
            return Err(self.gap(firsts));
        };
        if !self.open_segment(first)? {
            return Err(self.gap(&segments(&*self.log.fs, &self.dir)?));
        }
        let reachable = self.read_index()?;
        if self.wanted > reachable {
            let message = format!(
                "partition {}: offset {} is wanted, and the log ends at {reachable}; was the log replaced, or is the offset another log's?",
                self.partition, self.wanted
            );
            return Err(Error::data(message).at(self.log.dir.display()));
        }
        Ok(())
    }

    fn gap(&self, firsts: &[u64]) -> Error {
        let available = match firsts.first() {
            Some(first) => format!("the log starts at {first}: retention has deleted what came before"),
            None => "the log is empty: was it replaced?".to_string(),
        };
        Error::data(format!(
            "{}: partition {}: offset {} is wanted, and {available}",
            self.log.dir.display(),
            self.partition,
            self.wanted
        ))
    }

    /// Goes to the front of a segment; false when it is not there.
    fn open_segment(&mut self, first: u64) -> Result<bool> {
        let (index_path, segment_path) = (self.dir.join(index_name(first)), self.dir.join(segment_name(first)));
        let segment = match self.log.fs.open(&segment_path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            segment => on(&segment_path, segment)?,
        };
        let index = match self.log.fs.open(&index_path) {
            // Tells a segment that was just deleted from one that has lost its index.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if self.log.fs.open(&segment_path).is_err() {
                    return Ok(false);
                }
                self.log.index(self.partition, &self.dir, first)?;
                return Ok(false);
            }
            index => on(&index_path, index)?,
        };
        let mut header = [0; HEADER_LENGTH as usize];
        let read = on(&index_path, index.read_at(0, &mut header))?;
        let header = read_header(&header[..read], first, &self.log.owner(self.partition))
            .map_err(|error| error.at(index_path.display()))?;
        if self.open.is_some() && header.chain != self.place.chain {
            return Err(Error::data(format!(
                "{}: it does not continue the segment before it (another chain hash)",
                segment_path.display()
            )));
        }
        self.place = Place::front(&header, self.log.schema_length());
        self.open = Some(Open { index, segment, segment_path, index_path, index_position: HEADER_LENGTH });
        self.chunk = (0, Buffer::default());
        self.end = None;
        Ok(true)
    }

    /// Queues what was committed since the last look. Returns the offset up to which there are rows, committed or not.
    fn read_index(&mut self) -> Result<u64> {
        let mut size = INDEX_BYTES;
        let mut reachable = self.place.offset;
        while let Some(open) = &mut self.open
            && self.end.is_none()
        {
            let mut bytes = vec![0; size];
            let read = on(&open.index_path, open.index.read_at(open.index_position, &mut bytes))?;
            let run = read_entries(&bytes[..read], open.index_position, self.place.clone())
                .map_err(|error| error.at(open.index_path.display()))?;
            reachable = run.waiting.last().map_or(run.place.offset, Entry::end);
            if let Some(torn) = run.torn {
                return Err(Error::data(format!(
                    "the entry at byte {torn}, after offset {reachable}, is damaged; if the machine lost power, the next writer of the partition mends this"
                ))
                .at(open.index_path.display()));
            }
            let nothing_new = run.index_length == open.index_position;
            open.index_position = run.index_length;
            self.place = run.place;
            self.end = run.end;
            let wanted = self.wanted;
            if let Some(proof) = self.proof {
                if let Some(at) = run.committed.iter().find(|entry| entry.end() == wanted) {
                    if at.chain != proof {
                        return Err(self.other_history());
                    }
                    self.proof = None;
                } else if run.committed.iter().any(|entry| entry.first < wanted && wanted < entry.end()) {
                    return Err(self.other_history());
                }
            }
            self.queue.extend(run.committed.into_iter().filter(|entry| entry.end() > wanted));
            if read < size {
                break;
            }
            if nothing_new {
                size *= 2; // more batches wait for their commit entry than fit
            }
        }
        Ok(reachable)
    }

    fn check_proof_at_start(&mut self) -> Result<()> {
        let Some(proof) = self.proof else { return Ok(()) };
        let start = match &self.open {
            None => Some(self.place.chain),
            Some(open) => {
                let mut header = [0; HEADER_LENGTH as usize];
                on(&open.index_path, read_exactly(&*open.index, 0, &mut header))?;
                let header = super::format::Header::decode(&header)?;
                (header.first == self.wanted).then_some(header.chain)
            }
        };
        match start {
            Some(chain) if chain != proof => Err(self.other_history()),
            Some(_) => {
                self.proof = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn other_history(&self) -> Error {
        Error::data(format!(
            "{}: partition {}: offset {} was read from a log with another history (its chain hash is not found here); was the log deleted and created anew?",
            self.log.dir.display(),
            self.partition,
            self.wanted
        ))
    }

    /// Finds batches to give, or says why there are none.
    fn fill(&mut self) -> Result<Option<Next>> {
        while self.queue.is_empty() {
            if self.until.is_some_and(|until| self.wanted >= until) {
                return Ok(Some(Next::End));
            }
            match self.end {
                Some(End::Sealed) => return Ok(Some(Next::End)),
                Some(End::Rolled) => {
                    if !self.open_segment(self.place.offset)? {
                        return self.absent();
                    }
                }
                None if self.open.is_none() => {
                    if !self.open_segment(self.place.offset)? {
                        return self.absent();
                    }
                }
                None => {}
            }
            self.read_index()?;
            if self.queue.is_empty() && self.end.is_none() {
                return Ok(Some(Next::Pending));
            }
        }
        Ok(None)
    }

    /// The next segment is not there: it will come, unless retention has deleted it while we were away.
    fn absent(&self) -> Result<Option<Next>> {
        match segments(&*self.log.fs, &self.dir)?.last() {
            Some(&last) if last > self.place.offset => Err(self.gap(&segments(&*self.log.fs, &self.dir)?)),
            _ => Ok(Some(Next::Pending)),
        }
    }

    /// The message of the queue's first batch; reads those that follow with it.
    fn message(&mut self) -> Result<Buffer> {
        let open = self.open.as_ref().expect("queued batches lie in an open segment");
        let entry = self.queue.front().expect("a queued batch");
        let (start, bytes) = &self.chunk;
        let held = entry.position >= *start && entry.position + entry.length <= start + bytes.len() as u64;
        if !held {
            let within =
                |other: &&Entry| other.position + other.length <= entry.position + CHUNK_BYTES.max(entry.length);
            let last = self.queue.iter().take_while(within).last().expect("the first batch at least");
            let length = (last.position + last.length - entry.position) as usize;
            let mut buffer = MutableBuffer::from_len_zeroed(length);
            read_exactly(&*open.segment, entry.position, &mut buffer).map_err(|error| {
                Error::data(format!("the batch at offset {} cannot be read", entry.first))
                    .caused_by(error)
                    .at(open.segment_path.display())
            })?;
            self.chunk = (entry.position, buffer.into());
        }
        let (start, bytes) = &self.chunk;
        let message = bytes.slice_with_length((entry.position - start) as usize, entry.length as usize);
        if xxh3_64(&message) != entry.checksum {
            return Err(bad_checksum(entry).at(open.segment_path.display()));
        }
        Ok(message)
    }

    /// The queue's first batch, without the rows before `wanted`.
    fn take(&mut self) -> Result<(RecordBatch, Entry)> {
        let message = self.message()?;
        let entry = self.queue.pop_front().expect("a queued batch");
        let rows = self.decoder.decode(&message).and_then(|rows| {
            let same = rows.num_rows() as u64 == entry.rows;
            same.then_some(rows)
                .ok_or_else(|| Error::data("the message has another number of rows than the index says"))
        });
        let rows = rows.map_err(|error| {
            let open = self.open.as_ref().expect("queued batches lie in an open segment");
            error.at(format!("{}: the batch at offset {}", open.segment_path.display(), entry.first))
        })?;
        let skip = self.wanted.saturating_sub(entry.first) as usize;
        let keep = self.until.map_or(rows.num_rows(), |until| (until.min(entry.end()) - entry.first) as usize);
        self.wanted = entry.first + keep as u64;
        Ok((rows.slice(skip, keep - skip), entry))
    }
}

impl PartitionReader for LogReader {
    fn next(&mut self) -> Result<Next> {
        if let Some(next) = self.fill()? {
            return Ok(next);
        }
        let (first, mut last) = self.take()?;
        let (mut rows, mut count) = (vec![first], 0);
        count += rows[0].num_rows() as u64;
        while let Some(next) = self.queue.front()
            && count + next.rows <= self.batch_rows
            && self.until.is_none_or(|until| self.wanted < until)
        {
            let (more, entry) = self.take()?;
            count += more.num_rows() as u64;
            rows.push(more);
            last = entry;
        }
        let rows = match rows.len() {
            1 => rows.remove(0),
            _ => {
                let schema = rows[0].schema();
                concat_batches(&schema, &rows)
                    .map_err(|error| Error::data("small batches cannot be put together").caused_by(error))?
            }
        };
        let proof = (self.wanted == last.end()).then_some(last.chain);
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset { position: self.wanted, proof }, bound_after: None }))
    }
}
