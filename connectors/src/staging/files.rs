//! Small helpers between the file system and what is staged on it.

use std::io::{self, ErrorKind};
use std::path::Path;

use dualgauge_engine::fs::Fs;
use dualgauge_engine::{Error, Result};

/// Names the path in an I/O error.
pub(crate) fn on<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::io(path.display(), error))
}

/// The same of a sync: what it was to make durable may be lost although it can still be read, so no new try mends it.
pub(crate) fn synced(path: &Path, result: io::Result<()>) -> Result<()> {
    on(path, result).map_err(Error::for_good)
}

/// The directory that holds a path; the working directory for a bare name.
pub(crate) fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir })
}

/// Creates a directory and those above it such that they survive a power loss.
pub(crate) fn create_dirs_durably(fs: &dyn Fs, dir: &Path) -> Result<()> {
    let missing: Vec<_> = dir
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && fs.list(dir).is_err())
        .filter_map(parent)
        .collect();
    on(dir, fs.create_dirs(dir))?;
    missing.iter().rev().try_for_each(|dir| synced(dir, fs.sync_dir(dir)))
}

/// What is there, or `None` where the name does not exist.
pub(crate) fn if_there<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => on(path, result).map(Some),
    }
}

/// The names in a directory, sorted; none where there is no such directory.
pub(crate) fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>> {
    Ok(if_there(dir, fs.list(dir))?.unwrap_or_default())
}

/// Whether a file has this name.
pub(crate) fn exists(fs: &dyn Fs, path: &Path) -> Result<bool> {
    Ok(if_there(path, fs.open(path))?.is_some())
}

/// Removes a file, if it is there.
pub(crate) fn remove(fs: &dyn Fs, path: &Path) -> Result<()> {
    if_there(path, fs.remove(path)).map(|_| ())
}

/// Removes a directory that holds only files and such directories, if it is there.
pub(crate) fn remove_all(fs: &dyn Fs, dir: &Path) -> Result<()> {
    let Some(names) = if_there(dir, fs.list(dir))? else { return Ok(()) };
    for name in names {
        let path = dir.join(name);
        match fs.list(&path) {
            Ok(_) => remove_all(fs, &path)?,
            Err(_) => remove(fs, &path)?,
        }
    }
    if_there(dir, fs.remove_dir(dir)).map(|_| ())
}

/// The hash of a file's content, in hexadecimal digits; `None` where there is no such file.
pub(crate) fn hash(fs: &dyn Fs, path: &Path) -> Result<Option<String>> {
    let Some(file) = if_there(path, fs.open(path))? else { return Ok(None) };
    let (mut hasher, mut position, mut buffer) = (blake3::Hasher::new(), 0, vec![0; 1 << 18]);
    loop {
        match on(path, file.read_at(position, &mut buffer))? {
            0 => return Ok(Some(hasher.finalize().to_hex().to_string())),
            read => {
                hasher.update(&buffer[..read]);
                position += read as u64;
            }
        }
    }
}
