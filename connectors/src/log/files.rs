//! Small helpers between the file system and the log.

use std::io;
use std::path::Path;

use arrow_buffer::{Buffer, MutableBuffer};
use dualgauge_engine::Result;
use dualgauge_engine::fs::{Fs, FsFile};

pub(super) use crate::staging::files::{create_dirs_durably, create_own_dir, is_own_dir, list, on, remove, synced};

/// The first offsets of the segments in a partition's directory, ascending.
pub(super) fn segments(fs: &dyn Fs, dir: &Path) -> Result<Vec<u64>> {
    let names = on(dir, fs.list(dir))?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".arrows")?.parse().ok()).collect())
}

/// This many bytes of a file from a position on, aligned for Arrow. Nothing is allocated for bytes that the file does not
/// have, whatever an index claims.
pub(super) fn read_bytes(file: &dyn FsFile, position: u64, length: u64) -> io::Result<Buffer> {
    let end = position.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    if end > file.length()? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = MutableBuffer::from_len_zeroed(length as usize);
    match file.read_at(position, &mut bytes)? {
        read if read as u64 == length => Ok(bytes.into()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
