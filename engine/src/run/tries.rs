//! Trying again what the machine refused: further and further apart, and not for ever.
//!
//! Whoever was refused stands still meanwhile, and behind it, by flow control, the sources.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::shared::Shared;
use crate::fs::Patience;
use crate::{Error, Result};

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
    /// Tries until it works, as often as there is a next try after a failure that `may_pass`.
    pub(crate) fn try_often<T, E: Display + Into<Error>>(
        &self,
        whose: Whose<'_>,
        may_pass: impl Fn(&E) -> bool,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match work() {
                Err(error) if may_pass(&error) && self.may_try_again(whose, tries, &error) => tries += 1,
                Err(error) if tries > 1 => return Err(error.into().at(format_args!("after {tries} tries"))),
                done => return done.map_err(E::into),
            }
        }
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

    /// The patience of the sink `name` with its files.
    pub(crate) fn patience(self: &Arc<Shared>, name: &str) -> Patience {
        let (shared, name) = (Arc::clone(self), name.to_string());
        Patience::new(move |place: &Path, why: &io::Error, tries| {
            shared.may_try_again(Whose::Sink(&name), tries, &format_args!("{}: {why}", place.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, SystemClock};

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
    fn a_job_that_ends_tries_nothing_again() {
        let shared = shared(true);
        shared.stop();
        assert!(!shared.may_try_again(OUT, 1, &"full"));
        assert_eq!(shared.metrics.retries().count, 0);
    }
}
