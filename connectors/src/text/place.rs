//! Where text is read from: files, or standard input.

use std::collections::HashMap;
use std::path::Path;

use dualgauge_engine::{Listing, Partition, Result};

use crate::files::{self, Kind};
use crate::handles::Version;

/// The name of the partition that standard input is, and the path that stands for it.
pub(super) const STDIN: &str = "-";

/// The files that `path` names, each a partition, in the order of their names.
pub(super) fn list(
    path: &Path,
    extensions: &'static [&'static str],
    followed: bool,
    allow_empty: bool,
) -> Result<Listing> {
    look(path, extensions, followed, allow_empty).map(|(listing, _)| listing)
}

/// The same, and what each file was at that moment, by the names of the partitions.
pub(super) fn look(
    path: &Path,
    extensions: &'static [&'static str],
    followed: bool,
    allow_empty: bool,
) -> Result<(Listing, HashMap<String, Version>)> {
    if path == Path::new(STDIN) {
        let stdin = Partition { followed, ..Partition::new(STDIN) };
        return Ok((Listing { partitions: vec![stdin], ..Listing::default() }, HashMap::new()));
    }
    let found = files::list(path, Kind { extensions, packed: true }, allow_empty)?;
    let versions = found.files.iter().map(|file| (file.name.clone(), file.version)).collect();
    let partition =
        |file: files::DataFile| Partition { bytes: Some(file.version.length()), followed, ..Partition::new(file.name) };
    let partitions = found.files.into_iter().map(partition).collect();
    Ok((Listing { partitions, notes: found.notes, ..Listing::default() }, versions))
}
