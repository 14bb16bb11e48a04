//! The manifest log: dense numbers, one entry each, created if absent.

use std::sync::Arc;

use super::manifest::{Commit, CommitKind, Entry, Fence};
use super::scan::{FOLDER, Scan, floor, name_of, scan, unreadable};
use super::shorten::Length;
use super::store::{Created, Store, StoreError};
use crate::failpoint::{Point, around};
use crate::{Code, Epoch, Error, Result};

/// How many commits the log remembers the layers of, besides savepoints.
const REMEMBERED: usize = 64;

/// The manifest log, as it is held by the generation that appended the newest fence.
///
/// Nobody appends twice to a number, and nobody skips one; so whoever finds the next number taken, or below the floor to which
/// the log was shortened, knows that a newer generation has started, and stops.
#[derive(Debug)]
pub struct ManifestLog {
    store: Arc<dyn Store>,
    generation: u64,
    next: u64,
    fenced: Option<Appended>,
    length: Length,
    /// The layers of the last commits, oldest first.
    recent: Vec<Vec<String>>,
    /// Those of savepoints, and of the commit from which this generation resumed.
    lasting: Vec<Vec<String>>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry has this number, and is durable.
    Done(u64),
    /// Another generation has the number: this one is over and must do nothing more.
    Fenced {
        /// That generation; `None` where its entry cannot be read.
        by: Option<u64>,
    },
}

impl ManifestLog {
    /// All entries with their numbers: the first one, kept commits, and the last ones without a gap.
    ///
    /// # Errors
    /// When one is missing, damaged or newer than this program.
    pub fn read(store: &dyn Store) -> Result<Vec<(u64, Entry)>> {
        let entries = scan(store)?.entries.into_iter();
        let read = entries.map(|(number, entry)| match entry {
            Ok(entry) => Ok((number, entry)),
            Err(why) => Err(unreadable(store, number, &why)),
        });
        read.collect()
    }

    /// Appends an entry at the next number: the commit.
    ///
    /// After an error it is unknown whether the entry is in the log. After a [transient](StoreError::Transient) one,
    /// append the same entry again: the answer is then the truth.
    ///
    /// # Panics
    /// When the generation itself has put another entry at the number.
    pub fn append(&mut self, entry: &Entry) -> Result<Appended, StoreError> {
        if let Some(fenced) = self.fenced {
            return Ok(fenced);
        }
        let name = name_of(self.next);
        let created = self.store.create(&name, &entry.encode())?;
        if created == Created::New && !is_below_floor(&*self.store, self.next)? {
            if let Entry::Commit(commit) = entry {
                self.remember(commit);
                self.length.appended(self.next, commit.kind);
            }
            self.next += 1;
            return Ok(Appended::Done(self.next - 1));
        }
        let by = match created {
            Created::New => None,
            Created::Taken => by_whom(&*self.store, &name)?,
        };
        assert_ne!(by, Some(self.generation), "a generation appends the same entry to a number, however often");
        Ok(*self.fenced.insert(Appended::Fenced { by }))
    }

    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The generation that holds it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The store that holds the log.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Appends the fence of a generation that starts, after the entries that it has read; `None` when another start has
    /// taken the number, so that there is more to read.
    pub(super) fn fence(store: &Arc<dyn Store>, read: &Scan, fence: Fence) -> Result<Option<ManifestLog>, StoreError> {
        let (generation, number) = (fence.generation, read.next());
        let entry = Entry::Fence(fence).encode();
        let created = around(Point::Fence, || store.create(&name_of(number), &entry))?;
        if created == Created::Taken || is_below_floor(&**store, number)? {
            return Ok(None);
        }
        let (store, next, length) = (store.clone(), number + 1, Length::of(read));
        let (recent, lasting) = (Vec::new(), Vec::new());
        let mut log = ManifestLog { store, generation, next, fenced: None, length, recent, lasting };
        for (_, entry) in read.known() {
            if let Entry::Commit(commit) = entry {
                log.remember(commit);
            }
        }
        Ok(Some(log))
    }

    /// Keeps the layers of the commit from which the generation resumed.
    pub(super) fn went_on_from(&mut self, commit: &Commit) {
        self.lasting.push(names(commit));
    }

    /// Shortens the log once it has become long: the last `keep` commits and savepoints stay.
    ///
    /// # Errors
    /// Only [fatal](StoreError::Fatal) ones: what the store refuses now is retried later.
    pub fn shorten(&mut self, keep: usize) -> Result<(), StoreError> {
        if self.fenced.is_some() {
            return Ok(());
        }
        self.length.shorten(&*self.store, self.next, keep)
    }

    fn remember(&mut self, commit: &Commit) {
        match commit.kind {
            CommitKind::Savepoint => self.lasting.push(names(commit)),
            CommitKind::Checkpoint | CommitKind::Ended => {}
        }
        self.recent.push(names(commit));
        if self.recent.len() > REMEMBERED {
            self.recent.remove(0);
        }
    }

    /// The layers that the last `keep` commits name, or a lasting one.
    pub(super) fn kept(&self, keep: usize) -> impl Iterator<Item = &String> {
        let from = self.recent.len().saturating_sub(keep.max(1));
        self.recent[from..].iter().chain(&self.lasting).flatten()
    }

    /// The layers that commits name.
    pub(super) fn named(&self) -> impl Iterator<Item = &String> {
        self.recent.iter().flatten()
    }

    /// Whether a newer generation has started.
    pub(super) fn is_taken(&self) -> Result<bool, StoreError> {
        match self.store.get(&name_of(self.next)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(floor(&*self.store)? > self.next),
            Err(error) => Err(error),
        }
    }
}

/// Whether an entry that was just created has a number below the floor, where it counts for nothing. If so, it is
/// removed.
fn is_below_floor(store: &dyn Store, number: u64) -> Result<bool, StoreError> {
    let below = number < floor(store)?;
    if below {
        let _ = store.delete(&name_of(number)); // otherwise the next start removes it
    }
    Ok(below)
}

/// Which generation wrote an entry; `None` where it cannot be read, or was shortened away meanwhile.
fn by_whom(store: &dyn Store, name: &str) -> Result<Option<u64>, StoreError> {
    match store.get(name) {
        Ok(bytes) => Ok(Entry::decode(&bytes).ok().map(|entry| entry.generation())),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error that ends a generation once another one has started.
pub(crate) fn fenced() -> Error {
    let what =
        "a younger generation of this job has started, and this one is over. Did two supervisors start the same job?";
    Code::Fenced.error(what).for_good()
}

/// Whether a generation younger than this one has appended the newest entry of the log.
pub(crate) fn is_fenced(store: &dyn Store, generation: u64) -> Result<bool> {
    let Some(newest) = store.list(FOLDER)?.pop() else { return Ok(false) };
    Ok(by_whom(store, &newest)?.is_some_and(|by| by > generation))
}

fn names(commit: &Commit) -> Vec<String> {
    commit.layers().map(|layer| layer.name.clone()).collect()
}

/// The name of a layer: its generation, its epoch, and `what`, which tells it from others of the same epoch.
///
/// The generation shows which layers a dead one left without a commit.
///
/// ```
/// use dualgauge_engine::Epoch;
/// use dualgauge_engine::checkpoint::layer_name;
///
/// assert_eq!(layer_name(2, Epoch(31), "worker-0"), "layers/0000000002-00000000000000000031-worker-0");
/// ```
pub fn layer_name(generation: u64, epoch: Epoch, what: &str) -> String {
    format!("layers/{generation:010}-{epoch:020}-{what}", epoch = epoch.0)
}

/// The generation that wrote the layer of this name.
pub(super) fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix("layers/")?.split_once('-')?.0.parse().ok()
}
