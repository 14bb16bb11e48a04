//! Going back: which files a job has published since the commit from which it resumes, and taking them back.
//!
//! The ledger of a place says for each file which job published it, at which start and for which epoch. What it lists
//! for this job and a later epoch is taken back, if the file is still the one that was published. Then the ledger is
//! rewritten without it, with a mark: output that was taken back belongs to a history that nobody can resume any more.

use std::collections::BTreeSet;
use std::path::Path;

use dualgauge_engine::checkpoint::BucketCut;
use dualgauge_engine::fs::{Fs, Kind, PlainName};
use dualgauge_engine::sink::{After, Since, Writing};
use dualgauge_engine::{Code, Epoch, Error, Result};

use super::files::{self, on, synced};
use super::ledger::{self, By, Line, What};
use super::manifest::Manifest;
use super::owner::{Form, OutputPlace};

/// A file that was published since, with its hash.
struct Later {
    name: PlainName,
    hash: String,
}

impl OutputPlace {
    /// What the job has published since the commit from which it resumes; `prepared` is what that commit has prepared.
    pub(crate) fn published_since(&self, writing: &Writing, prepared: &[BucketCut], form: &Form<'_>) -> Result<Since> {
        let Some((job, after)) = resuming(writing) else { return Ok(Since::Nothing) };
        let lines = self.lines()?;
        of_this_history(&lines, &job, after, &self.dir)?;
        let later = later(&lines, &job, after, form)?;
        let Some(upto) = later_lines(&lines, &job, after).filter_map(Line::epoch).max() else {
            return Ok(Since::Nothing);
        };
        self.has_what_is_open(writing, after, prepared)?;
        let (mut there, dir) = (0, self.where_visible(writing)?);
        for Later { name, hash } in &later {
            there += u64::from(self.is_what_was_published(&dir, name, hash)?);
        }
        let gone = later.len() as u64 - there;
        let gone = if gone > 0 { format!(" (and {gone} that are gone)") } else { String::new() };
        let files = if there == 1 { "file" } else { "files" };
        Ok(Since::Published { upto, what: format!("{there} {files}{gone}") })
    }

    /// Removes the files that were published since, and notes that they are gone.
    pub(crate) fn take_back(&self, writing: &Writing, form: &Form<'_>) -> Result<()> {
        let Some((job, after)) = resuming(writing) else { return Ok(()) };
        let (fs, lines, dir) = (&*self.fs, self.lines()?, self.where_visible(writing)?);
        let later = later(&lines, &job, after, form)?;
        let mut there = Vec::new();
        for Later { name, hash } in &later {
            // All are checked before any is removed.
            if self.is_what_was_published(&dir, name, hash)? {
                there.push(name.within(&dir));
            }
        }
        there.iter().try_for_each(|path| files::remove(fs, path))?;
        if !there.is_empty() {
            synced(&dir, fs.sync_names(&dir))?;
        }
        let by = By { job: job.clone(), generation: writing.generation, epoch: after.epoch };
        ledger::go_back(fs, &self.published, &by, |line| !line.is_later(&job, after))
    }

    /// Refuses a commit if part of its open spans is gone: what is taken back could not be made again.
    fn has_what_is_open(&self, writing: &Writing, after: After, prepared: &[BucketCut]) -> Result<()> {
        let staged = super::aside::dir_of(&self.staging, writing.job.as_deref());
        for last in prepared.iter().filter_map(|cut| cut.prepared.last()) {
            for part in Manifest::decode(last.epoch, &last.bytes)?.parts() {
                let path = part.plain().within(&staged);
                if on(&path, self.fs.kind(&path))? != Some(Kind::File) {
                    return Err(Code::OutputAhead.error(format!(
                        "the checkpoint of epoch {} cannot be gone back to: {}, which it needs to make again \
                         what was published since, is gone. Savepoints keep what they need for ever, other checkpoints \
                         while they are among the last three of a job that has not ended. Go on from the newest checkpoint; or start \
                         from the beginning, with a new place for checkpoints and for the output",
                        after.epoch,
                        path.display()
                    )));
                }
            }
        }
        Ok(())
    }

    pub(super) fn lines(&self) -> Result<Vec<Line>> {
        ledger::lines(&*self.fs, &self.published)
    }

    /// Whether a file is there; a different one of this name is refused.
    fn is_what_was_published(&self, dir: &Path, name: &PlainName, hash: &str) -> Result<bool> {
        let path = name.within(dir);
        let fs: &dyn Fs = &*self.fs;
        match on(&path, fs.kind(&path))? {
            None => Ok(false),
            Some(Kind::File) if files::hash(fs, &path)?.as_deref() == Some(hash) => Ok(true),
            Some(_) => Err(Code::OutputAhead.error(format!(
                "{} was published since the checkpoint and is not what it was, so it is not replaced; move it \
                 out of the way to go back",
                path.display()
            ))),
        }
    }
}

/// The job that resumes, as a ledger names it, and from where.
fn resuming(writing: &Writing) -> Option<(String, After)> {
    Some((ledger::job_name(writing.job.as_deref()?), writing.after?))
}

/// What was published for later epochs.
fn later_lines<'a>(lines: &'a [Line], job: &'a str, after: After) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(move |line| line.file().is_some() && line.is_later(job, after))
}

/// The files of later epochs, except those that an earlier one has published too.
fn later(lines: &[Line], job: &str, after: After, form: &Form<'_>) -> Result<Vec<Later>> {
    let (late, early): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.is_later(job, after));
    let early: BTreeSet<_> = early.into_iter().filter_map(Line::file).collect();
    let late: BTreeSet<_> = late.into_iter().filter_map(Line::file).collect();
    let wanted = late.difference(&early).filter(|(name, _)| (form.gives)(name));
    wanted.map(|(name, (_, hash))| Ok(Later { name: PlainName::parse(name.as_str())?, hash: hash.clone() })).collect()
}

/// Refuses a commit of a history that was abandoned: what it builds on was taken back, or published differently.
pub(crate) fn of_this_history(lines: &[Line], job: &str, after: After, dir: &Path) -> Result<()> {
    let mine = lines.iter().filter_map(|line| Some((line, line.by.as_ref().filter(|by| by.job == job)?)));
    let mut others = mine.filter(|(line, by)| match line.what {
        What::Back => by.epoch < after.epoch && by.generation > after.generation,
        What::File(..) => by.epoch <= after.epoch && by.generation > after.generation,
        What::Empty(..) | What::Sealed => false,
    });
    match others.next() {
        None => Ok(()),
        Some((_, by)) => Err(left(dir, after, by.epoch, by.generation)),
    }
}

/// Refuses a commit of a history that was abandoned.
fn left(dir: &Path, after: After, epoch: Epoch, generation: u64) -> Error {
    Code::OutputAhead.error(format!(
        "start {generation} of the job went back, and the output in {} is its from epoch {epoch} on; the \
         checkpoint of epoch {}, which start {} took, is of the history that was left then. Go on from the newest checkpoint, \
         or from one that is not newer than epoch {epoch}",
        dir.display(),
        after.epoch,
        after.generation
    ))
}
