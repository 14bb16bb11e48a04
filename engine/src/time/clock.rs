//! The time of day, as a parameter.
//!
//! Only the clock asks what time it is. Everything else is handed one, so that a test holds it still and a replay does not
//! see it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{Duration, EventTime};

/// Where the engine gets the time from: a parameter of every job, so that a test can hold it still.
///
/// Results never depend on it, except through idle time-outs and the guard against events from the future; both are
/// opt-in or counted.
pub trait Clock: Send + Sync {
    /// The wall clock, for the guard against events from the future and for the lag of a live job.
    fn now(&self) -> EventTime;
    /// Time since the clock was made; never goes back. For idle time-outs and rates.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] starts now.
    pub fn new() -> SystemClock {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> EventTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        EventTime::from_micros(since.as_micros().try_into().unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.start.elapsed().as_micros().try_into().unwrap_or(i64::MAX))
    }
}

/// A clock that moves only when told to.
///
/// ```
/// use dualgauge_engine::{Clock, Durations, EventTime, VirtualClock};
///
/// let clock = VirtualClock::at(EventTime::from_millis(0));
/// clock.advance(2.seconds());
/// assert_eq!(clock.now(), EventTime::from_millis(2_000));
/// assert_eq!(clock.elapsed(), 2.seconds());
/// ```
#[derive(Debug, Default)]
pub struct VirtualClock {
    start: i64,
    elapsed: AtomicI64,
}

impl VirtualClock {
    /// A clock that stands at `now`.
    pub fn at(now: EventTime) -> VirtualClock {
        VirtualClock { start: now.as_micros(), elapsed: AtomicI64::new(0) }
    }

    /// Moves the clock on by `step`.
    pub fn advance(&self, step: Duration) {
        self.elapsed.fetch_add(step.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> EventTime {
        EventTime::from_micros(self.start) + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(Ordering::SeqCst))
    }
}
