//! Where a followed file has gone that was renamed while no run was following it.
//!
//! ```text
//! x.log  ──renamed──▶  x.log.1    what was read of it, and the rest
//!                      x.log      its successor, of which nothing was read
//! ```
//!
//! An offset says which file it is of (`prefix.rs`). That file is looked for beside its old name, proved to begin with
//! what was read, and read to its end; then reading continues in the file that has its name now.
//!
//! **Nothing between them is left out** that can be seen. A file of a similar name that was written to later than the
//! one found may hold rows between the two: then the rotation cannot be followed, and is refused by name. Nothing is
//! known of a file between the two that lies elsewhere by then.

use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};

use dualgauge_engine::{Error, Offset, Result};

use super::prefix::{own_id, own_of};

/// What is wrong with a rotation into a name that the source reads; follows that name in a message.
pub(super) const READ_TWICE: &str = "which the source reads by itself: its rows would be read twice. Name the files so that \
     a rotated one is none of them";

/// The file that an offset is of, if it lies beside `path` under another name. The files that the source reads in their
/// own right are `listed`: they are not part of another file's rotation.
///
/// # Errors
/// When it was rotated more than once.
pub(super) fn renamed(path: &Path, offset: &Offset, listed: &[PathBuf]) -> Result<Option<PathBuf>> {
    let Some(own) = offset.proof.as_ref().and_then(own_of) else { return Ok(None) };
    // Cut off and rewritten, it is the same file, and what it held is gone.
    if fs::metadata(path).is_ok_and(|there| own_id(&there) == own) {
        return Ok(None);
    }
    let beside = files_beside(path)?;
    let Some((found, its)) = beside.iter().find(|(_, metadata)| own_id(metadata) == own) else { return Ok(None) };
    let later = beside.iter().find(|(other, metadata)| {
        other != found
            && !listed.contains(other)
            && is_like(path, other)
            && metadata.modified().ok() >= its.modified().ok()
    });
    match later {
        None => Ok(Some(found.clone())),
        Some((later, _)) => Err(Error::data(format!(
            "file {}: it was renamed to {} while the job was down, and {} was written to later: rows may stand in it that \
             come between the two. A file may be rotated once while nobody follows it; start from the beginning, with a new \
             place for checkpoints and for the output, to read all of them",
            path.display(),
            found.display(),
            later.display()
        ))),
    }
}

/// The other files in its directory; not links, which are other names for what is elsewhere.
fn files_beside(path: &Path) -> Result<Vec<(PathBuf, Metadata)>> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let listed = fs::read_dir(dir).map_err(|cause| Error::io(format!("cannot list {}", dir.display()), cause))?;
    let file = |entry: DirEntry| {
        let metadata = entry.metadata().ok()?; // of a link itself
        (metadata.is_file() && Some(entry.file_name().as_os_str()) != path.file_name())
            .then(|| (entry.path(), metadata))
    };
    Ok(listed.flatten().filter_map(file).collect())
}

/// Whether a file may belong to the same rotation: `x.log.1`, `x.log.old`, `x-2026.log` and `x.1.log.gz` belong to
/// `x.log`, and `x-api.log` does not.
fn is_like(path: &Path, other: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (own, other) = (name(path), name(other));
    let stem = own.split_once('.').map_or(&*own, |(stem, _)| stem);
    let separated = |rest: &str| rest.strip_prefix(['.', '-', '_']).map(str::to_string);
    other.strip_prefix(&*own).is_some_and(|rest| separated(rest).is_some())
        || other
            .strip_prefix(stem)
            .and_then(separated)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
