//! When something that failed is started again: at longer and longer intervals, and not for ever.
//!
//! Facts in, a decision out; whoever restarts something asks here: a job its workers, a supervisor its processes. A new
//! checkpoint is progress, and all counting begins anew with it. Three failures in a row that say the same are a loop.

use crate::{Duration, Durations};

/// When a job that fails is started again: for [`Job::restart`](crate::Job::restart).
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
    /// How long to wait before the first restart; twice as long before each one after it, up to 64 times as long.
    pub backoff: Duration,
}

/// This many failures in a row that say the same, with no new checkpoint between them, are a loop.
pub const SAME_MAX: u32 = 3;

/// The backoff doubles this many times at most.
const DOUBLINGS_MAX: u32 = 6;

/// What has failed since the last new checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InARow {
    failures: u32,
    /// How many of those, counted from the newest, say the same.
    same: u32,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start again after this time.
    Again(Duration),
    /// The same failure comes again and again.
    Loop,
    /// It was restarted as often as the policy allows.
    Enough,
    /// Starting again cannot help.
    Final,
}

impl InARow {
    /// Adds a failure; `same` is whether it says the same as the one before it.
    pub fn add(&mut self, same: bool) {
        *self = InARow { failures: self.failures + 1, same: if same { self.same + 1 } else { 1 } };
    }

    /// How many failures.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

impl Restart {
    /// Up to `limit` restarts in a row, the first after a quarter of a second.
    pub fn times(limit: u32) -> Restart {
        Restart { limit, backoff: 250.millis() }
    }

    /// Decides about the last of several failures in a row.
    pub fn decide(&self, in_a_row: InARow, may_be_retried: bool) -> Decision {
        if !may_be_retried {
            Decision::Final
        } else if in_a_row.same >= SAME_MAX {
            Decision::Loop
        } else if in_a_row.failures > self.limit {
            Decision::Enough
        } else {
            let doublings = in_a_row.failures.saturating_sub(1).min(DOUBLINGS_MAX);
            Decision::Again(Duration::from_micros(self.backoff.as_micros().saturating_mul(1 << doublings)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_further_and_further_apart_and_not_for_ever() {
        let policy = Restart { limit: 10, backoff: 100.millis() };
        let different = |failures| policy.decide(InARow { failures, same: 1 }, true);
        assert_eq!(different(1), Decision::Again(100.millis()));
        assert_eq!(different(2), Decision::Again(200.millis()));
        assert_eq!(different(7), Decision::Again(6400.millis()));
        assert_eq!(different(10), Decision::Again(6400.millis()), "no further apart than 64 times");
        assert_eq!(different(11), Decision::Enough);
    }

    #[test]
    fn what_comes_again_the_same_is_a_loop_and_what_is_final_is_never_tried() {
        let policy = Restart { limit: 10, backoff: 1.seconds() };
        assert_eq!(policy.decide(InARow { failures: 2, same: 2 }, true), Decision::Again(2.seconds()));
        assert_eq!(policy.decide(InARow { failures: 3, same: 3 }, true), Decision::Loop);
        assert_eq!(policy.decide(InARow { failures: 1, same: 1 }, false), Decision::Final);
        assert_eq!(Restart { limit: 0, ..policy }.decide(InARow { failures: 1, same: 1 }, true), Decision::Enough);
    }
}
