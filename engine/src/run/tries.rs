//! Trying again what the machine refused: further and further apart, and not for ever.
//!
//! Whoever was refused stands still meanwhile, and behind it, by flow control, the sources.

use std::fmt::Display;
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

impl Shared {
    /// Tries until it works, as often as there is a next try after a failure that `may_pass`.
    pub(crate) fn try_often<T, E: Display + Into<Error>>(
        &self,
        name: &str,
        may_pass: impl Fn(&E) -> bool,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match work() {
                Err(error) if may_pass(&error) && self.may_try_again(name, tries, &error) => tries += 1,
                Err(error) if tries > 1 => return Err(error.into().at(format_args!("after {tries} tries"))),
                done => return done.map_err(E::into),
            }
        }
    }

    /// Waits before the next try of what was refused to `name`, and sounds the alarm; whether there is a next try. There
    /// is none after ten, or where the job ends.
    fn may_try_again(&self, name: &str, tries: u32, why: &dyn Display) -> bool {
        if tries >= TRIES || self.stopping() {
            return false;
        }
        self.metrics.note_retry(name, why);
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
            shared.may_try_again(&name, tries, &format_args!("{}: {why}", place.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, SystemClock};

    fn shared(may_park: bool) -> Arc<Shared> {
        Arc::new(Shared::new(Limits::default(), Arc::new(SystemClock::new()), may_park))
    }

    #[test]
    fn ten_tries_take_ten_seconds_and_there_is_no_eleventh() {
        assert_eq!((1..TRIES).map(wait_after).sum::<Duration>(), Duration::from_millis(10_220));
        let shared = shared(false);
        assert!((1..10).all(|tries| shared.may_try_again("out", tries, &"full")));
        assert!(!shared.may_try_again("out", 10, &"full"));
        assert_eq!(shared.metrics.counter("out", "retries").get(), 9);
        assert_eq!(shared.metrics.retries().last, "out: full");
    }

    #[test]
    fn a_job_that_ends_tries_nothing_again() {
        let shared = shared(true);
        shared.stop();
        assert!(!shared.may_try_again("out", 1, &"full"));
        assert_eq!(shared.metrics.retries().count, 0);
    }
}
