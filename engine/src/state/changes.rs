//! What has changed in a part since it was last saved: entries put and removed, and ranges removed.
//!
//! The state is frozen by writing its changes down here; that is all that the data path waits for. Sorting, checksums
//! and the disk come later, on another thread.

use serde::Serialize;

use crate::{Epoch, KeyGroup};

/// The changes of one part, as bytes in the order in which they were recorded.
///
/// A range is removed from what earlier saves left, never from what is put beside it.
///
/// ```
/// use dualgauge_engine::state::{Change, Changes};
/// use dualgauge_engine::{Epoch, KeyGroup};
///
/// let mut changes = Changes::new(Epoch(7));
/// changes.put(KeyGroup(3), b"place", &"key", &1_u64);
/// changes.remove(KeyGroup(4), b"place", &"other");
/// let told: Vec<_> = changes.iter().collect();
/// assert_eq!(told[0], Change { group: KeyGroup(3), key: b"place\x03key", value: Some(&[1]) });
/// assert_eq!(told[1], Change { group: KeyGroup(4), key: b"place\x05other", value: None });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Changes {
    epoch: Epoch,
    bytes: Vec<u8>,
    count: usize,
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One entry that was put, or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The group of its key.
    pub group: KeyGroup,
    /// The key, unique in its part and group.
    pub key: &'a [u8],
    /// The value; `None` where the entry was removed.
    pub value: Option<&'a [u8]>,
}

/// Group, length of the key, length of the value.
const HEAD: usize = 2 + 4 + 4;

/// The length of a value that is none: the entry was removed.
const REMOVED: u32 = u32::MAX;

impl Changes {
    /// Nothing changed, in a save at the end of `epoch`.
    pub fn new(epoch: Epoch) -> Changes {
        Changes { epoch, ..Changes::default() }
    }

    /// The epoch at whose end this is saved: no save before it had that number, and none after it will.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Puts an entry; its key is `prefix` followed by `key` in postcard form.
    ///
    /// # Panics
    /// When a key's or value's own `Serialize` fails, or writes 4 GiB or more.
    pub fn put(&mut self, group: KeyGroup, prefix: &[u8], key: &impl Serialize, value: &impl Serialize) {
        let head = self.begin(group, prefix, key);
        let start = self.bytes.len();
        self.append(value);
        let length = u32::try_from(self.bytes.len() - start).ok().filter(|length| *length != REMOVED);
        let length = length.expect("a value of the state has less than 4 GiB");
        self.bytes[head + 6..head + HEAD].copy_from_slice(&length.to_le_bytes());
    }

    /// Removes an entry that an earlier save may have put.
    ///
    /// # Panics
    /// When the key's own `Serialize` fails.
    pub fn remove(&mut self, group: KeyGroup, prefix: &[u8], key: &impl Serialize) {
        self.begin(group, prefix, key);
    }

    /// Removes all entries of earlier saves, of every group, whose keys are in `[from, to)`.
    pub fn remove_range(&mut self, from: Vec<u8>, to: Vec<u8>) {
        if from < to {
            self.ranges.push((from, to));
        }
    }

    /// Removes all entries of earlier saves, of every group, whose keys begin with `prefix`.
    pub fn remove_prefix(&mut self, prefix: &[u8]) {
        let mut to = prefix.to_vec();
        while to.last() == Some(&0xff) {
            to.pop();
        }
        match to.last_mut() {
            Some(last) => *last += 1,
            None => to = vec![0xff; 64], // every key of the state begins with less
        }
        self.remove_range(prefix.to_vec(), to);
    }

    /// What was put and removed, in the order in which it was recorded. Where a key occurs twice, the later entry
    /// counts.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<HEAD>()?;
            let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
            let (key, after) = after.split_at(word(2) as usize);
            let length = Some(word(6)).filter(|length| *length != REMOVED);
            let (value, after) = after.split_at(length.unwrap_or(0) as usize);
            rest = after;
            let group = KeyGroup(u16::from_le_bytes([head[0], head[1]]));
            Some(Change { group, key, value: length.map(|_| value) })
        })
    }

    /// The ranges that were removed, `[from, to)` each.
    pub fn ranges(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.ranges
    }

    /// How many entries were put and removed.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.ranges.is_empty()
    }

    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    fn begin(&mut self, group: KeyGroup, prefix: &[u8], key: &impl Serialize) -> usize {
        let head = self.bytes.len();
        self.bytes.extend(group.0.to_le_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(REMOVED.to_le_bytes());
        let start = self.bytes.len();
        self.bytes.extend(prefix);
        self.append(key);
        let length = u32::try_from(self.bytes.len() - start).expect("a key of the state has less than 4 GiB");
        self.bytes[head + 2..head + 6].copy_from_slice(&length.to_le_bytes());
        self.count += 1;
        head
    }

    fn append(&mut self, value: &impl Serialize) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(value, bytes).expect("a Serialize of the state must not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_no_key_begins_with_it() {
        let ranges = |prefix: &[u8]| {
            let mut changes = Changes::default();
            changes.remove_prefix(prefix);
            changes.ranges()[0].clone()
        };
        assert_eq!(ranges(&[1, 2]), (vec![1, 2], vec![1, 3]));
        assert_eq!(ranges(&[1, 0xff]), (vec![1, 0xff], vec![2]));
        assert_eq!(ranges(&[]).0, Vec::<u8>::new());
    }

    #[test]
    fn an_empty_value_is_not_a_removed_one() {
        let mut changes = Changes::default();
        changes.put(KeyGroup(0), &[], &7_u8, &());
        changes.remove(KeyGroup(0), &[], &7_u8);
        let values: Vec<_> = changes.iter().map(|change| change.value).collect();
        assert_eq!(values, [Some(&[][..]), None]);
        assert_eq!(changes.len(), 2);
    }
}
