//! What all workers of a job share: the stop flag, the first failure, the clock, the counts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::limits::Limits;
use super::metrics::Metrics;
use super::pulse::Pulses;
use crate::{Clock, Error, ErrorKind};

/// Shared by all workers of one job.
pub(crate) struct Shared {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether a worker with nothing to do may sleep.
    pub(crate) may_park: bool,
    pub(crate) pulses: Pulses,
    stop: AtomicBool,
    /// Asked for in a job without checkpoints: nothing more is read, and when the sinks have written what came, all stop.
    resting: AtomicBool,
    /// Sinks, on all workers of this process, that have something to write yet.
    sinks_left: AtomicUsize,
    /// Asked for, and taken at the next occasion: a stop after a checkpoint, a savepoint.
    stop_asked: AtomicBool,
    savepoint_asked: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Why a stop after a checkpoint was asked for, where not by the user.
    reason: Mutex<Option<Error>>,
}

impl Shared {
    pub(crate) fn new(limits: Limits, clock: Arc<dyn Clock>, may_park: bool) -> Shared {
        Shared {
            metrics: Arc::default(),
            limits,
            clock,
            may_park,
            pulses: Pulses::new(),
            stop: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            sinks_left: AtomicUsize::new(0),
            stop_asked: AtomicBool::new(false),
            savepoint_asked: AtomicBool::new(false),
            failure: Mutex::new(None),
            reason: Mutex::new(None),
        }
    }

    /// Goes on with the counts of an earlier start.
    pub(crate) fn counting(mut self, metrics: Arc<Metrics>) -> Shared {
        self.metrics = metrics;
        self
    }

    /// Ends the job with an error; the first one is told.
    pub(crate) fn fail(&self, error: Error) {
        self.failure.lock().expect("no panic holds it").get_or_insert(error);
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Asks every worker to end without firing what is half full.
    pub(crate) fn stop(&self) {
        self.fail(Error::new(
            ErrorKind::Stopped,
            "windows that were half full did not fire, and output that was not published stays unpublished",
        ));
    }

    /// Asks for a stop when what has come is written; whether nobody had asked before.
    pub(crate) fn rest(&self) -> bool {
        !self.resting.swap(true, Ordering::SeqCst)
    }

    /// Whether nothing more is to be read.
    pub(crate) fn resting(&self) -> bool {
        self.resting.load(Ordering::SeqCst)
    }

    /// A sink is there on a worker.
    pub(crate) fn sink_opens(&self) {
        self.sinks_left.fetch_add(1, Ordering::SeqCst);
    }

    /// A sink has written all that it will be given before the stop, or has come to its end. The last one stops the job.
    pub(crate) fn sink_rests(&self) {
        if self.sinks_left.fetch_sub(1, Ordering::SeqCst) == 1 && self.resting() {
            self.fail(Error::new(
                ErrorKind::Stopped,
                "every row that had come to a sink was written; windows that were half full did not fire",
            ));
        }
    }

    /// Asks for a stop after one more checkpoint; whether nobody had asked before.
    pub(crate) fn ask_stop(&self) -> bool {
        !self.stop_asked.swap(true, Ordering::SeqCst)
    }

    /// Asks for a stop after one more checkpoint, which the job then ends with this.
    pub(crate) fn ask_stop_for(&self, reason: Error) {
        self.reason.lock().expect("no panic holds it").get_or_insert(reason);
        self.ask_stop();
    }

    pub(crate) fn reason(&self) -> Option<Error> {
        self.reason.lock().expect("no panic holds it").take()
    }

    pub(crate) fn stop_asked(&self) -> bool {
        self.stop_asked.load(Ordering::SeqCst)
    }

    /// Asks for a checkpoint that is kept.
    pub(crate) fn ask_savepoint(&self) {
        self.savepoint_asked.store(true, Ordering::SeqCst);
    }

    pub(crate) fn savepoint_asked(&self) -> bool {
        self.savepoint_asked.load(Ordering::SeqCst)
    }

    /// The savepoint that was asked for has been decided.
    pub(crate) fn savepoint_taken(&self) {
        self.savepoint_asked.store(false, Ordering::SeqCst);
    }

    /// Whether the workers are to end.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Adds something to the failure that is told.
    pub(crate) fn note(&self, note: String) {
        let mut failure = self.failure.lock().expect("no panic holds it");
        *failure = failure.take().map(|error| error.with_note(note));
    }

    /// What has ended the job, if anything has.
    pub(crate) fn failed_with(&self) -> Option<Error> {
        self.failure.lock().expect("no panic holds it").as_ref().map(Error::retold)
    }

    /// Says the failure, where there is one, in other words.
    pub(crate) fn explain(&self, words: impl FnOnce(Error) -> Error) {
        let mut failure = self.failure.lock().expect("no panic holds it");
        *failure = failure.take().map(words);
    }

    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.lock().expect("no panic holds it").take()
    }
}
