//! Small helpers between the file system and what is staged on it.

use std::io::{self, ErrorKind};
use std::path::Path;

use dualgauge_engine::fs::{Fs, Kind};
use dualgauge_engine::{Error, Result};

/// Names the path in an I/O error.
pub(crate) fn on<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::io(path.display(), error))
}

/// The same for a sync: what it should have made durable may be lost although it can still be read, so a retry does not
/// help.
pub(crate) fn synced<T>(path: &Path, result: io::Result<T>) -> Result<()> {
    on(path, result).map(drop).map_err(Error::for_good)
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
    missing.iter().rev().try_for_each(|dir| synced(dir, fs.sync_names(dir)))
}

/// What is there, or `None` if the name does not exist.
pub(crate) fn if_there<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => on(path, result).map(Some),
    }
}

/// The names in a directory, sorted; none if there is no such directory.
pub(crate) fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>> {
    Ok(if_there(dir, fs.list(dir))?.unwrap_or_default())
}

/// Whether a file has this name.
pub(crate) fn exists(fs: &dyn Fs, path: &Path) -> Result<bool> {
    Ok(if_there(path, fs.open(path))?.is_some())
}

/// Removes a file, if it is there; anything else of that name is refused.
pub(crate) fn remove(fs: &dyn Fs, path: &Path) -> Result<()> {
    match on(path, fs.kind(path))? {
        None => Ok(()),
        Some(Kind::File) => if_there(path, fs.remove(path)).map(|_| ()),
        Some(kind) => Err(not_ours(path, kind)),
    }
}

/// Writes a file aside, whole and durably, replacing one left by a process that died here; the caller gives it its
/// name.
pub(crate) fn write_aside(fs: &dyn Fs, aside: &Path, bytes: &[u8]) -> Result<()> {
    remove(fs, aside)?;
    let mut file = on(aside, fs.create(aside))?;
    on(aside, file.append(bytes))?;
    synced(aside, file.sync())
}

/// Whether there is a directory of our own at a path; what is there must be a directory and not a link to one.
pub(crate) fn is_own_dir(fs: &dyn Fs, path: &Path) -> Result<bool> {
    match on(path, fs.kind(path))? {
        None => Ok(false),
        Some(Kind::Dir) => Ok(true),
        Some(kind) => Err(not_ours(path, kind)),
    }
}

/// Creates a directory of our own such that it survives a power loss; a link that lies there is refused.
pub(crate) fn create_own_dir(fs: &dyn Fs, path: &Path) -> Result<()> {
    if !is_own_dir(fs, path)? {
        create_dirs_durably(fs, path)?;
        is_own_dir(fs, path)?;
    }
    Ok(())
}

/// Removes a directory of our own when nothing is in it.
pub(crate) fn remove_empty_dir(fs: &dyn Fs, dir: &Path) -> Result<()> {
    match is_own_dir(fs, dir)? && list(fs, dir)?.is_empty() {
        true => if_there(dir, fs.remove_dir(dir)).map(|_| ()),
        false => Ok(()),
    }
}

/// What to write to instead of a directory, if the place is a pipe.
pub(crate) const NO_PIPE: &str =
    "name a directory; rows for a pipe are written as text to standard output (`csv:-` or `json:-`)";

/// Refuses a pipe, a socket or a device as a place of output; `otherwise` says what can be written there instead. It
/// does not open the place, since opening a pipe waits for a reader.
pub(crate) fn refuse_pipe(fs: &dyn Fs, path: &Path, otherwise: &str) -> Result<()> {
    match on(path, fs.kind(path))? {
        Some(Kind::Other) => Err(Error::usage(format!(
            "{} is a pipe, a socket or a device. Output is made beside its place and gets its name when it is whole, which \
             nothing of the kind can take; {otherwise}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses something that has a name of our own but is not what a sink makes there.
pub(crate) fn not_ours(path: &Path, kind: Kind) -> Error {
    let what = match kind {
        Kind::File => "a file",
        Kind::Dir => "a directory",
        Kind::Link => "a symbolic link",
        Kind::Other => "neither a file nor a directory",
    };
    Error::usage(format!(
        "{} is {what}, which no sink makes there, so it is neither followed nor removed; move it out of the way, or choose \
         another place",
        path.display()
    ))
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
