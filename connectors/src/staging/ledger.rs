//! What a place has published: names, with the length and the hash of each file.
//!
//! ```text
//! JOB@GENERATION.EPOCH HASH LENGTH NAME       a file: by whom, the blake3 of its content, and how many bytes it has
//! HASH LENGTH NAME                            the same of a run without checkpoints, and of an older release
//! JOB@GENERATION.EPOCH back                   what was published after this epoch was taken back
//! JOB@GENERATION.EPOCH empty HASH LENGTH NAME the output has ended without a row, and this file says so
//! JOB@GENERATION.EPOCH sealed                 of a log: the output has ended, and the log says so
//! ```
//!
//! One file for each bucket, `.published/b0`, to which a line is added before its file gets its visible name. It shows
//! that a file was made by a sink if the file's own bytes do not say so; nothing else is ever overwritten. It also
//! shows a job what it has published since a commit to which it goes back.
//!
//! The last two say that an output has ended. A job that resumes, from wherever, removes them and what they refer to;
//! their epoch is the one from which the start that came to the end had resumed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use dualgauge_engine::fs::Fs;
use dualgauge_engine::sink::After;
use dualgauge_engine::{Epoch, Result};

use super::aside::plain;
use super::files::{self, create_own_dir, on, synced};

/// The length and the hash of a file.
pub(crate) type Published = (u64, String);

/// Who noted something: which job, at which start of it, and for which epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct By {
    /// As [`job_name`] gives it.
    pub(crate) job: String,
    pub(crate) generation: u64,
    pub(crate) epoch: Epoch,
}

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `None` for a run without checkpoints.
    pub(crate) by: Option<By>,
    pub(crate) what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A file was published.
    File(String, Published),
    /// Output was taken back.
    Back,
    /// The output has ended without a row, and there is this file.
    Empty(String, Published),
    /// The output has ended, and the log was sealed.
    Sealed,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}.{}", self.job, self.generation, self.epoch.0)
    }
}

impl By {
    fn parse(text: &str) -> Option<By> {
        let (job, rest) = text.rsplit_once('@')?;
        let (generation, epoch) = rest.split_once('.')?;
        Some(By { job: job.to_string(), generation: generation.parse().ok()?, epoch: Epoch(epoch.parse().ok()?) })
    }
}

impl What {
    fn parse(text: &str) -> Option<What> {
        let file = |text: &str| {
            let mut parts = text.splitn(3, ' ');
            let (hash, length, name) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
            Some((name.to_string(), (length, hash.to_string())))
        };
        match text {
            "back" => Some(What::Back),
            "sealed" => Some(What::Sealed),
            text => match text.strip_prefix("empty ") {
                Some(text) => file(text).map(|(name, published)| What::Empty(name, published)),
                None => file(text).map(|(name, published)| What::File(name, published)),
            },
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::File(name, (length, hash)) => write!(f, "{hash} {length} {name}"),
            What::Empty(name, (length, hash)) => write!(f, "empty {hash} {length} {name}"),
            What::Back => f.write_str("back"),
            What::Sealed => f.write_str("sealed"),
        }
    }
}

impl Line {
    fn parse(text: &str) -> Option<Line> {
        let by = text.split_once(' ').and_then(|(by, rest)| Some((By::parse(by)?, rest)));
        let (by, rest) = by.map_or((None, text), |(by, rest)| (Some(by), rest));
        let what = What::parse(rest).filter(|what| by.is_some() || !matches!(what, What::Back | What::Sealed))?;
        Some(Line { by, what })
    }

    /// The file that was published with rows.
    pub(super) fn file(&self) -> Option<(&String, &Published)> {
        match &self.what {
            What::File(name, published) => Some((name, published)),
            _ => None,
        }
    }

    /// Whether it reports the end of an output of this job.
    pub(crate) fn is_end_of(&self, job: &str) -> bool {
        matches!(self.what, What::Empty(..) | What::Sealed) && self.by.as_ref().is_some_and(|by| by.job == job)
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.by.as_ref().map(|by| by.epoch)
    }

    /// Whether it reports what the job did after a commit: a file for a later epoch, or a later going back.
    pub(crate) fn is_later(&self, job: &str, after: After) -> bool {
        !self.is_end_of(job) && self.by.as_ref().is_some_and(|by| by.job == job && by.epoch > after.epoch)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.by.iter().try_for_each(|by| write!(f, "{by} "))?;
        self.what.fmt(f)
    }
}

/// A job as ledgers name it: without a space or an `@`.
pub(crate) fn job_name(job: &str) -> String {
    plain(job)
}

/// All lines of all buckets. A last line that was torn belongs to a file that was not published.
pub(crate) fn lines(fs: &dyn Fs, dir: &Path) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for path in ledgers(fs, dir)? {
        lines.extend(lines_of(fs, &path)?);
    }
    Ok(lines)
}

fn lines_of(fs: &dyn Fs, path: &Path) -> Result<Vec<Line>> {
    let bytes = on(path, fs.read(path))?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    Ok(whole.filter_map(Line::parse).collect())
}

/// The ledgers of all buckets.
fn ledgers(fs: &dyn Fs, dir: &Path) -> Result<Vec<PathBuf>> {
    match files::is_own_dir(fs, dir)? {
        true => Ok(files::list(fs, dir)?.iter().filter(|name| is_ledger(name)).map(|name| dir.join(name)).collect()),
        false => Ok(Vec::new()),
    }
}

/// Rewrites the ledgers with the lines that stay, and notes that output was taken back.
pub(crate) fn go_back(fs: &dyn Fs, dir: &Path, by: &By, stays: impl Fn(&Line) -> bool) -> Result<()> {
    rewrite(fs, dir, Some(Line { by: Some(by.clone()), what: What::Back }), stays)
}

/// Rewrites the ledgers with the lines that stay, each in one step, and the first with a `mark` if there is one.
pub(crate) fn rewrite(fs: &dyn Fs, dir: &Path, mark: Option<Line>, stays: impl Fn(&Line) -> bool) -> Result<()> {
    create_own_dir(fs, dir)?;
    let first = ledger(dir, 0);
    let others = ledgers(fs, dir)?.into_iter().filter(|path| *path != first);
    for path in [first.clone()].into_iter().chain(others) {
        let found = if files::exists(fs, &path)? { lines_of(fs, &path)? } else { Vec::new() };
        let mut kept: Vec<_> = found.iter().filter(|line| stays(line)).collect();
        let mark = mark.as_ref().filter(|mark| path == first && !kept.contains(mark));
        kept.extend(mark);
        if mark.is_none() && kept.len() == found.len() {
            continue;
        }
        let text: String = kept.iter().map(|line| format!("{line}\n")).collect();
        let aside = path.with_extension("new");
        files::write_aside(fs, &aside, text.as_bytes())?;
        on(&path, fs.rename(&aside, &path))?;
    }
    synced(dir, fs.sync_names(dir))
}

/// Everything that was published, by name. If a name was published again, each entry counts: a file may be any of them.
pub(crate) fn read(fs: &dyn Fs, dir: &Path) -> Result<BTreeMap<String, Vec<Published>>> {
    let mut all: BTreeMap<String, Vec<Published>> = BTreeMap::new();
    for line in lines(fs, dir)? {
        if let What::File(name, published) | What::Empty(name, published) = line.what {
            all.entry(name).or_default().push(published);
        }
    }
    Ok(all)
}

/// Adds lines to the ledger of a bucket, durably.
pub(crate) fn add(fs: &dyn Fs, dir: &Path, bucket: usize, lines: &[Line]) -> Result<()> {
    let path = ledger(dir, bucket);
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    create_own_dir(fs, dir)?;
    let is_new = on(&path, fs.kind(&path))?.is_none();
    let mut file = on(&path, if is_new { fs.create(&path) } else { fs.append(&path) })?;
    // After a line that a crash has torn, the next one begins on a line of its own.
    let length = on(&path, file.length())?;
    let mut last = [b'\n'];
    on(&path, file.read_at(length.saturating_sub(1), &mut last))?;
    let start = if last == *b"\n" { "" } else { "\n" };
    on(&path, file.append(format!("{start}{lines}").as_bytes()))?;
    synced(&path, file.sync())?;
    if is_new { synced(dir, fs.sync_names(dir)) } else { Ok(()) }
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
        let file = |name: &str, length, hash: &str, by: Option<&By>| Line {
            by: by.cloned(),
            what: What::File(name.to_string(), (length, hash.to_string())),
        };
        assert!(read(&fs, dir).unwrap().is_empty());
        add(&fs, dir, 0, &[file("a b.csv", 7, "aa", None)]).unwrap();
        fs.append(&ledger(dir, 0)).unwrap().append(b"torn").unwrap();
        let by = By { job: job_name("a b@c"), generation: 3, epoch: Epoch(17) };
        add(&fs, dir, 0, &[file("a b.csv", 8, "ab", Some(&by)), file("c.csv", 9, "bb", None)]).unwrap();
        add(&fs, dir, 1, &[file("c.csv", 1, "cc", None)]).unwrap();
        let all = read(&fs, dir).unwrap();
        assert_eq!(all["a b.csv"], [(7, "aa".to_string()), (8, "ab".to_string())]);
        assert_eq!(all["c.csv"], [(9, "bb".to_string()), (1, "cc".to_string())]);
        assert_eq!(lines(&fs, dir).unwrap()[1].by, Some(by.clone()));
        // Taken back: the line goes, and a mark says so, once.
        let after = After { epoch: Epoch(16), generation: 3 };
        let mark = By { generation: 4, epoch: Epoch(16), ..by.clone() };
        for _ in 0..2 {
            go_back(&fs, dir, &mark, |line| !line.is_later(&by.job, after)).unwrap();
            let left: Vec<_> = lines(&fs, dir).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(left, ["aa 7 a b.csv", "bb 9 c.csv", "a=20=b=40=c@4.16 back", "cc 1 c.csv"]);
        }
        // An end has no epoch: it goes when its job resumes, and does not count as published.
        let ends = [What::Empty("e f.csv".into(), (0, "dd".into())), What::Sealed];
        add(&fs, dir, 2, &ends.map(|what| Line { by: Some(by.clone()), what })).unwrap();
        assert_eq!(read(&fs, dir).unwrap()["e f.csv"], [(0, "dd".to_string())]);
        let found = lines(&fs, dir).unwrap();
        assert_eq!(found.iter().filter(|line| line.is_end_of(&by.job)).count(), 2);
        assert!(!found.iter().any(|line| line.is_later(&by.job, after)));
        rewrite(&fs, dir, None, |line| !line.is_end_of(&by.job)).unwrap();
        assert_eq!(lines(&fs, dir).unwrap().len(), 4);
    }
}
