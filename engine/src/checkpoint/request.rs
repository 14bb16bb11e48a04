//! Asking a job for a savepoint through the place of its checkpoints, from anywhere and without access to its process.
//!
//! ```text
//! savepoint-wanted    an envelope (magic "dg-asked", version 1) around the number of entries that the log had then
//! ```
//!
//! - **There until it is met.** The running generation removes it when the savepoint is committed. One that dies first
//!   leaves it to the next, so that a savepoint may be taken twice but is never forgotten.
//! - **One for all who ask.** Whoever asks while it is there waits for the same savepoint.

use super::envelope::Envelope;
use super::log::ManifestLog;
use super::manifest::{CommitKind, Entry};
use super::scan::{KEPT_BELOW, floor, name_of, number_of, numbered};
use super::store::{Created, Store, StoreError};
use crate::{Epoch, Error, Result};

const NAME: &str = "savepoint-wanted";

const WANTED: Envelope = Envelope { magic: *b"dg-asked", version: 1 };

/// A savepoint that was asked for, and may be there.
///
/// ```
/// use std::sync::Arc;
/// use dualgauge_engine::checkpoint::{LocalStore, SavepointRequest, Wish, start};
/// use dualgauge_engine::fs::FaultFs;
///
/// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
/// start(store.clone(), Wish::default()).unwrap();
/// let mut request = SavepointRequest::make(&*store).unwrap();
/// assert_eq!(request.answer(&*store).unwrap(), None, "no job runs there");
/// request.withdraw(&*store).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SavepointRequest {
    /// The next entry of the log to look at; at first, the one after those that were there when the request was made.
    next: u64,
    /// The newest savepoint among those that were looked at.
    found: Option<Epoch>,
}

impl SavepointRequest {
    /// Asks the job whose checkpoints are in `store`.
    ///
    /// # Errors
    /// When no job was ever started there, when its input has ended, and when the store refuses.
    pub fn make(store: &dyn Store) -> Result<SavepointRequest> {
        let entries = ManifestLog::look(store)?;
        let next = entries.last().map_or(0, |(number, _)| number + 1);
        let request = SavepointRequest { next, found: None };
        match entries.last() {
            None => Err(Error::usage(format!(
                "{}: there are no checkpoints here (no manifest): is this the place with which the job was started?",
                store.describe()
            ))),
            Some((_, Ok(Entry::Commit(last)))) if last.kind == CommitKind::Ended => Err(ended(store, last.epoch)),
            Some(_) => request.ask(store).map(|()| request),
        }
    }

    fn ask(self, store: &dyn Store) -> Result<()> {
        match store.create(NAME, &WANTED.seal(&self.next))? {
            Created::New | Created::Taken => Ok(()),
        }
    }

    /// The epoch of the savepoint, once it is there.
    ///
    /// # Errors
    /// When the input of the job ends first, and when the store does not answer.
    pub fn answer(&mut self, store: &dyn Store) -> Result<Option<Epoch>> {
        // Checked first: the job removes the request after it has appended the savepoint, which is then seen below.
        let wanted = is_wanted(store)?;
        loop {
            let bytes = match store.get(&name_of(self.next)) {
                Ok(bytes) => Some(bytes),
                Err(StoreError::NotFound { .. }) => match self.below_floor(store)? {
                    Some(bytes) => bytes,
                    None => break,
                },
                Err(error) => return Err(error.into()),
            };
            self.next += 1;
            match bytes.map(|bytes| Entry::decode(&bytes)) {
                Some(Ok(Entry::Commit(commit))) if commit.kind == CommitKind::Savepoint => {
                    self.found = Some(commit.epoch);
                }
                Some(Ok(Entry::Commit(commit))) if commit.kind == CommitKind::Ended => {
                    self.withdraw(store)?;
                    return Err(ended(store, commit.epoch));
                }
                _ => {}
            }
        }
        match (wanted, self.found) {
            (true, _) => Ok(None),
            (false, Some(epoch)) => Ok(Some(epoch)),
            // What was met is somebody else's request, from before this one.
            (false, None) => self.ask(store).map(|()| None),
        }
    }

    /// If the log was shortened beyond the next number: the next commit that is kept below the floor, or that there is
    /// none. `None` if the log just ends here.
    fn below_floor(&mut self, store: &dyn Store) -> Result<Option<Option<Vec<u8>>>> {
        let floor = floor(store)?;
        if floor <= self.next {
            return Ok(None);
        }
        let kept = store.list(KEPT_BELOW)?;
        let mut kept = kept.iter().filter_map(|name| number_of(KEPT_BELOW, name));
        match kept.find(|number| (self.next..floor).contains(number)) {
            Some(number) => {
                self.next = number;
                Ok(Some(store.get(&numbered(KEPT_BELOW, number)).ok()))
            }
            None => {
                self.next = floor - 1;
                Ok(Some(None))
            }
        }
    }

    /// Withdraws the request.
    ///
    /// # Errors
    /// When the store cannot remove it: then the next start of the job takes a savepoint.
    pub fn withdraw(self, store: &dyn Store) -> Result<()> {
        Ok(met(store)?)
    }
}

fn ended(store: &dyn Store, epoch: Epoch) -> Error {
    Error::usage(format!(
        "{}: the input of this job has ended, with the checkpoint of epoch {epoch}; no other can be taken",
        store.describe()
    ))
}

/// Whether a savepoint was asked for and is not there yet.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn is_wanted(store: &dyn Store) -> Result<bool, StoreError> {
    match store.get(NAME) {
        // Whatever its bytes are: a newer program may say more in them, and a savepoint is never wrong.
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The requested savepoint is there: the request is removed.
pub(crate) fn met(store: &dyn Store) -> Result<(), StoreError> {
    store.delete(NAME)
}
