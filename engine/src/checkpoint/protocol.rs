//! The decisions of the commit protocol: facts in, a decision out, and nothing done here.

use super::log::Appended;
use super::manifest::CommitKind;
use super::store::StoreError;
use crate::Epoch;

/// Which commit was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// None: the job starts anew.
    Fresh,
    /// The newest.
    Newest,
    /// The one of this epoch.
    Epoch(Epoch),
}

/// What is known of an entry before the generation's own fence that is a commit, or may have been one but cannot be
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitFact {
    /// Its epoch and kind; `None` when it cannot be read.
    pub read: Option<(Epoch, CommitKind)>,
    /// The condition of its layers.
    pub layers: Layers,
    /// Whether a sink may have published something that only this commit allowed.
    pub published: bool,
    /// Whether the sources still have what follows it.
    pub retained: bool,
}

/// The condition of a commit's layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// Nobody has looked.
    Unknown,
    /// They are those that were written.
    Whole,
    /// One is missing or damaged.
    Damaged,
}

/// Where a job resumes; commits are named by their place among the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// At the beginning.
    Start,
    /// After this commit, with its state.
    After(usize),
    /// Nowhere: the input had ended with this commit, and only publishing may be left to do.
    Finish(usize),
    /// It depends on the layers of this commit: look at them, and ask again.
    Look(usize),
    /// Nowhere: this commit is damaged, and an older one would lose or repeat output.
    Corrupt(usize),
    /// Nowhere: a fresh start was asked for, and there is a commit.
    NotFresh,
    /// Nowhere: there is no commit of the epoch that was asked for.
    NoSuchEpoch,
}

/// Decides where a job resumes, given the commits before its own fence, the oldest first.
///
/// A damaged commit may be given up for the one before only if no sink can have published what it allowed, and the
/// sources still have what follows the one before. A commit asked for by its epoch is never given up for another.
pub fn resume(asked: Asked, commits: &[CommitFact]) -> Resume {
    let mut at = match asked {
        Asked::Fresh if commits.is_empty() => return Resume::Start,
        Asked::Fresh => return Resume::NotFresh,
        Asked::Newest => match commits.len().checked_sub(1) {
            Some(newest) => newest,
            None => return Resume::Start,
        },
        Asked::Epoch(epoch) => {
            match commits.iter().rposition(|commit| commit.read.is_some_and(|(of, _)| of == epoch)) {
                Some(at) => at,
                None => return Resume::NoSuchEpoch,
            }
        }
    };
    loop {
        let commit = &commits[at];
        match (commit.read, commit.layers) {
            (Some((_, CommitKind::Ended)), _) => return Resume::Finish(at), // needs no state
            (Some(_), Layers::Whole) => return Resume::After(at),
            (Some(_), Layers::Unknown) => return Resume::Look(at),
            (Some(_), Layers::Damaged) | (None, _) => {}
        }
        let may_leave = asked == Asked::Newest && !commit.published;
        match at.checked_sub(1).filter(|before| may_leave && commits[*before].retained) {
            Some(before) => at = before,
            None => return Resume::Corrupt(at),
        }
    }
}

/// What the writer of a commit does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAppend {
    /// The commit is in the log: the sinks may publish what it allows.
    Publish,
    /// Another generation has the number: stop, and touch nothing any more.
    Stop,
    /// It is unknown whether the commit is in the log: append the same entry again, later.
    Again,
    /// It is unknown whether the commit is in the log, and stays so: end without publishing. The next generation reads
    /// the truth.
    End,
}

/// Decides what the writer of a commit does after an append, when it has `tries` left.
pub fn after_append(outcome: &Result<Appended, StoreError>, tries: usize) -> AfterAppend {
    match outcome {
        Ok(Appended::Done(_)) => AfterAppend::Publish,
        Ok(Appended::Fenced { .. }) => AfterAppend::Stop,
        Err(StoreError::Fatal { .. }) => AfterAppend::End,
        Err(StoreError::Transient { .. } | StoreError::NotFound { .. }) if tries > 0 => AfterAppend::Again,
        Err(StoreError::Transient { .. } | StoreError::NotFound { .. }) => AfterAppend::End,
    }
}

/// How many entries the log has at most, between its floor and its end.
pub const LOG_MAX: u64 = 32;

/// How a log is shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortening {
    /// Nothing below this number belongs to the log any more.
    pub floor: u64,
    /// Commits from the old floor up to the new one that are kept aside: savepoints, and what counts among the last.
    pub carried: Vec<u64>,
    /// Commits below the new floor that are no longer kept.
    pub outdated: Vec<u64>,
}

/// Decides whether a log is shortened, and to where; the last `keep` commits and all savepoints stay.
///
/// `commits` are the known ones, oldest first: those from the floor on, and those that were kept below it. The new
/// floor is the oldest of the last commits, so that these stay where they are. If too many fences follow it, since a
/// job starts again and again without a commit, the floor is the last entry, and the commits are kept aside.
pub fn shorten(floor: u64, next: u64, commits: &[(u64, CommitKind)], keep: usize) -> Option<Shortening> {
    if next.saturating_sub(floor) <= LOG_MAX {
        return None;
    }
    let last = &commits[commits.len().saturating_sub(keep.max(1))..];
    let new = match last.first() {
        Some(&(oldest, _)) if oldest > floor && next - oldest <= LOG_MAX / 2 => oldest,
        _ => next - 1,
    };
    let is_kept = |&(number, kind): &(u64, CommitKind)| {
        kind == CommitKind::Savepoint || last.first().is_some_and(|(oldest, _)| number >= *oldest)
    };
    let below = || commits.iter().filter(|(number, _)| *number < new);
    let carried = below().filter(|commit| is_kept(commit) && commit.0 >= floor).map(|(number, _)| *number).collect();
    let outdated = below().filter(|commit| !is_kept(commit)).map(|(number, _)| *number).collect();
    Some(Shortening { floor: new, carried, outdated })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Every commit that there can be, at an epoch.
    fn every_commit(epoch: u64) -> impl Iterator<Item = CommitFact> {
        let kinds = [CommitKind::Checkpoint, CommitKind::Savepoint, CommitKind::Ended];
        let reads = kinds.map(|kind| Some((Epoch(epoch), kind))).into_iter().chain([None]);
        reads.flat_map(|read| {
            [Layers::Unknown, Layers::Whole, Layers::Damaged].into_iter().flat_map(move |layers| {
                [false, true].into_iter().flat_map(move |published| {
                    [false, true].map(|retained| CommitFact { read, layers, published, retained })
                })
            })
        })
    }

    #[test]
    fn a_commit_alone_is_gone_on_from_or_is_corrupt() {
        for commit in every_commit(1) {
            let expected = match commit {
                CommitFact { read: Some((_, CommitKind::Ended)), .. } => Resume::Finish(0),
                CommitFact { read: Some(_), layers: Layers::Whole, .. } => Resume::After(0),
                CommitFact { read: Some(_), layers: Layers::Unknown, .. } => Resume::Look(0),
                _ => Resume::Corrupt(0),
            };
            assert_eq!(resume(Asked::Newest, &[commit]), expected, "{commit:?}");
            let by_epoch = if commit.read.is_some() { expected } else { Resume::NoSuchEpoch };
            assert_eq!(resume(Asked::Epoch(Epoch(1)), &[commit]), by_epoch, "{commit:?}");
            assert_eq!(resume(Asked::Fresh, &[commit]), Resume::NotFresh);
        }
    }

    #[test]
    fn of_two_commits_the_older_counts_only_where_nothing_can_be_lost_or_repeated() {
        for (old, new) in every_commit(1).flat_map(|old| every_commit(2).map(move |new| (old, new))) {
            let alone = resume(Asked::Newest, &[new]);
            let expected = match alone {
                Resume::Corrupt(_) if !new.published && old.retained => resume(Asked::Newest, &[old]),
                Resume::Corrupt(_) => Resume::Corrupt(1),
                Resume::Finish(_) => Resume::Finish(1),
                Resume::After(_) => Resume::After(1),
                _ => Resume::Look(1),
            };
            assert_eq!(resume(Asked::Newest, &[old, new]), expected, "{old:?} {new:?}");
            // A commit asked for by its epoch is never given up for another.
            for (asked, epoch, commit) in [(0, 1, old), (1, 2, new)] {
                let found = resume(Asked::Epoch(Epoch(epoch)), &[old, new]);
                let here = match resume(Asked::Epoch(Epoch(epoch)), &[commit]) {
                    Resume::After(_) => Resume::After(asked),
                    Resume::Finish(_) => Resume::Finish(asked),
                    Resume::Look(_) => Resume::Look(asked),
                    Resume::Corrupt(_) => Resume::Corrupt(asked),
                    other => other,
                };
                assert_eq!(found, here);
            }
        }
    }

    #[test]
    fn without_a_commit_a_job_starts_at_the_beginning() {
        assert_eq!(resume(Asked::Newest, &[]), Resume::Start);
        assert_eq!(resume(Asked::Fresh, &[]), Resume::Start);
        assert_eq!(resume(Asked::Epoch(Epoch(1)), &[]), Resume::NoSuchEpoch);
    }

    #[test]
    fn a_log_is_shortened_to_what_is_kept_and_never_below_it() {
        use CommitKind::{Checkpoint, Savepoint};
        let all = |numbers: std::ops::Range<u64>| numbers.map(|number| (number, Checkpoint)).collect::<Vec<_>>();
        let to = |floor, carried: &[u64], outdated: Vec<u64>| {
            Some(Shortening { floor, carried: carried.to_vec(), outdated })
        };
        assert_eq!(shorten(0, LOG_MAX, &all(1..LOG_MAX), 3), None);
        assert_eq!(shorten(0, 33, &all(1..33), 3), to(30, &[], (1..30).collect()));
        // A savepoint is kept aside, once; those kept aside before stay there.
        let mut commits = all(101..133);
        commits[4].1 = Savepoint;
        commits.insert(0, (7, Savepoint));
        let others = (101..130).filter(|number| *number != 105).collect();
        assert_eq!(shorten(100, 133, &commits, 3), to(130, &[105], others));
        // Fences alone: shortened to the last. After commits, these are kept aside, and stay there until others come.
        assert_eq!(shorten(0, 40, &[], 3), to(39, &[], vec![]));
        assert_eq!(shorten(0, 40, &all(1..6), 3), to(39, &[3, 4, 5], vec![1, 2]));
        assert_eq!(shorten(39, 72, &all(3..6), 3), to(71, &[], vec![]));
        assert_eq!(shorten(39, 72, &[all(3..6), all(70..72)].concat(), 3), to(71, &[70], vec![3, 4]));
    }

    #[test]
    fn only_what_is_known_to_be_in_the_log_is_published() {
        let cause = || io::Error::other("no");
        let transient = || Err(StoreError::Transient { place: String::new(), cause: cause() });
        let missing = || Err(StoreError::NotFound { place: String::new() });
        let fatal = || Err(StoreError::Fatal { place: String::new(), cause: cause() });
        for tries in [0, 1, 10] {
            let again = if tries > 0 { AfterAppend::Again } else { AfterAppend::End };
            assert_eq!(after_append(&Ok(Appended::Done(1)), tries), AfterAppend::Publish);
            assert_eq!(after_append(&Ok(Appended::Fenced { by: Some(2) }), tries), AfterAppend::Stop);
            assert_eq!(after_append(&Ok(Appended::Fenced { by: None }), tries), AfterAppend::Stop);
            assert_eq!(after_append(&transient(), tries), again);
            assert_eq!(after_append(&missing(), tries), again);
            assert_eq!(after_append(&fatal(), tries), AfterAppend::End);
        }
    }
}
