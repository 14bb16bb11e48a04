//! Looking into a store: what a later format is refused by, and which commits count as kept.

use std::sync::Arc;

use dualgauge_engine::checkpoint::{
    Appended, ChainReader, Commit, CommitKind, Entry, Found, KEPT, ManifestLog, Started, StateReader, Store, collect,
    layer_name, look_at, start, verify_all,
};
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::{Epoch, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_128;

use crate::common::{ALL, commit, held, layer, store, wish};

/// Replaces what is stored under a name.
fn put(store: &Arc<dyn Store>, name: &str, bytes: &[u8]) {
    store.put(name, &mut |out| out.write_all(bytes)).unwrap();
}

#[test]
fn a_manifest_of_a_newer_format_is_refused_by_its_version() {
    let store = store(&FaultFs::new());
    start(store.clone(), wish()).unwrap();
    let name = "manifest/00000000000000000000";
    let mut bytes = store.get(name).unwrap();
    bytes[8..10].copy_from_slice(&3_u16.to_le_bytes());
    let end = bytes.len() - 16;
    let checksum = xxh3_128(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&checksum);
    put(&store, name, &bytes);
    let refusals = [
        start(store.clone(), wish()).unwrap_err(),
        ManifestLog::read(&*store).unwrap_err(),
        ManifestLog::look(&*store).unwrap_err(),
        verify_all(&*store).unwrap_err(),
    ];
    for refused in refusals {
        let expected =
            format!("/job/{name}: it has format version 3, and this dualgauge knows 2 at most: use a newer one");
        assert_eq!(refused.to_string(), expected);
    }
}

#[test]
fn a_layer_of_a_newer_format_is_refused_by_its_version() {
    let store = store(&FaultFs::new());
    let mut newer = layer(&store, "layers/1", &[(3, 7, Some(5))], &[]);
    assert_eq!(held(&store, std::slice::from_ref(&newer), "part", ALL).unwrap().len(), 1);
    let mut bytes = store.get("layers/1").unwrap();
    bytes[8..10].copy_from_slice(&2_u16.to_le_bytes());
    // The checksum is over the head, the footer and its length.
    let end = bytes.len() - 16;
    let length = u64::from_le_bytes(bytes[end - 8..end].try_into().unwrap()) as usize;
    newer.checksum = xxh3_128(&[&bytes[..10], &bytes[end - 8 - length..end]].concat());
    bytes[end..].copy_from_slice(&newer.checksum.to_le_bytes());
    put(&store, "layers/1", &bytes);
    let refused = ChainReader::open(store.clone(), &[newer.clone()]).unwrap_err().to_string();
    let expected = "/job/layers/1: it has format version 2, and this dualgauge knows 1 at most: use a newer one";
    assert_eq!(refused, expected);

    let mut started = start(store.clone(), wish()).unwrap();
    started.log.append(&Entry::Commit(Box::new(commit(1, 5, vec![newer])))).unwrap();
    assert_eq!(verify_all(&*store).unwrap_err().to_string(), expected);
    assert_eq!(start(store, wish()).unwrap_err().to_string(), expected);
}

#[test]
fn a_commit_whose_layers_are_gone_was_collected_unless_it_is_kept() {
    let store = store(&FaultFs::new());
    let mut started = start(store.clone(), wish()).unwrap();
    let mut layers = Vec::new();
    for epoch in 1..=6 {
        let name = format!("layers/{epoch}");
        layers.push(name.clone());
        let mut commit = commit(1, epoch, vec![layer(&store, &name, &[(3, epoch as u8, Some(5))], &[])]);
        commit.kind = if epoch == 2 { CommitKind::Savepoint } else { CommitKind::Checkpoint };
        assert_eq!(started.log.append(&Entry::Commit(Box::new(commit))).unwrap(), Appended::Done(epoch));
    }
    let found = |store: &Arc<dyn Store>| {
        let verified = verify_all(&**store).unwrap().into_iter();
        verified.map(|commit| (commit.number, commit.found)).collect::<Vec<_>>()
    };
    assert!(found(&store).iter().all(|(_, found)| *found == Found::Whole));
    assert_eq!(collect(&*store, &started.log, KEPT).unwrap(), 2);
    let (whole, collected) = (Found::Whole, Found::Collected);
    let expected = [&collected, &whole, &collected, &whole, &whole, &whole];
    assert_eq!(found(&store), (1..).zip(expected.map(Clone::clone)).collect::<Vec<_>>());

    // Of what is kept, by its age or as a savepoint, nothing may be gone.
    for gone in [1, 3] {
        store.delete(&layers[gone]).unwrap();
        let (_, how) = found(&store).swap_remove(gone);
        assert!(matches!(&how, Found::Damaged(how) if how.contains("the layer is missing")), "{how:?}");
    }
}

/// A place with commits of the epochs from 1 on, each with a layer of its own.
struct Running {
    store: Arc<dyn Store>,
    started: Started,
    epoch: u64,
}

impl Running {
    fn new() -> Running {
        let store = store(&FaultFs::new());
        let started = start(store.clone(), wish()).unwrap();
        let mut running = Running { store, started, epoch: 0 };
        running.goes_on(5);
        running
    }

    fn goes_on(&mut self, commits: u64) {
        for _ in 0..commits {
            self.epoch += 1;
            let name = layer_name(1, Epoch(self.epoch), "a");
            let layers = vec![layer(&self.store, &name, &[(3, self.epoch as u8, Some(5))], &[])];
            let entry = Entry::Commit(Box::new(commit(1, self.epoch, layers)));
            assert!(matches!(self.started.log.append(&entry), Ok(Appended::Done(_))));
            collect(&*self.store, &self.started.log, KEPT).unwrap();
        }
    }
}

/// Reads all that a commit names, and says its epoch.
fn whole(store: &Arc<dyn Store>, commit: &Commit) -> Result<u64> {
    StateReader::open(store, commit)?.entries("step", "part", &mut |_, _, _| Ok(()))?;
    Ok(commit.epoch.0)
}

#[test]
fn a_look_follows_what_is_collected_while_it_looks() {
    let mut running = Running::new();
    let store = running.store.clone();
    // The job goes on between the manifest and the layers, the first time far enough for the layers to be gone.
    for (commits, expected) in [(0, 5), (KEPT as u64 - 1, 5), (KEPT as u64, 10), (100, 110)] {
        let mut first = true;
        let seen = look_at(&*store, None, |_, commit| {
            if std::mem::take(&mut first) {
                running.goes_on(commits);
            }
            whole(&store, commit)
        });
        assert_eq!(seen.unwrap(), expected, "{commits} commits meanwhile");
    }

    // Of an epoch that was asked for no other one is read: it is told to be gone, and what is kept.
    let gone = look_at(&*store, Some(Epoch(110)), |_, commit| {
        running.goes_on(4);
        whole(&store, commit)
    });
    let gone = gone.unwrap_err();
    assert!(gone.to_string().contains("epoch 110 is no longer kept"), "{gone}");
    assert!(gone.to_string().ends_with("kept are: 112, 113, 114"), "{gone}");

    // Who is always too late is told that, and not of damage.
    let late = look_at(&*store, None, |_, commit| {
        running.goes_on(3);
        whole(&store, commit)
    });
    let late = late.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Environment);
    assert!(late.to_string().contains("collects each checkpoint before it is read"), "{late}");
}

#[test]
fn a_look_says_at_once_what_is_missing_of_what_is_kept() {
    // Asked for by its epoch or as the newest, while the job goes on as far as it is kept.
    for (epoch, commits) in [(None, 0), (None, KEPT as u64 - 1), (Some(Epoch(5)), 0), (Some(Epoch(5)), 2)] {
        let mut running = Running::new();
        let (store, missing, mut looks) = (running.store.clone(), layer_name(1, Epoch(5), "a"), 0);
        store.delete(&missing).unwrap();
        let damaged = look_at(&*store, epoch, |_, commit| {
            looks += 1;
            running.goes_on(commits);
            whole(&store, commit)
        });
        let damaged = damaged.unwrap_err().to_string();
        assert!(damaged.contains("E-CHECKPOINT-CORRUPT") && damaged.contains(&missing), "{damaged}");
        assert_eq!(looks, 1, "{epoch:?}, {commits} commits meanwhile");
    }
}
