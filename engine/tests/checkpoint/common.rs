//! What the tests share: stores on a disk in memory, and layers from short lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use dualgauge_engine::checkpoint::{
    Chain, ChainReader, Commit, CommitKind, GroupRange, LayerPart, LayerRef, LocalStore, Store, Wish, write_layer,
};
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::state::{Changes, Fingerprint};
use dualgauge_engine::{Epoch, EventTime, KeyGroup, Result};

pub const ALL: GroupRange = GroupRange::new(0, 256);

/// What a layer tells: group, key, and the value unless it was removed.
pub type Told = (u16, u8, Option<u32>);

/// What a chain holds.
pub type Held = BTreeMap<(u16, Vec<u8>), Vec<u8>>;

pub fn store(fs: &FaultFs) -> Arc<dyn Store> {
    Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap())
}

pub fn part(name: &str, told: &[Told], ranges: &[(u8, u8)]) -> LayerPart {
    let mut changes = Changes::new(Epoch(1));
    for (group, key, value) in told {
        match value {
            Some(value) => changes.put(KeyGroup(*group), &[], key, value),
            None => changes.remove(KeyGroup(*group), &[], key),
        }
    }
    for (from, to) in ranges {
        changes.remove_range(vec![*from], vec![*to]);
    }
    LayerPart { step: "step".into(), part: name.into(), fingerprint: Fingerprint::of::<(u8, u32)>(), changes }
}

pub fn layer(store: &Arc<dyn Store>, name: &str, told: &[Told], ranges: &[(u8, u8)]) -> LayerRef {
    write_layer(&**store, name, &[part("part", told, ranges)]).unwrap()
}

pub fn held(store: &Arc<dyn Store>, layers: &[LayerRef], part: &str, groups: GroupRange) -> Result<Held> {
    let (mut held, mut last) = (Held::new(), None);
    ChainReader::open(store.clone(), layers)?.entries("step", part, groups, &mut |group, key, value| {
        let here = (group.0, key.to_vec());
        assert!(last.as_ref() < Some(&here), "{here:?} after {last:?}");
        last = Some(here.clone());
        held.insert(here, value.to_vec());
        Ok(())
    })?;
    Ok(held)
}

pub fn commit(generation: u64, epoch: u64, layers: Vec<LayerRef>) -> Commit {
    Commit {
        generation,
        epoch: Epoch(epoch),
        kind: CommitKind::Checkpoint,
        taken: EventTime::default(),
        key_groups: 256,
        steps: Vec::new(),
        chains: vec![Chain { groups: ALL, layers }],
        sources: BTreeMap::new(),
        sinks: BTreeMap::new(),
        counters: Vec::new(),
        bases: BTreeMap::new(),
        listed: BTreeMap::new(),
    }
}

pub fn wish() -> Wish {
    Wish { workers: 2, version: "0".into(), ..Wish::default() }
}
