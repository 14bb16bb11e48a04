//! The unit of commit and of flow control.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The unit of commit and of flow control: sources give an epoch to everything they read.
///
/// Epochs say nothing about event time. Small ones keep the distance between the fastest source and the slowest sink
/// short; a checkpoint is taken at some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl Epoch {
    /// After every epoch: what a source that has ended has reached.
    pub const MAX: Epoch = Epoch(u64::MAX);

    /// After every epoch that is read into: where a source waits once it is asked to end.
    pub(crate) const REST: Epoch = Epoch(u64::MAX - 1);

    /// The epoch after this one.
    pub const fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
