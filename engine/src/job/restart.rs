//! Starting a job again where it fails: from its last checkpoint, further and further apart, and not for ever.
//!
//! What starting again cannot mend is not tried: a wrong call, bad data, a stop, a failed sync, a younger generation. A
//! new checkpoint is progress, and all counting begins anew with it; three failures in a row that say the same are a loop.

use std::sync::Arc;
use std::thread;

use super::running::Present;
use super::{Attempt, Job, Outcome, Running};
use crate::run::Metrics;
use crate::{Duration, Durations, Error, ErrorKind, Result};

/// When a job that fails is started again: for [`Job::restart`].
///
/// ```
/// use dualgauge_engine::{Durations, Restart};
///
/// let policy = Restart::times(5);
/// assert_eq!(policy, Restart { limit: 5, backoff: 250.millis() });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How often in a row it is started again without a new checkpoint.
    pub limit: u32,
    /// How long to wait before the first time; twice as long before each that follows, up to 64 times as long.
    pub backoff: Duration,
}

impl Restart {
    /// Up to `limit` restarts in a row, the first after a quarter of a second.
    pub fn times(limit: u32) -> Restart {
        Restart { limit, backoff: 250.millis() }
    }
}

/// This many failures in a row that say the same, with no new checkpoint between them, are a loop.
const SAME_MAX: u32 = 3;

/// The backoff doubles this often.
const DOUBLINGS_MAX: u32 = 6;

/// What has happened since the last new checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InARow {
    /// Failures.
    failures: u32,
    /// Those of them, counted from the newest, that say the same.
    same: u32,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Start again after this time.
    Again(Duration),
    /// The same failure comes again and again.
    Loop,
    /// It was tried as often as was wanted.
    Enough,
    /// Nothing that starting again could mend.
    Final,
}

fn decide(policy: Restart, in_a_row: InARow, may_be_retried: bool) -> Decision {
    if !may_be_retried {
        Decision::Final
    } else if in_a_row.same >= SAME_MAX {
        Decision::Loop
    } else if in_a_row.failures > policy.limit {
        Decision::Enough
    } else {
        let doublings = (in_a_row.failures - 1).min(DOUBLINGS_MAX);
        Decision::Again(Duration::from_micros(policy.backoff.as_micros().saturating_mul(1 << doublings)))
    }
}

/// Starts the job, and from then on starts it again where it fails.
pub(super) fn start(mut job: Job, policy: Restart) -> Result<Running> {
    if job.checkpoints.is_none() {
        return Err(Error::usage(
            "a restart goes on from a checkpoint, and the job takes none: give it a place for checkpoints \
             (--checkpoint URL), or leave the restart out (--restart)",
        ));
    }
    if job.cluster.is_some() {
        return Err(Error::usage(
            "of several processes none starts again by itself, since the others would be gone: whoever starts them starts \
             all of them again (leave out --restart)",
        ));
    }
    let metrics = Arc::<Metrics>::default();
    let mut attempt = job.clone().attempt(Arc::clone(&metrics))?;
    let (present, notes) = (Present::of(&attempt), std::mem::take(&mut attempt.notes));
    // A place that was fresh is not, once the job has started there.
    job.checkpoints.as_mut().expect("it was just seen").fresh = false;
    let supervisor = Supervisor { job, policy, metrics: Arc::clone(&metrics), present: Arc::clone(&present) };
    let run = move || supervisor.supervise(attempt);
    let thread = thread::Builder::new().name("restarts".to_string()).spawn(run);
    let thread = thread.map_err(|cause| Error::io("a thread that starts the job again", cause))?;
    Ok(Running::supervised(metrics, present, notes, thread))
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
        let (mut before, mut in_a_row) = (None::<(Error, u64)>, InARow { failures: 0, same: 0 });
        let (mut attempt, mut committed) = (Ok(attempt), 0);
        loop {
            let shared = attempt.as_ref().ok().map(|attempt: &Attempt| Arc::clone(&attempt.shared));
            let error = match attempt.and_then(Attempt::join) {
                Ok(outcome) => return Ok(Outcome { elapsed: clock.elapsed() - started, ..outcome }),
                Err(error) => error,
            };
            committed += shared.map_or(0, |shared| shared.commits());
            let (same, since) = match &before {
                Some((before, commits)) if *commits == committed => (before.says_the_same_as(&error), in_a_row),
                _ => (false, InARow { failures: 0, same: 0 }),
            };
            in_a_row = InARow { failures: since.failures + 1, same: if same { since.same + 1 } else { 1 } };
            let wait = match decide(self.policy, in_a_row, error.may_be_retried()) {
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
            attempt = self.job.clone().attempt(Arc::clone(&self.metrics));
            if let Ok(attempt) = &attempt {
                self.present.becomes(attempt);
            }
        }
    }

    /// The last word on a failure that restarts did not mend.
    fn give_up(&self, error: Error, decision: Decision, InARow { failures, .. }: InARow) -> Error {
        let last = match self.metrics.checkpoint() {
            Some(last) => format!("the last checkpoint is of epoch {}", last.epoch),
            None => "there is no checkpoint yet".to_string(),
        };
        let tried = match decision {
            Decision::Loop => format!("the same {SAME_MAX} times in a row"),
            _ => format!("{failures} failures in a row"),
        };
        let advice = match error.kind() {
            ErrorKind::Panic => "mend the closure, or leave out the record that it panics at",
            _ => "see to what refused",
        };
        error.with_note(format!("{tried}; {last}: {advice}, and start the job again, which goes on from there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_further_and_further_apart_and_not_for_ever() {
        let policy = Restart { limit: 10, backoff: 100.millis() };
        let different = |failures| decide(policy, InARow { failures, same: 1 }, true);
        assert_eq!(different(1), Decision::Again(100.millis()));
        assert_eq!(different(2), Decision::Again(200.millis()));
        assert_eq!(different(7), Decision::Again(6400.millis()));
        assert_eq!(different(10), Decision::Again(6400.millis()), "no further apart than 64 times");
        assert_eq!(different(11), Decision::Enough);
    }

    #[test]
    fn what_comes_again_the_same_is_a_loop_and_what_is_final_is_never_tried() {
        let policy = Restart { limit: 10, backoff: 1.seconds() };
        assert_eq!(decide(policy, InARow { failures: 2, same: 2 }, true), Decision::Again(2.seconds()));
        assert_eq!(decide(policy, InARow { failures: 3, same: 3 }, true), Decision::Loop);
        assert_eq!(decide(policy, InARow { failures: 1, same: 1 }, false), Decision::Final);
        assert_eq!(decide(Restart { limit: 0, ..policy }, InARow { failures: 1, same: 1 }, true), Decision::Enough);
    }
}
