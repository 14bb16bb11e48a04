//! Where a path leads on the machine's own file system.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Resolved;

/// How many links in a row are followed that lead to nothing yet.
const LINKS_MAX: usize = 40;

/// Follows links, as far as the path exists; what cannot be looked at counts as not there.
pub(super) fn resolve(path: &Path) -> Resolved {
    let (there, rest) = split(&std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()), LINKS_MAX);
    let folds = !rest.is_empty() && folds_case(&there);
    let rest = rest.into_iter().map(|name| name.to_string_lossy().into_owned()).collect();
    Resolved { system: 0, there: identities(&there), rest, folds }
}

/// The longest part of the path that is there, without links in it, and the names below it.
fn split(path: &Path, links: usize) -> (PathBuf, Vec<OsString>) {
    // By its components: with a `/` at its end, a link to nothing would not be seen as one.
    let path: PathBuf = path.components().collect();
    for there in path.ancestors() {
        let below = path.strip_prefix(there).expect("an ancestor of it");
        if let Ok(mut there) = fs::canonicalize(there) {
            let mut rest = Vec::new();
            for component in below.components() {
                match component {
                    Component::ParentDir if rest.pop().is_none() => drop(there.pop()),
                    Component::Normal(name) => rest.push(name.to_os_string()),
                    _ => {}
                }
            }
            return (there, rest);
        }
        // A link to what is not there yet.
        if let (Ok(target), Some(dir)) = (fs::read_link(there), there.parent())
            && links > 0
        {
            return split(&dir.join(target).join(below), links - 1);
        }
    }
    (PathBuf::new(), path.components().map(|name| name.as_os_str().to_os_string()).collect())
}

#[cfg(unix)]
fn identities(path: &Path) -> Vec<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let above: Vec<_> = path.ancestors().filter_map(|path| fs::metadata(path).ok()).collect();
    above.iter().rev().map(|metadata| (metadata.dev(), metadata.ino())).collect()
}

/// Where the system gives no identities, the path without links stands for them.
#[cfg(not(unix))]
fn identities(path: &Path) -> Vec<(u64, u64)> {
    let above: Vec<_> = path.ancestors().map(|path| path.to_string_lossy().to_lowercase()).collect();
    above.iter().rev().map(|path| (0, xxhash_rust::xxh3::xxh3_64(path.as_bytes()))).collect()
}

/// Whether a directory takes names that differ only by case for the same: asked of a name that it has, or of its own.
fn folds_case(dir: &Path) -> bool {
    let swapped = |path: &Path| -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        let other: String = name.chars().map(swap).collect();
        (other != name).then(|| path.with_file_name(other))
    };
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).take(64);
    let pairs = names.chain([dir.to_path_buf()]).filter_map(|path| Some((swapped(&path)?, path)));
    let asked = pairs.into_iter().next();
    asked.is_some_and(|(other, path)| other.exists() && identities(&other).last() == identities(&path).last())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_same_however_they_are_written() {
        let dir = std::env::temp_dir().join(format!("dualgauge-whereabouts-{}", std::process::id()));
        fs::create_dir_all(dir.join("a/b")).unwrap();
        fs::write(dir.join("a/file"), "").unwrap();
        fs::hard_link(dir.join("a/file"), dir.join("other")).unwrap();
        for (target, link) in [("a", "link"), ("link/b", "again"), ("a/not/yet", "dangling"), ("round", "round")] {
            std::os::unix::fs::symlink(target, dir.join(link)).unwrap();
        }
        let at = |path: &str| resolve(&dir.join(path));
        for (one, other) in [
            ("a", "link"),
            ("a/b", "again/"),
            ("a/b/new", "again/./x/../new"),
            ("a/not/yet/more", "dangling/more"),
            ("a/not/yet", "dangling/"),
            ("a/file", "other"),
            ("b", "a/../b"),
            ("b", "none/../b"),
        ] {
            assert!(at(one).is_same(&at(other)), "{one} and {other}: {:?} {:?}", at(one), at(other));
        }
        for (above, below) in [("link", "a/b/new"), ("new", "new/er"), ("", "again"), ("a", "dangling")] {
            assert!(at(above).holds(&at(below)) && !at(below).holds(&at(above)), "{above} and {below}");
        }
        for (one, other) in [("a", "b"), ("new", "newer"), ("new", "NEW"), ("a/b/new", "a/new"), ("round", "a")] {
            assert!(!at(one).holds(&at(other)) && !at(other).holds(&at(one)), "{one} and {other}");
        }
        assert!(at("a").is_parent_of(&at("a/new")) && at("").is_parent_of(&at("a")));
        assert!(!at("").is_parent_of(&at("a/b")));
        fs::remove_dir_all(dir).unwrap();
    }
}
