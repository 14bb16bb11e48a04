//! Rebuilding an index from its segment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_buffer::Buffer;
use dualgauge_engine::fs::{Fs, RealFs};
use dualgauge_engine::{Error, EventTime, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::directory::Log;
use super::files::{on, segments};
use super::format::{Entry, HEADER_LENGTH, Header, Kind, chain_after, chain_start, index_name, segment_name};
use super::index::{Index, Place};
use super::message::{Decoder, max_time};
use super::segment::{header_at, mark};

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// The indexes that were rebuilt. Their segments are marked as unverified: nothing proves any longer that their
    /// rows are those that were appended. A seal is not restored, nor which commits of a sink the segment holds.
    pub rebuilt: Vec<PathBuf>,
    /// Segments whose last bytes are no whole batch, and how many; the next writer cuts them off.
    pub torn: Vec<(PathBuf, u64)>,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rebuilt.is_empty() {
            return f.write_str("every segment has its index; nothing was changed");
        }
        for (at, path) in self.rebuilt.iter().enumerate() {
            let end = if at + 1 < self.rebuilt.len() + self.torn.len() { "\n" } else { "" };
            write!(f, "{}: rebuilt; its segment is unverified from now on{end}", path.display())?;
        }
        for (at, (path, bytes)) in self.torn.iter().enumerate() {
            let end = if at + 1 < self.torn.len() { "\n" } else { "" };
            write!(
                f,
                "{}: its last {bytes} bytes are no whole batch; the next writer cuts them off{end}",
                path.display()
            )?;
        }
        Ok(())
    }
}

/// Rebuilds the missing and the damaged indexes of the log in `dir`, and marks their segments as unverified.
///
/// # Errors
/// A partition that is being written, a segment whose bytes do not lead to the one that follows it, or the first
/// segment of a partition that retention has shortened: nobody knows its chain hash.
pub fn repair(dir: impl AsRef<Path>) -> Result<Repair> {
    repair_on(Arc::new(RealFs), dir)
}

/// As [`repair`], on a file system of the caller's.
///
/// # Errors
/// As [`repair`].
pub fn repair_on(fs: Arc<dyn Fs>, dir: impl AsRef<Path>) -> Result<Repair> {
    let log = Log::open_on(fs, dir)?;
    let mut report = Repair::default();
    for partition in 0..log.partitions() {
        repair_partition(&log, partition, &mut report)?;
    }
    Ok(report)
}

fn repair_partition(log: &Log, partition: u32, report: &mut Repair) -> Result<()> {
    let dir = log.own_partition_dir(partition)?;
    let lock_path = dir.join("writer.lock");
    let Some(_lock) = on(&lock_path, log.fs.lock(&lock_path))? else {
        return Err(Error::environment(format!("{}: partition {partition} is being written", log.dir.display())));
    };
    let chain = chain_start(&log.identity.id, partition);
    let mut place = Place { offset: 0, position: 0, chain, max_time: EventTime::MIN };
    let firsts = segments(&*log.fs, &dir)?;
    for (number, &first) in firsts.iter().enumerate() {
        let next = firsts.get(number + 1).copied();
        place = match log.index(partition, &dir, first) {
            Ok(Index { run, .. }) => run.place,
            Err(_) if place.offset == first => rebuild(log, partition, &dir, &place, next, report)?,
            Err(error) => {
                let message = format!(
                    "partition {partition}: the segment at offset {first} has lost its index, and the segment before it, from which its chain hash follows, is gone; to give its rows up, remove {}",
                    segment_name(first)
                );
                return Err(Error::data(message).caused_by(error).at(log.dir.display()));
            }
        };
    }
    Ok(())
}

fn rebuild(
    log: &Log,
    partition: u32,
    dir: &Path,
    front: &Place,
    next: Option<u64>,
    report: &mut Repair,
) -> Result<Place> {
    let (segment_path, index_path) = (dir.join(segment_name(front.offset)), dir.join(index_name(front.offset)));
    let bytes = on(&segment_path, log.fs.read(&segment_path))?;
    if !bytes.starts_with(&log.schema_message) {
        let message = format!("{}: it does not begin with the log's schema", segment_path.display());
        return Err(Error::data(message));
    }
    let bytes = Buffer::from_vec(bytes);
    let decoder = Decoder::new(log.schema(), None);
    let mut index = Header { unverified: true, ..header_at(log, partition, front) }.encode().to_vec();
    let mut place = Place { position: log.schema_length(), ..front.clone() };
    let now = log.clock.0.now();
    while let Some(message) = whole_message(&bytes, place.position as usize) {
        let Ok(rows) = decoder.decode(&message) else { break };
        let here = log.identity.event_time.and_then(|column| max_time(rows.column(column)));
        let entry = Entry {
            kind: Kind::Batch,
            first: place.offset,
            rows: rows.num_rows() as u64,
            position: place.position,
            length: message.len() as u64,
            checksum: xxh3_64(&message),
            chain: chain_after(&place.chain, &message),
            appended: now,
            max_time: here.map_or(place.max_time, |time| time.max(place.max_time)),
            tag: 0,
        };
        index.extend_from_slice(&entry.encode());
        place = Place {
            offset: entry.end(),
            position: place.position + entry.length,
            chain: entry.chain,
            max_time: entry.max_time,
        };
    }
    let torn = bytes.len() as u64 - place.position;
    match next {
        Some(next) => {
            let leads = place.offset == next
                && torn == 0
                && follows(log, dir, next).is_none_or(|header| header.chain == place.chain);
            if !leads {
                return Err(Error::data(format!(
                    "{}: its bytes are damaged after offset {}: they do not lead to the segment that follows",
                    segment_path.display(),
                    place.offset
                )));
            }
            index.extend_from_slice(&mark(Kind::Roll, &place, now).encode());
        }
        None if torn > 0 => report.torn.push((segment_path, torn)),
        None => {}
    }
    if index.len() as u64 > HEADER_LENGTH {
        index.extend_from_slice(&mark(Kind::Commit, &place, now).encode());
    }
    replace(log, dir, &index_path, &index)?;
    report.rebuilt.push(index_path);
    Ok(place)
}

/// The header of the segment that follows, where that can be read.
fn follows(log: &Log, dir: &Path, next: u64) -> Option<Header> {
    Header::decode(&log.fs.read(&dir.join(index_name(next))).ok()?).ok()
}

/// The message at a position, if all its bytes are there.
fn whole_message(bytes: &Buffer, position: usize) -> Option<Buffer> {
    let rest = &bytes[position..];
    let prefix = rest.first_chunk::<8>()?;
    if prefix[..4] != [0xff; 4] {
        return None;
    }
    let metadata = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize;
    let message = arrow_ipc::root_as_message(rest.get(8..8 + metadata)?).ok()?;
    message.header_as_record_batch()?;
    let length = (8 + metadata).checked_add(usize::try_from(message.bodyLength()).ok()?)?;
    (length <= rest.len()).then(|| bytes.slice_with_length(position, length))
}

/// Puts a whole new index in the place of what is there.
fn replace(log: &Log, dir: &Path, path: &Path, content: &[u8]) -> Result<()> {
    let aside = path.with_extension("index.new");
    match log.fs.remove(&aside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        removed => on(&aside, removed)?,
    }
    let mut file = on(&aside, log.fs.create(&aside))?;
    on(&aside, file.append(content))?;
    on(&aside, file.sync())?;
    on(path, log.fs.rename(&aside, path))?;
    on(dir, log.fs.sync_names(dir)).map(drop)
}
