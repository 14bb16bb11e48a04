//! Where a file sink writes: the visible files, what is staged for them, and who owns it all.
//!
//! ```text
//! out/…               what is seen
//! out/.job            the record of who writes here
//! out/.published/b0   what bucket 0 has published
//! out/.staging/       what is not seen: staged files, the lock, and output that is made beside an older one
//! ```
//!
//! For a single file `out.csv` they are called `.out.csv.job` and so on.
//!
//! - **One owner.** See [`Claiming`].
//! - **Looked at, then taken.** [`OutputPlace::look`] changes nothing; [`OutputPlace::claim`] looks again once it has the place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge_engine::checkpoint::BucketCut;
use dualgauge_engine::fs::{Fs, Kind, Ways};
use dualgauge_engine::sink::{Claim, Writing};
use dualgauge_engine::{Code, Error, Place, Result};

use super::beside::{self, Beside};
use super::claim::{self, Claiming, Owner};
use super::empty::{self, EmptyFile};
use super::files::{self, create_own_dir, on, synced};
use super::ledger;
use super::manifest::Manifest;
use super::record::{self, Record, RecordPlace};
use super::{PLACE, StagedName};

/// Where a sink writes.
#[derive(Clone, Debug)]
pub(crate) struct OutputPlace {
    pub(crate) fs: Arc<dyn Fs>,
    /// Where finished files appear.
    pub(crate) dir: PathBuf,
    /// Where they are made.
    pub(crate) staging: PathBuf,
    /// Where the ledgers lie.
    pub(crate) published: PathBuf,
    /// The record of who writes here.
    pub(crate) owner: PathBuf,
}

/// What a sink knows of the files that it makes.
pub(crate) struct Form<'a> {
    /// Whether a name is one that the sink gives.
    pub(crate) gives: &'a dyn Fn(&str) -> bool,
    /// Whether the bytes of a file say that a sink has made it; otherwise the ledger must.
    pub(crate) marked: &'a dyn Fn(&dyn Fs, &Path) -> bool,
}

/// In what state a run finds a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// What is there is its own, from an earlier start.
    Own,
    /// None of it is its own: there must be no output, or it is overwritten.
    Begins,
}

impl OutputPlace {
    /// A whole directory.
    pub(crate) fn directory(fs: Arc<dyn Fs>, dir: &Path) -> OutputPlace {
        let hidden = |what: &str| dir.join(format!(".{what}"));
        OutputPlace::of(fs, dir, hidden)
    }

    /// One file in a directory that holds others too.
    pub(crate) fn one_file(fs: Arc<dyn Fs>, dir: &Path, name: &str) -> OutputPlace {
        let hidden = |what: &str| dir.join(format!(".{name}.{what}"));
        OutputPlace::of(fs, dir, hidden)
    }

    fn of(fs: Arc<dyn Fs>, dir: &Path, hidden: impl Fn(&str) -> PathBuf) -> OutputPlace {
        let (staging, published, owner) = (hidden("staging"), hidden("published"), hidden("job"));
        OutputPlace { fs, dir: dir.to_path_buf(), staging, published, owner }
    }

    /// The names in the directory, except those of this module.
    pub(crate) fn output(&self) -> Result<Vec<String>> {
        let mut names = files::list(&*self.fs, &self.dir)?;
        names.retain(|name| ![&self.staging, &self.published, &self.owner].iter().any(|ours| ours.ends_with(name)));
        Ok(names)
    }

    /// Where this module writes, apart from the visible files.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = Place> {
        [&self.staging, &self.published, &self.owner].into_iter().map(|path| Place::tree(&*self.fs, path))
    }

    /// Checks whether a run may write here, given the `output` that was found. Changes nothing.
    ///
    /// # Errors
    /// A place that another job keeps or in which a run is writing; a job that resumes where it is unknown who has
    /// written; a job that starts and finds output of its own, which a younger generation must have written while this
    /// one stood still.
    pub(crate) fn look(
        &self,
        writing: &Writing,
        owner: &Owner,
        output: &[String],
        overwrite: bool,
        form: &Form<'_>,
    ) -> Result<Found> {
        self.refuse_links()?;
        let place = self.owner.display();
        let job = writing.job.as_deref().unwrap_or_default();
        match owner {
            Owner::Running(record) => Err(claim::running(&place.to_string(), &record.whose())),
            Owner::Own(_) if writing.resumes => Ok(Found::Own),
            Owner::Own(record) if record.beside && self.beside().names()?.is_empty() => Ok(Found::Own),
            Owner::Own(record) => match record.beside || output.iter().any(|name| (form.gives)(name)) {
                true => Err(Error::environment(format!(
                    "job {job} has written here since this start of it began: a younger start has overtaken it"
                ))),
                false => Ok(Found::Begins),
            },
            Owner::Job(record) if writing.resumes => Err(Error::usage(format!(
                "the output here is that of {} ({place} says so), and this is job {job}; likely mistake: two jobs write to \
                 one directory, or the checkpoint is not the one that belongs to it",
                record.whose()
            ))),
            Owner::Job(record) if !overwrite && (!output.is_empty() || self.is_staged(record)?) => {
                Err(claim::kept(record, writing, &self.owner, "set overwrite=true"))
            }
            // A sink that the job did not have before.
            Owner::Nobody | Owner::Dead(_) if writing.resumes => match (output.first(), &writing.before) {
                (None, None) => Ok(Found::Own),
                (None, Some(before)) => Err(Code::OtherWords.error(format!(
                    "job {job} wrote this sink's output to {} before its checkpoint, and nothing of it is in \
                     {}: {place} is missing; likely mistake: another directory than before, or one that was emptied \
                     while the job was down. Go on where the output is; or start from the beginning, with a new place for \
                     checkpoints",
                    before.get(PLACE).unwrap_or("the same place"),
                    self.dir.display()
                ))),
                (Some(found), _) => Err(Error::usage(format!(
                    "there is output ({found}) that job {job} cannot know to be its own: {place} is missing or not its own; \
                     likely mistake: the directory is not the one that the job wrote to before"
                ))),
            },
            Owner::Nobody | Owner::Dead(_) | Owner::Job(_) => Ok(Found::Begins),
        }
    }

    /// Takes the place. `look` says whether output is to be made beside what is there; it is called once more when
    /// nobody else can take the place any longer.
    pub(crate) fn claim(
        &self,
        writing: &Writing,
        form: &Form<'_>,
        look: impl Fn(&Owner) -> Result<bool>,
    ) -> Result<Claim> {
        create_own_dir(&*self.fs, &self.staging)?;
        let claiming = self.claiming();
        let owner = claiming.owner(writing)?;
        if matches!(owner, Owner::Own(_) | Owner::Dead(_)) {
            self.beside().complete(&claiming, form)?;
        }
        let record = Record { beside: look(&owner)?, ..Record::of(writing) };
        let clean = |found: &Record| {
            self.beside().complete(&claiming, form)?;
            self.beside().clear()?;
            if found.job.is_none() { self.remove_staged_files(&self.staging, &BTreeSet::new()) } else { Ok(()) }
        };
        let taken = claiming.take(writing, &record, |owner| look(owner).map(drop), clean)?;
        if taken.new {
            // Another run may have published, and ended, since it was looked at.
            let same = look(&Owner::Nobody).and_then(|beside| match beside == record.beside {
                true => Ok(()),
                false => Err(changed(&self.dir)),
            });
            if let Err(error) = same {
                claiming.record.remove(&record)?;
                return Err(error);
            }
        }
        empty::take_away(self, writing, form)?;
        synced(&self.dir, self.fs.sync_names(&self.dir))?;
        let ways = Ways::probe(&*self.fs, &self.staging, &record.mark).ok(); // only the note is wanted
        let (place, note) = (self.clone(), ways.and_then(|ways| ways.note(&self.dir.display().to_string())));
        Ok(taken.held(move |record| place.give_up(record)).noting(note))
    }

    /// Leaves nothing of a run without checkpoints except what it has published; the next run removes what cannot be
    /// removed now.
    fn give_up(&self, record: &Record) {
        let removed = || -> Result<()> {
            if !self.claiming().record.read()?.is_some_and(|found| found.is_the_same(record)) {
                return Ok(());
            }
            self.beside().clear()?;
            self.remove_staged_files(&self.staging, &BTreeSet::new())?;
            self.claiming().record.remove(record)?;
            files::remove(&*self.fs, &self.lock())?;
            files::remove_empty_dir(&*self.fs, &self.staging)
        };
        let _ = removed();
    }

    /// Where a bucket publishes its files: in the directory, or beside an older output.
    ///
    /// # Errors
    /// A place that somebody else has taken.
    pub(crate) fn visible(&self, writing: &Writing) -> Result<PathBuf> {
        let dir = self.where_visible(writing)?;
        if dir != self.dir {
            create_own_dir(&*self.fs, &dir)?;
        }
        Ok(dir)
    }

    /// The same, without creating it.
    pub(super) fn where_visible(&self, writing: &Writing) -> Result<PathBuf> {
        match self.check_owner(writing.job.as_deref())? {
            Some(record) if record.beside => Ok(self.beside().dir().to_path_buf()),
            _ => Ok(self.dir.clone()),
        }
    }

    /// The record, which must not be somebody else's.
    pub(crate) fn check_owner(&self, job: Option<&str>) -> Result<Option<Record>> {
        match self.claiming().record.read()? {
            Some(record) if record.job.as_deref() != job => Err(Error::usage(format!(
                "the output here was taken by {} since this run began ({} says so)",
                record.whose(),
                self.owner.display()
            ))
            .for_good()),
            record => Ok(record),
        }
    }

    /// Ends the output: if there is none, the `empty` file is made; what was made beside an older output takes its
    /// place, and all that was staged is removed, except what savepoints have open.
    pub(crate) fn finish(
        &self,
        writing: &Writing,
        form: &Form<'_>,
        saved: &[BucketCut],
        empty: EmptyFile,
    ) -> Result<()> {
        if files::if_there(&self.dir, self.fs.list(&self.dir))?.is_none() {
            return Ok(()); // the place was never taken
        }
        let claiming = self.claiming();
        let record = claiming.record.read()?;
        let beside = record.as_ref().is_some_and(|record| record.beside);
        if beside && !self.beside().is_exchanging()? {
            create_own_dir(&*self.fs, self.beside().dir())?;
            empty::fill(self, self.beside().dir(), writing, form, empty)?;
        } else if !beside {
            empty::fill(self, &self.dir, writing, form, empty)?;
        }
        if beside {
            self.beside().exchange(&claiming, form)?;
        }
        let mut kept = BTreeSet::new();
        for prepared in saved.iter().filter_map(|cut| cut.prepared.last()) {
            kept.extend(Manifest::decode(prepared.epoch, &prepared.bytes)?.parts().cloned());
        }
        let own = record.and_then(|record| record.job).map(|job| super::aside::dir_of(&self.staging, Some(&job)));
        let none = BTreeSet::new();
        for dir in self.jobs()? {
            self.remove_staged_in(&dir, if own.as_ref() == Some(&dir) { &kept } else { &none })?;
        }
        self.remove_staged_files(&self.staging, &none)?;
        files::remove(&*self.fs, &self.lock())?;
        files::remove_empty_dir(&*self.fs, &self.staging)?;
        synced(&self.dir, self.fs.sync_names(&self.dir))
    }

    /// Those of the names that a sink has published here: by their form, and by what their bytes or the ledger says.
    pub(crate) fn ours(&self, names: &[String], form: &Form<'_>) -> Result<Vec<String>> {
        let (fs, ledger) = (&*self.fs, ledger::read(&*self.fs, &self.published)?);
        let mut ours = Vec::new();
        for name in names.iter().filter(|name| (form.gives)(name)) {
            let path = self.dir.join(name);
            if on(&path, fs.kind(&path))? != Some(Kind::File) {
                continue;
            }
            let is_published = || -> Result<bool> {
                let Some(published) = ledger.get(name) else { return Ok(false) };
                let length = on(&path, fs.open(&path).and_then(|file| file.length()))?;
                if !published.iter().any(|(of, _)| *of == length) {
                    return Ok(false);
                }
                let hash = files::hash(fs, &path)?;
                Ok(published.iter().any(|(_, of)| Some(of) == hash.as_ref()))
            };
            if (form.marked)(fs, &path) || is_published()? {
                ours.push(name.clone());
            }
        }
        Ok(ours)
    }

    /// Who has the place.
    pub(crate) fn owner_for(&self, writing: &Writing) -> Result<Owner> {
        self.claiming().owner(writing)
    }

    fn claiming(&self) -> Claiming {
        let record = RecordPlace { fs: self.fs.clone(), path: self.owner.clone(), aside: self.staging.clone() };
        Claiming { record, lock: self.lock() }
    }

    fn beside(&self) -> Beside<'_> {
        Beside::of(self)
    }

    fn lock(&self) -> PathBuf {
        self.staging.join("lock")
    }

    /// Whether something lies here that the job of a record would need to resume.
    fn is_staged(&self, record: &Record) -> Result<bool> {
        let dir = super::aside::dir_of(&self.staging, record.job.as_deref());
        Ok(files::is_own_dir(&*self.fs, &dir)? || record.beside)
    }

    /// Refuses links where this module makes directories and files: what they lead to is somebody else's.
    fn refuse_links(&self) -> Result<()> {
        files::is_own_dir(&*self.fs, &self.published)?;
        for dir in self.jobs()?.iter().chain([&self.staging, &self.published]) {
            for name in files::list(&*self.fs, dir)? {
                let path = dir.join(name);
                if on(&path, self.fs.kind(&path))? == Some(Kind::Link) {
                    return Err(files::not_ours(&path, Kind::Link));
                }
            }
        }
        Ok(())
    }

    /// The directories of jobs, each a real directory and not a link to one.
    fn jobs(&self) -> Result<Vec<PathBuf>> {
        if !files::is_own_dir(&*self.fs, &self.staging)? {
            return Ok(Vec::new());
        }
        let names = files::list(&*self.fs, &self.staging)?;
        let dirs = names.iter().filter(|name| name.starts_with("job-")).map(|name| self.staging.join(name));
        dirs.map(|dir| files::is_own_dir(&*self.fs, &dir).map(|_| dir)).collect()
    }

    /// Removes the staged files of a directory, and then itself. What was not staged by a bucket stays, and then so
    /// does the directory.
    fn remove_staged_in(&self, dir: &Path, kept: &BTreeSet<StagedName>) -> Result<()> {
        self.remove_staged_files(dir, kept)?;
        files::remove_empty_dir(&*self.fs, dir)
    }

    fn remove_staged_files(&self, dir: &Path, kept: &BTreeSet<StagedName>) -> Result<()> {
        if !files::is_own_dir(&*self.fs, dir)? {
            return Ok(());
        }
        let staged = |name: &&String| {
            let staged = StagedName::of(name).is_some_and(|staged| !kept.contains(&staged));
            staged || record::is_aside(name) || [empty::ASIDE, beside::ASIDE].contains(&name.as_str())
        };
        let names = files::list(&*self.fs, dir)?;
        names.iter().filter(staged).try_for_each(|name| files::remove(&*self.fs, &dir.join(name)))
    }
}

fn changed(dir: &Path) -> Error {
    Error::environment(format!("{}: what lies there has changed since this run was started", dir.display()))
}

/// Refuses to make output beside an older one in a run that may never reach the exchange.
pub(crate) fn never_exchanged(sink: &str) -> Error {
    Error::usage(format!(
        "sink {sink}: there is output already, which stays until the run has ended, and this run follows a source and may \
         never end; choose another place, move the old output away, or say where the run ends (`until`, `follow=false`)"
    ))
}
