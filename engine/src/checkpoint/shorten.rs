//! Shortening the manifest log: its floor is raised, and what lies below is removed unless it is kept.
//!
//! A generation that is over and does not know it could recreate an entry that was removed. So a mark says below
//! which number nothing counts, and it is only ever raised: each mark is a name of its own, created if absent, and the
//! highest one counts.
//!
//! - **Kept first, then the mark, then removal.** A crash between any two leaves more than is needed, and never less.
//! - **An append counts at or above the floor.** The floor is read after the entry is created: a generation that finds
//!   it above its own number has recreated a removed entry, which counts for nobody, and is over.

use std::collections::VecDeque;

use super::envelope::Envelope;
use super::manifest::{CommitKind, Entry};
use super::protocol::{Shortening, shorten};
use super::scan::{FLOORS, FOLDER, KEPT_BELOW, Scan, name_of, numbered};
use super::store::{Store, StoreError};
use crate::Result;

const FLOOR: Envelope = Envelope { magic: *b"dg-floor", version: 1 };

/// How many names are removed at once, so that a log that was never shortened holds nobody up.
const REMOVED_MAX: usize = 1_000;

/// What a generation knows of the log's length.
#[derive(Debug, Default)]
pub(super) struct Length {
    pub floor: u64,
    /// The commits that are known, by their numbers: all from the floor on, and those that are kept below.
    commits: Vec<(u64, CommitKind)>,
    /// What is to be removed.
    doomed: VecDeque<String>,
}

impl Length {
    pub fn of(scan: &Scan) -> Length {
        let commits = scan.known().filter_map(|(number, entry)| match entry {
            Entry::Commit(commit) => Some((number, commit.kind)),
            Entry::Fence(_) => None,
        });
        Length { floor: scan.floor, commits: commits.collect(), doomed: scan.left_over.iter().cloned().collect() }
    }

    pub fn appended(&mut self, number: u64, kind: CommitKind) {
        self.commits.push((number, kind));
    }

    /// Shortens the log if that is due, keeping the last `keep` commits and savepoints, and removes some of what no
    /// longer means anything.
    ///
    /// # Errors
    /// Only [fatal](StoreError::Fatal) ones: what the store refuses now is retried later.
    pub fn shorten(&mut self, store: &dyn Store, next: u64, keep: usize) -> Result<(), StoreError> {
        let shortened = match shorten(self.floor, next, &self.commits, keep) {
            Some(shortening) => self.raise(store, &shortening),
            None => Ok(()),
        };
        match shortened.and_then(|()| self.remove(store)) {
            Err(error @ StoreError::Fatal { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    fn raise(
        &mut self,
        store: &dyn Store,
        Shortening { floor, carried, outdated }: &Shortening,
    ) -> Result<(), StoreError> {
        for number in carried {
            store.create(&numbered(KEPT_BELOW, *number), &store.get(&name_of(*number))?)?;
        }
        if self.floor == 0 {
            self.renew_first(store)?;
        }
        store.create(&numbered(FLOORS, *floor), &FLOOR.seal(floor))?;
        let entries = (self.floor.max(1)..*floor).map(name_of);
        let mark = (self.floor > 0).then(|| numbered(FLOORS, self.floor));
        let below = outdated.iter().filter(|number| **number < self.floor).map(|number| numbered(KEPT_BELOW, *number));
        self.doomed.extend(entries.chain(mark).chain(below));
        self.commits.retain(|(number, _)| !outdated.contains(number));
        self.floor = *floor;
        Ok(())
    }

    /// Rewrites the first entry in the present version, so that an older program refuses a shortened log for its
    /// version and does not take it for damaged.
    fn renew_first(&self, store: &dyn Store) -> Result<(), StoreError> {
        let bytes = store.get(&name_of(0))?;
        match Entry::decode(&bytes).map(|first| first.encode()) {
            Ok(renewed) if renewed != bytes => store.put(&name_of(0), &mut |out| out.write_all(&renewed)),
            _ => Ok(()),
        }
    }

    fn remove(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        for _ in 0..REMOVED_MAX {
            let Some(name) = self.doomed.front() else { break };
            debug_assert_ne!(*name, name_of(0), "the first entry stays, in {FOLDER}");
            store.delete(name)?;
            self.doomed.pop_front();
        }
        Ok(())
    }
}
