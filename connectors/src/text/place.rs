//! Where text is read from: a file, a directory of files, or standard input.

use std::fs;
use std::path::{Path, PathBuf};

use dualgauge_engine::{Error, Listing, Partition, PartitionId, Result};

/// The name of the partition that standard input is, and the path that stands for it.
pub(super) const STDIN: &str = "-";

/// The files behind `path`, each a partition named by its file name, in the order of their names.
///
/// A directory is searched for `extensions`, with `.gz` or `.zst` behind them or without, not for what is below it, and not for names that begin with `.` or `_`,
/// which are other programs' unfinished work.
pub(super) fn list(path: &Path, extensions: &[&str], followed: bool) -> Result<Listing> {
    let mut listing = Listing::default();
    if path == Path::new(STDIN) {
        listing.partitions.push(Partition { followed, ..Partition::new(STDIN) });
        return Ok(listing);
    }
    let look = |cause| Error::io(format!("cannot look at {}", path.display()), cause);
    if !fs::metadata(path).map_err(look)?.is_dir() {
        listing.partitions.push(partition(path, followed)?);
        return Ok(listing);
    }
    let mut left_out = 0;
    for entry in fs::read_dir(path).map_err(look)? {
        let file = entry.map_err(look)?.path();
        let name = name_of(&file);
        // What is compressed says within that suffix what it is.
        let plain = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let extension = Path::new(plain).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if name.starts_with(['.', '_']) || !file.is_file() {
            continue;
        }
        match extensions.contains(&extension) {
            true => listing.partitions.push(partition(&file, followed)?),
            false => left_out += 1,
        }
    }
    listing.partitions.sort_by(|a, b| a.id.cmp(&b.id));
    let wanted = extensions.iter().map(|extension| format!("*.{extension}")).collect::<Vec<_>>().join(", ");
    if listing.partitions.is_empty() {
        return Err(Error::usage(format!("directory {} has no file {wanted}", path.display())));
    }
    if left_out > 0 {
        listing.notes.push(format!("{left_out} files of {} are not {wanted} and are not read", path.display()));
    }
    Ok(listing)
}

/// The file that a partition of [`list`] stands for.
pub(super) fn file_of(path: &Path, partition: &PartitionId) -> PathBuf {
    match path.is_dir() {
        true => path.join(&partition.0),
        false => path.to_path_buf(),
    }
}

fn partition(file: &Path, followed: bool) -> Result<Partition> {
    let metadata =
        fs::metadata(file).map_err(|cause| Error::io(format!("cannot look at {}", file.display()), cause))?;
    Ok(Partition { bytes: Some(metadata.len()), followed, ..Partition::new(name_of(file)) })
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
