//! How one start of a job ends: what was asked of it, what has failed, what was committed.
//!
//! These are facts, and they decide. What the metrics count is reported to a person and decides nothing: there, a
//! user's step may have any name.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::shared::Shared;
use crate::{Error, ErrorKind};

/// What has come to pass in one start of a job.
#[derive(Debug, Default)]
pub(super) struct End {
    stop: AtomicBool,
    /// Requested in a job without checkpoints: nothing more is read, and once the sinks have written what came, all
    /// stop.
    resting: AtomicBool,
    /// Whether this is one of several processes: when its sinks have written what came, others may not have.
    among_others: AtomicBool,
    /// All sinks of this process have written what came.
    rested: AtomicBool,
    /// Sinks, on all workers of this process, that have something to write yet.
    sinks_left: AtomicUsize,
    /// Requested, and taken at the next occasion: a stop after a checkpoint, a savepoint.
    stop_asked: AtomicBool,
    savepoint_asked: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Why a stop after a checkpoint was requested, if not by the user.
    reason: Mutex<Option<Error>>,
    commits: AtomicU64,
    ended: AtomicBool,
}

impl Shared {
    /// Ends the job with an error; the first one is reported.
    pub(crate) fn fail(&self, error: Error) {
        self.end.failure.lock().expect("no panic holds it").get_or_insert(error);
        self.end.stop.store(true, Ordering::SeqCst);
    }

    /// Asks every worker to end without firing what is half full.
    pub(crate) fn stop(&self) {
        self.fail(Error::new(
            ErrorKind::Stopped,
            "windows that were half full did not fire, and output that was not published stays unpublished",
        ));
    }

    /// Asks for a stop when what has come is written.
    pub(crate) fn rest(&self) {
        self.end.resting.store(true, Ordering::SeqCst);
    }

    /// Whether nothing more is to be read.
    pub(crate) fn resting(&self) -> bool {
        self.end.resting.load(Ordering::SeqCst)
    }

    /// A sink is there on a worker.
    pub(crate) fn sink_opens(&self) {
        self.end.sinks_left.fetch_add(1, Ordering::SeqCst);
    }

    /// A sink has written all that it will be given before the stop, or has come to its end. The last one stops the job, or
    /// says so to the other processes.
    pub(crate) fn sink_rests(&self) {
        if self.end.sinks_left.fetch_sub(1, Ordering::SeqCst) == 1 && self.resting() {
            match self.end.among_others.load(Ordering::SeqCst) {
                true => self.end.rested.store(true, Ordering::SeqCst),
                false => self.end_rested(),
            }
        }
    }

    /// From now on this is one of several processes, which stop together.
    pub(crate) fn join_others(&self) {
        self.end.among_others.store(true, Ordering::SeqCst);
    }

    /// Whether the sinks of this process have written what came, and wait for those of the others.
    pub(crate) fn rested(&self) -> bool {
        self.end.rested.load(Ordering::SeqCst)
    }

    /// All sinks have written what came, in all processes.
    pub(crate) fn end_rested(&self) {
        self.fail(Error::new(
            ErrorKind::Stopped,
            "every row that had come to a sink was written; windows that were half full did not fire",
        ));
    }

    /// Asks for a stop after one more checkpoint.
    pub(crate) fn ask_stop(&self) {
        self.end.stop_asked.store(true, Ordering::SeqCst);
    }

    /// Asks for a stop after one more checkpoint, where the job then ends with this error.
    pub(crate) fn ask_stop_for(&self, reason: Error) {
        self.end.reason.lock().expect("no panic holds it").get_or_insert(reason);
        self.ask_stop();
    }

    pub(crate) fn reason(&self) -> Option<Error> {
        self.end.reason.lock().expect("no panic holds it").take()
    }

    pub(crate) fn stop_asked(&self) -> bool {
        self.end.stop_asked.load(Ordering::SeqCst)
    }

    /// Asks for a checkpoint that is kept.
    pub(crate) fn ask_savepoint(&self) {
        self.end.savepoint_asked.store(true, Ordering::SeqCst);
    }

    pub(crate) fn savepoint_asked(&self) -> bool {
        self.end.savepoint_asked.load(Ordering::SeqCst)
    }

    /// The savepoint that was asked for has been decided.
    pub(crate) fn savepoint_taken(&self) {
        self.end.savepoint_asked.store(false, Ordering::SeqCst);
    }

    /// Whether the workers should end.
    pub(crate) fn stopping(&self) -> bool {
        self.end.stop.load(Ordering::SeqCst)
    }

    /// Adds something to the failure that is reported.
    pub(crate) fn note(&self, note: String) {
        let mut failure = self.end.failure.lock().expect("no panic holds it");
        *failure = failure.take().map(|error| error.with_note(note));
    }

    /// What has ended the job, if anything has.
    pub(crate) fn failed_with(&self) -> Option<Error> {
        self.end.failure.lock().expect("no panic holds it").as_ref().map(Error::retold)
    }

    /// Rewords the failure, if there is one.
    pub(crate) fn explain(&self, words: impl FnOnce(Error) -> Error) {
        let mut failure = self.end.failure.lock().expect("no panic holds it");
        *failure = failure.take().map(words);
    }

    pub(crate) fn failure(&self) -> Option<Error> {
        self.end.failure.lock().expect("no panic holds it").take()
    }

    /// Notes that the manifest of a checkpoint is stored, and whether the input has ended with it.
    pub(crate) fn committed(&self, ended: bool) {
        self.end.commits.fetch_add(1, Ordering::SeqCst);
        self.end.ended.fetch_or(ended, Ordering::SeqCst);
    }

    /// How many checkpoints this start has committed. With several processes, the first one knows.
    pub(crate) fn commits(&self) -> u64 {
        self.end.commits.load(Ordering::SeqCst)
    }

    /// Whether the input has ended with the last checkpoint.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.ended.load(Ordering::SeqCst)
    }
}
