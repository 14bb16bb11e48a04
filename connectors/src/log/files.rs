//! Small helpers between the file system and the log.

use std::io;
use std::path::Path;

use arrow_buffer::{Buffer, MutableBuffer};
use dualgauge_engine::fs::{Fs, FsFile};
use dualgauge_engine::{Error, Result};

/// Names the path in an I/O error.
pub(super) fn on<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::io(path.display(), error))
}

/// The directory that holds a path; the working directory for a bare name.
pub(super) fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir })
}

/// Creates a directory and those above it such that they survive a power loss.
pub(super) fn create_dirs_durably(fs: &dyn Fs, dir: &Path) -> Result<()> {
    let missing: Vec<_> = dir
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && fs.list(dir).is_err())
        .filter_map(parent)
        .collect();
    on(dir, fs.create_dirs(dir))?;
    missing.iter().rev().try_for_each(|dir| on(dir, fs.sync_dir(dir)))
}

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
