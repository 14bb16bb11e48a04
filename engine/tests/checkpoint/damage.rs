//! Nothing of a damaged file is ever used: every truncation, every changed byte, and many random changes of every file of
//! a small checkpoint are found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::checkpoint::{Appended, Commit, Entry, LayerRef, Store, start, write_layer};
use dualgauge_engine::fs::{FaultFs, Fs};
use dualgauge_engine::testing::Random;
use dualgauge_engine::{Error, Result};

use crate::common::{ALL, Held, Told, commit, held, part, store, wish};

/// A checkpoint of two layers and two parts.
fn checkpoint(fs: &FaultFs) -> Commit {
    let store = store(fs);
    let told: Vec<Told> = (0..30).map(|key| (u16::from(key) % 4 * 60, key, Some(u32::from(key) * 1_000))).collect();
    let removed: Vec<Told> = (0..10).map(|key| (u16::from(key) % 4 * 60, key * 3, None)).collect();
    let layers = vec![
        write_layer(&*store, "layers/1", &[part("a", &told, &[]), part("b", &told[..9], &[])]).unwrap(),
        write_layer(&*store, "layers/2", &[part("a", &removed, &[(20, 25)])]).unwrap(),
    ];
    let mut started = start(store, wish()).unwrap();
    let commit = commit(1, 5, layers);
    assert_eq!(started.log.append(&Entry::Commit(Box::new(commit.clone()))).unwrap(), Appended::Done(1));
    commit
}

/// Everything that a job would load, layer by layer and as a chain; an error where any of it is refused.
fn load(store: &Arc<dyn Store>, layers: &[LayerRef]) -> Result<Vec<Held>> {
    ["a", "b"].iter().map(|part| held(store, layers, part, ALL)).collect()
}

/// What a job that goes on would load; starting adds a fence, so it is given a disk of its own.
fn go_on(fs: &FaultFs) -> Result<Vec<Held>> {
    let store = store(&fs.fork());
    let commit = start(store.clone(), wish())?.resume.ok_or_else(|| Error::data("there is no commit"))?;
    load(&store, &commit.layers().cloned().collect::<Vec<_>>())
}

fn files(fs: &FaultFs) -> BTreeMap<String, Vec<u8>> {
    let names = ["manifest", "layers"].into_iter().flat_map(|folder| {
        let names = fs.list(&Path::new("/job").join(folder)).unwrap();
        names.into_iter().map(move |name| format!("/job/{folder}/{name}"))
    });
    names.map(|name| (name.clone(), fs.read(Path::new(&name)).unwrap())).collect()
}

/// The disk with another content of one file.
fn changed(fs: &FaultFs, name: &str, content: &[u8]) -> FaultFs {
    let fs = fs.fork();
    fs.remove(Path::new(name)).unwrap();
    fs.create(Path::new(name)).unwrap().append(content).unwrap();
    fs
}

/// The fence before the commit says nothing that a later start needs, but who the job is; the commit is all that counts.
fn is_found(fs: &FaultFs, name: &str) -> bool {
    go_on(fs).is_err_and(|error| {
        let error = error.to_string();
        error.contains(name) && error.contains("E-CHECKPOINT-CORRUPT")
    })
}

#[test]
fn every_truncation_is_found_and_names_the_file() {
    let fs = FaultFs::new();
    checkpoint(&fs);
    for (name, content) in files(&fs) {
        for length in 0..content.len() {
            let short = changed(&fs, &name, &content[..length]);
            assert!(is_found(&short, &name), "{name} of {length} bytes");
        }
        let long = changed(&fs, &name, &[content, vec![0]].concat());
        assert!(is_found(&long, &name), "{name} with a byte more");
    }
}

#[test]
fn every_changed_byte_is_found_and_names_the_file() {
    let fs = FaultFs::new();
    checkpoint(&fs);
    let whole = go_on(&fs).unwrap();
    assert_eq!((whole[0].len(), whole[1].len()), (21, 9));
    for (name, content) in files(&fs) {
        for at in 0..content.len() {
            for mask in [1, 0x80, 0xff] {
                fs.flip(Path::new(&name), at, mask);
                assert!(is_found(&fs, &name), "byte {at} of {name}, changed by {mask:#x}");
                fs.flip(Path::new(&name), at, mask);
            }
        }
    }
    assert_eq!(go_on(&fs).unwrap(), whole);
}

/// More by `DUALGAUGE_MUTATIONS`.
#[test]
fn random_changes_of_many_bytes_are_found() {
    let fs = FaultFs::new();
    let layers = checkpoint(&fs).chains.remove(0).layers;
    let (store, files) = (store(&fs), files(&fs));
    let names: Vec<&String> = files.keys().filter(|name| name.contains("layers")).collect();
    let mutations = std::env::var("DUALGAUGE_MUTATIONS").map_or(100_000, |count| count.parse().unwrap());
    let mut random = Random(mutations);
    for mutation in 0..mutations {
        let name = names[random.below(names.len() as u64) as usize];
        let mut changes: Vec<(usize, u8)> = Vec::new();
        for _ in 0..1 + random.below(8) {
            let at = random.below(files[name].len() as u64) as usize;
            if changes.iter().all(|(other, _)| *other != at) {
                changes.push((at, 1 + random.below(255) as u8));
            }
        }
        let flip = || changes.iter().for_each(|(at, mask)| fs.flip(Path::new(name), *at, *mask));
        flip();
        assert!(load(&store, &layers).is_err(), "mutation {mutation} of {name}: {changes:?}");
        flip();
    }
    load(&store, &layers).unwrap();
}
