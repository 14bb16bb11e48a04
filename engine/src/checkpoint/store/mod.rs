//! Where checkpoints are stored: named bytes, durable when a call returns.

mod local;
mod open;
#[cfg(feature = "object-store")]
mod remote;
mod strange;

use std::fmt;
use std::io;
use std::ops::Range;

use crate::Place;

pub use local::LocalStore;
pub use open::{open_existing_store, open_store};
#[cfg(feature = "object-store")]
pub use remote::RemoteStore;

/// A place for named bytes.
///
/// - **Durable.** What [`Store::put`] and [`Store::create`] wrote survives a power loss once they have returned.
/// - **Whole or not at all.** No reader ever sees a part of what was written.
/// - **One winner.** Of all who create a name, one succeeds; [`probe`] holds a store to it.
pub trait Store: Send + Sync + fmt::Debug {
    /// What it is, for messages: a directory, a URL.
    fn describe(&self) -> String;

    /// What a person should know about it before relying on it.
    fn note(&self) -> Option<String> {
        None
    }

    /// What it writes on this machine; nothing for one that is elsewhere.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    /// Stores what `write` writes under a name, replacing what had it.
    ///
    /// `write` may be called again, and then writes the same bytes.
    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>) -> Result<(), StoreError>;

    /// Stores bytes under a name that is free.
    ///
    /// If the name already holds the very same bytes, they count as written by this call: so a call that ended in doubt
    /// can be repeated, and the answer is the truth. Bytes of different writers must therefore differ.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError>;

    /// All bytes of a name.
    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError>;

    /// The bytes of a name in a range; fewer where it ends before the range does.
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError>;

    /// The names in a folder (`layers/`), whole and sorted.
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Removes a name; it is no error if there is none.
    fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// Removes what interrupted writes left. Only for a generation that starts: this may disturb the writes of others,
    /// which start at the same moment or are over without knowing it; those are repeated and do not fail.
    fn sweep(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What became of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The name holds these bytes.
    New,
    /// The name holds other bytes.
    Taken,
}

/// Why a store did not do what it was asked.
#[derive(Debug)]
pub enum StoreError {
    /// There is nothing of that name.
    NotFound {
        /// The store and the name.
        place: String,
    },
    /// It did not work now (a full disk, a network that is down); the request can be retried.
    Transient {
        /// The store and the name.
        place: String,
        /// What happened.
        cause: io::Error,
    },
    /// What was written before may be lost although it can be read (a sync failed): the process must end.
    Fatal {
        /// The store and the name.
        place: String,
        /// What happened.
        cause: io::Error,
    },
}

impl StoreError {
    /// Whether a retry may work: a limit of the process does not go away.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, StoreError::Transient { cause, .. } if crate::error::limit(cause).is_none())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NotFound { place } => write!(f, "{place}: not found"),
            StoreError::Transient { place, cause } => write!(f, "{place}: {cause}"),
            StoreError::Fatal { place, cause } => {
                write!(f, "{place}: {cause}: what was written may be lost, so that the job cannot go on")
            }
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for crate::Error {
    fn from(error: StoreError) -> crate::Error {
        let message = error.to_string();
        match error {
            StoreError::NotFound { .. } => crate::Error::data(message),
            StoreError::Transient { place, cause } => crate::Error::io(place, cause),
            StoreError::Fatal { .. } => crate::Error::environment(message).for_good(),
        }
    }
}

/// Refuses a store that lets two writers create the same name.
///
/// Some object stores accept the condition but ignore it; on them an older generation would win over a newer one.
pub fn probe(store: &dyn Store) -> crate::Result<()> {
    let name = format!("probe/{:032x}", random());
    let first = store.create(&name, b"first")?;
    let second = store.create(&name, b"second")?;
    let kept = store.get(&name)?;
    store.delete(&name)?;
    if (first, second, kept.as_slice()) == (Created::New, Created::Taken, b"first") {
        return Ok(());
    }
    Err(crate::Error::environment(format!(
        "{}: the store lets two writers create the same name, and cannot hold checkpoints: use one that honours \
         `If-None-Match: *`, or a local directory",
        store.describe()
    )))
}

/// 128 bits that nobody else has: names and marks, nothing that decides a result.
pub(super) fn random() -> u128 {
    use std::hash::BuildHasher;
    let state = std::hash::RandomState::new();
    (u128::from(state.hash_one(0_u8)) << 64) | u128::from(state.hash_one(1_u8))
}
