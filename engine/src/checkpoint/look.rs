//! Looking into a store without taking part: its log, what a commit keeps, and whether all of it is whole.
//!
//! Nothing is written, so that a job may run in the same place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::collect::is_kept;
use super::layer::{self, ChainReader, EachEntry, Layer, LayerError};
use super::log::ManifestLog;
use super::manifest::{Chain, Commit, CommitKind, Entry};
use super::scan::{scan, unreadable};
use super::store::Store;
use crate::{Epoch, Result};

impl ManifestLog {
    /// All entries with their numbers; one that is damaged says how.
    ///
    /// # Errors
    /// When one is missing or newer than this program.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use dualgauge_engine::checkpoint::{Entry, LocalStore, ManifestLog, Wish, start};
    /// use dualgauge_engine::fs::FaultFs;
    ///
    /// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    /// start(store.clone(), Wish::default()).unwrap();
    /// let entries = ManifestLog::look(&*store).unwrap();
    /// assert!(matches!(&entries[..], [(0, Ok(Entry::Fence(fence)))] if fence.generation == 1));
    /// ```
    pub fn look(store: &dyn Store) -> Result<Vec<(u64, Result<Entry>)>> {
        let told =
            |(number, entry): (u64, Result<Entry, _>)| (number, entry.map_err(|why| unreadable(store, number, &why)));
        Ok(scan(store)?.entries.into_iter().map(told).collect())
    }
}

/// What the steps of a commit keep, whoever wrote it.
#[derive(Debug)]
pub struct StateReader {
    chains: Vec<(Chain, ChainReader)>,
}

impl StateReader {
    /// Opens the layers of a commit.
    ///
    /// # Errors
    /// As for [`ChainReader::open`]; this includes layers that have been collected.
    pub fn open(store: &Arc<dyn Store>, commit: &Commit) -> Result<StateReader> {
        let open = |chain: &Chain| Ok((chain.clone(), ChainReader::open(Arc::clone(store), &chain.layers)?));
        Ok(StateReader { chains: commit.chains.iter().map(open).collect::<Result<_>>()? })
    }

    /// How many bytes of the layers each step has: what it keeps, and what was replaced and is not merged away yet.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use dualgauge_engine::checkpoint::{
    ///     Chain, Commit, CommitKind, GroupRange, LayerPart, LocalStore, StateReader, Store, write_layer,
    /// };
    /// use dualgauge_engine::fs::FaultFs;
    /// use dualgauge_engine::state::{Changes, Fingerprint};
    /// use dualgauge_engine::{Epoch, EventTime, KeyGroup};
    ///
    /// let store: Arc<dyn Store> = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    /// let mut changes = Changes::new(Epoch(1));
    /// changes.put(KeyGroup(3), b"", &"apple", &7_u8);
    /// let fingerprint = Fingerprint::of::<(String, u8)>();
    /// let part = LayerPart { step: "counts".into(), part: "table".into(), fingerprint, changes };
    /// let layer = write_layer(&*store, "layers/1", &[part]).unwrap();
    /// let commit = Commit {
    ///     generation: 1,
    ///     epoch: Epoch(1),
    ///     kind: CommitKind::Checkpoint,
    ///     taken: EventTime::default(),
    ///     key_groups: 256,
    ///     steps: Vec::new(),
    ///     chains: vec![Chain { groups: GroupRange::new(0, 256), layers: vec![layer] }],
    ///     sources: Default::default(),
    ///     sinks: Default::default(),
    ///     counters: Vec::new(),
    ///     bases: Default::default(),
    ///     listed: Default::default(),
    /// };
    /// let bytes = StateReader::open(&store, &commit).unwrap().bytes();
    /// assert!(bytes["counts"] > 9, "two lengths, a key of six bytes, a value of one, and what the footer says of them");
    /// ```
    pub fn bytes(&self) -> BTreeMap<String, u64> {
        let layers = self.chains.iter().flat_map(|(_, reader)| reader.layers());
        // A layer may be in several chains.
        let layers: BTreeMap<&str, &Layer> = layers.map(|layer| (layer.name.as_str(), layer)).collect();
        let parts = layers.values().flat_map(|layer| &layer.parts);
        layer::by_step(parts.map(|part| (part.step.clone(), part.bytes)))
    }

    /// Hands out each entry of a part.
    ///
    /// # Errors
    /// As for [`ChainReader::entries`].
    pub fn entries(&self, step: &str, part: &str, each: &mut EachEntry<'_>) -> Result<()> {
        self.chains.iter().try_for_each(|(chain, reader)| reader.entries(step, part, chain.groups, each))
    }
}

/// How a commit was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// All its layers are what was written.
    Whole,
    /// A job may resume from it, but its entry or a layer is damaged or missing.
    Damaged(String),
    /// It is no longer kept, and some of its layers are gone.
    Collected,
}

/// One commit of a log, as [`verify_all`] found it.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The number of its entry.
    pub number: u64,
    /// Its epoch and kind; `None` of an entry that cannot be read.
    pub commit: Option<(Epoch, CommitKind)>,
    /// How it was found.
    pub found: Found,
}

/// Reads every layer that a commit of the log names, and checks all of it; each layer once.
///
/// # Errors
/// When the store does not answer, an entry is missing, or something is newer than this program.
///
/// ```
/// use std::sync::Arc;
/// use dualgauge_engine::checkpoint::{LocalStore, Wish, start, verify_all};
/// use dualgauge_engine::fs::FaultFs;
///
/// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
/// start(store.clone(), Wish::default()).unwrap();
/// assert!(verify_all(&*store).unwrap().is_empty(), "there is no commit yet");
/// ```
pub fn verify_all(store: &dyn Store) -> Result<Vec<Verified>> {
    let entries = ManifestLog::look(store)?;
    let mut layers = BTreeMap::new();
    for layer in entries.iter().filter_map(|(_, entry)| commit_of(entry.as_ref().ok()?)).flat_map(Commit::layers) {
        if !layers.contains_key(&layer.name) {
            layers.insert(layer.name.clone(), look_at(store, layer)?);
        }
    }
    // A running job may have collected some meanwhile: what counts is what is kept now.
    let kept = kept(&ManifestLog::look(store)?);
    let verified = entries.iter().filter_map(|(number, entry)| {
        let number = *number;
        let commit = match entry {
            Ok(entry) => commit_of(entry)?,
            Err(error) => return Some(Verified { number, commit: None, found: Found::Damaged(error.to_string()) }),
        };
        let mut bad = commit.layers().filter_map(|layer| layers[&layer.name].as_ref());
        let found = match bad.next() {
            None => Found::Whole,
            Some(_) if !kept.contains(&number) => Found::Collected,
            Some(how) => Found::Damaged(how.clone()),
        };
        Some(Verified { number, commit: Some((commit.epoch, commit.kind)), found })
    });
    Ok(verified.collect())
}

/// The numbers of the commits whose layers are kept.
pub(super) fn kept(entries: &[(u64, Result<Entry>)]) -> BTreeSet<u64> {
    let commits = entries.iter().filter_map(|(number, entry)| Some((*number, commit_of(entry.as_ref().ok()?)?)));
    let commits: Vec<(u64, &Commit)> = commits.collect();
    let kept = commits.iter().enumerate();
    let kept = kept.filter(|(at, (_, commit))| is_kept(*at, commits.len(), commit.kind == CommitKind::Savepoint));
    kept.map(|(_, (number, _))| *number).collect()
}

pub(super) fn commit_of(entry: &Entry) -> Option<&Commit> {
    match entry {
        Entry::Commit(commit) => Some(commit),
        Entry::Fence(_) => None,
    }
}

/// What is wrong with a layer, if anything is.
fn look_at(store: &dyn Store, layer: &super::LayerRef) -> Result<Option<String>> {
    match layer::verify_all(store, layer) {
        Ok(()) => Ok(None),
        Err(LayerError::Damaged(how)) => Ok(Some(how)),
        Err(LayerError::Other(error)) => Err(error),
    }
}
