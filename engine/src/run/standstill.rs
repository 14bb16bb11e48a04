//! What holds a source back: the fact, for metrics, and the words, for whoever watches the run.
//!
//! A source that stands still reports it itself, and separately on each worker: only it knows which of its partitions
//! the watermark waits for, and which limit it has come to. It does not report what passes within a moment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Duration, Durations, EventTime, PartitionId};

/// What stands still for this long is reported; what moves again earlier is not.
pub(crate) const TOLD_AFTER: Duration = Duration::from_micros(300_000);

/// What holds back a source on one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standstill {
    /// The source.
    pub source: String,
    /// What it waits for.
    pub limit: Limit,
    /// Since when, by the clock of the job.
    pub since: EventTime,
}

/// What a source waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// This many epochs are open: a step or a sink has not finished what was read. See
    /// [`Limits::epochs_ahead`](super::limits::Limits::epochs_ahead).
    Backpressure {
        /// How many.
        epochs: u64,
    },
    /// An epoch opens only when it is known whether a checkpoint lies before it, and those before are not stored yet.
    Checkpoint,
    /// This partition is silent, and the watermark of the source waits for it.
    Silent {
        /// The partition.
        partition: PartitionId,
        /// How far it has been read, in event time.
        watermark: EventTime,
        /// After how long a silence it would stop holding the watermark, if that is set.
        idle_after: Option<Duration>,
    },
    /// All partitions of the source on this worker are idle, and the watermark stays where it is.
    AllIdle {
        /// Where it stays.
        watermark: EventTime,
    },
    /// It is as far ahead of another source as allowed. See [`Limits::lockstep`](super::limits::Limits::lockstep).
    Lockstep {
        /// The other source.
        behind: String,
    },
}

impl Limit {
    /// The order in which they are reported: what others wait for comes first.
    fn rank(&self) -> u8 {
        match self {
            Limit::Backpressure { .. } => 0,
            Limit::Checkpoint => 1,
            Limit::Silent { .. } => 2,
            Limit::AllIdle { .. } => 3,
            Limit::Lockstep { .. } => 4,
        }
    }

    /// Whether it is the same wait as `other`.
    pub(crate) fn is_same(&self, other: &Limit) -> bool {
        match (self, other) {
            (Limit::Silent { partition, .. }, Limit::Silent { partition: other, .. }) => partition == other,
            (Limit::Lockstep { behind }, Limit::Lockstep { behind: other }) => behind == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Standstill {
    /// Which of several to report: what the others wait for, and among equals what has stood longest.
    pub fn foremost(standing: &[Standstill]) -> Option<&Standstill> {
        standing.iter().min_by_key(|standing| (standing.limit.rank(), standing.since, &standing.source))
    }

    /// In words, at the time of `now`.
    pub fn told(&self, now: EventTime) -> String {
        let length = now - self.since;
        let length = Duration::from_micros((length.as_micros().max(0) / 100_000) * 100_000);
        format!("{self}, for {length}")
    }
}

impl fmt::Display for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |watermark: &EventTime| match *watermark {
            EventTime::MIN => "its beginning".to_string(),
            time => time.floor_to(1.millis(), Duration::ZERO).to_string(),
        };
        write!(f, "source {}", self.source)?;
        match &self.limit {
            Limit::Backpressure { epochs } => {
                write!(f, " waits for a step or a sink: {epochs} epochs are not finished (epochs_ahead)")
            }
            Limit::Checkpoint => f.write_str(" waits until a checkpoint is stored"),
            Limit::Silent { partition, watermark, idle_after } => {
                write!(
                    f,
                    " waits for partition {partition}: nothing comes, and the watermark is held at {}",
                    at(watermark)
                )?;
                match idle_after {
                    Some(idle_after) => write!(f, " (idle_after={idle_after})"),
                    None => f.write_str(" (no idle_after)"),
                }
            }
            Limit::AllIdle { watermark } => {
                write!(
                    f,
                    " is idle in all its partitions, and the watermark stays at {} (all_idle=stay)",
                    at(watermark)
                )
            }
            Limit::Lockstep { behind } => {
                write!(f, " waits for source {behind}, which is behind in event time (lockstep)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(source: &str, limit: Limit, since: i64) -> Standstill {
        Standstill { source: source.into(), limit, since: EventTime::default() + since.seconds() }
    }

    #[test]
    fn what_the_others_wait_for_is_told_first() {
        let watermark = EventTime::default() + 5.seconds();
        let silent =
            |partition: &str| Limit::Silent { partition: PartitionId(partition.into()), watermark, idle_after: None };
        let all = [
            standing("bids", Limit::Lockstep { behind: "rates".into() }, 1),
            standing("rates", silent("p1"), 3),
            standing("rates", silent("p0"), 2),
        ];
        let told = Standstill::foremost(&all).unwrap().told(EventTime::default() + 14_340.millis());
        assert_eq!(
            told,
            "source rates waits for partition p0: nothing comes, and the watermark is held at 1970-01-01T00:00:05Z \
             (no idle_after), for 12s300ms"
        );
        let slow = standing("bids", Limit::Backpressure { epochs: 4 }, 9);
        assert_eq!(Standstill::foremost(&[all[1].clone(), slow.clone()]), Some(&slow));
    }
}
