//! Which files a path names: one listing for every source that reads files.
//!
//! ```text
//! data/bids.csv                   a file, whatever it is called
//! data/                           all files of the format below it, Hive partitions (`day=1/`, `_day=1/`) included
//! data/day=*/part-[0-9].{csv,gz}  what the pattern stands for; a directory that it stands for is read as one
//! ```
//!
//! **What is left out is reported by name and number.** Names that begin with `.` are never data, those that begin with
//! `_` are other programs' unfinished work (unless they are `_name=value`), and a name with another ending is another
//! format. What nobody can miss, such as writers' marks like `_SUCCESS`, is not reported.
//!
//! **A file is read once**, however many symbolic links lead to it; a hard link is a file of its own.
//!
//! **Nothing to read is an error**, unless the source is told that this may happen.

mod changed;
mod glob;
mod hive;
mod left_out;
mod pattern;
mod walk;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dualgauge_engine::{Error, EventTime, Result, Scan};

pub(crate) use changed::changed_since_listed;
pub(crate) use hive::Hive;
pub(crate) use pattern::Pattern;
use walk::Walk;

use crate::handles::Version;

/// What the files of a format are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The endings of its names, in lower case; names may have them in any case.
    pub(crate) extensions: &'static [&'static str],
    /// Whether `.gz` or `.zst` may follow them.
    pub(crate) packed: bool,
}

impl Kind {
    /// Whether a name is one of the format.
    pub(crate) fn has(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let packed = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).filter(|_| self.packed);
        // The name of a compressed file says before that ending what it is.
        let extension = Path::new(packed.unwrap_or(&name)).extension();
        extension.and_then(|extension| extension.to_str()).is_some_and(|it| self.extensions.contains(&it))
    }

    /// Its names as patterns, for a person.
    fn names(&self) -> String {
        self.extensions.iter().map(|extension| format!("*.{extension}")).collect::<Vec<_>>().join(", ")
    }
}

/// A source's options for its files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Whether directories called `name=value` are columns.
    pub(crate) hive: bool,
    /// Whether there may be nothing to read.
    pub(crate) allow_empty: bool,
}

/// A file of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DataFile {
    /// Its path from the source's root, with `/` between the parts: what partitions are named by.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it was when it was listed.
    pub(crate) version: Version,
}

/// What a path names.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By ascending name.
    pub(crate) files: Vec<DataFile>,
    /// What was left out, in words.
    pub(crate) notes: Vec<String>,
}

/// What a path is.
enum Root {
    File(fs::Metadata),
    Directory,
    Pattern(Pattern),
    Missing(std::io::Error),
}

fn root(path: &Path) -> Result<Root> {
    let missing = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(Root::Directory),
        Ok(metadata) => return Ok(Root::File(metadata)),
        Err(error) => error,
    };
    // A name that exists is never a pattern.
    match Pattern::of(path)? {
        Some(pattern) => Ok(Root::Pattern(pattern)),
        None => Ok(Root::Missing(missing)),
    }
}

/// The files of a format that `path` names.
///
/// # Errors
/// Nothing to read, unless that is allowed; a directory that is a table, whose own list says which of its files count;
/// something that cannot be looked at.
pub(crate) fn list(path: &Path, kind: Kind, allow_empty: bool) -> Result<Found> {
    let mut walk = Walk::new(path, kind);
    let nothing = match root(path)? {
        Root::File(metadata) => {
            let (name, version) = (name_of(path), Version::of(&metadata));
            let file = DataFile { name, path: path.to_path_buf(), version };
            return Ok(Found { files: vec![file], notes: Vec::new() });
        }
        Root::Missing(cause) if allow_empty && cause.kind() == ErrorKind::NotFound => {
            return Ok(Found {
                notes: vec![format!("there is no {}: nothing is read", path.display())],
                ..Found::default()
            });
        }
        Root::Missing(cause) => return Err(perhaps_absent(format!("cannot read {}", path.display()), cause)),
        Root::Directory => {
            walk.all_below(path)?;
            format!("directory {} has no file {}", path.display(), kind.names())
        }
        Root::Pattern(pattern) => {
            walk.matching(&pattern, allow_empty)?;
            format!("no file matches {}: is the directory right?", path.display())
        }
    };
    let (files, left_out) = walk.done();
    let left_out = left_out.told(kind);
    if files.is_empty() && !allow_empty {
        let left_out = left_out.map(|words| format!(" ({words})")).unwrap_or_default();
        let message = format!("{nothing}{left_out}; where that is no mistake, `allow_empty=true` reads nothing");
        return Err(Error::usage(message).absent());
    }
    let notes = left_out.into_iter().chain(perhaps_twice(&files));
    let notes = notes.map(|words| format!("{}: {words}", path.display())).collect();
    Ok(Found { files, notes })
}

/// What the machine says of a place, marked as absent if it says that there is nothing.
fn perhaps_absent(what: String, cause: std::io::Error) -> Error {
    let is_absent = cause.kind() == ErrorKind::NotFound;
    let error = Error::io(what, cause);
    if is_absent { error.absent() } else { error }
}

/// A file that is there both plain and compressed likely has the same rows twice, as `gzip -k` leaves it.
fn perhaps_twice(files: &[DataFile]) -> Option<String> {
    let is_there = |name: &str| files.binary_search_by(|file| file.name.as_str().cmp(name)).is_ok();
    let plain =
        |file: &DataFile| file.name.strip_suffix(".gz").or(file.name.strip_suffix(".zst")).is_some_and(is_there);
    let mut packed = files.iter().filter(|file| plain(file));
    let (first, more) = (&packed.next()?.name, packed.count());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "{first}{more} is read, and beside it what has its name without that ending: are those the same rows?"
    ))
}

/// The file that a name of [`list`] stands for.
pub(crate) fn file_of(path: &Path, name: &str) -> PathBuf {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => path.join(name),
        Ok(_) => path.to_path_buf(),
        Err(_) => Pattern::split(path).map_or_else(|| path.to_path_buf(), |(base, _)| base.join(name)),
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether any row between two event times, both included, may be wanted.
pub(crate) fn may_have_wanted(scan: &Scan, bound: EventTime, upper: EventTime) -> bool {
    scan.from.is_none_or(|from| from <= upper) && scan.to.is_none_or(|to| bound < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_known_in_capitals_and_below_what_compresses() {
        let csv = Kind { extensions: &["csv"], packed: true };
        for name in ["a.csv", "a.CSV", "a.b.Csv", "a.csv.gz", "A.CSV.ZST"] {
            assert!(csv.has(name), "{name}");
        }
        for name in ["a", "csv", "a.tsv", "a.gz", "a.csv.bak", "a.csv.lz4"] {
            assert!(!csv.has(name), "{name}");
        }
        assert!(!Kind { packed: false, ..csv }.has("a.csv.gz"));
    }
}
