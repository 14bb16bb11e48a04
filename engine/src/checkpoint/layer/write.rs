//! Writing a layer: sorted, then streamed to the store section by section.

use std::collections::BTreeMap;
use std::io::{self, Write};

use xxhash_rust::xxh3::xxh3_64;

use super::format::{self, FooterPart, FooterSection, RawEntry};
use crate::KeyGroup;
use crate::checkpoint::{LayerRef, Store, StoreError};
use crate::data::KEY_GROUPS;
use crate::state::{Changes, Fingerprint};

/// How many bytes each step has in a layer, or in several.
pub(crate) type StepBytes = BTreeMap<String, u64>;

/// What has changed in one part of one step.
#[derive(Clone, Debug)]
pub struct LayerPart {
    /// The step's name.
    pub step: String,
    /// The part's name within the step.
    pub part: String,
    /// The shape of its entries.
    pub fingerprint: Fingerprint,
    /// What has changed.
    pub changes: Changes,
}

/// Writes what has changed as a layer; durable when it returns.
///
/// Where a key occurs twice, the later entry counts. Parts in which nothing changed are recorded too, by their shape.
///
/// # Panics
/// When a part is given twice.
///
/// ```
/// use std::sync::Arc;
/// use dualgauge_engine::checkpoint::{ChainReader, GroupRange, LayerPart, LocalStore, write_layer};
/// use dualgauge_engine::fs::FaultFs;
/// use dualgauge_engine::state::{Changes, Fingerprint};
/// use dualgauge_engine::{Epoch, KeyGroup};
///
/// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
/// let mut changes = Changes::new(Epoch(1));
/// changes.put(KeyGroup(3), b"", &"apple", &7_u8);
/// let fingerprint = Fingerprint::of::<(String, u8)>();
/// let part = LayerPart { step: "count".into(), part: "table".into(), fingerprint, changes };
/// let layer = write_layer(&*store, "layers/1", &[part]).unwrap();
///
/// let chain = ChainReader::open(store, &[layer]).unwrap();
/// let mut found = Vec::new();
/// chain
///     .entries("count", "table", GroupRange::new(0, 256), &mut |group, key, value| {
///         found.push((group, key.to_vec(), value.to_vec()));
///         Ok(())
///     })
///     .unwrap();
/// assert_eq!(found, [(KeyGroup(3), b"\x05apple".to_vec(), vec![7])]);
/// ```
pub fn write_layer(store: &dyn Store, name: &str, parts: &[LayerPart]) -> Result<LayerRef, StoreError> {
    write_measured(store, name, parts).map(|(layer, _)| layer)
}

/// The same, and how many bytes each step has in the layer.
pub(crate) fn write_measured(
    store: &dyn Store,
    name: &str,
    parts: &[LayerPart],
) -> Result<(LayerRef, StepBytes), StoreError> {
    let mut parts: Vec<_> = parts.iter().collect();
    parts.sort_by(|a, b| (&a.step, &a.part).cmp(&(&b.step, &b.part)));
    let twice = parts.windows(2).find(|two| (&two[0].step, &two[0].part) == (&two[1].step, &two[1].part));
    assert!(twice.is_none(), "a part of a step is saved once: {twice:?}");
    let mut written = None;
    store.put(name, &mut |out| {
        let mut layer = LayerWriter::new(out)?;
        for part in &parts {
            let ranges = format::joined(part.changes.ranges().to_vec());
            layer.start_part(&part.step, &part.part, part.fingerprint.clone(), ranges);
            for (group, entries) in by_group(&part.changes) {
                for (key, value) in sorted(entries) {
                    layer.push(key, value);
                }
                layer.end_group(group)?;
            }
        }
        let measured = by_step(layer.parts.iter().map(|part| (part.step.clone(), part.bytes())));
        written = Some((layer.finish()?, measured));
        Ok(())
    })?;
    let ((size, checksum), measured) = written.expect("a store that has stored has called the writer");
    Ok((LayerRef { name: name.to_string(), size, checksum, saves: 1 }, measured))
}

/// The bytes of each step, by those of its parts.
pub(in crate::checkpoint) fn by_step(parts: impl Iterator<Item = (String, u64)>) -> StepBytes {
    let mut steps = StepBytes::new();
    parts.for_each(|(step, bytes)| *steps.entry(step).or_default() += bytes);
    steps
}

/// An entry, preceded by the first eight bytes of its key after the prefix that all keys share.
type Headed<'a> = (u64, RawEntry<'a>);

/// The entries of each group, in the order in which they were recorded.
///
/// They are dealt out rather than sorted by group, so that each group is then sorted within the processor's caches.
fn by_group(changes: &Changes) -> impl Iterator<Item = (KeyGroup, Vec<Headed<'_>>)> {
    let first = changes.iter().next().map_or(&[][..], |change| change.key);
    let (mut counts, mut shared) = (vec![0; KEY_GROUPS as usize], first.len());
    for change in changes.iter() {
        counts[change.group.0 as usize] += 1;
        shared = first[..shared].iter().zip(change.key).take_while(|(a, b)| a == b).count();
    }
    let mut groups: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
    for change in changes.iter() {
        let mut head = [0; 8];
        let rest = &change.key[shared..];
        let length = rest.len().min(8);
        head[..length].copy_from_slice(&rest[..length]);
        groups[change.group.0 as usize].push((u64::from_be_bytes(head), (change.key, change.value)));
    }
    (0..).map(KeyGroup).zip(groups)
}

/// The entries of a group by key, of equal keys the last.
fn sorted(mut entries: Vec<Headed<'_>>) -> impl Iterator<Item = RawEntry<'_>> {
    // Stable, so that the last of equals stays the last.
    entries.sort_by(|(a, (a_key, _)), (b, (b_key, _))| a.cmp(b).then_with(|| a_key.cmp(b_key)));
    entries.dedup_by(|(_, later), (_, kept)| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
    entries.into_iter().map(|(_, entry)| entry)
}

/// A layer on its way to the store.
pub(super) struct LayerWriter<'a> {
    out: &'a mut dyn Write,
    size: u64,
    parts: Vec<FooterPart>,
    section: Vec<u8>,
    count: u64,
}

impl<'a> LayerWriter<'a> {
    pub fn new(out: &'a mut dyn Write) -> io::Result<LayerWriter<'a>> {
        out.write_all(&format::head())?;
        Ok(LayerWriter { out, size: format::HEAD as u64, parts: Vec::new(), section: Vec::new(), count: 0 })
    }

    /// The groups that follow are of this part; parts come in order.
    pub fn start_part(&mut self, step: &str, part: &str, fingerprint: Fingerprint, ranges: Vec<(Vec<u8>, Vec<u8>)>) {
        let (step, part) = (step.to_string(), part.to_string());
        self.parts.push(FooterPart { step, part, fingerprint, ranges, sections: Vec::new() });
    }

    /// Adds an entry to the present group; keys come in order.
    #[inline]
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        format::put_entry(&mut self.section, key, value);
        self.count += 1;
    }

    /// The entries since the last group are this group's; groups come in order.
    pub fn end_group(&mut self, group: KeyGroup) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        self.out.write_all(&self.section)?;
        let (length, checksum) = (self.section.len() as u64, xxh3_64(&self.section));
        let part = self.parts.last_mut().expect("a group is in a part");
        part.sections.push(FooterSection { group: group.0, length, count: self.count, checksum });
        self.size += length;
        self.section.clear();
        self.count = 0;
        Ok(())
    }

    /// Ends the layer: its size and the checksum of its footer.
    pub fn finish(self) -> io::Result<(u64, u128)> {
        let footer = postcard::to_stdvec(&self.parts).expect("a footer has no Serialize that fails");
        let length = footer.len() as u64;
        let checksum = format::checksum(&format::head(), &footer, length);
        self.out.write_all(&footer)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&checksum.to_le_bytes())?;
        Ok((self.size + length + format::TAIL as u64, checksum))
    }
}
