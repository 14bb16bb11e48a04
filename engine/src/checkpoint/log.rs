//! The manifest log: dense numbers, one entry each, created if absent.

use std::sync::Arc;

use super::envelope::Unsealed;
use super::manifest::{Commit, Entry, Fence};
use super::store::{Created, Store, StoreError, probe, random};
use crate::{Epoch, Error, Result};

const FOLDER: &str = "manifest/";

/// The manifest log, as the generation that has appended the newest fence holds it.
///
/// Nobody appends twice to a number, and nobody skips one; so whoever finds the next number taken knows that a newer
/// generation has started, and stops.
#[derive(Debug)]
pub struct ManifestLog {
    store: Arc<dyn Store>,
    generation: u64,
    next: u64,
    fenced: Option<Appended>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry has this number, and is durable.
    Done(u64),
    /// Another generation has the number: this one is over, and must not do anything any more.
    Fenced {
        /// That generation; `None` where its entry cannot be read.
        by: Option<u64>,
    },
}

/// An entry of the log, or why it cannot be read.
pub(super) type Scanned = (u64, Result<Entry, Unsealed>);

impl ManifestLog {
    /// All entries with their numbers, from 0.
    ///
    /// # Errors
    /// When one is missing, damaged or newer than this program.
    pub fn read(store: &dyn Store) -> Result<Vec<(u64, Entry)>> {
        let read = |(number, entry): Scanned| match entry {
            Ok(entry) => Ok((number, entry)),
            Err(why) => Err(unreadable(store, number, &why)),
        };
        scan(store)?.into_iter().map(read).collect()
    }

    /// Appends an entry at the next number: the commit.
    ///
    /// After an error it is open whether the entry is in the log. A [transient](StoreError::Transient) one can be met by
    /// appending the same entry again, which then says what is true.
    ///
    /// # Panics
    /// When the generation itself has put another entry at the number.
    pub fn append(&mut self, entry: &Entry) -> Result<Appended, StoreError> {
        if let Some(fenced) = self.fenced {
            return Ok(fenced);
        }
        let name = name_of(self.next);
        if self.store.create(&name, &entry.encode())? == Created::New {
            self.next += 1;
            return Ok(Appended::Done(self.next - 1));
        }
        let by = Entry::decode(&self.store.get(&name)?).ok().map(|entry| entry.generation());
        assert_ne!(by, Some(self.generation), "a generation appends the same entry to a number, however often");
        Ok(*self.fenced.insert(Appended::Fenced { by }))
    }

    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The store that holds the log.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

/// What is wanted of a start.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Start anew; refused where the store holds a commit.
    pub fresh: bool,
    /// Go on from the commit of this epoch, and not from the newest.
    pub from: Option<Epoch>,
    /// How many workers the generation has.
    pub workers: u32,
    /// The version of dualgauge.
    pub version: String,
}

/// A generation that has started: no older one can append any more.
#[derive(Debug)]
pub struct Started {
    /// The log, to be appended to.
    pub log: ManifestLog,
    /// The how-manieth start of the job this is, from 1.
    pub generation: u64,
    /// The job, the same at every start.
    pub job: String,
    /// Where to go on; `None` at the beginning. When its kind is [`CommitKind::Ended`](super::CommitKind::Ended), only publishing is left.
    pub resume: Option<Commit>,
}

/// Starts a generation: appends its fence, and only then decides where to go on.
pub fn start(store: Arc<dyn Store>, wish: Wish) -> Result<Started> {
    probe(&*store)?;
    let mark = random();
    loop {
        let entries = ManifestLog::read(&*store)?;
        if wish.fresh && entries.iter().any(|(_, entry)| matches!(entry, Entry::Commit(_))) {
            return Err(Error::usage(format!(
                "{}: there is a checkpoint already: leave out --fresh to go on from it, or use an empty place",
                store.describe()
            )));
        }
        let generation = 1 + entries.iter().map(|(_, entry)| entry.generation()).max().unwrap_or(0);
        let jobs = entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Fence(fence) => Some(fence.job.clone()),
            Entry::Commit(_) => None,
        });
        let job = jobs.last().unwrap_or_else(|| format!("{:032x}", random()));
        let next = entries.len() as u64;
        let mut log = ManifestLog { store: store.clone(), generation, next, fenced: None };
        let (workers, version) = (wish.workers, wish.version.clone());
        let fence = Entry::Fence(Fence { generation, job: job.clone(), workers, version, mark });
        // The fence takes the next number, so every commit before it is known, and none of an older generation follows.
        if !matches!(create_fence(&mut log, &fence)?, Created::New) {
            continue;
        }
        store.sweep()?;
        let resume = resume(&*store, &wish, entries)?;
        return Ok(Started { log, generation, job, resume });
    }
}

fn create_fence(log: &mut ManifestLog, fence: &Entry) -> Result<Created, StoreError> {
    let created = log.store.create(&name_of(log.next), &fence.encode())?;
    if created == Created::New {
        log.next += 1;
    }
    Ok(created)
}

fn resume(store: &dyn Store, wish: &Wish, entries: Vec<(u64, Entry)>) -> Result<Option<Commit>> {
    let commits = entries.into_iter().filter_map(|(_, entry)| match entry {
        Entry::Commit(commit) => Some(*commit),
        Entry::Fence(_) => None,
    });
    let found = commits.filter(|commit| wish.from.is_none_or(|epoch| commit.epoch == epoch)).last();
    if let (None, Some(epoch)) = (&found, wish.from) {
        return Err(Error::usage(format!("{}: there is no checkpoint of epoch {epoch}", store.describe())));
    }
    Ok(found)
}

/// Every entry that the log holds, or why it cannot be read, by its number.
pub(super) fn scan(store: &dyn Store) -> Result<Vec<Scanned>> {
    let mut entries = Vec::new();
    for name in store.list(FOLDER)? {
        let number = entries.len() as u64;
        if name != name_of(number) {
            let place = store.describe();
            return Err(Error::data(if number_of(&name).is_some() {
                format!("E-CHECKPOINT-CORRUPT: {place}: entry {number} of the manifest log is missing: was it deleted?")
            } else {
                format!("{place}/{name}: this is no entry of a manifest log: move it out of the way")
            }));
        }
        entries.push((number, Entry::decode(&store.get(&name)?)));
    }
    Ok(entries)
}

pub(super) fn unreadable(store: &dyn Store, number: u64, why: &Unsealed) -> Error {
    let place = format!("{}/{}", store.describe(), name_of(number));
    match why {
        Unsealed::Damaged(_) => Error::data(format!("E-CHECKPOINT-CORRUPT: {place}: {why}")),
        Unsealed::Newer { .. } => Error::usage(format!("{place}: {why}")),
    }
}

pub(super) fn name_of(number: u64) -> String {
    format!("{FOLDER}{number:020}")
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(FOLDER)?;
    if digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}
