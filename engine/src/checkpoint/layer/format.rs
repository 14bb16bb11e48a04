//! The stored form of a layer.
//!
//! ```text
//! magic 8 │ version u16
//! section: (key length, value length + 1, or 0 where removed: varints │ key │ value)*    one for each part and group
//! ...
//! footer (postcard): parts, ranges removed, and the group, length, count and xxh3-64 of each section
//! footer length u64 │ xxh3-128 of magic, version, footer and footer length
//! ```
//! Sections follow each other in the footer's order, by group and then by key within a part. Numbers are little-endian.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use crate::state::Fingerprint;

pub(super) const MAGIC: [u8; 8] = *b"dg-layer";
pub(super) const VERSION: u16 = 1;

/// Magic and version.
pub(super) const HEAD: usize = 8 + 2;

/// Length and checksum of the footer.
pub(super) const TAIL: usize = 8 + 16;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FooterPart {
    pub step: String,
    pub part: String,
    pub fingerprint: Fingerprint,
    /// Removed from earlier layers, `[from, to)` each, in order and without overlap.
    pub ranges: Vec<(Vec<u8>, Vec<u8>)>,
    pub sections: Vec<FooterSection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FooterSection {
    pub group: u16,
    pub length: u64,
    pub count: u64,
    pub checksum: u64,
}

impl FooterPart {
    /// How many bytes of a layer it takes: those of its entries, and those of what the footer says of them.
    pub fn bytes(&self) -> u64 {
        let footer = postcard::to_stdvec(self).expect("a footer has no Serialize that fails");
        // The lengths come from a file, and have not been checked against it yet.
        self.sections.iter().fold(footer.len() as u64, |bytes, section| bytes.saturating_add(section.length))
    }
}

pub(super) fn head() -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&VERSION.to_le_bytes());
    head
}

/// The checksum of everything but the sections, whose checksums are in the footer.
pub(super) fn checksum(head: &[u8], footer: &[u8], length: u64) -> u128 {
    let mut hash = Xxh3Default::new();
    hash.update(head);
    hash.update(footer);
    hash.update(&length.to_le_bytes());
    hash.digest128()
}

pub(super) fn put_entry(section: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    put_varint(section, key.len() as u64);
    put_varint(section, value.map_or(0, |value| value.len() as u64 + 1));
    section.extend_from_slice(key);
    section.extend_from_slice(value.unwrap_or_default());
}

/// A key, and its value unless it was removed.
pub(super) type RawEntry<'a> = (&'a [u8], Option<&'a [u8]>);

/// Takes the first entry off a section; `None` when it is not one.
#[inline]
pub(super) fn take_entry<'a>(section: &mut &'a [u8]) -> Option<RawEntry<'a>> {
    let key_length = take_varint(section)?;
    let value_length = take_varint(section)?;
    let (key, rest) = section.split_at_checked(usize::try_from(key_length).ok()?)?;
    let (value, rest) = rest.split_at_checked(usize::try_from(value_length.saturating_sub(1)).ok()?)?;
    *section = rest;
    Some((key, (value_length > 0).then_some(value)))
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[inline]
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The same ranges in order, those that touch as one.
pub(super) fn joined(mut ranges: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    ranges.sort();
    let mut joined: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = to.max(std::mem::take(&mut last.1)),
            _ => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_whatever_its_lengths() {
        for (key, value) in [(0, None), (0, Some(0)), (1, Some(126)), (127, Some(127)), (128, Some(70_000))] {
            let (key, value) = (vec![1; key], value.map(|length| vec![2; length]));
            let mut bytes = Vec::new();
            put_entry(&mut bytes, &key, value.as_deref());
            let mut section = bytes.as_slice();
            assert_eq!(take_entry(&mut section), Some((key.as_slice(), value.as_deref())));
            assert!(section.is_empty());
            assert_eq!(take_entry(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take_varint(&mut &[0xff; 10][..]), None);
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let range = |from: u8, to: u8| (vec![from], vec![to]);
        let ranges = vec![range(5, 6), range(1, 3), range(2, 4), range(4, 5), range(8, 9), range(1, 2)];
        assert_eq!(joined(ranges), [range(1, 6), range(8, 9)]);
    }
}
