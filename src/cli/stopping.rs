//! Whoever asks a run to stop does not wait for ever: whatever cannot see that it should stop is left behind.
//!
//! A run ends in order as long as its start and its workers come back: then a last checkpoint is taken, and sinks
//! publish what is due. An open that waits for the other end of a pipe, a read from a dead disk or a closure without an
//! end never come back. The process then ends without them, and says so; what was not published stays unpublished.

use crate::job::{Pulse, StopHandle};
use crate::{Error, ErrorKind};

/// This many checks without a sign of life are enough: nine tenths of a second.
const LOOKS: u32 = 9;

/// The same while a last checkpoint may be on its way to a slow disk: five seconds.
const LOOKS_CHECKPOINTED: u32 = 50;

/// What has been seen since the stop was requested.
pub(super) struct Stopping {
    looks_max: u32,
    looks: u32,
    before: Option<Pulse>,
}

impl Stopping {
    pub(super) fn new(checkpointed: bool) -> Stopping {
        Stopping { looks_max: if checkpointed { LOOKS_CHECKPOINTED } else { LOOKS }, looks: 0, before: None }
    }

    /// Checks a job that is being planned or started. Returns the error that ends the run if a stop was requested long
    /// ago.
    pub(super) fn start_that_waits(&mut self, asked: bool) -> Option<Error> {
        self.looks = if asked { self.looks + 1 } else { 0 };
        (self.looks > LOOKS).then(|| {
            let words =
                "the job had not started: it waits for a file, a pipe or another process; nothing was read or written";
            Error::new(ErrorKind::Stopped, words)
        })
    }

    /// Checks a running job. Returns the error that ends the run if a worker has not come back since the stop was
    /// requested.
    pub(super) fn worker_that_stands(&mut self, asked: bool, stop: &StopHandle) -> Option<Error> {
        if !asked {
            return None;
        }
        let pulse = stop.pulse();
        let standing = self.before.as_ref().map(|before| pulse.standing_since(before)).unwrap_or_default();
        self.looks = if standing.is_empty() { 0 } else { self.looks + 1 };
        if self.looks == 0 {
            self.before = Some(pulse);
        }
        (self.looks >= self.looks_max).then(|| {
            let workers: Vec<_> = standing.iter().map(ToString::to_string).collect();
            let (workers, verb) = match workers.len() {
                1 => (format!("worker {}", workers[0]), "stands"),
                _ => (format!("workers {}", workers.join(", ")), "stand"),
            };
            Error::new(
                ErrorKind::Stopped,
                format!(
                    "{workers} {verb} in a read, a write or a closure that does not return, and was left behind; windows that \
                     were half full did not fire, and output that was not published stays unpublished"
                ),
            )
        })
    }
}
