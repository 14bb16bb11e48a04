//! The settings of a job's checkpoints: where they are, how often they are taken, and from which one it resumes.

use std::fmt;
use std::sync::Arc;

use super::checks;
use crate::checkpoint::{self, Commit, CommitName, Store};
use crate::{Code, Duration, Durations, Error};

/// How a job takes checkpoints, and what it does with those that are there.
#[derive(Clone)]
pub struct Checkpoints {
    pub(super) store: Arc<dyn Store>,
    pub(super) every: Duration,
    pub(super) fresh: bool,
    pub(super) from: Option<CommitName>,
    pub(super) dropped: Vec<String>,
    pub(super) replaces: bool,
}

impl Checkpoints {
    /// Checkpoints in `store`, every ten seconds; a job resumes from the newest one there is.
    pub fn in_store(store: Arc<dyn Store>) -> Checkpoints {
        Checkpoints { store, every: 10.seconds(), fresh: false, from: None, dropped: Vec::new(), replaces: false }
    }

    /// How long after one checkpoint the next one is due.
    pub fn every(mut self, every: Duration) -> Checkpoints {
        self.every = every;
        self
    }

    /// Starts from the beginning, and refuses a store that holds a checkpoint.
    pub fn fresh(mut self) -> Checkpoints {
        self.fresh = true;
        self
    }

    /// Resumes from the checkpoint at the end of an epoch, not from the newest. Where the job went back and has taken
    /// another one at the end of the same epoch, a [`CommitName`] says which is meant.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use dualgauge_engine::checkpoint::{CommitName, LocalStore};
    /// use dualgauge_engine::fs::FaultFs;
    /// use dualgauge_engine::{Checkpoints, Epoch};
    ///
    /// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    /// let checkpoints = Checkpoints::in_store(store).from(Epoch(310));
    /// let checkpoints = checkpoints.from("310@2".parse::<CommitName>().unwrap());
    /// ```
    pub fn from(mut self, epoch: impl Into<CommitName>) -> Checkpoints {
        self.from = Some(epoch.into());
        self
    }

    /// Replaces what was published since the checkpoint from which the job resumes, where that is not the newest;
    /// otherwise such a start is refused.
    pub fn replace_output(mut self) -> Checkpoints {
        self.replaces = true;
        self
    }

    /// Turns an error of a source or a table into a gap if what it was to read [is not there](Error::is_absent) and a
    /// job that resumes here has read it: a source not to its end, or a table at all, since its rows are needed again.
    /// Any other error stays as it was.
    pub fn told_of_gap(&self, source: &str, error: Error) -> Error {
        if !error.is_absent() || self.fresh {
            return error;
        }
        let was_there = |_: u64, commit: &Commit| Ok(checks::was_there(commit, source));
        // What cannot be looked at now is reported when the job starts.
        match checkpoint::look_at_named(&*self.store, self.from, was_there) {
            Ok(Some(what)) => Code::SourceGap.error(error.to_string()).with_note(format!(
                "{what} when the job was started; put it back to go on, or start from the beginning, with a new place for \
                 checkpoints and for the output"
            )),
            _ => error,
        }
    }

    /// Forgets what a step kept that is no longer in the graph; otherwise such a step is an error.
    pub fn drop_state(mut self, step: impl Into<String>) -> Checkpoints {
        self.dropped.push(step.into());
        self
    }
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints")
            .field("store", &self.store.describe())
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
