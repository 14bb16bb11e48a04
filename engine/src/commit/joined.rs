//! Partitions that have come since the commit from which a job resumes.

use std::collections::BTreeSet;

use crate::{EventTime, PartitionId};

/// The partitions of a source that have come since the commit, and the watermark that it had then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) partitions: BTreeSet<PartitionId>,
    pub(crate) watermark: EventTime,
}

impl Joined {
    /// What a person should know of them.
    pub(crate) fn note(&self, source: &str, ended: bool) -> String {
        let first = self.partitions.first().expect("there is one, or none has joined");
        let which =
            format!("source {source}: {first} has come since the checkpoint{}", others(self.partitions.len() - 1));
        match ended {
            true => format!(
                "{which}, and is not read: the input had ended. To read all, start from the beginning, with a new place for \
                 checkpoints and for the output"
            ),
            false => format!("{which}: what lies before {} in it is late", Told(self.watermark)),
        }
    }
}

/// This many others, in words.
pub(crate) fn others(count: usize) -> String {
    if count > 0 { format!(" (and {count} others)") } else { String::new() }
}

/// A watermark in words.
pub(crate) struct Told(pub(crate) EventTime);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            EventTime::MAX => f.write_str("the end of what was there"),
            time => time.fmt(f),
        }
    }
}
