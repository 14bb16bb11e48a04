//! Whether the data of another process arrives: what it says it has sent, compared with what has come.
//!
//! A connection can carry nothing while the one beside it lives: something in between has forgotten it, or holds it
//! back. Timely then waits for ever, while heartbeats go on. So each heartbeat says how much data was sent before it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Duration;

/// The bytes that passed one data connection, as its threads count them.
#[derive(Debug, Default)]
pub(super) struct Passed {
    sent: AtomicU64,
    received: AtomicU64,
    /// How many of these were in frames that arrived whole.
    opened: AtomicU64,
    /// Somebody reads it. Until then, what was sent waits for this process, not for the network.
    is_read: AtomicBool,
}

impl Passed {
    pub(super) fn note_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn note_reading(&self) {
        self.is_read.store(true, Ordering::Relaxed);
    }

    pub(super) fn note_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn note_opened(&self, bytes: usize) {
        self.opened.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How much has come, once somebody reads it.
    pub(super) fn received(&self) -> Option<u64> {
        self.is_read.load(Ordering::Relaxed).then(|| self.received.load(Ordering::Relaxed))
    }
}

/// What is expected of one process.
#[derive(Debug)]
pub(super) struct Arrivals {
    announced: u64,
    received: u64,
    /// Since when nothing has come, or since nothing more was expected.
    since: Duration,
}

impl Arrivals {
    pub(super) fn new(now: Duration) -> Arrivals {
        Arrivals { announced: 0, received: 0, since: now }
    }

    /// The process has sent this many bytes in all.
    pub(super) fn announce(&mut self, sent: u64) {
        self.announced = sent;
    }

    /// How long something that was sent has not come, and nothing else either; called often. What has come counts once
    /// its frame is whole: otherwise a frame that claims to be longer than it is would be waited for for ever.
    pub(super) fn overdue(&mut self, received: Option<u64>, opened: u64, now: Duration) -> Duration {
        if received.is_none_or(|received| received != self.received || opened >= self.announced) {
            self.received = received.unwrap_or(self.received);
            self.since = now;
        }
        now - self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    #[test]
    fn only_what_was_sent_and_does_not_move_is_overdue() {
        let mut arrivals = Arrivals::new(0.seconds());
        let mut overdue = |sent, received, now: i64| {
            arrivals.announce(sent);
            arrivals.overdue(received, received.unwrap_or(0), now.seconds())
        };
        assert_eq!(overdue(0, Some(0), 10), 0.seconds(), "nothing was sent");
        assert_eq!(overdue(50, None, 20), 0.seconds(), "nobody reads yet");
        assert_eq!(overdue(50, Some(0), 21), 1.seconds());
        assert_eq!(overdue(90, Some(10), 30), 0.seconds(), "slow, and on its way");
        assert_eq!(overdue(90, Some(10), 35), 5.seconds());
        assert_eq!(overdue(95, Some(10), 39), 9.seconds(), "more is sent, and still nothing comes");
        assert_eq!(overdue(95, Some(95), 40), 0.seconds(), "all is there");
        assert_eq!(overdue(95, Some(95), 99), 0.seconds(), "and nothing is expected");
        assert_eq!(overdue(95, Some(99), 99), 0.seconds(), "more than the last heartbeat knew");
        assert_eq!(overdue(120, Some(99), 100), 1.seconds());
        arrivals.announce(120);
        assert_eq!(arrivals.overdue(Some(120), 99, 110.seconds()), 0.seconds(), "it comes");
        assert_eq!(arrivals.overdue(Some(120), 99, 115.seconds()), 5.seconds(), "all has come, and makes no frame");
    }
}
