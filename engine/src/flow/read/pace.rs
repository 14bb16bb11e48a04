//! When a source takes its next turn by itself, if nobody wakes it earlier.

use std::time::{Duration, Instant};

use timely::scheduling::Activator;

/// The turns of a source on one worker.
pub(super) struct Pace {
    activator: Activator,
    /// What timely counts its timers from; none where it has no timers.
    started: Option<Instant>,
    /// When the timer that was set last ends.
    due: Duration,
}

impl Pace {
    pub(super) fn of(activator: Activator, started: Option<Instant>) -> Pace {
        Pace { activator, started, due: Duration::ZERO }
    }

    /// The next turn comes at once.
    pub(super) fn at_once(&self) {
        self.activator.activate();
    }

    /// The next turn comes after `pause` at the latest. Where a timer ends before that, no other is set: each timer
    /// that ends sets a new one, so every turn that somebody else called for would leave one more running for ever.
    pub(super) fn after(&mut self, pause: Duration) {
        let Some(started) = self.started else { return self.at_once() };
        let now = started.elapsed();
        if now < self.due && self.due <= now + pause {
            return;
        }
        self.due = now + pause;
        self.activator.activate_after(pause);
    }
}
