//! The entries of the manifest log: fences, and commits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Unsealed};
use crate::connector::{Basis, BucketCut};
use crate::fs::PlainName;
use crate::state::Fingerprint;
use crate::{Epoch, EventTime, KeyGroup, Offset, PartitionId};

/// The folder that holds the layers.
const LAYERS: &str = "layers/";

const ENTRY: Envelope = Envelope { magic: *b"dg-entry", version: 2 };

/// How many fields version 2 has added at the end of a commit, each of them a map.
const ADDED: usize = 2;

/// One entry of the manifest log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A generation starts: none before it may append any more.
    Fence(Fence),
    /// Everything up to an epoch is durable.
    Commit(Box<Commit>),
}

/// A generation starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Which start of the job this is, counted from 1.
    pub generation: u64,
    /// The job: 128 random bits in hexadecimal, made at its first start and the same for ever.
    pub job: String,
    /// How many workers the generation has.
    pub workers: u32,
    /// The version of dualgauge that writes.
    pub version: String,
    /// Random, so that a start whose write ended in doubt knows its own fence from that of another.
    pub mark: u128,
}

/// Everything up to the end of an epoch, as it is stored: the unit from which a job resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The generation that wrote it.
    pub generation: u64,
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// Why it was taken.
    pub kind: CommitKind,
    /// When it was taken, by the clock of the job.
    pub taken: EventTime,
    /// How many key groups the job has.
    pub key_groups: u16,
    /// Every step of the graph that keeps something.
    pub steps: Vec<StepShape>,
    /// The state: together all key groups, none of them twice.
    pub chains: Vec<Chain>,
    /// How far the sources were read, by their names.
    pub sources: BTreeMap<String, SourceCut>,
    /// What the sinks prepared, by their names.
    pub sinks: BTreeMap<String, Vec<BucketCut>>,
    /// What the job has counted up to here: the name of the step or source, what is counted, how much.
    pub counters: Vec<(String, String, u64)>,
    /// The basis of each stored thing: `source bids`, `step sums`, `sink out`.
    pub bases: BTreeMap<String, Basis>,
    /// The partitions that each source had, whether they were to be read or not.
    pub listed: BTreeMap<String, BTreeSet<PartitionId>>,
}

/// Why a commit was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitKind {
    /// It was time for one.
    Checkpoint,
    /// Somebody asked for one to keep: its layers are never collected.
    Savepoint,
    /// The input has ended: only publishing may be left to do.
    Ended,
}

/// What a step keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepShape {
    /// The step's name.
    pub name: String,
    /// Its parts, by name, with the shapes of their entries.
    pub parts: Vec<(String, Fingerprint)>,
}

/// The state of some key groups, as layers upon each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The groups. Whatever its layers hold of other groups does not count here.
    pub groups: GroupRange,
    /// The layers, oldest first.
    pub layers: Vec<LayerRef>,
}

/// Key groups from `first` up to, but not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupRange {
    /// The first group.
    pub first: u16,
    /// The group after the last.
    pub end: u16,
}

impl GroupRange {
    /// The groups from `first` up to, but not including, `end`.
    pub const fn new(first: u16, end: u16) -> GroupRange {
        GroupRange { first, end }
    }

    /// The groups of one worker, as [`KeyGroup::owner`] deals them.
    ///
    /// ```
    /// use dualgauge_engine::KeyGroup;
    /// use dualgauge_engine::checkpoint::GroupRange;
    ///
    /// for group in GroupRange::of_worker(1, 3).iter() {
    ///     assert_eq!(group.owner(3), 1);
    /// }
    /// assert_eq!(GroupRange::of_worker(2, 3), GroupRange::new(171, 256));
    /// ```
    pub fn of_worker(worker: usize, workers: usize) -> GroupRange {
        let groups = crate::data::KEY_GROUPS as usize;
        let first = |worker: usize| (worker * groups).div_ceil(workers) as u16;
        GroupRange { first: first(worker), end: first(worker + 1) }
    }

    /// Whether the group is one of them.
    pub fn contains(self, group: KeyGroup) -> bool {
        self.first <= group.0 && group.0 < self.end
    }

    /// The groups that are in both; empty where there are none.
    pub fn and(self, other: GroupRange) -> GroupRange {
        let first = self.first.max(other.first);
        GroupRange { first, end: self.end.min(other.end).max(first) }
    }

    /// Whether it has no group.
    pub fn is_empty(self) -> bool {
        self.end <= self.first
    }

    /// The groups in order.
    pub fn iter(self) -> impl Iterator<Item = KeyGroup> {
        (self.first..self.end).map(KeyGroup)
    }
}

impl fmt::Display for GroupRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key groups {}..{}", self.first, self.end)
    }
}

/// A layer, and how to know that it is the one that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    /// Its name in the store: `layers/…`.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// The checksum of its footer, which holds those of everything else.
    pub checksum: u128,
    /// How many saves were merged into it; 1 for a layer that is a single save.
    pub saves: u32,
}

/// How far a source was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCut {
    /// What stood behind the source's name: `parquet:data/bids/`.
    pub binding: String,
    /// How far each partition was read.
    pub partitions: BTreeMap<PartitionId, PartitionCut>,
}

/// How far a partition was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCut {
    /// Where reading resumes; `None` at its start.
    pub offset: Option<Offset>,
    /// How many rows were read.
    pub rows: u64,
    /// The largest event time among them.
    pub largest: EventTime,
    /// The capability under which the partition could still send: nothing from it is stamped below this.
    pub floor: EventTime,
    /// Whether it was read to its end.
    pub ended: bool,
    /// Whether it no longer holds the source's watermark.
    pub passed: bool,
}

impl Entry {
    /// The generation that wrote it.
    pub fn generation(&self) -> u64 {
        match self {
            Entry::Fence(fence) => fence.generation,
            Entry::Commit(commit) => commit.generation,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        ENTRY.seal(self)
    }

    /// The entry, if every name in it that becomes a path is a plain one: a crafted entry must lead nowhere else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Entry, Unsealed> {
        let entry = ENTRY.open_with(bytes, |version, payload| {
            // What a commit of version 1 lacks is empty; an empty map is a zero.
            let missing = if version < 2 { ADDED } else { 0 };
            let payload = [payload, &vec![0; missing]].concat();
            match postcard::take_from_bytes(&payload) {
                Ok((entry @ Entry::Commit(_), [])) => Some(entry),
                Ok((entry @ Entry::Fence(_), rest)) if rest.len() == missing => Some(entry),
                _ => None,
            }
        })?;
        let plain = |name: &str| PlainName::parse(name).is_ok();
        match &entry {
            Entry::Fence(fence) if !plain(&fence.job) => {
                Err(Unsealed::Damaged("its checksum is right, but the name of its job is none"))
            }
            Entry::Commit(commit)
                if !commit.layers().all(|layer| layer.name.strip_prefix(LAYERS).is_some_and(plain)) =>
            {
                Err(Unsealed::Damaged("its checksum is right, but it names a layer that does not lie among the layers"))
            }
            _ => Ok(entry),
        }
    }
}

impl Commit {
    /// The layers it names.
    pub fn layers(&self) -> impl Iterator<Item = &LayerRef> {
        self.chains.iter().flat_map(|chain| &chain.layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_the_place_is_refused_when_it_is_read() {
        let fence = |job: &str| Fence { generation: 1, job: job.into(), workers: 1, version: "1".into(), mark: 7 };
        let commit = |layer: &str| {
            let layer = LayerRef { name: layer.into(), size: 1, checksum: 2, saves: 1 };
            let chains = vec![Chain { groups: GroupRange::new(0, 256), layers: vec![layer] }];
            Entry::Commit(Box::new(Commit {
                generation: 1,
                epoch: Epoch(5),
                kind: CommitKind::Checkpoint,
                taken: EventTime::default(),
                key_groups: 256,
                steps: Vec::new(),
                chains,
                sources: BTreeMap::new(),
                sinks: BTreeMap::new(),
                counters: Vec::new(),
                bases: BTreeMap::new(),
                listed: BTreeMap::new(),
            }))
        };
        for entry in [Entry::Fence(fence("0f")), commit("layers/0000000001-00000000000000000005-w000")] {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
        for name in ["", "..", "../../diary.txt", "/etc/passwd", "a/b", "a\\b", "a\0"] {
            for entry in [Entry::Fence(fence(name)), commit(&format!("layers/{name}")), commit(name)] {
                assert!(matches!(Entry::decode(&entry.encode()), Err(Unsealed::Damaged(_))), "{entry:?}");
            }
        }
    }

    #[test]
    fn the_ranges_of_all_workers_are_the_owners_of_their_groups_and_leave_none_out() {
        for workers in 1..=256 {
            let mut end = 0;
            for worker in 0..workers {
                let range = GroupRange::of_worker(worker, workers);
                assert_eq!(range.first, end);
                assert!(range.iter().all(|group| group.owner(workers) == worker));
                end = range.end;
            }
            assert_eq!(end, 256);
        }
    }
}
