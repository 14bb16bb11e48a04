//! Files that appear whole or not at all: the few operations of the file system that a sink stands on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use dualgauge_engine::{Error, Result};

/// Creates a file that is not there yet.
pub(super) fn create(path: &Path) -> Result<File> {
    let made = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    made.map_err(|e| Error::io(format!("cannot create {}", path.display()), e))
}

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))
}

/// Gives a file a second name, which must not be taken; whether it was free.
pub(super) fn link(from: &Path, to: &Path) -> Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(Error::io(format!("cannot publish {} as {}", from.display(), to.display()), e)),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(format!("cannot remove {}", path.display()), e)),
        _ => Ok(()),
    }
}

/// Creates a directory and those above it, where they are missing.
pub(super) fn create_dirs(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| Error::io(format!("cannot create the directory {}", dir.display()), e))
}

/// Makes the content of a file durable. After an error the file must not be relied on, and nobody tries again.
pub(super) fn sync(file: &File, path: &Path) -> Result<()> {
    file.sync_all().map_err(|e| Error::io(format!("cannot make {} durable", path.display()), e))
}

/// Makes durable which names a directory holds.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|e| Error::io(format!("cannot make the names in {} durable", dir.display()), e))
}

/// The names in a directory, sorted; none where there is no such directory.
pub(super) fn list(dir: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::io(format!("cannot list {}", dir.display()), e);
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    let mut names = entries.map(name).collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
