//! The segment being written: how one is created, and survives a crash while it is.

use std::path::{Path, PathBuf};

use dualgauge_engine::fs::FsFile;
use dualgauge_engine::{Error, EventTime, Result};

use super::directory::Log;
use super::files::on;
use super::format::{Entry, HEADER_LENGTH, Header, Kind, index_name, segment_name};
use super::index::Place;

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Active {
    pub segment: Box<dyn FsFile>,
    pub index: Box<dyn FsFile>,
    pub segment_path: PathBuf,
    pub index_path: PathBuf,
    /// After the last commit entry.
    pub index_length: u64,
    /// When its first batch was appended.
    pub born: EventTime,
}

/// What kind of step failed, and so whether the writer may go on.
pub(super) enum Failure {
    /// Nothing is lost: the step can be undone and retried.
    Step(Error),
    /// A sync failed.
    Sync(Error),
}

/// Makes an empty segment at a place, or restores what is left of one. The index comes first: a segment without one
/// asks for a repair, an index without a segment is nothing.
pub(super) fn start_segment(log: &Log, dir: &Path, header: &Header, durable: bool) -> Result<Active, Failure> {
    let (index_path, segment_path) = (dir.join(index_name(header.first)), dir.join(segment_name(header.first)));
    let index = holding(log, dir, &index_path, &header.encode(), durable)?;
    let segment = holding(log, dir, &segment_path, &log.schema_message, durable)?;
    Ok(Active { segment, index, segment_path, index_path, index_length: HEADER_LENGTH, born: log.clock.0.now() })
}

/// A durable file of this content. One that is there is mended in place, because a reader may wait at it already.
fn holding(log: &Log, dir: &Path, path: &Path, content: &[u8], durable: bool) -> Result<Box<dyn FsFile>, Failure> {
    let step = |result| on(path, result).map_err(Failure::Step);
    let mut file = match log.fs.create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut file = on(path, log.fs.append(path)).map_err(Failure::Step)?;
            let found = on(path, log.fs.read(path)).map_err(Failure::Step)?;
            if found.len() > content.len() {
                let message = format!("{}: it holds rows, where a new segment should start", path.display());
                return Err(Failure::Step(Error::data(message)));
            }
            if found != content {
                step(file.truncate(0))?;
                step(file.append(content))?;
            }
            file
        }
        created => {
            let mut file = on(path, created).map_err(Failure::Step)?;
            step(file.append(content))?;
            file
        }
    };
    if durable {
        on(path, file.sync()).map_err(Failure::Sync)?;
        on(dir, log.fs.sync_names(dir)).map_err(Failure::Sync)?;
    }
    Ok(file)
}

/// The header of a segment that starts at a place.
pub(super) fn header_at(log: &Log, partition: u32, place: &Place) -> Header {
    Header {
        unverified: false,
        first: place.offset,
        partition,
        log: log.identity.id,
        chain: place.chain,
        max_time: place.max_time,
    }
}

/// An empty segment for the next writer; see [`start_segment`].
pub(super) fn restart_segment(log: &Log, dir: &Path, header: &Header) -> Result<Active> {
    start_segment(log, dir, header, true).map_err(|(Failure::Step(error) | Failure::Sync(error))| error)
}

/// An entry without rows.
pub(super) fn mark(kind: Kind, place: &Place, now: EventTime) -> Entry {
    Entry {
        kind,
        first: place.offset,
        rows: 0,
        position: place.position,
        length: 0,
        checksum: 0,
        chain: place.chain,
        appended: now,
        max_time: place.max_time,
        tag: 0,
    }
}
