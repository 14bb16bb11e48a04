//! Claiming a place of output: one run has it, from before the first row until nothing is left unfinished.
//!
//! - **A live run keeps its place.** A run holds a lock of the operating system beside the record, taken before the
//!   record is there; the lock ends with the process, however that ends.
//! - **A job keeps its place even when it is down.** The record of a job with checkpoints stays when it stops or is
//!   killed, until its own next start resumes there. Another run may break it only if nothing of that job is left, or
//!   if it is told to overwrite. Nobody resumes what a run without checkpoints has left unfinished, so the next run may
//!   take over.
//! - **Broken under the lock.** Whoever replaces another's record holds the lock and has read that record under it.

use std::path::PathBuf;
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, FsLock};
use dualgauge_engine::sink::{Claim, Writing};
use dualgauge_engine::{Error, Result};

use super::files;
use super::record::{Record, RecordPlace};

/// How often to check whether a lock is held.
const LOOKS: u32 = 3;

/// How often to try a lock that another start holds for a moment, and how long to wait in between: a second in all.
const TRIES: u32 = 100;
const WAIT: std::time::Duration = std::time::Duration::from_millis(10);

/// A place that is to be claimed.
#[derive(Clone, Debug)]
pub(crate) struct Claiming {
    pub(crate) record: RecordPlace,
    pub(crate) lock: PathBuf,
}

/// What stands between a run and a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody has claimed it.
    Nobody,
    /// The job that writes.
    Own(Record),
    /// Another job, which is down and may resume there.
    Job(Record),
    /// Another run that is writing now.
    Running(Record),
    /// A run without checkpoints that has died before its end.
    Dead(Record),
}

impl Owner {
    fn of_one_that_is_down(record: Record) -> Owner {
        if record.job.is_some() { Owner::Job(record) } else { Owner::Dead(record) }
    }
}

impl Claiming {
    /// Who has the place.
    pub(crate) fn owner(&self, writing: &Writing) -> Result<Owner> {
        Ok(match self.record.read()? {
            None => Owner::Nobody,
            Some(record) if record.is_of(writing) => Owner::Own(record),
            Some(record) if self.is_locked()? => Owner::Running(record),
            Some(record) => Owner::of_one_that_is_down(record),
        })
    }

    /// Takes the place, whose record may be replaced if `may_replace` says so; `clean` removes what a replaced run has
    /// left. The claim calls `end` when it is dropped, if it belongs to a run without checkpoints.
    pub(crate) fn take(
        &self,
        writing: &Writing,
        record: &Record,
        may_replace: impl Fn(&Owner) -> Result<()>,
        clean: impl Fn(&Record) -> Result<()>,
    ) -> Result<Taken> {
        for _ in 0..TRIES {
            // An older start of the job may still be alive and hold the lock; the place is the job's all the same.
            if let Some(found) = self.record.read()?.filter(|found| found.is_of(writing)) {
                return Ok(Taken { record: found, new: false, lock: self.lock_soon()? });
            }
            let Some(lock) = self.try_lock()? else {
                std::thread::sleep(WAIT);
                continue;
            };
            match self.record.read()? {
                Some(found) if found.is_of(writing) => continue,
                None if !self.record.create(record)? => continue,
                None => {}
                // Whoever holds the lock knows that nobody else is writing.
                Some(found) => {
                    may_replace(&Owner::of_one_that_is_down(found.clone()))?;
                    clean(&found)?;
                    self.record.replace(record)?;
                }
            }
            return Ok(Taken { record: record.clone(), new: true, lock: Some(lock) });
        }
        let whose = self.record.read()?.map_or_else(|| "another run".to_string(), |record| record.whose());
        Err(running(&self.record.path.display().to_string(), &whose))
    }

    /// Whether a run holds the lock; nobody does if there is none.
    fn is_locked(&self) -> Result<bool> {
        let there = files::on(&self.lock, self.record.fs.kind(&self.lock))?.is_some();
        Ok(there && self.lock_soon()?.is_none())
    }

    /// The lock, unless a run holds it; another start that is only checking holds it just for a moment.
    fn lock_soon(&self) -> Result<Option<FsLock>> {
        for _ in 1..LOOKS {
            if let Some(lock) = self.try_lock()? {
                return Ok(Some(lock));
            }
            std::thread::sleep(WAIT);
        }
        self.try_lock()
    }

    fn try_lock(&self) -> Result<Option<FsLock>> {
        let dir = files::parent(&self.lock).expect("a file lies in a directory");
        let fs: &Arc<dyn Fs> = &self.record.fs;
        for _ in 0..TRIES {
            match fs.lock_now(&self.lock) {
                // A run that has just ended here has removed the directory.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => files::create_own_dir(&**fs, dir)?,
                lock => return files::on(&self.lock, lock),
            }
        }
        Err(Error::environment(format!("{} is removed again and again", dir.display())))
    }
}

/// A place that was taken.
pub(crate) struct Taken {
    /// The record that is there: the new one, or what an earlier start of the job has left.
    pub(crate) record: Record,
    /// Whether this start has written it.
    pub(crate) new: bool,
    lock: Option<FsLock>,
}

impl Taken {
    /// What the engine holds while the run lasts. `end` is called when a run without checkpoints is over, however it ended.
    pub(crate) fn held(self, end: impl FnOnce(&Record) + Send + Sync + 'static) -> Claim {
        match self.lock {
            None => Claim::default(),
            Some(lock) if self.record.job.is_some() => Claim::held(lock),
            Some(lock) => Claim::held(Ended { record: self.record, end: Some(end), _lock: lock }),
        }
    }
}

struct Ended<F: FnOnce(&Record)> {
    record: Record,
    end: Option<F>,
    /// Released last.
    _lock: FsLock,
}

impl<F: FnOnce(&Record)> Drop for Ended<F> {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end(&self.record);
        }
    }
}

/// Refuses a place in which somebody is writing.
pub(crate) fn running(place: &str, whose: &str) -> Error {
    Error::usage(format!(
        "{whose} is writing here at this moment ({place} says so); likely mistake: the same run was started twice, or two \
         runs write to one place"
    ))
}

/// Refuses a place that another job keeps; `otherwise` says how to give that job up.
pub(crate) fn kept(record: &Record, writing: &Writing, place: &std::path::Path, otherwise: &str) -> Error {
    let (whose, place) = (record.whose(), place.display());
    let gone = record.checkpoints.as_ref().filter(|_| record.checkpoints == writing.checkpoints);
    Error::usage(match gone {
        Some(checkpoints) => format!(
            "the output here is that of {whose} ({place} says so), and {checkpoints} knows nothing of that job any more; \
             likely mistake: the checkpoints were deleted. Bring them back to go on; or choose another place, or \
             {otherwise}, to begin anew"
        ),
        None => format!(
            "the output here is that of {whose} ({place} says so), which may go on with it; choose another place, or \
             {otherwise} to give up what that job has not finished"
        ),
    })
}
