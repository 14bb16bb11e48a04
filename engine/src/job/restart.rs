//! Starting a job again where it fails: from its last checkpoint, further and further apart, and not for ever.
//!
//! What starting again cannot mend is not tried: a wrong call, bad data, a stop, a failed sync, a younger generation. When
//! something is started again, and when no more, is decided in `run/backoff.rs`.

use std::sync::Arc;
use std::sync::mpsc::channel;

use super::end::End;
use super::running::Present;
use super::{Attempt, Bound, Job, Outcome, Running};
use crate::run::{Decision, InARow, Metrics, Restart, SAME_MAX};
use crate::{Duration, Error, ErrorKind, Remedy, Result};

/// Why a job cannot be started again, where it cannot.
pub(super) fn refusal(job: &Job) -> Option<Error> {
    if job.checkpoints.is_none() {
        let message = "a restart goes on from a checkpoint, and the job takes none";
        return Some(Error::usage(message).with_remedy(Remedy::TakeCheckpoints));
    }
    let several = "of several processes none starts again by itself, since the others would be gone: whoever starts them \
                   starts all of them again";
    job.cluster.is_some().then(|| Error::usage(several).with_remedy(Remedy::LeaveOutRestart))
}

/// Starts the job, and from then on starts it again where it fails, which looks at its sources again.
pub(super) fn start(bound: Bound, policy: Restart, metrics: Arc<Metrics>) -> Result<Running> {
    let mut job = bound.job.clone();
    // The thread comes first: what has no room for it starts nothing.
    let (give, given) = channel::<(Supervisor, Attempt)>();
    let end = End::of("restarts", move || match given.recv() {
        Ok((supervisor, attempt)) => supervisor.supervise(attempt),
        Err(_) => Err(Error::environment("the job did not start")), // who would start it says why
    })?;
    let mut attempt = bound.attempt(Arc::clone(&metrics))?;
    let (present, notes) = (Present::of(&attempt), std::mem::take(&mut attempt.notes));
    // A place that was fresh is not, once the job has started there.
    job.checkpoints.as_mut().expect("it was just seen").fresh = false;
    let supervisor = Supervisor { job, policy, metrics: Arc::clone(&metrics), present: Arc::clone(&present) };
    if give.send((supervisor, attempt)).is_err() {
        unreachable!("the thread waits for it");
    }
    Ok(Running::new(metrics, present, notes, end))
}

struct Supervisor {
    job: Job,
    policy: Restart,
    metrics: Arc<Metrics>,
    present: Arc<Present>,
}

impl Supervisor {
    fn supervise(mut self, attempt: Attempt) -> Result<Outcome> {
        let (started, clock, may_park) = (attempt.started, Arc::clone(&attempt.shared.clock), attempt.shared.may_park);
        let (mut before, mut in_a_row) = (None::<(Error, u64)>, InARow::default());
        let (mut attempt, mut committed) = (Ok(attempt), 0);
        loop {
            let shared = attempt.as_ref().ok().map(|attempt: &Attempt| Arc::clone(&attempt.shared));
            let error = match attempt.and_then(Attempt::join) {
                Ok(outcome) => return Ok(Outcome { elapsed: clock.elapsed() - started, ..outcome }),
                Err(error) => error,
            };
            committed += shared.map_or(0, |shared| shared.commits());
            let same = match &before {
                Some((before, commits)) if *commits == committed => before.says_the_same_as(&error),
                _ => {
                    in_a_row = InARow::default();
                    false
                }
            };
            in_a_row.add(same);
            let wait = match self.policy.decide(in_a_row, error.may_be_retried()) {
                Decision::Again(wait) => wait,
                Decision::Final => return Err(error),
                given_up @ (Decision::Loop | Decision::Enough) => return Err(self.give_up(error, given_up, in_a_row)),
            };
            self.metrics.note_restart(&error);
            // A scheduled job does not wait by the clock.
            let wait = if may_park { wait } else { Duration::ZERO };
            if self.present.stopped_within(std::time::Duration::from_micros(wait.as_micros().max(0) as u64)) {
                return Err(error);
            }
            before = Some((error, committed));
            if committed > 0 {
                self.job.checkpoints.as_mut().expect("a job with restarts has them").from = None;
            }
            let bound = self.job.clone().bind();
            attempt = bound.and_then(|bound| bound.attempt(Arc::clone(&self.metrics)));
            if let Ok(attempt) = &attempt {
                self.present.becomes(attempt);
            }
        }
    }

    /// The last word on a failure that restarts did not mend.
    fn give_up(&self, error: Error, decision: Decision, in_a_row: InARow) -> Error {
        let last = match self.metrics.checkpoint() {
            Some(last) => format!("the last checkpoint is of epoch {}", last.epoch),
            None => "there is no checkpoint yet".to_string(),
        };
        let tried = match decision {
            Decision::Loop => format!("the same {SAME_MAX} times in a row"),
            _ => format!("{} failures in a row", in_a_row.failures()),
        };
        let advice = match error.kind() {
            ErrorKind::Panic => "mend the closure, or leave out the record that it panics at",
            _ => "see to what refused",
        };
        error.with_note(format!("{tried}; {last}: {advice}, and start the job again, which goes on from there"))
    }
}
