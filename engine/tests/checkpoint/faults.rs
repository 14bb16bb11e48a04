//! Every operation on the disk goes wrong once, in every way: no committed thing is lost, nothing half is accepted.
//!
//! A small job writes layers, commits, merges and collects. At operation `n` a fault happens; the job goes on as the
//! protocol says, or ends; then the power is lost, and what the next generation finds is compared with what the job was
//! told. The control takes the syncs out, and must find loss.

use std::io;
use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::checkpoint::protocol::{AfterAppend, after_append};
use dualgauge_engine::checkpoint::{
    Appended, Commit, Entry, LayerRef, LocalStore, Started, Store, StoreError, collect, compact, layer_name, start,
    write_layer,
};
use dualgauge_engine::fs::{Fault, FaultFs, Fs, FsFile, FsLock, Kind, Resolved};
use dualgauge_engine::testing::Random;
use dualgauge_engine::{Epoch, Result};

use crate::common::{ALL, Held, commit, held, part, wish};

const EPOCHS: u64 = 4;

/// What the job held after each epoch, and which epochs it knew to be committed.
struct Ran {
    held: Vec<Held>,
    committed: u64,
    /// Whether an error said that the process must end.
    ended: bool,
}

/// What the job is told in an epoch, and what it holds then.
fn epoch(epoch: u64, map: &mut Held) -> (Vec<crate::common::Told>, Vec<(u8, u8)>) {
    crate::chains::random_layer(&mut Random(epoch), map)
}

/// Runs until the end, or until the process must end. What can be tried again is tried again, as a job would.
fn run(fs: Arc<dyn Fs>) -> Ran {
    let mut ran = Ran { held: vec![Held::new()], committed: 0, ended: true };
    for number in 1..=EPOCHS {
        let mut map = ran.held.last().unwrap().clone();
        epoch(number, &mut map);
        ran.held.push(map);
    }
    let Ok((store, mut started)) = begin(&fs) else { return ran };
    let mut layers: Vec<LayerRef> = Vec::new();
    for number in 1..=EPOCHS {
        let (told, ranges) = epoch(number, &mut Held::new());
        let name = layer_name(1, Epoch(number), "a");
        let write = || write_layer(&*store, &name, &[part("part", &told, &ranges)]).map_err(|error| ends(&error));
        let Some(layer) = again(write) else { return ran };
        layers.push(layer);
        if number == 3 {
            let name = layer_name(1, Epoch(number), "merged");
            if let Ok(merged) = compact(&store, &layers, 0..2, ALL, &name) {
                layers.splice(0..2, [merged]);
            }
        }
        let commit = commit(started.generation, number, layers.clone());
        if !append(&mut started, &commit) {
            return ran;
        }
        ran.committed = number;
        let _ = collect(&*store, &started.log, 1); // what it leaves is collected later
    }
    ran.ended = false;
    ran
}

/// A start that fails ends its process: another one tries again.
fn begin(fs: &Arc<dyn Fs>) -> Result<(Arc<dyn Store>, Started)> {
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(fs.clone(), "/job")?);
    Ok((store.clone(), start(store, wish())?))
}

/// Whether an error ends the process.
struct Ends(bool);

fn ends(error: &StoreError) -> Ends {
    Ends(matches!(error, StoreError::Fatal { .. }))
}

fn again<T>(mut attempt: impl FnMut() -> Result<T, Ends>) -> Option<T> {
    for _ in 0..3 {
        match attempt() {
            Ok(value) => return Some(value),
            Err(Ends(true)) => return None,
            Err(Ends(false)) => {}
        }
    }
    None
}

fn append(started: &mut Started, commit: &Commit) -> bool {
    let entry = Entry::Commit(Box::new(commit.clone()));
    let mut tries = 3;
    loop {
        let outcome = started.log.append(&entry);
        match after_append(&outcome, tries) {
            AfterAppend::Publish => return true,
            AfterAppend::Again => tries -= 1,
            AfterAppend::Stop => panic!("there is no other generation: {outcome:?}"),
            AfterAppend::End => return false,
        }
    }
}

/// Why what is found after the crash is wrong.
fn violation(fs: &FaultFs, ran: &Ran) -> Option<String> {
    let found = || -> Result<(u64, Held, Started)> {
        let fs: Arc<dyn Fs> = Arc::new(fs.clone());
        let (store, started) = begin(&fs)?;
        let Some(commit) = &started.resume else { return Ok((0, Held::new(), started)) };
        let layers: Vec<LayerRef> = commit.layers().cloned().collect();
        Ok((commit.epoch.0, held(&store, &layers, "part", ALL)?, started))
    };
    match found() {
        Err(error) => Some(format!("the next generation cannot start: {error}")),
        Ok((epoch, ..)) if epoch < ran.committed => {
            Some(format!("epoch {} was committed, {epoch} found", ran.committed))
        }
        Ok((epoch, held, _)) if held != ran.held[epoch as usize] => Some(format!("epoch {epoch} holds something else")),
        // Whatever was left lying about, the next generation can write.
        Ok((epoch, _, mut started)) => {
            let commit = commit(started.generation, epoch + 1, Vec::new());
            let appended = started.log.append(&Entry::Commit(Box::new(commit)));
            (!matches!(appended, Ok(Appended::Done(_)))).then(|| format!("the next generation: {appended:?}"))
        }
    }
}

#[test]
fn whatever_operation_fails_no_committed_thing_is_lost_and_nothing_half_is_accepted() {
    let whole = FaultFs::new();
    let ran = run(Arc::new(whole.clone()));
    assert_eq!((ran.committed, ran.ended), (EPOCHS, false));
    assert!(whole.operations() > 60, "{}", whole.operations());
    for fault in [Fault::NoSpace, Fault::Io, Fault::ShortWrite, Fault::FailedSync, Fault::PowerLoss] {
        for operation in 0..whole.operations() {
            for seed in 0..12 {
                let fs = FaultFs::new();
                fs.fail_at(operation, fault);
                let ran = run(Arc::new(fs.clone()));
                fs.crash(seed);
                let violation = violation(&fs, &ran);
                assert_eq!(violation, None, "{fault:?} at operation {operation}, seed {seed}");
            }
        }
    }
}

#[test]
fn a_full_disk_that_has_room_again_costs_nothing() {
    let whole = FaultFs::new();
    run(Arc::new(whole.clone()));
    for operation in 0..whole.operations() {
        let fs = FaultFs::new();
        fs.fail_at(operation, Fault::NoSpace);
        let ran = run(Arc::new(fs.clone()));
        assert!(ran.committed == EPOCHS || ran.ended, "operation {operation}");
    }
}

#[test]
fn without_syncs_of_files_the_same_test_finds_loss() {
    assert!(controls(|fs| Forgetful { fs, files: true, names: false }) > 0);
}

#[test]
fn without_syncs_of_directories_the_same_test_finds_loss() {
    assert!(controls(|fs| Forgetful { fs, files: false, names: true }) > 0);
}

/// How many crashes after a run lose something.
fn controls(forget: impl Fn(FaultFs) -> Forgetful) -> usize {
    let lost = |seed: &u64| {
        let fs = FaultFs::new();
        let ran = run(Arc::new(forget(fs.clone())));
        assert_eq!(ran.committed, EPOCHS);
        fs.crash(*seed);
        violation(&fs, &ran).is_some()
    };
    (0..32).filter(lost).count()
}

/// A disk whose syncs do nothing.
#[derive(Clone, Debug)]
struct Forgetful {
    fs: FaultFs,
    files: bool,
    names: bool,
}

#[derive(Debug)]
struct ForgetfulFile(Box<dyn FsFile>);

impl Forgetful {
    fn file(&self, file: Box<dyn FsFile>) -> Box<dyn FsFile> {
        if self.files { Box::new(ForgetfulFile(file)) } else { file }
    }
}

impl Fs for Forgetful {
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.fs.create(path).map(|file| self.file(file))
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.fs.append(path).map(|file| self.file(file))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.fs.open(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fs.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fs.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.fs.remove(path)
    }
    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        self.fs.create_dirs(dir)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.fs.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.names { Ok(()) } else { self.fs.sync_dir(dir) }
    }
    fn resolve(&self, path: &Path) -> Resolved {
        self.fs.resolve(path)
    }
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.fs.kind(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.fs.list(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<FsLock>> {
        self.fs.lock(path)
    }
}

impl FsFile for ForgetfulFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(position, buffer)
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
