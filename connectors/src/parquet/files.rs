//! Which files a path names: one file, a directory with all below it, or a directory and a pattern.

use std::fs;
use std::path::{Path, PathBuf};

use dualgauge_engine::{Error, Result};

/// How deep a directory may go; deeper means that a link leads back to where it is.
const DEPTH_MAX: usize = 64;

/// A file of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// Its path from the source's root, with `/` between the parts: what partitions are named by.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// The Parquet files that `path` names, by ascending name.
///
/// Names that start with `.` or `_` are not data, by the custom of the field: writers stage and mark there.
pub(super) fn list(path: &Path) -> Result<Vec<Named>> {
    let last = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if last.contains('*') {
        return matching(path.parent().unwrap_or(Path::new("")), last);
    }
    let meta = fs::metadata(path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
    if meta.is_file() {
        return Ok(vec![Named { name: last.to_owned(), path: path.to_owned() }]);
    }
    let mut found = Vec::new();
    walk(path, "", 0, &mut found)?;
    found.sort();
    Ok(found)
}

/// The files in `dir` whose names match `pattern`.
fn matching(dir: &Path, pattern: &str) -> Result<Vec<Named>> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut found = Vec::new();
    for (name, path) in entries(dir)? {
        if matches(pattern, &name) && path.is_file() {
            found.push(Named { name, path });
        }
    }
    if found.is_empty() {
        return Err(Error::usage(format!("no file matches {}: is the directory right?", dir.join(pattern).display())));
    }
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, prefix: &str, depth: usize, found: &mut Vec<Named>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::data(format!(
            "{} is more than {DEPTH_MAX} directories deep: does a link lead back?",
            dir.display()
        )));
    }
    for (name, path) in entries(dir)? {
        let below = format!("{prefix}{name}");
        if path.is_dir() {
            walk(&path, &format!("{below}/"), depth + 1, found)?;
        } else if name.ends_with(".parquet") {
            found.push(Named { name: below, path });
        }
    }
    Ok(())
}

/// The entries of a directory that count as data.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let failed = |e| Error::io(format!("cannot list {}", dir.display()), e);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().map_err(|name| {
            Error::data(format!(
                "{}: the file name {name:?} is not UTF-8, so no partition can be named by it",
                dir.display()
            ))
        })?;
        if !name.starts_with(['.', '_']) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// Whether `name` is `pattern`, where each `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let (first, rest) = match pattern.split_once('*') {
        None => return pattern == name,
        Some(parts) => parts,
    };
    let Some(name) = name.strip_prefix(first) else { return false };
    name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [("*", ""), ("*.parquet", "a.parquet"), ("a*b*c", "abxbc"), ("a", "a"), ("*é*", "né")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.parquet", "a.csv"), ("a*", "b"), ("a*b", "abc"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
