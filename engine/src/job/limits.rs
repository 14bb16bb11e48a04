//! How far a job may run ahead of itself: what bounds its memory.

use crate::{Duration, Durations};

/// The bounds of flow control and lockstep.
///
/// Memory follows them: at most `epochs_ahead` epochs of `epoch_rows` rows each are on the way between the sources and
/// the slowest sink, and no source is more than `lockstep` of event time and `lockstep_rows` rows ahead of the slowest one
/// that has something to read, so that a join never holds one whole side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many epochs may be open at once.
    pub epochs_ahead: u64,
    /// A source opens the next epoch after this many rows.
    pub epoch_rows: usize,
    /// A source opens the next epoch after this time, if it has read anything.
    pub epoch_interval: Duration,
    /// How far one source may be ahead of another, in event time.
    pub lockstep: Duration,
    /// How many rows one source may read on each worker from further ahead than that. Where events are so sparse that a
    /// row group spans more than `lockstep`, this is what lets several workers read at once.
    pub lockstep_rows: usize,
    /// How many rows a source reads at once.
    pub batch_rows: usize,
    /// How many bytes the state may have as checkpoints store it: what is held, and what was replaced and is not merged
    /// away yet. The first checkpoint beyond it is the last: the job stops with `E-STATE-LIMIT`, and goes on from there
    /// under a higher limit, or on another machine. Without checkpoints it is not looked at.
    pub state_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            epochs_ahead: 4,
            epoch_rows: 1 << 17,
            epoch_interval: 100.millis(),
            lockstep: 1.minutes(),
            lockstep_rows: 1 << 17,
            batch_rows: 8192,
            state_bytes_max: u64::MAX,
        }
    }
}
