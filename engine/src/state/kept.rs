//! What a step keeps, as a checkpoint sees it: parts, each a set of entries of bytes.

use super::{Changes, Fingerprint};
use crate::data::take_from_bytes;
use crate::{Error, KeyGroup, Result};

/// A part of what a step keeps: a set of entries, each a key and a value in bytes.
///
/// - **Changes, not contents.** [`Kept::save`] records what differs from the last save; the first save records
///   everything. The size of a checkpoint follows what has changed.
/// - **By key group.** Each entry belongs to the group of its key, so that it finds its owner on any number of workers.
///   An entry's key in bytes is unique in its part and group.
/// - **Loaded once, before anything else.** Part by part, [`Kept::load`] is called for each entry of the groups that
///   the worker owns (of all groups where the part [is replicated](Kept::is_replicated)), in no order that may be
///   relied on but that of the bytes within a group; then the step continues as if it had never stopped. What was
///   loaded counts as saved.
pub trait Kept {
    /// The shape of keys and values: bytes of another shape are refused before they are read.
    fn fingerprint(&self) -> Fingerprint;

    /// Where in an entry the type described by the fingerprint lies.
    fn layout(&self) -> Layout;

    /// Records what has changed since the last save.
    fn save(&mut self, changes: &mut Changes);

    /// Whether every worker keeps a copy of the same, and so loads the entries of all groups: each worker saves its own
    /// copy under a group of its own.
    ///
    /// What it saves from then on replaces only what is in the groups that it owns.
    fn is_replicated(&self) -> bool {
        false
    }

    /// Takes one saved entry back.
    ///
    /// # Errors
    /// When the bytes are not what [`Kept::save`] writes, although their fingerprint is the same.
    fn load(&mut self, group: KeyGroup, key: &[u8], value: &[u8]) -> Result<()>;
}

/// Where in the entries of a part the type of its fingerprint lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A pair: its first part is at the end of the entry's key, its second is the value.
    Keyed,
    /// It is at the end of the entry's key, and the value is empty.
    Bare,
    /// It is the value; the key says only what tells equal ones apart.
    Record,
}

/// The parts of what a step keeps, by their names, which are part of the stored format.
pub type Parts<'a> = Vec<(&'static str, &'a mut dyn Kept)>;

/// Reads what [`Changes`] wrote by postcard, and no byte more.
pub fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let unreadable =
        |cause| Error::data("an entry of the state is not of the type that its fingerprint promises").caused_by(cause);
    match take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(unreadable(format!("{} bytes are left over", rest.len()).into())),
        Err(error) => Err(unreadable(Box::<dyn std::error::Error + Send + Sync>::from(error))),
    }
}

/// Refuses a record that belongs to another key group than it was stored under: its key is made differently than
/// before.
///
/// # Errors
/// When the groups differ.
pub fn check_group(stored: KeyGroup, now: KeyGroup) -> Result<()> {
    if stored == now {
        return Ok(());
    }
    Err(Error::usage(format!(
        "a record that waits was stored in key group {} and belongs to group {} now: was the key of the step changed, or by \
         an up-cast? Records that wait keep their key; give the step another name to start it empty",
        stored.0, now.0
    )))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[test]
    fn an_entry_that_is_nested_too_deep_is_refused() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Link(Option<Box<Link>>);
        assert!(read::<Link>(&[1, 1, 1, 0]).is_ok());
        let error = read::<Link>(&[1; 1_000_000]).unwrap_err();
        assert!(error.to_string().contains("nested deeper"), "{error}");
    }
}
