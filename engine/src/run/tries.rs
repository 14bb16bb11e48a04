//! Trying again what the machine refused: further and further apart, and not for ever.
//!
//! Whoever was refused stands still meanwhile, and behind it, by flow control, the sources.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::shared::Shared;
use crate::Retry;
use crate::sink::Stopping;

/// How often something that the machine refused is tried before the job ends.
const TRIES: u32 = 10;

/// How long it takes at most to see that the job is to end.
const LOOK: Duration = Duration::from_millis(20);

/// How long to wait after so many tries: from 20 ms to 5 s, 10 s in all.
fn wait_after(tries: u32) -> Duration {
    Duration::from_millis(10 << tries.min(9))
}

/// To whom something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose<'a> {
    /// The sink of this name.
    Sink(&'a str),
    /// The store of checkpoints.
    Checkpoints,
}

impl Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::Sink(name) => f.write_str(name),
            Whose::Checkpoints => f.write_str("checkpoint"),
        }
    }
}

impl Shared {
    /// How often is tried what is refused to someone: for a sink that is written, the store of checkpoints, a call at the end.
    pub(crate) fn retry(self: &Arc<Shared>, whose: Whose<'_>) -> Retry {
        let shared = Arc::clone(self);
        match whose {
            Whose::Checkpoints => Retry::new(move |why, tries| shared.may_try_again(Whose::Checkpoints, tries, why)),
            Whose::Sink(name) => {
                let name = name.to_string();
                Retry::new(move |why, tries| shared.may_try_again(Whose::Sink(&name), tries, why))
            }
        }
    }

    /// How a sink that waits for somebody sees that the job is to stop: at once, in order, or because it has failed.
    pub(crate) fn stopping_of_sinks(self: &Arc<Shared>) -> Stopping {
        let shared = Arc::clone(self);
        Stopping::new(move || shared.stopping() || shared.stop_asked() || shared.resting())
    }

    /// How many tries are left after so many.
    pub(crate) fn tries_left(tries: u32) -> u32 {
        TRIES.saturating_sub(tries)
    }

    /// Waits before the next try of what was refused, and sounds the alarm; whether there is a next try. There
    /// is none after ten, or where the job ends.
    pub(crate) fn may_try_again(&self, whose: Whose<'_>, tries: u32, why: &dyn Display) -> bool {
        if Shared::tries_left(tries) == 0 || self.stopping() {
            return false;
        }
        self.metrics.note_retry(whose, why);
        if self.may_park {
            let mut left = wait_after(tries);
            while !left.is_zero() && !self.stopping() {
                let nap = left.min(LOOK);
                thread::sleep(nap);
                left -= nap;
            }
        }
        !self.stopping()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Limits, SystemClock};

    const OUT: Whose<'_> = Whose::Sink("out");

    fn shared(may_park: bool) -> Arc<Shared> {
        Arc::new(Shared::new(Limits::default(), Arc::new(SystemClock::new()), may_park))
    }

    #[test]
    fn ten_tries_take_ten_seconds_and_there_is_no_eleventh() {
        assert_eq!((1..TRIES).map(wait_after).sum::<Duration>(), Duration::from_millis(10_220));
        let shared = shared(false);
        assert!((1..10).all(|tries| shared.may_try_again(OUT, tries, &"full")));
        assert!(!shared.may_try_again(OUT, 10, &"full"));
        assert_eq!(shared.metrics.sink("out").retries, 9);
        assert_eq!(shared.metrics.retries().last, "out: full");
    }

    #[test]
    fn what_a_sink_calls_is_tried_again_counted_and_told() {
        let shared = shared(false);
        let retry = shared.retry(OUT);
        let mut tries = 0;
        let mut call = |works_at: u32| {
            tries += 1;
            if tries == works_at { Ok(tries) } else { Err(Error::environment("the server restarts")) }
        };
        assert_eq!(retry.run(|| call(3)).unwrap(), 3);
        assert_eq!(shared.metrics.sink("out").retries, 2);
        assert_eq!(shared.metrics.retries().last, "out: the server restarts");
        let down = retry.run(|| call(0)).unwrap_err();
        assert_eq!(down.to_string(), "after 10 tries: the server restarts");
        assert!(down.may_be_retried(), "the job may start again from its checkpoint");
        let denied = retry.run(|| Err::<(), _>(Error::environment("fenced").for_good())).unwrap_err();
        assert_eq!((denied.to_string().as_str(), shared.metrics.sink("out").retries), ("fenced", 11));
    }

    #[test]
    fn a_job_that_ends_tries_nothing_again() {
        let shared = shared(true);
        shared.stop();
        assert!(!shared.may_try_again(OUT, 1, &"full"));
        assert_eq!(shared.metrics.retries().count, 0);
    }
}
