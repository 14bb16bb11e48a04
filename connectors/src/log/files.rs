//! Small helpers between the file system and the log.

use std::io;
use std::path::Path;

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

/// Bytes of a file from a position on; an error when the file ends before.
pub(super) fn read_exactly(file: &dyn FsFile, position: u64, buffer: &mut [u8]) -> io::Result<()> {
    let read = file.read_at(position, buffer)?;
    if read == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
