//! The one writer of a partition.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use dualgauge_engine::cut::fitting;
use dualgauge_engine::fs::FsLock;
use dualgauge_engine::{Duration, Error, EventTime, Offset, Record, Result};
use xxhash_rust::xxh3::Xxh3;

use super::directory::Log;
use super::files::on;
use super::format::{Chain, ENTRY_LENGTH, Entry, Kind};
use super::index::{End, Place};
use super::message::{Encoder, max_time};
use super::recovery::{self, Recovery};
use super::segment::{Active, Failure, header_at, mark, start_segment};

/// The one writer of a partition.
///
/// - **Durable on acknowledgement.** What [`LogWriter::append`] took is durable, and visible to readers, once
///   [`LogWriter::commit`] has returned; several appends share the syncs of one commit.
/// - **All or nothing.** When a commit fails, readers see none of it. After a full disk the commit can be retried with
///   the same rows; after a failed sync the writer has ended, because nobody can know what the disk holds: open a new
///   one.
#[derive(Debug)]
pub struct LogWriter {
    log: Log,
    partition: u32,
    dir: PathBuf,
    options: WriteOptions,
    recovery: Recovery,
    encoder: Encoder,
    active: Option<Active>,
    /// After the last committed batch.
    place: Place,
    sealed: bool,
    staged: Vec<Staged>,
    /// Why the writer takes no more, once a sync failed.
    ended: Option<String>,
    _lock: FsLock,
}

/// How a writer treats its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether a commit waits for the disk. Switch it off only in benches and tests: a power loss then takes rows that
    /// readers have seen, and the log may need a repair.
    pub durable: bool,
    /// A segment that has this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// A segment that is this old is followed by a new one.
    pub segment_age: Duration,
}

impl Default for WriteOptions {
    fn default() -> WriteOptions {
        WriteOptions { durable: true, segment_bytes: 128 << 20, segment_age: Duration::from_micros(86_400_000_000) }
    }
}

/// A batch that was appended and not yet committed.
#[derive(Debug)]
struct Staged {
    message: Vec<Buffer>,
    entry: Entry,
}

impl LogWriter {
    pub(super) fn open(log: &Log, partition: u32, options: WriteOptions) -> Result<LogWriter> {
        let dir = log.own_partition_dir(partition)?;
        let lock_path = dir.join("writer.lock");
        let Some(lock) = on(&lock_path, log.fs.lock(&lock_path))? else {
            let message = format!(
                "{}: partition {partition} has a writer already (it holds writer.lock); a partition has one writer at a time",
                log.dir.display()
            );
            return Err(Error::environment(message));
        };
        let recovered = recovery::recover(log, partition, &dir)?;
        Ok(LogWriter {
            log: log.clone(),
            partition,
            dir,
            options,
            recovery: recovered.report,
            encoder: Encoder::new(log.schema()),
            active: recovered.active,
            place: recovered.place,
            sealed: recovered.sealed,
            staged: Vec::new(),
            ended: None,
            _lock: lock,
        })
    }

    /// What the last writer had left unfinished, and what became of it.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Takes rows; they are neither durable nor visible before [`LogWriter::commit`]. An empty batch is ignored.
    ///
    /// # Errors
    /// Another schema (the error names the column), a sealed partition, or a writer that has ended. Nothing was taken.
    pub fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        self.append_tagged(batch, 0)
    }

    /// Takes records; as [`LogWriter::append`] of them as one batch, or as several where they are large.
    ///
    /// # Errors
    /// As [`LogWriter::append`], and a row of more than 2 GiB; rows before it may then have been taken.
    pub fn append_rows<D: Record>(&mut self, rows: &[D]) -> Result<()> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (rows, after) = rest.split_at(fitting(rest.iter())?);
            self.append(&D::encode(rows.iter()))?;
            rest = after;
        }
        Ok(())
    }

    /// Makes durable and visible what was appended since the last commit. Returns the offset after it.
    ///
    /// # Errors
    /// A disk that is full or broken. Nothing of this commit is visible; unless a sync failed, the rows are kept, and
    /// another call retries.
    pub fn commit(&mut self) -> Result<Offset> {
        self.check_alive()?;
        if !self.staged.is_empty() {
            self.roll_if_due()?;
            self.write(None)?;
        }
        Ok(self.offset())
    }

    /// Commits, and ends the partition: a follower that gets here has reached the end. Sealing twice is allowed.
    ///
    /// # Errors
    /// As [`LogWriter::commit`].
    pub fn seal(&mut self) -> Result<Offset> {
        self.commit()?;
        if !self.sealed {
            self.write(Some(End::Sealed))?;
            self.sealed = true;
        }
        Ok(self.offset())
    }

    /// Forgets what was appended since the last commit.
    pub fn discard(&mut self) {
        self.staged.clear();
    }

    /// The offset after the last committed row, with its proof.
    pub fn offset(&self) -> Offset {
        Offset { position: self.place.offset, proof: Some(self.place.chain) }
    }

    /// Whether the partition has ended.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The largest event time of the partition, where the log has an event-time column and rows.
    pub fn max_event_time(&self) -> Option<EventTime> {
        Some(self.place.max_time).filter(|&time| time != EventTime::MIN)
    }

    /// The partition that is written.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    pub(super) fn append_tagged(&mut self, batch: &RecordBatch, tag: u64) -> Result<()> {
        let place = format!("{}: partition {}", self.log.dir.display(), self.partition);
        self.check_alive()?;
        if self.sealed {
            return Err(Error::usage(format!(
                "{place}: it is sealed at offset {}; nothing follows",
                self.place.offset
            )));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let message = self.encoder.encode(batch).map_err(|error| error.at(&place))?;
        let (offset, chain, max_so_far) = match self.staged.last() {
            Some(last) => (last.entry.end(), last.entry.chain, last.entry.max_time),
            None => (self.place.offset, self.place.chain, self.place.max_time),
        };
        let (length, checksum, chain) = digest(&message, &chain);
        let here = self.log.identity.event_time.and_then(|column| max_time(batch.column(column)));
        let entry = Entry {
            kind: Kind::Batch,
            first: offset,
            rows: batch.num_rows() as u64,
            position: 0, // known when it is written
            length,
            checksum,
            chain,
            appended: EventTime::default(), // likewise
            max_time: here.map_or(max_so_far, |time| time.max(max_so_far)),
            tag,
        };
        self.staged.push(Staged { message, entry });
        Ok(())
    }

    fn check_alive(&self) -> Result<()> {
        match &self.ended {
            Some(why) => Err(Error::environment(format!(
                "{}: partition {}: the writer has ended, because a sync failed ({why}); open another one to see what the disk holds",
                self.log.dir.display(),
                self.partition
            ))),
            None => Ok(()),
        }
    }

    /// Writes what is staged, and then the end, if there is one. Undoes it all when a step fails.
    fn write(&mut self, end: Option<End>) -> Result<()> {
        if self.active.is_none() {
            self.active = Some(self.start_segment(&self.place).or_else(|failure| self.fail(failure))?);
        }
        match self.try_write(end) {
            Ok(place) => {
                self.place = place;
                self.staged.clear();
                Ok(())
            }
            Err(failure) => {
                let active = self.active.as_mut().expect("the segment that was written to");
                // After a failed sync too: the next writer must not trust what the page cache still shows and the disk
                // may not have.
                let undone = (active.segment.truncate(self.place.position))
                    .and_then(|()| active.index.truncate(active.index_length));
                match (failure, undone) {
                    (Failure::Step(error), Err(undo)) => {
                        let undo = Error::io(active.index_path.display(), undo);
                        self.fail(Failure::Sync(Error::environment(format!(
                            "{error}, and it cannot be undone: {undo}"
                        ))))
                    }
                    (failure, _) => self.fail(failure),
                }
            }
        }
    }

    fn fail<T>(&mut self, failure: Failure) -> Result<T> {
        match failure {
            Failure::Step(error) => Err(error),
            Failure::Sync(error) => {
                self.ended = Some(error.to_string());
                Err(error)
            }
        }
    }

    fn try_write(&mut self, end: Option<End>) -> Result<Place, Failure> {
        let now = self.log.clock.0.now();
        let active = self.active.as_mut().expect("a segment to write to");
        let mut place = self.place.clone();
        let (mut messages, mut entries) = (Vec::new(), Vec::new());
        for Staged { message, entry } in &self.staged {
            let entry = Entry { position: place.position, appended: now, ..entry.clone() };
            message.iter().for_each(|buffer| messages.extend_from_slice(buffer));
            entries.extend_from_slice(&entry.encode());
            place = Place {
                offset: entry.end(),
                position: entry.position + entry.length,
                chain: entry.chain,
                max_time: entry.max_time,
            };
        }
        if let Some(end) = end {
            let kind = if end == End::Sealed { Kind::Seal } else { Kind::Roll };
            entries.extend_from_slice(&mark(kind, &place, now).encode());
        }
        let step = |path: &Path, result| on(path, result).map_err(Failure::Step);
        let sync = |path: &Path, result| on(path, result).map_err(|error| Failure::Sync(error.for_good()));
        if !messages.is_empty() {
            step(&active.segment_path, active.segment.append(&messages))?;
        }
        step(&active.index_path, active.index.append(&entries))?;
        if self.options.durable {
            if !messages.is_empty() {
                sync(&active.segment_path, active.segment.sync())?;
            }
            sync(&active.index_path, active.index.sync())?;
        }
        // Readers go by this entry. It needs no sync: if the power takes it, the next writer writes it again.
        step(&active.index_path, active.index.append(&mark(Kind::Commit, &place, now).encode()))?;
        active.index_length += entries.len() as u64 + ENTRY_LENGTH;
        Ok(place)
    }

    fn roll_if_due(&mut self) -> Result<()> {
        let Some(active) = &self.active else { return Ok(()) };
        let age = self.log.clock.0.now() - active.born;
        let empty = self.place.position == self.log.schema_length();
        if empty || (self.place.position < self.options.segment_bytes && age < self.options.segment_age) {
            return Ok(());
        }
        // The old index is made durable whole, then the new segment exists, and only then does the old one point to it.
        self.sync_index()?;
        let front = Place { position: self.log.schema_length(), ..self.place.clone() };
        let next = self.start_segment(&self.place).or_else(|failure| self.fail(failure))?;
        let staged = std::mem::take(&mut self.staged);
        let rolled = self.write(Some(End::Rolled));
        self.staged = staged;
        rolled?;
        self.sync_index()?;
        (self.active, self.place) = (Some(next), front);
        Ok(())
    }

    fn sync_index(&mut self) -> Result<()> {
        match &mut self.active {
            Some(active) if self.options.durable => {
                let synced = on(&active.index_path, active.index.sync());
                synced.or_else(|error| self.fail(Failure::Sync(error)))
            }
            _ => Ok(()),
        }
    }

    fn start_segment(&self, place: &Place) -> Result<Active, Failure> {
        start_segment(&self.log, &self.dir, &header_at(&self.log, self.partition, place), self.options.durable)
    }
}

impl Drop for LogWriter {
    /// The last commit entry reaches the disk, so that a reader need not wait for a writer after a power loss. Nothing
    /// that was acknowledged depends on it.
    fn drop(&mut self) {
        let _ = self.sync_index();
    }
}

/// Length, checksum and chain hash of a message.
fn digest(message: &[Buffer], chain: &Chain) -> (u64, u64, Chain) {
    let (mut checksum, mut hasher) = (Xxh3::new(), blake3::Hasher::new());
    hasher.update(chain);
    for buffer in message {
        checksum.update(buffer);
        hasher.update(buffer);
    }
    let length = message.iter().map(|buffer| buffer.len() as u64).sum();
    (length, checksum.digest(), *hasher.finalize().as_bytes())
}
