//! Which commit an epoch means if a job went back and then took another one at the end of the same epoch.
//!
//! ```text
//! generation 1    1  2  3  4  5
//! generation 2       2  3  4        went back to 2, which is appended once more, and resumed from there
//! ```
//!
//! Here `2` is one commit, however often it was appended, and so is `5`. Both of `3` are kept if one is a savepoint,
//! and they are then called `3@1` and `3@2`. **If two are kept, neither is chosen.**

use std::fmt;
use std::str::FromStr;

use super::collect::is_kept;
use super::manifest::{Commit, CommitKind};
use crate::{Epoch, Error, Result};

/// What a checkpoint is called: its epoch, and also the generation that took it if another one took one at the end of
/// the same epoch.
///
/// ```
/// use dualgauge_engine::Epoch;
/// use dualgauge_engine::checkpoint::CommitName;
///
/// let name: CommitName = "310@2".parse().unwrap();
/// assert_eq!((name.epoch, name.generation), (Epoch(310), Some(2)));
/// assert_eq!(CommitName::from(Epoch(310)).to_string(), "310");
/// assert!("310@".parse::<CommitName>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitName {
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// The start of the job that took it, if that is given.
    pub generation: Option<u64>,
}

impl From<Epoch> for CommitName {
    fn from(epoch: Epoch) -> CommitName {
        CommitName { epoch, generation: None }
    }
}

impl FromStr for CommitName {
    type Err = Error;

    fn from_str(text: &str) -> Result<CommitName> {
        let (epoch, generation) = text.split_once('@').map_or((text, None), |(epoch, by)| (epoch, Some(by)));
        let wrong =
            |_| Error::usage(format!("`{text}` is no epoch, such as 310, and none of a generation, such as 310@2"));
        let generation = generation.map(str::parse).transpose().map_err(wrong)?;
        Ok(CommitName { epoch: Epoch(epoch.parse().map_err(wrong)?), generation })
    }
}

impl fmt::Display for CommitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(generation) => write!(f, "{}@{generation}", self.epoch),
            None => self.epoch.fmt(f),
        }
    }
}

/// The number of the commit that is meant, of all that can be read, oldest first; `None` where there is none.
///
/// # Errors
/// When several that are kept are meant, and they are not the same.
pub(super) fn named(name: CommitName, commits: &[(u64, &Commit)]) -> Result<Option<u64>> {
    let is_meant = |commit: &Commit| {
        commit.epoch == name.epoch && name.generation.is_none_or(|generation| commit.generation == generation)
    };
    let meant: Vec<_> = commits.iter().enumerate().filter(|(_, (_, commit))| is_meant(commit)).collect();
    let kept = |at: usize, commit: &Commit| is_kept(at, commits.len(), commit.kind == CommitKind::Savepoint);
    let kept: Vec<_> = meant.iter().filter(|(at, (_, commit))| kept(*at, commit)).collect();
    // Of those no longer kept, the newest may have layers left; each reports for itself what is missing.
    let Some((_, (newest, commit))) = kept.last().copied().or(meant.last()) else { return Ok(None) };
    if kept.iter().all(|(_, (_, other))| is_same(other, commit)) {
        return Ok(Some(*newest));
    }
    let told = kept.iter().map(|(_, (_, commit))| {
        let kind = if commit.kind == CommitKind::Savepoint { "a savepoint" } else { "a checkpoint" };
        format!("{}@{} ({kind}, taken at {})", commit.epoch, commit.generation, commit.taken)
    });
    Err(Error::usage(format!(
        "there are several checkpoints of epoch {}, since the job went back before it and took another one: {}; say which \
         of them, such as {}@{}",
        name.epoch,
        told.collect::<Vec<_>>().join(", "),
        commit.epoch,
        commit.generation
    )))
}

/// Whether one commit is the other, appended once more when the job went back to it.
fn is_same(one: &Commit, other: &Commit) -> bool {
    one.taken == other.taken && one.sources == other.sources && one.sinks == other.sinks
}
