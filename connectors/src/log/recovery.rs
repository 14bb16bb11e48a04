//! What a new writer makes of what the last one left: nothing acknowledged is lost, and what is cut is reported.

use std::fmt;
use std::path::Path;

use arrow_buffer::Buffer;
use dualgauge_engine::fs::FsFile;
use dualgauge_engine::{Error, EventTime, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::directory::Log;
use super::files::{on, read_bytes, segments};
use super::format::{ENTRY_LENGTH, Entry, HEADER_LENGTH, Kind, chain_start, index_name, segment_name};
use super::index::{End, Place};
use super::segment::{Active, header_at, mark, restart_segment};

/// What the last writer of a partition had left unfinished.
///
/// All zero after an orderly end. Rows are *completed* when they had reached the disk whole, although they were not
/// acknowledged; bytes are *cut* when they had not reached it. Neither had been acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Rows that were found whole and are committed now.
    pub completed_rows: u64,
    /// Bytes of a torn tail that were cut off the segment.
    pub cut_segment_bytes: u64,
    /// Bytes of a torn tail that were cut off the index.
    pub cut_index_bytes: u64,
    /// The offset at which writing goes on.
    pub offset: u64,
}

impl Recovery {
    /// Whether the last writer had left nothing unfinished.
    pub fn is_clean(&self) -> bool {
        self.completed_rows == 0 && self.cut_segment_bytes == 0 && self.cut_index_bytes == 0
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "nothing was left unfinished; goes on at offset {}", self.offset);
        }
        write!(
            f,
            "a torn tail was cut off ({} bytes of the segment, {} of the index) and {} whole rows were completed; \
             nothing acknowledged is lost; goes on at offset {}",
            self.cut_segment_bytes, self.cut_index_bytes, self.completed_rows, self.offset
        )
    }
}

/// Where a new writer stands.
pub(super) struct Recovered {
    pub active: Option<Active>,
    pub place: Place,
    pub sealed: bool,
    pub report: Recovery,
}

/// Repairs the end of a partition whose lock is held.
pub(super) fn recover(log: &Log, partition: u32, dir: &Path) -> Result<Recovered> {
    let mut report = Recovery::default();
    let front = Place {
        offset: 0,
        position: log.schema_length(),
        chain: chain_start(&log.identity.id, partition),
        max_time: EventTime::MIN,
    };
    let mut firsts = segments(&*log.fs, dir)?;
    let empty = firsts.pop_if(|&mut first| has_no_rows(log, dir, first));
    // The last segment but one: only its pointer to the last may be missing.
    if let [.., before, _] = *firsts {
        mend(log, partition, dir, before, true, &mut report)?;
    }
    let (active, place, end) = match firsts.last() {
        None => (None, empty.is_none().then_some(front.clone()), None),
        Some(&last) => {
            let mended = mend(log, partition, dir, last, empty.is_some(), &mut report)?;
            (Some(mended.active), Some(mended.place), mended.end)
        }
    };
    let (active, place) = match (empty, place, end) {
        (_, Some(place), Some(End::Sealed)) => (None, place),
        (Some(first), None, _) if first > 0 => {
            // Retention left nothing but a segment that has no rows yet; its header knows the place.
            let index = log.index(partition, dir, first)?;
            (Some(restart_segment(log, dir, &index.header)?), index.run.place)
        }
        (Some(first), place, _) => {
            let place = Place { position: log.schema_length(), ..place.unwrap_or(front) };
            if first != place.offset {
                let (path, offset) = (dir.join(segment_name(first)), place.offset);
                return Err(Error::data(format!(
                    "{}: it does not follow the segment before it, which ends at offset {offset}",
                    path.display()
                )));
            }
            (Some(restart_segment(log, dir, &header_at(log, partition, &place))?), place)
        }
        (None, Some(place), Some(End::Rolled)) => (None, Place { position: log.schema_length(), ..place }),
        (None, Some(place), None) => (active, place),
        (None, None, _) => unreachable!("without any segment there is the front"),
    };
    report.offset = place.offset;
    Ok(Recovered { active, place, sealed: end == Some(End::Sealed), report })
}

/// Whether a segment was started and nothing was written to it.
fn has_no_rows(log: &Log, dir: &Path, first: u64) -> bool {
    let length = |name: String| log.fs.open(&dir.join(name)).and_then(|file| file.length()).unwrap_or(0);
    length(segment_name(first)) <= log.schema_length() && length(index_name(first)) <= HEADER_LENGTH
}

struct Mended {
    active: Active,
    place: Place,
    end: Option<End>,
}

/// Completes what is whole and cuts what is not; `rolled` says that a segment follows.
fn mend(log: &Log, partition: u32, dir: &Path, first: u64, rolled: bool, report: &mut Recovery) -> Result<Mended> {
    let (segment_path, index_path) = (dir.join(segment_name(first)), dir.join(index_name(first)));
    let index = log.index(partition, dir, first)?;
    let mut segment = on(&segment_path, log.fs.append(&segment_path))?;
    let length = on(&segment_path, segment.length())?;
    let (run, index_file_length) = (index.run, index.length);
    let mut place = run.place.clone();
    if length < place.position {
        return Err(Error::data(format!(
            "{}: it has {length} bytes, and the index has committed {} (up to offset {}): its end is missing",
            segment_path.display(),
            place.position,
            place.offset
        )));
    }
    if let Some(last) = run.committed.last() {
        read_message(&*segment, last).map_err(|error| error.at(segment_path.display()))?;
    }
    let mut entries = 0;
    for entry in &run.waiting {
        if read_message(&*segment, entry).is_err() {
            break;
        }
        entries += 1;
        report.completed_rows += entry.rows;
        place = Place {
            offset: entry.end(),
            position: entry.position + entry.length,
            chain: entry.chain,
            max_time: entry.max_time,
        };
    }
    let all_whole = entries == run.waiting.len() as u64;
    let waiting_end = run.waiting_end.filter(|_| all_whole);
    let mut end = run.end.or(waiting_end);
    let index_length = run.index_length + (entries + u64::from(waiting_end.is_some())) * ENTRY_LENGTH;

    if length > place.position {
        report.cut_segment_bytes += length - place.position;
        on(&segment_path, segment.truncate(place.position))?;
    }
    let mut file = on(&index_path, log.fs.append(&index_path))?;
    report.cut_index_bytes += index_file_length - index_length;
    let mut marks = Vec::new();
    let now = log.clock.0.now();
    if rolled && end.is_none() {
        marks.extend_from_slice(&mark(Kind::Roll, &place, now).encode());
        end = Some(End::Rolled);
    }
    // The last commit entry is written anew in any case: a failed sync of the last writer may have left it readable but
    // not durable.
    let has_commit = index_length == run.index_length && index_length > HEADER_LENGTH && marks.is_empty();
    let keep = if has_commit { index_length - ENTRY_LENGTH } else { index_length };
    on(&index_path, file.truncate(keep))?;
    on(&index_path, file.append(&marks))?;
    on(&segment_path, segment.sync())?;
    on(&index_path, file.sync())?;
    let keep = keep + marks.len() as u64;
    let index_length = if keep > HEADER_LENGTH { keep + ENTRY_LENGTH } else { keep };
    if keep > HEADER_LENGTH {
        on(&index_path, file.append(&mark(Kind::Commit, &place, now).encode()))?;
        on(&index_path, file.sync())?;
    }
    let born = run.committed.first().or(run.waiting.first()).map_or(now, |entry| entry.appended);
    let active = Active { segment, index: file, segment_path, index_path, index_length, born };
    Ok(Mended { active, place, end })
}

/// A batch's message, if its checksum is right.
///
/// # Errors
/// A bad checksum, naming the offset; the caller adds the segment.
pub(super) fn read_message(segment: &dyn FsFile, entry: &Entry) -> Result<Buffer> {
    let message = read_bytes(segment, entry.position, entry.length)
        .map_err(|error| Error::data(format!("the batch at offset {} cannot be read", entry.first)).caused_by(error))?;
    if xxh3_64(&message) == entry.checksum { Ok(message) } else { Err(bad_checksum(entry)) }
}

/// The error of a batch that is not what was appended.
pub(super) fn bad_checksum(entry: &Entry) -> Error {
    Error::data(format!(
        "the batch at offset {} ({} rows, bytes {} to {}) is damaged (bad checksum)",
        entry.first,
        entry.rows,
        entry.position,
        entry.position + entry.length
    ))
}
