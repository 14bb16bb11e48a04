//! Reading an index: which batches are committed, which wait to be, and what is torn.

use std::path::Path;

use dualgauge_engine::fs::Fs;
use dualgauge_engine::{Error, EventTime, Result};

use super::files::on;
use super::format::{Chain, ENTRY_LENGTH, Entry, HEADER_LENGTH, Header, Kind, index_name};

/// A place in a partition, between two batches.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// The next row's offset.
    pub offset: u64,
    /// The next message's position in its segment.
    pub position: u64,
    /// The chain hash so far.
    pub chain: Chain,
    /// The largest event time so far.
    pub max_time: EventTime,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The partition has ended.
    Sealed,
    /// The partition goes on in the next segment.
    Rolled,
}

/// What a run of index entries says.
#[derive(Debug)]
pub(super) struct Run {
    /// Batches that a commit entry covers.
    pub committed: Vec<Entry>,
    /// The committed end of the segment, where that is committed.
    pub end: Option<End>,
    /// After the last committed batch.
    pub place: Place,
    /// After the last commit entry, as a position in the index.
    pub index_length: u64,
    /// Whole entries after the last commit entry.
    pub waiting: Vec<Entry>,
    /// Whether an uncommitted end entry follows the waiting batches.
    pub waiting_end: Option<End>,
    /// The position of the first entry that is not whole, although all its bytes are there.
    pub torn: Option<u64>,
}

impl Place {
    /// The front of a segment whose schema message has this length.
    pub fn front(header: &Header, schema_length: u64) -> Place {
        Place { offset: header.first, position: schema_length, chain: header.chain, max_time: header.max_time }
    }

    fn after(&self, entry: &Entry) -> Option<Place> {
        let follows = match entry.kind {
            Kind::Batch => entry.first == self.offset && entry.position == self.position && entry.rows > 0,
            Kind::Commit | Kind::Seal | Kind::Roll => entry.first == self.offset && entry.chain == self.chain,
        };
        let offset = self.offset.checked_add(entry.rows)?;
        let position = self.position.checked_add(entry.length)?;
        follows.then_some(Place { offset, position, chain: entry.chain, max_time: entry.max_time })
    }
}

/// Reads the entries in `bytes`, which stand at `at` in the index, from `place` on.
///
/// # Errors
/// An entry that is not whole, or does not follow the one before, although a good commit entry comes after it. The error
/// names the offset and position; the caller adds the file.
pub(super) fn read_entries(bytes: &[u8], at: u64, place: Place) -> Result<Run> {
    let mut run = Run {
        committed: Vec::new(),
        end: None,
        place: place.clone(),
        index_length: at,
        waiting: Vec::new(),
        waiting_end: None,
        torn: None,
    };
    let mut now = place;
    let (slots, _) = bytes.as_chunks::<{ ENTRY_LENGTH as usize }>();
    for (number, slot) in slots.iter().enumerate() {
        let position = at + number as u64 * ENTRY_LENGTH;
        let read = Entry::decode(slot).filter(|_| run.end.is_none());
        let Some((entry, next)) = read.and_then(|entry| now.after(&entry).map(|next| (entry, next))) else {
            let mut later = slots[number + 1..].iter().filter_map(Entry::decode);
            if later.any(|entry| entry.kind == Kind::Commit) {
                return Err(Error::data(format!(
                    "the entry at byte {position}, for offset {}, is damaged (entries that follow it are good)",
                    now.offset
                )));
            }
            run.torn = Some(position);
            break;
        };
        match entry.kind {
            Kind::Batch => run.waiting.push(entry),
            Kind::Seal => run.waiting_end = Some(End::Sealed),
            Kind::Roll => run.waiting_end = Some(End::Rolled),
            Kind::Commit => {
                run.committed.append(&mut run.waiting);
                run.end = run.waiting_end.take();
                run.place = next.clone();
                run.index_length = position + ENTRY_LENGTH;
            }
        }
        now = next;
    }
    Ok(run)
}

/// Whose index it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub log: [u8; 16],
    pub partition: u32,
}

/// A segment's index, read as a whole.
#[derive(Debug)]
pub(super) struct Index {
    pub header: Header,
    pub run: Run,
    /// How many bytes the file has.
    pub length: u64,
}

impl Index {
    /// Reads the index of the segment that starts at `first`.
    ///
    /// # Errors
    /// A missing index, or a damaged one: both ask for a repair.
    pub fn load(fs: &dyn Fs, dir: &Path, first: u64, owner: &Owner, schema_length: u64) -> Result<Index> {
        let path = dir.join(index_name(first));
        let bytes = match fs.read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::data(format!(
                    "{}: the index of this segment is missing; `dualgauge log repair` rebuilds it and marks the segment as unverified",
                    path.display()
                )));
            }
            bytes => on(&path, bytes)?,
        };
        let header = read_header(&bytes, first, owner).map_err(|error| error.at(path.display()))?;
        let place = Place::front(&header, schema_length);
        let run = read_entries(&bytes[HEADER_LENGTH as usize..], HEADER_LENGTH, place)
            .map_err(|error| error.at(path.display()))?;
        Ok(Index { header, run, length: bytes.len() as u64 })
    }
}

/// Reads a header, and checks that it belongs here.
pub(super) fn read_header(bytes: &[u8], first: u64, owner: &Owner) -> Result<Header> {
    let header = Header::decode(bytes)?;
    if header.log != owner.log || header.partition != owner.partition || header.first != first {
        return Err(Error::data("it belongs to another segment or log; was a file copied or renamed?"));
    }
    Ok(header)
}
