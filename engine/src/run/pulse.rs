//! The pulse of the workers: how often each has come back to its step loop.
//!
//! A worker that is asked to stop sees the request there. One that is stuck in a read, a write or a closure that does
//! not return sees nothing, and whoever waits for it could wait for ever; between two looks its pulse is the same.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::data::KEY_GROUPS;

/// What the workers of this process write, each its own number.
pub(crate) struct Pulses(Vec<AtomicU64>);

/// The pulses at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse(Vec<u64>);

impl Pulses {
    pub(crate) fn new() -> Pulses {
        Pulses((0..KEY_GROUPS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Worker `index` is in its loop.
    pub(crate) fn beat(&self, index: usize) {
        self.0[index].fetch_add(1, Ordering::Relaxed);
    }

    /// Worker `index` has left its loop for good.
    pub(crate) fn ends(&self, index: usize) {
        self.0[index].store(0, Ordering::Relaxed);
    }

    pub(crate) fn look(&self) -> Pulse {
        Pulse(self.0.iter().map(|beats| beats.load(Ordering::Relaxed)).collect())
    }
}

impl Pulse {
    /// The workers, by their index, that have not come back to their loop since `before`.
    pub fn standing_since(&self, before: &Pulse) -> Vec<usize> {
        let pairs = self.0.iter().zip(&before.0).enumerate();
        pairs.filter(|(_, (now, then))| **now > 0 && now == then).map(|(index, _)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_come_back_stands_and_who_has_ended_does_not() {
        let pulses = Pulses::new();
        (0..3).for_each(|worker| pulses.beat(worker));
        let before = pulses.look();
        pulses.beat(0);
        pulses.ends(2);
        assert_eq!(pulses.look().standing_since(&before), [1]);
    }
}
