//! Starting a generation: first its fence, and only then the decision where to resume.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::collect::{KEPT, is_kept};
use super::layer::LayerError;
use super::log::{self, ManifestLog};
use super::look::commit_of;
use super::manifest::{Commit, CommitKind, Entry, Fence};
use super::named::{CommitName, named};
use super::protocol::{Asked, CommitFact, Layers, Resume, resume};
use super::scan::{Scan, name_of, scan, unreadable};
use super::store::{Store, probe, random};
use crate::connector::BucketCut;
use crate::{Code, Epoch, Error, Prepared, Remedy, Result};

/// What is asked of a start.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Start anew; refused where the store holds a commit.
    pub fresh: bool,
    /// Resume from the commit of this name, not from the newest.
    pub from: Option<CommitName>,
    /// How many workers the generation has.
    pub workers: u32,
    /// The version of dualgauge.
    pub version: String,
    /// Whether the sources still have what follows a commit. It is asked about the commit before a damaged one; without
    /// it, a damaged commit is never given up for another.
    pub retained: Option<Retained>,
}

/// Whether the sources still have what follows a commit.
#[derive(Clone)]
pub struct Retained(pub Arc<dyn Fn(&Commit) -> bool + Send + Sync>);

impl fmt::Debug for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retained")
    }
}

/// A generation that has started: no older one can append any more.
#[derive(Debug)]
pub struct Started {
    /// The log, to be appended to.
    pub log: ManifestLog,
    /// Which start of the job this is, counted from 1.
    pub generation: u64,
    /// The job, the same at every start.
    pub job: String,
    /// Where to resume; `None` at the beginning. When its kind is [`CommitKind::Ended`](super::CommitKind::Ended), only
    /// publishing is left, and its layers were not looked at.
    pub resume: Option<Commit>,
    /// What the sinks prepared in the commits to which a job may go back, oldest first.
    pub kept: Vec<KeptOutput>,
    /// What it leaves behind, if it goes back to a commit other than the newest.
    pub left: Option<Left>,
}

/// What the sinks prepared in a commit that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOutput {
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// Whether it is kept for ever.
    pub savepoint: bool,
    /// By the names of the sinks.
    pub sinks: BTreeMap<String, Vec<BucketCut>>,
}

impl KeptOutput {
    /// What a commit has prepared.
    pub fn of(commit: &Commit) -> KeptOutput {
        let (epoch, savepoint) = (commit.epoch, commit.kind == CommitKind::Savepoint);
        KeptOutput { epoch, savepoint, sinks: commit.sinks.clone() }
    }

    /// What it has prepared for a bucket.
    pub fn prepared(&self, sink: &str, bucket: usize) -> Option<&Prepared> {
        let cut = self.sinks.get(sink)?.iter().find(|cut| cut.bucket as usize == bucket);
        cut?.prepared.last()
    }
}

/// The newer commits that a job leaves behind when it goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The epoch of the newest.
    pub newest: Epoch,
    /// The sinks that may have published what only these commits allowed.
    pub published: BTreeSet<String>,
}

/// Starts a generation: appends its fence, and only then decides where to resume.
///
/// # Errors
/// When the store cannot hold checkpoints or does not answer, when an entry is missing, when the request cannot be met,
/// and with `E-CHECKPOINT-CORRUPT` when the commit to resume from is damaged and none may take its place.
pub fn start(store: Arc<dyn Store>, wish: Wish) -> Result<Started> {
    probe(&*store)?;
    let mark = random();
    loop {
        let read = scan(&*store)?;
        let asked = match (wish.fresh, wish.from) {
            (true, _) => Asked::Fresh,
            (false, Some(name)) => Asked::Epoch(name.epoch),
            (false, None) => Asked::Newest,
        };
        // An entry that cannot be read may have been a fence: its generation must not be given out twice.
        let unread = read.entries.len() as u64 - read.known().count() as u64;
        let generation = 1 + read.known().map(|(_, entry)| entry.generation()).max().unwrap_or(0) + unread;
        let job = read.known().find_map(|(_, entry)| match entry {
            Entry::Fence(fence) => Some(fence.job.clone()),
            Entry::Commit(_) => None,
        });
        match (&job, read.entries.first()) {
            (None, Some((0, Err(why)))) => return Err(unreadable(&*store, 0, why)),
            (None, Some(_)) => return Err(nameless(&*store)),
            _ => {}
        }
        let job = job.unwrap_or_else(|| format!("{:032x}", random()));
        if asked == Asked::Fresh {
            // A mistaken request must not end a running generation.
            decide(&*store, &wish, asked, &read)?;
        }
        let fence = Fence { generation, job: job.clone(), workers: wish.workers, version: wish.version.clone(), mark };
        // The fence takes the next number: every commit before it has been read, and none of an older generation follows.
        if let Some(mut log) = ManifestLog::fence(&store, &read, fence)? {
            store.sweep()?;
            let resume = decide(&*store, &wish, asked, &read).map_err(|error| told_if_fenced(&log, error))?;
            if let Some(commit) = &resume {
                log.went_on_from(commit);
            }
            log.shorten(KEPT)?; // starts alone can make it long too
            let (kept, left) =
                (kept(&read), resume.as_ref().filter(|_| wish.from.is_some()).and_then(|commit| left(commit, &read)));
            return Ok(Started { log, generation, job, resume, kept, left });
        }
    }
}

fn commits(read: &Scan) -> impl DoubleEndedIterator<Item = &Commit> {
    read.known().filter_map(|(_, entry)| commit_of(entry))
}

/// Savepoints, and the last commits.
fn kept(read: &Scan) -> Vec<KeptOutput> {
    let count = commits(read).count();
    let kept =
        commits(read).enumerate().filter(|(at, commit)| is_kept(*at, count, commit.kind == CommitKind::Savepoint));
    kept.map(|(_, commit)| KeptOutput::of(commit)).collect()
}

/// What a job that resumes from a commit leaves behind.
fn left(from: &Commit, read: &Scan) -> Option<Left> {
    let newer: Vec<&Commit> = commits(read).rev().take_while(|commit| *commit != from).collect();
    let newest = newer.first()?.epoch;
    let has_published = |commit: &&Commit, sink: &String| {
        let prepared = commit.sinks[sink].iter().flat_map(|cut| &cut.prepared);
        prepared.clone().any(|prepared| prepared.epoch > from.epoch && !prepared.bytes.is_empty())
    };
    let published = newer.iter().flat_map(|commit| commit.sinks.keys().filter(|sink| has_published(commit, sink)));
    Some(Left { newest, published: published.cloned().collect() })
}

/// The error when nobody can say whose checkpoints these are.
fn nameless(store: &dyn Store) -> Error {
    Code::CheckpointCorrupt.error(format!(
        "{}/{}: this entry, which names the job, is missing: was it deleted? Bring it back from a copy",
        store.describe(),
        name_of(0)
    ))
}

/// Replaces the error of a start by that of being fenced, if a younger generation has started: that may have collected
/// what was read.
fn told_if_fenced(log: &ManifestLog, error: Error) -> Error {
    if log.is_taken().unwrap_or(false) { log::fenced().caused_by(error) } else { error }
}

/// Asks the protocol, and looks up what it needs to know.
fn decide(store: &dyn Store, wish: &Wish, asked: Asked, read: &Scan) -> Result<Option<Commit>> {
    let meant = match wish.from.filter(|_| asked != Asked::Fresh) {
        None => None,
        Some(name) => {
            let all: Vec<_> = read.known().filter_map(|(number, entry)| Some((number, commit_of(entry)?))).collect();
            let meant = named(name, &all).map_err(|error| error.at(store.describe()))?;
            Some(meant.ok_or_else(|| no_such(store, name))?)
        }
    };
    // The first entry of a log is a fence; any other that cannot be read may have been a commit. Other commits of the
    // epoch asked for are not meant.
    let is_other = |number: u64, commit: &Commit| {
        meant.is_some_and(|meant| meant != number && wish.from.is_some_and(|name| name.epoch == commit.epoch))
    };
    let commits: Vec<(u64, Option<&Commit>)> = (read.entries.iter())
        .filter_map(|(number, entry)| match entry {
            Ok(Entry::Commit(commit)) if is_other(*number, commit) => None,
            Ok(Entry::Commit(commit)) => Some((*number, Some(&**commit))),
            Ok(Entry::Fence(_)) => None,
            Err(_) => (*number > 0).then_some((*number, None)),
        })
        .collect();
    let mut facts: Vec<CommitFact> = Vec::new();
    for (at, (_, commit)) in commits.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| commits[before].1);
        facts.push(CommitFact {
            read: commit.map(|commit| (commit.epoch, commit.kind)),
            layers: Layers::Unknown,
            published: commit.is_none_or(|commit| may_have_published(commit, before)),
            retained: false,
        });
    }
    let mut damage = None;
    loop {
        match resume(asked, &facts) {
            Resume::Start => return Ok(None),
            Resume::After(at) | Resume::Finish(at) => return Ok(commits[at].1.cloned()),
            Resume::Look(at) => {
                let commit = commits[at].1.expect("only a commit that was read has layers to look at");
                facts[at].layers = match verify(store, commit) {
                    Ok(()) => Layers::Whole,
                    Err(LayerError::Damaged(how)) => {
                        damage.get_or_insert(how);
                        Layers::Damaged
                    }
                    Err(LayerError::Other(error)) => return Err(error),
                };
            }
            Resume::Corrupt(at) => {
                // Whether the sources still have what follows the one before is asked only when it matters.
                let before = at.checked_sub(1).filter(|before| asked == Asked::Newest && !facts[*before].retained);
                let retained = |commit: &Commit| wish.retained.as_ref().is_some_and(|retained| (retained.0)(commit));
                match before.filter(|before| !facts[at].published && commits[*before].1.is_some_and(retained)) {
                    Some(before) => facts[before].retained = true,
                    None => return Err(corrupt(store, commits[at].0, read, damage)),
                }
            }
            Resume::NotFresh => {
                let there = Error::usage("there is a checkpoint already").at(store.describe());
                return Err(there.with_remedy(Remedy::LeaveOutFresh));
            }
            Resume::NoSuchEpoch => {
                return Err(no_such(store, wish.from.expect("an epoch that is not found was asked for")));
            }
        }
    }
}

fn no_such(store: &dyn Store, name: CommitName) -> Error {
    Error::usage(format!("{}: there is no checkpoint of epoch {name}", store.describe()))
}

/// Whether a sink may have published what only this commit, and not the one before, allowed.
fn may_have_published(commit: &Commit, before: Option<&Commit>) -> bool {
    let prepared = commit.sinks.values().flatten().flat_map(|bucket| &bucket.prepared);
    let mut newer = prepared.filter(|prepared| before.is_none_or(|before| before.epoch < prepared.epoch));
    newer.any(|prepared| !prepared.bytes.is_empty())
}

/// Verifies the footers of a commit's layers.
fn verify(store: &dyn Store, commit: &Commit) -> Result<(), LayerError> {
    for layer in commit.layers() {
        super::layer::verify(store, layer)?;
    }
    Ok(())
}

fn corrupt(store: &dyn Store, number: u64, read: &Scan, damage: Option<String>) -> Error {
    let entry = read.entries.iter().find(|(of, _)| *of == number);
    let how = match entry.map(|(_, entry)| entry) {
        Some(Err(why)) => format!("{}/{}: {why}", store.describe(), name_of(number)),
        _ => damage.expect("a commit that was read is corrupt by a layer"),
    };
    let error =
        Code::CheckpointCorrupt.error(format!("{how}; going on from an older checkpoint could lose or repeat output"));
    error.with_remedy(Remedy::OlderCheckpoint)
}
