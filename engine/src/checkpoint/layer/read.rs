//! Reading a chain: the footers first, then section by section, each verified before anything of it is handed out.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::format::{self, FooterPart};
use super::merge::PartMerge;
use super::write::{StepBytes, by_step};
use crate::checkpoint::{GroupRange, LayerRef, Store, StoreError};
use crate::state::Fingerprint;
use crate::{Code, Error, KeyGroup, Result};

/// How many bytes of a layer's end are read at once, in the hope that its footer is among them.
const TAIL_READ: u64 = 64 * 1024;

/// How many bytes of sections are read at once, unless a single section has more.
const SECTIONS_READ: u64 = 4 << 20;

/// What takes the entries of a chain: the group, the key and the value of each.
pub type EachEntry<'a> = dyn FnMut(KeyGroup, &[u8], &[u8]) -> Result<()> + 'a;

/// The layers of a chain, as one set of entries.
///
/// - **Verified first.** A layer's footer is verified when the chain is opened, a section before its first entry is
///   handed out. Nothing of a damaged section is ever seen.
/// - **The newest counts.** Of the entries for a key, the newest layer's counts, and it may say that there is none.
#[derive(Debug)]
pub struct ChainReader {
    store: Arc<dyn Store>,
    /// Oldest first.
    layers: Vec<Layer>,
}

impl ChainReader {
    /// Opens the layers of a chain, the oldest first, and reads their footers.
    ///
    /// # Errors
    /// When a layer is missing, damaged, newer than this program, or not the one that was written; and where two
    /// layers hold a part in different shapes.
    pub fn open(store: Arc<dyn Store>, layers: &[LayerRef]) -> Result<ChainReader> {
        let layers = layers.iter().map(|layer| Layer::open(&*store, layer)).collect::<Result<Vec<_>, _>>()?;
        let chain = ChainReader { store, layers };
        let mut shapes = BTreeMap::new();
        for (layer, part) in chain.layers.iter().flat_map(|layer| layer.parts.iter().map(move |part| (layer, part))) {
            let before = shapes.insert((&part.step, &part.part), (layer, &part.fingerprint));
            if let Some((other, shape)) = before.filter(|(_, shape)| **shape != part.fingerprint) {
                return Err(Error::data(format!(
                    "step {}: part {}: its entries are `{shape}` in {} and `{}` in {}: the layers are not of one job",
                    part.step, part.part, other.name, part.fingerprint, layer.name
                )));
            }
        }
        Ok(chain)
    }

    /// The parts that the chain holds, by step and name, with the shapes of their entries.
    pub fn shapes(&self) -> BTreeMap<(&str, &str), &Fingerprint> {
        let parts = self.layers.iter().flat_map(|layer| &layer.parts);
        parts.map(|part| ((part.step.as_str(), part.part.as_str()), &part.fingerprint)).collect()
    }

    /// Hands out each entry that is there, in the order of groups and of the keys' bytes within them.
    ///
    /// # Errors
    /// Those of `each`; and when a section cannot be read or is damaged.
    pub fn entries(&self, step: &str, part: &str, groups: GroupRange, each: &mut EachEntry<'_>) -> Result<()> {
        let mut merge = PartMerge::new(&*self.store, &self.layers, step, part, groups);
        while let Some(group) = merge.next_group()? {
            merge.entries(false, &mut |key, value| match value {
                Some(value) => each(group, key, value),
                None => Ok(()),
            })?;
        }
        Ok(())
    }

    pub(in crate::checkpoint) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }
}

/// A layer whose footer is known.
#[derive(Debug)]
pub(in crate::checkpoint) struct Layer {
    pub(in crate::checkpoint) name: String,
    pub(in crate::checkpoint) parts: Vec<LayerIndex>,
}

/// Where the entries of a part are in a layer.
#[derive(Debug)]
pub(in crate::checkpoint) struct LayerIndex {
    pub step: String,
    pub part: String,
    pub fingerprint: Fingerprint,
    pub ranges: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many bytes of the layer it takes.
    pub bytes: u64,
    /// In the order of their groups, one after the other in the file.
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Section {
    pub group: u16,
    pub bytes: Range<u64>,
    pub checksum: u64,
}

/// Verifies the footer of a layer.
pub(in crate::checkpoint) fn verify(store: &dyn Store, layer: &LayerRef) -> Result<(), LayerError> {
    Layer::open(store, layer).map(|_| ())
}

/// Verifies a layer to its last byte: the footer, and each section with its entries.
pub(in crate::checkpoint) fn verify_all(store: &dyn Store, layer: &LayerRef) -> Result<(), LayerError> {
    let layer = Layer::open(store, layer)?;
    for index in &layer.parts {
        let mut sections = Sections::new(store, &layer, index, GroupRange::new(0, u16::MAX));
        while let Some(group) = sections.next_group() {
            sections.advance(group)?;
            let mut rest = sections.present();
            while !rest.is_empty() {
                if format::take_entry(&mut rest).is_none() {
                    return Err(sections.damaged("its checksums are right, but an entry cannot be read"));
                }
            }
        }
    }
    Ok(())
}

/// How many bytes each step has in a layer, as its footer says.
pub(crate) fn measure(store: &dyn Store, layer: &LayerRef) -> Result<StepBytes> {
    Ok(by_step(Layer::open(store, layer)?.parts.into_iter().map(|part| (part.step, part.bytes))))
}

/// Why a layer cannot be used.
#[derive(Debug)]
pub(in crate::checkpoint) enum LayerError {
    /// It is missing, or not what was written.
    Damaged(String),
    /// It can be used, but not now or not by this program.
    Other(Error),
}

impl Layer {
    /// Reads and verifies the footer.
    pub fn open(store: &dyn Store, layer: &LayerRef) -> Result<Layer, LayerError> {
        let name = &layer.name;
        let damaged = |how: &str| LayerError::Damaged(format!("{}/{name}: {how}", store.describe()));
        let read = |range: Range<u64>| {
            store.get_range(name, range).map_err(|error| match error {
                StoreError::NotFound { .. } => damaged("the layer is missing"),
                error => LayerError::Other(error.into()),
            })
        };
        let fixed = (format::HEAD + format::TAIL) as u64;
        let start = layer.size.saturating_sub(TAIL_READ);
        // One byte more than there should be, so that a file that has grown is noticed.
        let end = read(start..layer.size.saturating_add(1))?;
        if end.len() as u64 != layer.size - start || layer.size < fixed {
            return Err(damaged("it does not have the length that was written"));
        }
        let head = if start == 0 { end[..format::HEAD].to_vec() } else { read(0..format::HEAD as u64)? };
        let (rest, checksum) = end.split_last_chunk::<16>().expect("longer than a tail");
        let (rest, length) = rest.split_last_chunk::<8>().expect("longer than a tail");
        let (checksum, length) = (u128::from_le_bytes(*checksum), u64::from_le_bytes(*length));
        if checksum != layer.checksum || length > layer.size - fixed {
            return Err(damaged("it is not the layer that was written"));
        }
        let footer_start = layer.size - format::TAIL as u64 - length;
        let far;
        let footer = match rest.len().checked_sub(length as usize) {
            Some(at) => &rest[at..],
            None => {
                far = read(footer_start..footer_start + length)?;
                &far
            }
        };
        if format::checksum(&head, footer, length) != checksum {
            return Err(damaged("the checksum of its footer is wrong"));
        }
        if head[..8] != format::MAGIC {
            return Err(damaged("it is not a layer"));
        }
        let version = u16::from_le_bytes([head[8], head[9]]);
        if version > format::VERSION {
            let known = format::VERSION;
            return Err(LayerError::Other(Error::usage(format!(
                "{}/{name}: it has format version {version}, and this dualgauge knows {known} at most: use a newer one",
                store.describe()
            ))));
        }
        let Ok((parts, [])) = postcard::take_from_bytes::<Vec<FooterPart>>(footer) else {
            return Err(damaged("the checksum of its footer is right, but its content cannot be read"));
        };
        // Merging relies on it.
        let ascend = |part: &FooterPart| part.sections.is_sorted_by(|one, next| one.group < next.group);
        if !parts.iter().all(ascend) {
            return Err(damaged("the groups of its sections are not in order"));
        }
        let mut position = format::HEAD as u64;
        let parts = parts.into_iter().map(|part| LayerIndex::of(part, &mut position)).collect();
        if position != footer_start {
            return Err(damaged("its sections do not end where its footer begins"));
        }
        Ok(Layer { name: name.clone(), parts })
    }

    pub(super) fn index(&self, step: &str, part: &str) -> Option<&LayerIndex> {
        self.parts.iter().find(|index| index.step == step && index.part == part)
    }
}

impl LayerIndex {
    fn of(part: FooterPart, position: &mut u64) -> LayerIndex {
        let bytes = part.bytes();
        let FooterPart { step, part, fingerprint, ranges, sections } = part;
        let sections = sections.iter().map(|section| {
            let start = *position;
            *position = start.saturating_add(section.length);
            Section { group: section.group, bytes: start..*position, checksum: section.checksum }
        });
        LayerIndex { sections: sections.collect(), bytes, step, part, fingerprint, ranges }
    }
}

/// Reads the sections of a part in a layer, one after the other.
pub(super) struct Sections<'a> {
    store: &'a dyn Store,
    layer: &'a str,
    /// What is still to be read.
    rest: &'a [Section],
    /// What was read ahead, and where it lies in the file.
    chunk: Vec<u8>,
    chunk_start: u64,
    /// The present section within the chunk.
    present: Range<usize>,
}

impl<'a> Sections<'a> {
    pub fn new(store: &'a dyn Store, layer: &'a Layer, index: &'a LayerIndex, groups: GroupRange) -> Sections<'a> {
        let first = index.sections.partition_point(|section| section.group < groups.first);
        let end = index.sections.partition_point(|section| section.group < groups.end).max(first);
        let rest = &index.sections[first..end];
        Sections { store, layer: &layer.name, rest, chunk: Vec::new(), chunk_start: 0, present: 0..0 }
    }

    /// The group of the next section.
    pub fn next_group(&self) -> Option<u16> {
        self.rest.first().map(|section| section.group)
    }

    /// Moves to the next section if it is this group's, which is then the present one; otherwise there is none.
    pub fn advance(&mut self, group: u16) -> Result<(), LayerError> {
        let Some((section, rest)) = self.rest.split_first().filter(|(section, _)| section.group == group) else {
            self.present = 0..0;
            return Ok(());
        };
        if section.bytes.end > self.chunk_start + self.chunk.len() as u64 {
            let start = section.bytes.start;
            let ahead = self.rest.iter().map(|section| section.bytes.end);
            let end = ahead.take_while(|end| end - start <= SECTIONS_READ).last().unwrap_or(section.bytes.end);
            self.chunk_start = start;
            self.chunk = self.store.get_range(self.layer, start..end).map_err(|error| match error {
                StoreError::NotFound { .. } => self.damaged("the layer is missing"),
                error => LayerError::Other(error.into()),
            })?;
        }
        let start = (section.bytes.start - self.chunk_start) as usize;
        self.present = start..start + (section.bytes.end - section.bytes.start) as usize;
        let bytes = self.chunk.get(self.present.clone()).ok_or("it is cut off");
        match bytes.map(xxh3_64) {
            Ok(checksum) if checksum == section.checksum => {}
            Ok(_) => return Err(self.damaged(&format!("the checksum of group {group} is wrong"))),
            Err(how) => return Err(self.damaged(how)),
        }
        self.rest = rest;
        Ok(())
    }

    /// The bytes of the present section.
    pub fn present(&self) -> &[u8] {
        &self.chunk[self.present.clone()]
    }

    pub fn damaged(&self, how: &str) -> LayerError {
        LayerError::Damaged(format!("{}/{}: {how}", self.store.describe(), self.layer))
    }
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerError::Damaged(what) => f.write_str(what),
            LayerError::Other(error) => error.fmt(f),
        }
    }
}

impl From<LayerError> for Error {
    fn from(error: LayerError) -> Error {
        match error {
            LayerError::Damaged(what) => Code::CheckpointCorrupt.error(what),
            LayerError::Other(error) => error,
        }
    }
}
