//! Merging layers of a chain into one, and rewriting a chain whose parts have changed.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::format;
use super::merge::PartMerge;
use super::read::ChainReader;
use super::write::LayerWriter;
use crate::checkpoint::{GroupRange, LayerRef, Store, StoreError};
use crate::state::Upcast;
use crate::{Error, Result};

/// Merges the layers `merged` of a chain into a new one, which takes their place for the groups of the chain.
///
/// If the chain's oldest layer is among them, removals are dropped; if not, they are kept, because older layers may
/// hold what was removed. It takes the memory of about a key group, or of 4 MiB a layer.
///
/// # Errors
/// When a layer cannot be read or is damaged, and when the new one cannot be written.
pub fn compact(
    store: &Arc<dyn Store>,
    chain: &[LayerRef],
    merged: Range<usize>,
    groups: GroupRange,
    name: &str,
) -> Result<LayerRef, CompactError> {
    let removals = merged.start > 0;
    write(store, &chain[merged], groups, name, removals, &|_, _| Becomes::Same)
}

/// Writes a whole chain as one layer, for the groups of the chain; `becomes` (of step and part) says what each part
/// turns into. The layers that were there stay as they are.
///
/// # Errors
/// As for [`compact`]; and when a value is not of the shape that it was stored in.
pub fn rewrite<'a>(
    store: &Arc<dyn Store>,
    chain: &[LayerRef],
    groups: GroupRange,
    name: &str,
    becomes: &dyn Fn(&str, &str) -> Becomes<'a>,
) -> Result<LayerRef, CompactError> {
    write(store, chain, groups, name, false, becomes)
}

/// What a part becomes when its chain is rewritten.
#[derive(Clone, Copy, Debug)]
pub enum Becomes<'a> {
    /// What it was.
    Same,
    /// Nothing: it is left out.
    Nothing,
    /// Its values are of another type.
    Upcast(&'a Upcast),
}

fn write<'a>(
    store: &Arc<dyn Store>,
    merged: &[LayerRef],
    groups: GroupRange,
    name: &str,
    removals: bool,
    becomes: &dyn Fn(&str, &str) -> Becomes<'a>,
) -> Result<LayerRef, CompactError> {
    let saves = merged.iter().map(|layer| layer.saves).sum();
    let reader = ChainReader::open(store.clone(), merged)?;
    let (mut written, mut failure) = (None, None);
    let stored = store.put(name, &mut |out| {
        let mut layer = LayerWriter::new(out)?;
        match merge(&reader, &mut layer, groups, removals, becomes) {
            Ok(()) => {}
            Err(Failure::Write(error)) => return Err(error),
            Err(Failure::Read(error)) => {
                failure = Some(error);
                return Err(io::Error::other("a layer that is merged cannot be read"));
            }
        }
        written = Some(layer.finish()?);
        Ok(())
    });
    if let Some(failure) = failure {
        return Err(CompactError::Read(failure));
    }
    stored?;
    let (size, checksum) = written.expect("a store that has stored has called the writer");
    Ok(LayerRef { name: name.to_string(), size, checksum, saves })
}

/// Why layers were not merged.
#[derive(Debug)]
pub enum CompactError {
    /// One of them cannot be read or is damaged.
    Read(Error),
    /// The new one could not be stored. The old ones are as they were.
    Store(StoreError),
}

impl From<Error> for CompactError {
    fn from(error: Error) -> CompactError {
        CompactError::Read(error)
    }
}

impl From<StoreError> for CompactError {
    fn from(error: StoreError) -> CompactError {
        CompactError::Store(error)
    }
}

enum Failure {
    Read(Error),
    Write(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Read(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}

fn merge<'a>(
    reader: &ChainReader,
    layer: &mut LayerWriter<'_>,
    groups: GroupRange,
    removals: bool,
    becomes: &dyn Fn(&str, &str) -> Becomes<'a>,
) -> Result<(), Failure> {
    for ((step, part), shape) in reader.shapes() {
        let upcast = match becomes(step, part) {
            Becomes::Nothing => continue,
            Becomes::Same => None,
            Becomes::Upcast(upcast) => Some(upcast),
        };
        let indexes = || reader.layers().iter().filter_map(|layer| layer.index(step, part));
        let ranges: BTreeSet<_> =
            indexes().filter(|_| removals).flat_map(|index| index.ranges.iter().cloned()).collect();
        let shape = upcast.map_or(shape, Upcast::shape).clone();
        layer.start_part(step, part, shape, format::joined(ranges.into_iter().collect()));
        let mut merge = PartMerge::new(reader.store(), reader.layers(), step, part, groups);
        while let Some(group) = merge.next_group()? {
            merge.entries(removals, &mut |key, value| {
                match (upcast, value) {
                    (Some(upcast), Some(value)) => {
                        let place = |error: Error| error.at(format_args!("step {step}: part {part}"));
                        layer.push(key, Some(&upcast.apply(value).map_err(place)?));
                    }
                    (_, value) => layer.push(key, value),
                }
                Ok(())
            })?;
            layer.end_group(group)?;
        }
    }
    Ok(())
}
