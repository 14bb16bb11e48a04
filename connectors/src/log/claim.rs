//! Whose a log is while a sink appends to it: the record `.job` in its directory, as in every place of output.
//!
//! Unlike a directory of files, a log may be appended to by one run after another: the record goes when a run has
//! ended, even one with checkpoints. What a run without checkpoints has appended before it died is in the log for good;
//! the record says how many rows the log had before it, so that the next run does not append the same rows again
//! unnoticed.

use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, Ways};
use dualgauge_engine::sink::{Claim, Writing};
use dualgauge_engine::{Error, Result};

use super::directory::Log;
use super::files::{create_dirs_durably, remove, segments};
use super::identity;
use crate::staging::Owner;
use crate::staging::claim::{self, Claiming};
use crate::staging::record::{Record, RecordPlace};

fn claiming(fs: Arc<dyn Fs>, dir: &Path) -> Claiming {
    let record = RecordPlace { fs, path: dir.join(".job"), aside: dir.to_path_buf() };
    Claiming { record, lock: dir.join(".job.lock") }
}

/// Checks whether a sink may append here. Changes nothing.
pub(super) fn look(fs: Arc<dyn Fs>, dir: &Path, writing: &Writing) -> Result<()> {
    let claiming = claiming(fs, dir);
    may_append(&claiming, dir, writing, &claiming.owner(writing)?)
}

/// Takes the log, which need not be there yet.
pub(super) fn claim(fs: Arc<dyn Fs>, dir: &Path, writing: &Writing) -> Result<Claim> {
    create_dirs_durably(&*fs, dir)?;
    let claiming = claiming(fs.clone(), dir);
    may_append(&claiming, dir, writing, &claiming.owner(writing)?)?;
    let record = Record { rows: rows(&fs, dir)?, ..Record::of(writing) };
    let taken = claiming.take(writing, &record, |owner| may_append(&claiming, dir, writing, owner), |_| Ok(()))?;
    let ways = Ways::probe(&*fs, dir, &record.mark).ok(); // only the note is wanted
    let note = ways.and_then(|ways| ways.note(&dir.display().to_string()));
    let claim = taken.held(move |record| {
        // A run that died has left the record; so this checks whether it appended anything.
        let unchanged = || rows(&claiming.record.fs, claiming_dir(&claiming)).is_ok_and(|now| now == record.rows);
        if unchanged() {
            let _ = claiming.record.remove(record);
        }
        let _ = remove(&*claiming.record.fs, &claiming.lock);
    });
    Ok(claim.noting(note))
}

/// Ends the claim of a run that has finished.
pub(super) fn end(fs: &Arc<dyn Fs>, dir: &Path, writing: &Writing) -> Result<()> {
    let claiming = claiming(fs.clone(), dir);
    remove(&**fs, &claiming.record.path)?;
    // A run without checkpoints removes its lock last.
    if writing.job.is_some() { remove(&**fs, &claiming.lock) } else { Ok(()) }
}

/// Refuses a log that somebody else has taken since.
pub(super) fn check_owner(fs: &Arc<dyn Fs>, dir: &Path, job: Option<&str>) -> Result<()> {
    match claiming(fs.clone(), dir).record.read()? {
        Some(record) if record.job.as_deref() != job => Err(Error::usage(format!(
            "{}: the log was taken by {} since this run began",
            dir.display(),
            record.whose()
        ))),
        _ => Ok(()),
    }
}

fn may_append(claiming: &Claiming, dir: &Path, writing: &Writing, owner: &Owner) -> Result<()> {
    let place = &claiming.record.path;
    match owner {
        Owner::Nobody | Owner::Own(_) => Ok(()),
        Owner::Job(record) => Err(claim::kept(record, writing, place, &format!("remove {}", place.display()))),
        Owner::Running(record) => Err(claim::running(&place.display().to_string(), &record.whose())),
        Owner::Dead(record) => match rows(&claiming.record.fs, dir)?.checked_sub(record.rows) {
            Some(0) => Ok(()),
            appended => Err(Error::usage(format!(
                "{}: {} has appended {} rows here and did not come to its end, so this run could append them once more; \
                 write to another log, or remove {} if they may be doubled",
                dir.display(),
                record.whose(),
                appended.unwrap_or_default(),
                place.display()
            ))),
        },
    }
}

/// How many rows the log has.
fn rows(fs: &Arc<dyn Fs>, dir: &Path) -> Result<u64> {
    if !identity::exists(&**fs, dir) {
        return Ok(0);
    }
    let log = Log::open_on(fs.clone(), dir)?;
    let mut rows = 0;
    for partition in 0..log.partitions() {
        let dir = log.partition_dir(partition)?;
        if let Some(&last) = segments(&*log.fs, &dir)?.last() {
            rows += log.index(partition, &dir, last)?.run.place.offset;
        }
    }
    Ok(rows)
}

fn claiming_dir(claiming: &Claiming) -> &Path {
    claiming.record.path.parent().expect("a record lies in a directory")
}
