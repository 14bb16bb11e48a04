//! Whose a place of output is: a record that is created there before anything is written.
//!
//! ```text
//! # The output here is that of a run of dualgauge. Remove this file only to give that run up.
//! job: 0123456789abcdef0123456789abcdef      absent for a run without checkpoints
//! checkpoints: /var/lib/sums                 likewise: where that job goes on from
//! started by: process 4711 on host
//! mark: 9f0c…                                random: no two records are the same
//! beside: yes                                the output that was there before stays until the run has ended
//! rows: 17                                   of a log: how many it had before
//! ```
//!
//! - **Created, not checked.** Of all who want a place, one creates the record: a whole file gets its name in a way
//!   that replaces nothing.
//! - **Read in older forms too**: a differently worded first line, and the job in the second.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, Kind};
use dualgauge_engine::sink::Writing;
use dualgauge_engine::{Error, Result};

use super::files::{self, on, synced};

const HEAD: &str = "# The output here is that of a run of dualgauge. Remove this file only to give that run up.\n";

/// The first line of the release before this form.
const OLD_HEAD: &str = "# The output here belongs to this job of dualgauge, which goes on from its checkpoint:\n";

/// What a record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The job; `None` for a run without checkpoints.
    pub(crate) job: Option<String>,
    pub(crate) checkpoints: Option<String>,
    pub(crate) started_by: String,
    pub(crate) mark: String,
    /// Whether the output is made beside an older one, and takes its place at the end.
    pub(crate) beside: bool,
    /// How many rows a log had when it was claimed.
    pub(crate) rows: u64,
}

impl Record {
    /// The record of a run that starts now.
    pub(crate) fn of(writing: &Writing) -> Record {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.is_empty() { String::new() } else { format!(" on {}", host.trim_end()) };
        let plain = |text: &String| text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        Record {
            job: writing.job.clone(),
            checkpoints: writing.checkpoints.as_ref().map(plain),
            started_by: format!("process {}{host}", std::process::id()),
            mark: new_mark(),
            ..Record::default()
        }
    }

    /// Whether it is the record of the job that writes.
    pub(crate) fn is_of(&self, writing: &Writing) -> bool {
        self.job.is_some() && self.job == writing.job
    }

    /// Whether it is the same record, although what it says about the output may have changed.
    pub(crate) fn is_the_same(&self, other: &Record) -> bool {
        (&self.job, &self.mark) == (&other.job, &other.mark)
    }

    /// Whose it is, for a person.
    pub(crate) fn whose(&self) -> String {
        match (&self.job, &self.checkpoints) {
            (Some(job), Some(checkpoints)) => format!("job {job}, whose checkpoints are in {checkpoints}"),
            (Some(job), None) => format!("job {job}"),
            (None, _) => format!("a run without checkpoints ({})", self.started_by),
        }
    }

    fn encode(&self) -> String {
        let mut text = HEAD.to_string();
        let mut line = |what: &str, value: &str| text.push_str(&format!("{what}: {value}\n"));
        self.job.iter().for_each(|job| line("job", job));
        self.checkpoints.iter().for_each(|place| line("checkpoints", place));
        line("started by", &self.started_by);
        line("mark", &self.mark);
        if self.beside {
            line("beside", "yes");
        }
        if self.rows > 0 {
            line("rows", &self.rows.to_string());
        }
        text
    }

    fn parse(text: &str) -> Option<Record> {
        if let Some(job) = text.strip_prefix(OLD_HEAD) {
            return Some(Record { job: Some(job.strip_suffix('\n')?.to_string()), ..Record::default() });
        }
        let mut record = Record::default();
        for line in text.strip_prefix(HEAD)?.lines() {
            let (what, value) = line.split_once(": ")?;
            match what {
                "job" => record.job = Some(value.to_string()),
                "checkpoints" => record.checkpoints = Some(value.to_string()),
                "started by" => record.started_by = value.to_string(),
                "mark" => record.mark = value.to_string(),
                "beside" => record.beside = value == "yes",
                "rows" => record.rows = value.parse().ok()?,
                _ => {} // of a later version
            }
        }
        Some(record).filter(|record| record.job.is_some() || !record.mark.is_empty())
    }
}

/// Where the record of a place lies, and what is needed to change it.
#[derive(Clone, Debug)]
pub(crate) struct RecordPlace {
    pub(crate) fs: Arc<dyn Fs>,
    /// The record.
    pub(crate) path: PathBuf,
    /// Where a new one is made before it gets its name.
    pub(crate) aside: PathBuf,
}

impl RecordPlace {
    /// The record that is there.
    pub(crate) fn read(&self) -> Result<Option<Record>> {
        match on(&self.path, self.fs.kind(&self.path))? {
            None => return Ok(None),
            Some(Kind::File) => {}
            Some(kind) => return Err(files::not_ours(&self.path, kind)),
        }
        let Some(bytes) = files::if_there(&self.path, self.fs.read(&self.path))? else { return Ok(None) };
        let record = String::from_utf8(bytes).ok().and_then(|text| Record::parse(&text));
        let unreadable =
            || Error::data(format!("{}: it does not say whose the output is; is it damaged?", self.path.display()));
        record.ok_or_else(unreadable).map(Some)
    }

    /// Creates the record, unless somebody else has one there. Returns whether it did.
    pub(crate) fn create(&self, record: &Record) -> Result<bool> {
        self.written(record, |aside| match self.fs.give_name(aside, &self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            named => on(&self.path, named).map(|_| true),
        })
    }

    /// Puts a record in the place of the one that is there; only for whoever holds the lock of the place.
    pub(crate) fn replace(&self, record: &Record) -> Result<()> {
        self.written(record, |aside| on(&self.path, self.fs.rename(aside, &self.path)))
    }

    /// Removes the record, if it is still this one.
    pub(crate) fn remove(&self, record: &Record) -> Result<()> {
        match self.read()?.is_some_and(|found| found.is_the_same(record)) {
            true => files::remove(&*self.fs, &self.path).and_then(|()| self.sync()),
            false => Ok(()),
        }
    }

    fn written<T>(&self, record: &Record, put: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let fs = &*self.fs;
        // A name of its own: a process that died here may have left one, and another start may be making the same
        // record.
        let aside = self.aside.join(format!("{ASIDE}{}", new_mark()));
        let mut file = on(&aside, fs.create(&aside))?;
        on(&aside, file.append(record.encode().as_bytes()))?;
        synced(&aside, file.sync())?;
        let outcome = put(&aside)?;
        files::remove(fs, &aside)?;
        self.sync().map(|()| outcome)
    }

    fn sync(&self) -> Result<()> {
        let dir = files::parent(&self.path).expect("a file lies in a directory");
        synced(dir, self.fs.sync_names(dir))
    }
}

const ASIDE: &str = ".job.";

/// A mark that nobody else has, since the standard library seeds its hashers from the system.
fn new_mark() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Whether a name is one under which a record is made or the ways of the file system are tried.
pub(crate) fn is_aside(name: &str) -> bool {
    let tried = name.strip_prefix(".ways.").and_then(|rest| rest.strip_suffix(".1").or(rest.strip_suffix(".2")));
    let mark = name.strip_prefix(ASIDE).or(tried);
    mark.is_some_and(|mark| mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_one_of_the_release_before_too() {
        let writing = Writing::of("j", 0).with_checkpoints("a place\nwith a line break");
        for record in [
            Record::of(&Writing::default()),
            Record { beside: true, ..Record::of(&writing) },
            Record { rows: 7, ..Record::of(&writing) },
        ] {
            assert_eq!(Record::parse(&record.encode()), Some(record));
        }
        let old = Record::parse(&format!("{OLD_HEAD}j\n")).unwrap();
        assert!(old.is_of(&writing) && !Record::of(&Writing::default()).is_of(&Writing::default()));
        for text in ["", HEAD, "mine", &format!("{OLD_HEAD}j")] {
            assert_eq!(Record::parse(text), None, "{text}");
        }
    }
}
