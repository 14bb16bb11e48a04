//! How far a job may run ahead of itself: what bounds its memory.

use crate::{Duration, Durations, Error, Result};

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
    /// How many rows further ahead than that one source may read on each worker. Where events are so sparse that a row
    /// group spans more than `lockstep`, this is what lets several workers read at once.
    pub lockstep_rows: usize,
    /// How many rows a source reads at once.
    pub batch_rows: usize,
    /// How many bytes the state may have as checkpoints store it: what is held, and what was replaced and is not merged
    /// away yet. The first checkpoint beyond it is the last: the job stops with `E-STATE-LIMIT`, and can resume from
    /// there with a higher limit, or on another machine. Without checkpoints this is not checked.
    pub state_bytes_max: u64,
}

impl Limits {
    /// Refuses limits under which nothing could ever move: a run that stood still for ever would not say so.
    pub(crate) fn check(&self) -> Result<()> {
        let none = |what: &str, found: &dyn std::fmt::Display, least: &str| {
            Err(Error::usage(format!("the limit {what} is {found}: nothing could be read; it is at least {least}")))
        };
        let Limits { epochs_ahead, epoch_rows, epoch_interval, lockstep, batch_rows, state_bytes_max, .. } = self;
        let counts = [
            ("epochs_ahead", *epochs_ahead),
            ("epoch_rows", *epoch_rows as u64),
            ("batch_rows", *batch_rows as u64),
            ("state_bytes_max", *state_bytes_max),
        ];
        if let Some((what, count)) = counts.iter().find(|(_, count)| *count == 0) {
            return none(what, count, "1");
        }
        let spans = [("epoch_interval", epoch_interval), ("lockstep", lockstep)];
        match spans.iter().find(|(_, span)| **span < Duration::ZERO) {
            Some((what, span)) => none(what, span, "0s"),
            None => Ok(()),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_under_which_nothing_moves_is_refused_by_its_name() {
        let usual = Limits::default();
        let refused = [
            ("epochs_ahead", Limits { epochs_ahead: 0, ..usual }),
            ("epoch_rows", Limits { epoch_rows: 0, ..usual }),
            ("batch_rows", Limits { batch_rows: 0, ..usual }),
            ("state_bytes_max", Limits { state_bytes_max: 0, ..usual }),
            ("epoch_interval", Limits { epoch_interval: (-1).seconds(), ..usual }),
            ("lockstep", Limits { lockstep: (-1).seconds(), ..usual }),
        ];
        for (name, limits) in refused {
            let error = limits.check().unwrap_err();
            assert!(error.to_string().starts_with(&format!("the limit {name} is")), "{error}");
        }
        usual.check().unwrap();
        Limits { epoch_interval: Duration::ZERO, lockstep: Duration::ZERO, ..usual }.check().unwrap();
    }
}
