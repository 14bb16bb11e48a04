//! What a place has published: names, with the length and the hash of each file.
//!
//! ```text
//! blake3 of the content, 64 hexadecimal digits │ space │ length │ space │ name │ line end
//! ```
//!
//! One file for each bucket, `.published/b0`, to which a line is added before its file gets its visible name. By it a file
//! is known as made by a sink where its own bytes do not say so; nothing else is ever overwritten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dualgauge_engine::Result;
use dualgauge_engine::fs::{Fs, PlainName};

use super::files::{self, create_own_dir, on, synced};

/// The length and the hash of a file.
pub(crate) type Published = (u64, String);

/// All that was published, by name. Of a name that was published again each counts: a file may be any of them.
pub(crate) fn read(fs: &dyn Fs, dir: &Path) -> Result<BTreeMap<String, Vec<Published>>> {
    let mut all: BTreeMap<String, Vec<Published>> = BTreeMap::new();
    if !files::is_own_dir(fs, dir)? {
        return Ok(all);
    }
    for name in files::list(fs, dir)?.iter().filter(|name| is_ledger(name)) {
        let path = dir.join(name);
        let bytes = on(&path, fs.read(&path))?;
        // A last line that was torn belongs to a file that was not published.
        for line in String::from_utf8_lossy(&bytes).split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let mut parts = line.splitn(3, ' ');
            let (Some(hash), Some(length), Some(name)) = (parts.next(), parts.next(), parts.next()) else { continue };
            if let Ok(length) = length.parse() {
                all.entry(name.to_string()).or_default().push((length, hash.to_string()));
            }
        }
    }
    Ok(all)
}

/// Adds files to the ledger of a bucket, durably.
pub(crate) fn add(fs: &dyn Fs, dir: &Path, bucket: usize, published: &[(&PlainName, Published)]) -> Result<()> {
    let path = ledger(dir, bucket);
    let lines: String = published.iter().map(|(name, (length, hash))| format!("{hash} {length} {name}\n")).collect();
    create_own_dir(fs, dir)?;
    let is_new = on(&path, fs.kind(&path))?.is_none();
    let mut file = on(&path, if is_new { fs.create(&path) } else { fs.append(&path) })?;
    // Behind a line that a crash has torn, the next one begins on a line of its own.
    let length = on(&path, file.length())?;
    let mut last = [b'\n'];
    on(&path, file.read_at(length.saturating_sub(1), &mut last))?;
    let start = if last == *b"\n" { "" } else { "\n" };
    on(&path, file.append(format!("{start}{lines}").as_bytes()))?;
    synced(&path, file.sync())?;
    if is_new { synced(dir, fs.sync_dir(dir)) } else { Ok(()) }
}

fn ledger(dir: &Path, bucket: usize) -> PathBuf {
    dir.join(format!("b{bucket}"))
}

fn is_ledger(name: &str) -> bool {
    name.strip_prefix('b').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use dualgauge_engine::fs::FaultFs;

    use super::*;

    #[test]
    fn what_was_added_is_read_back_also_behind_a_torn_line() {
        let (fs, dir) = (FaultFs::new(), Path::new("/out/.published"));
        let (a, b) = (PlainName::parse("a b.csv").unwrap(), PlainName::parse("c.csv").unwrap());
        assert!(read(&fs, dir).unwrap().is_empty());
        add(&fs, dir, 0, &[(&a, (7, "aa".into()))]).unwrap();
        fs.append(&ledger(dir, 0)).unwrap().append(b"torn").unwrap();
        add(&fs, dir, 0, &[(&a, (8, "ab".into())), (&b, (9, "bb".into()))]).unwrap();
        add(&fs, dir, 1, &[(&b, (1, "cc".into()))]).unwrap();
        let all = read(&fs, dir).unwrap();
        assert_eq!(all["a b.csv"], [(7, "aa".to_string()), (8, "ab".to_string())]);
        assert_eq!(all["c.csv"], [(9, "bb".to_string()), (1, "cc".to_string())]);
    }
}
