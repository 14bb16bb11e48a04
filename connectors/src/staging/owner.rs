//! Whose an output directory is: a job with checkpoints writes its name there, and finds it again.
//!
//! The name stands in a hidden file beside the output, `.job`: a line that says what it is, and the job.
//!
//! - **Output has one owner.** A job that goes on finds its own name, or is refused; one that starts finds no output.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, Kind};
use dualgauge_engine::sink::Writing;
use dualgauge_engine::{Error, Result};

use super::aside::dir_of;
use super::files::{self, create_own_dir, on, synced};
use super::{PLACE, StagedName};

/// The first line of the file that names the job.
const HEAD: &str = "# The output here belongs to this job of dualgauge, which goes on from its checkpoint:\n";

/// The name of a file that is to become the one that names the job. Each start has its own.
fn new_owner(generation: u64) -> String {
    format!("job.g{generation}.new")
}

fn is_new_owner(name: &str) -> bool {
    let generation = name.strip_prefix("job.g").and_then(|rest| rest.strip_suffix(".new"));
    generation.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Where a sink writes.
#[derive(Clone, Debug)]
pub(crate) struct OutputPlace {
    pub(crate) fs: Arc<dyn Fs>,
    /// Where finished files appear.
    pub(crate) dir: PathBuf,
    /// Where they are made.
    pub(crate) staging: PathBuf,
    /// The file that names the job.
    pub(crate) owner: PathBuf,
}

impl OutputPlace {
    /// A whole directory.
    pub(crate) fn directory(fs: Arc<dyn Fs>, dir: &Path) -> OutputPlace {
        OutputPlace { fs, dir: dir.to_path_buf(), staging: dir.join(".staging"), owner: dir.join(".job") }
    }

    /// One file in a directory that holds others too.
    pub(crate) fn one_file(fs: Arc<dyn Fs>, dir: &Path, name: &str) -> OutputPlace {
        let hidden = |what: &str| dir.join(format!(".{name}.{what}"));
        OutputPlace { fs, dir: dir.to_path_buf(), staging: hidden("staging"), owner: hidden("job") }
    }

    /// The names in the directory, but for those of this module.
    pub(crate) fn output(&self) -> Result<Vec<String>> {
        let mut names = files::list(&*self.fs, &self.dir)?;
        names.retain(|name| ![&self.staging, &self.owner].iter().any(|ours| ours.ends_with(name)));
        Ok(names)
    }

    /// Whether a job goes on here, so that the `output` is its own; a job that starts must see to it that there is none.
    ///
    /// # Errors
    /// A job that goes on where another one has written, or nobody knows who; one that starts and finds output of its
    /// own, which a younger generation must have written while this one stood still: it is not to be overwritten.
    pub(crate) fn goes_on(&self, writing: &Writing, output: &[String]) -> Result<bool> {
        self.refuse_links()?;
        let Some(job) = writing.job.as_deref() else { return Ok(false) };
        if !writing.resumes {
            return match !output.is_empty() && self.owner()?.as_deref() == Some(job) {
                true => Err(Error::environment(format!(
                    "job {job} has written here since this start of it began: a younger start has overtaken it"
                ))),
                false => Ok(false),
            };
        }
        let place = self.owner.display();
        match (self.owner()?, output.first()) {
            (Some(owner), _) if owner == job => Ok(true),
            (Some(owner), _) => Err(Error::usage(format!(
                "the output here is that of job {owner} ({place} says so), and this is job {job}; likely mistake: two \
                 jobs write to one directory, or the checkpoint is not the one that belongs to it"
            ))),
            // A sink that the job did not have before.
            (None, None) if writing.before.is_none() => Ok(true),
            (None, None) => {
                let before = writing.before.as_ref().and_then(|before| before.get(PLACE));
                let now = self.dir.display();
                Err(Error::usage(format!(
                    "E-OTHER-WORDS: job {job} wrote this sink's output to {} before its checkpoint, and nothing of it is in \
                     {now}: {place} is missing; likely mistake: another directory than before, or one that was emptied \
                     while the job was down. Go on where the output is; or start from the beginning, with a new place for \
                     checkpoints",
                    before.unwrap_or("the same place")
                )))
            }
            (None, Some(found)) => Err(Error::usage(format!(
                "there is output ({found}) that job {job} cannot know to be its own: {place} is missing; likely \
                 mistake: the directory is not the one that the job wrote to before"
            ))),
        }
    }

    /// Notes whose the directory is from now on. It holds no output, or that of this job.
    pub(crate) fn claim(&self, writing: &Writing) -> Result<()> {
        let fs = &*self.fs;
        let owner = self.owner()?;
        let Some(job) = &writing.job else {
            return match owner {
                Some(_) => files::remove(fs, &self.owner),
                None => Ok(()),
            };
        };
        if !writing.resumes {
            self.remove_strangers(job)?;
        }
        create_own_dir(fs, &self.staging)?;
        if owner.as_ref() != Some(job) {
            let aside = self.staging.join(new_owner(writing.generation));
            files::remove(fs, &aside)?;
            let mut file = on(&aside, fs.create(&aside))?;
            on(&aside, file.append(format!("{HEAD}{job}\n").as_bytes()))?;
            synced(&aside, file.sync())?;
            on(&self.owner, fs.rename(&aside, &self.owner))?;
        }
        synced(&self.dir, fs.sync_dir(&self.dir))
    }

    /// Removes all that was staged; the output is whole.
    pub(crate) fn clear(&self) -> Result<()> {
        if files::if_there(&self.dir, self.fs.list(&self.dir))?.is_none() {
            return Ok(()); // not a row was written, so nobody has made the directory
        }
        self.remove_staged()?;
        synced(&self.dir, self.fs.sync_dir(&self.dir))
    }

    fn owner(&self) -> Result<Option<String>> {
        if let Some(kind) = on(&self.owner, self.fs.kind(&self.owner))?.filter(|kind| *kind != Kind::File) {
            return Err(files::not_ours(&self.owner, kind));
        }
        let Some(bytes) = files::if_there(&self.owner, self.fs.read(&self.owner))? else { return Ok(None) };
        let owner = String::from_utf8(bytes).ok();
        let owner = owner.and_then(|text| Some(text.strip_prefix(HEAD)?.strip_suffix('\n')?.to_string()));
        let unreadable = || Error::data(format!("{}: it does not name a job; is it damaged?", self.owner.display()));
        owner.ok_or_else(unreadable).map(Some)
    }

    /// Removes what other jobs have staged here: their output is gone.
    fn remove_strangers(&self, job: &str) -> Result<()> {
        let own = dir_of(&self.staging, Some(job));
        self.jobs()?.iter().filter(|dir| **dir != own).try_for_each(|dir| self.remove_staged_in(dir))
    }

    /// Removes all staged files, and the directories that held nothing else.
    fn remove_staged(&self) -> Result<()> {
        self.jobs()?.iter().try_for_each(|dir| self.remove_staged_in(dir))?;
        self.remove_staged_in(&self.staging)
    }

    /// Refuses links where this module makes directories and files: what they lead to is somebody else's.
    pub(crate) fn refuse_links(&self) -> Result<()> {
        for dir in self.jobs()?.iter().chain([&self.staging]) {
            for name in files::list(&*self.fs, dir)? {
                let path = dir.join(name);
                if on(&path, self.fs.kind(&path))? == Some(Kind::Link) {
                    return Err(files::not_ours(&path, Kind::Link));
                }
            }
        }
        Ok(())
    }

    /// The directories of jobs, each real and no link to one.
    fn jobs(&self) -> Result<Vec<PathBuf>> {
        if !files::is_own_dir(&*self.fs, &self.staging)? {
            return Ok(Vec::new());
        }
        let names = files::list(&*self.fs, &self.staging)?;
        let dirs = names.iter().filter(|name| name.starts_with("job-")).map(|name| self.staging.join(name));
        dirs.map(|dir| files::is_own_dir(&*self.fs, &dir).map(|_| dir)).collect()
    }

    /// Removes the staged files of a directory, and then itself. What nobody has staged stays, and so does the directory.
    fn remove_staged_in(&self, dir: &Path) -> Result<()> {
        if !files::is_own_dir(&*self.fs, dir)? {
            return Ok(());
        }
        let staged = |name: &&String| StagedName::of(name).is_some() || is_new_owner(name);
        let names = files::list(&*self.fs, dir)?;
        names.iter().filter(staged).try_for_each(|name| files::remove(&*self.fs, &dir.join(name)))?;
        files::remove_empty_dir(&*self.fs, dir)
    }
}
