//! Looking at a log: what it holds, and whether all of it is sound.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, RealFs};
use dualgauge_engine::{Error, EventTime, Result};

use super::directory::Log;
use super::files::{on, segments};
use super::format::{chain_after, segment_name};
use super::index::End;
use super::message::Decoder;
use super::recovery::read_message;

/// What a log holds, by its indexes; `Display` prints a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Where the log is.
    pub place: String,
    /// The columns, as `name: type`.
    pub columns: Vec<String>,
    /// One per partition.
    pub partitions: Vec<PartitionInspection>,
}

/// What a partition holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionInspection {
    /// How many segments.
    pub segments: usize,
    /// The first offset that is there.
    pub first: u64,
    /// The offset after the last committed row.
    pub end: u64,
    /// The bytes of all segments.
    pub bytes: u64,
    /// The largest event time so far, where the log has an event-time column.
    pub max_event_time: Option<EventTime>,
    /// When the last batch was appended.
    pub last_append: Option<EventTime>,
    /// Whether the partition has ended.
    pub sealed: bool,
    /// How many segments have an index that a repair has rebuilt.
    pub unverified: usize,
}

/// Reads the indexes of the log in `dir`.
///
/// # Errors
/// No log there, or a missing or damaged index.
pub fn inspect(dir: impl AsRef<Path>) -> Result<Inspection> {
    Log::open(dir)?.inspect()
}

/// Reads every batch of the log in `dir`, and checks it against its checksum, its chain hash and its number of rows.
///
/// # Errors
/// No log there. What is wrong inside one is in the answer, not an error: the other partitions are looked at too.
pub fn verify(dir: impl AsRef<Path>) -> Result<Verification> {
    verify_on(Arc::new(RealFs), dir)
}

/// As [`verify`], on a file system of the caller's.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(fs: Arc<dyn Fs>, dir: impl AsRef<Path>) -> Result<Verification> {
    let log = Log::open_on(fs, dir)?;
    let mut found = Verification::default();
    for partition in 0..log.partitions() {
        if let Err(error) = verify_partition(&log, partition, &mut found) {
            found.damage.push(error.to_string());
        }
    }
    Ok(found)
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Batches that are sound.
    pub batches: u64,
    /// Their rows.
    pub rows: u64,
    /// Segments whose index a repair has rebuilt: they have not changed since then.
    pub unverified: u64,
    /// What is at the ends and not committed: torn tails, or a writer at work. No row that was acknowledged.
    pub unfinished: Vec<String>,
    /// What is damaged: the first damage of each partition.
    pub damage: Vec<String>,
}

impl Verification {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

impl Log {
    /// What the log holds, by its indexes.
    ///
    /// # Errors
    /// A missing or damaged index.
    pub fn inspect(&self) -> Result<Inspection> {
        let fields = self.schema().fields().iter();
        let columns = fields.map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
        let partitions = (0..self.partitions()).map(|partition| self.inspect_partition(partition));
        let partitions = partitions.collect::<Result<_>>()?;
        Ok(Inspection { place: self.dir.display().to_string(), columns, partitions })
    }

    fn inspect_partition(&self, partition: u32) -> Result<PartitionInspection> {
        let dir = self.partition_dir(partition)?;
        let firsts = segments(&*self.fs, &dir)?;
        let first = firsts.first().copied().unwrap_or(0);
        let mut seen = PartitionInspection { segments: firsts.len(), first, ..PartitionInspection::default() };
        for &first in &firsts {
            let path = dir.join(segment_name(first));
            seen.bytes += on(&path, self.fs.open(&path).and_then(|file| file.length()))?;
            let index = self.index(partition, &dir, first)?;
            seen.unverified += usize::from(index.header.unverified);
            seen.end = index.run.place.offset;
            seen.max_event_time = Some(index.run.place.max_time).filter(|&time| time != EventTime::MIN);
            seen.last_append = index.run.committed.last().map(|entry| entry.appended).or(seen.last_append);
            seen.sealed |= index.run.end == Some(End::Sealed);
        }
        Ok(seen)
    }
}

fn verify_partition(log: &Log, partition: u32, found: &mut Verification) -> Result<()> {
    let dir = log.partition_dir(partition)?;
    let decoder = Decoder::new(log.schema(), None);
    let firsts = segments(&*log.fs, &dir)?;
    let mut before = None;
    for (number, &first) in firsts.iter().enumerate() {
        let path = dir.join(segment_name(first));
        let index = log.index(partition, &dir, first)?;
        let mut chain = index.header.chain;
        let gap = before.is_some_and(|(offset, chain)| (offset, chain) != (first, index.header.chain));
        let broken = first == 0 && chain != super::format::chain_start(&log.identity.id, partition);
        if gap || broken {
            return Err(Error::data(format!("{}: it does not continue what is before it", path.display())));
        }
        found.unverified += u64::from(index.header.unverified);
        let segment = on(&path, log.fs.open(&path))?;
        let mut head = vec![0; log.schema_message.len()];
        let read = on(&path, segment.read_at(0, &mut head))?;
        if head[..read] != log.schema_message[..] {
            return Err(Error::data(format!("{}: it does not begin with the log's schema", path.display())));
        }
        for entry in &index.run.committed {
            let sound = read_message(&*segment, entry).and_then(|message| {
                chain = chain_after(&chain, &message);
                let rows = decoder.decode(&message)?.num_rows() as u64;
                let same = chain == entry.chain && rows == entry.rows;
                same.then_some(()).ok_or_else(|| {
                    let message = format!("the batch at offset {} is not what its index says", entry.first);
                    Error::data(message)
                })
            });
            sound.map_err(|error| error.at(path.display()))?;
            found.batches += 1;
            found.rows += entry.rows;
        }
        let (length, last) = (on(&path, segment.length())?, number + 1 == firsts.len());
        let (segment_rest, index_rest) =
            (length.saturating_sub(index.run.place.position), index.length - index.run.index_length);
        if segment_rest + index_rest > 0 {
            found.unfinished.push(format!(
                "{}: {segment_rest} bytes after offset {} are not committed ({index_rest} in the index)",
                path.display(),
                index.run.place.offset
            ));
        }
        if !last && index.run.end != Some(End::Rolled) && index.run.waiting_end != Some(End::Rolled) {
            found.unfinished.push(format!("{}: it does not say yet that a segment follows", path.display()));
        }
        before = Some((index.run.place.offset, chain));
    }
    Ok(())
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "log {}", self.place)?;
        writeln!(f, "columns  {}", self.columns.join(", "))?;
        let head = ["partition", "segments", "offsets", "rows", "bytes", "event times up to", "last append", "state"];
        let mut table = vec![head.map(String::from)];
        for (number, partition) in self.partitions.iter().enumerate() {
            let time = |time: Option<EventTime>| time.map_or("-".to_string(), |time| time.to_string());
            let state = match (partition.sealed, partition.unverified) {
                (false, 0) => "open".to_string(),
                (true, 0) => "sealed".to_string(),
                (false, unverified) => format!("open, {unverified} unverified"),
                (true, unverified) => format!("sealed, {unverified} unverified"),
            };
            table.push([
                number.to_string(),
                partition.segments.to_string(),
                format!("{}..{}", partition.first, partition.end),
                (partition.end - partition.first).to_string(),
                partition.bytes.to_string(),
                time(partition.max_event_time),
                time(partition.last_append),
                state,
            ]);
        }
        let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: [usize; 8] = std::array::from_fn(width);
        for (number, row) in table.iter().enumerate() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            write!(f, "{}{}", line.trim_end(), if number + 1 < table.len() { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_sound() { "sound" } else { "DAMAGED" };
        write!(f, "{verdict}: {} batches with {} rows are as they were appended", self.batches, self.rows)?;
        if self.unverified > 0 {
            write!(f, "\n{} segments were repaired, and are as they were then", self.unverified)?;
        }
        self.unfinished.iter().chain(&self.damage).try_for_each(|line| write!(f, "\n{line}"))
    }
}
