//! Old generations that stand still, and go on after a younger one has run to the end.
//!
//! Would catch: a row that the old one still writes, and a second commit of anything. The control lets the manifest log be
//! overwritten, and must find that a zombie wins.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use dualgauge::checkpoint::{CommitKind, Created, Entry, LocalStore, ManifestLog, Store, StoreError};
use dualgauge::job::Turns;
use dualgauge::prelude::*;
use dualgauge::testing::Baton;
use dualgauge::{Checkpoints, ErrorKind};

use crate::common::{Out, disk, drawn, limits, script, seeds};

/// A schedule that stands still at a turn until it is woken.
struct Paused {
    baton: Baton,
    at: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Running,
    Stopped,
    Woken,
}

impl Paused {
    fn wait_for(&self, state: State) {
        let mut now = self.state.lock().unwrap();
        while *now != state {
            now = self.changed.wait(now).unwrap();
        }
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap() = state;
        self.changed.notify_all();
    }
}

impl Turns for Paused {
    fn take(&self, worker: usize) {
        self.baton.take(worker);
        let stops = self.baton.turns() == self.at && *self.state.lock().unwrap() == State::Running;
        if stops {
            self.set(State::Stopped);
            self.wait_for(State::Woken);
        }
    }

    fn pass(&self, worker: usize, done: bool) {
        self.baton.pass(worker, done);
    }

    fn may_park(&self) -> bool {
        false
    }
}

/// A store that lets every entry of the manifest log be overwritten: what fencing stands on is gone.
#[derive(Debug)]
struct WithoutFence(LocalStore);

impl Store for WithoutFence {
    fn describe(&self) -> String {
        self.0.describe()
    }
    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>) -> Result<(), StoreError> {
        self.0.put(name, write)
    }
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        if !name.starts_with("manifest/") {
            return self.0.create(name, bytes); // it passes the probe
        }
        self.0.put(name, &mut |out| out.write_all(bytes)).map(|()| Created::New)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.0.get(name)
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        self.0.get_range(name, range)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.0.list(folder)
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.delete(name)
    }
}

/// What came of a zombie.
enum Fate {
    /// It was told, and nothing has changed.
    Fenced,
    /// It had come to its end before it was to stand still.
    Over,
    /// It has changed the output, or ended as if nothing were wrong.
    Won(String),
}

/// Runs the job, lets it stand still at a turn, runs it again to the end, and wakes the first.
fn zombie(seed: u64, store: impl Fn(LocalStore) -> Arc<dyn Store>) -> Fate {
    let (fs, out, undisturbed) = (disk(), Out::default(), Out::default());
    undisturbed.job(script(seed, 3, 12)).limits(limits(5)).run().unwrap();
    let job = |workers: usize, turns: Arc<dyn Turns>| {
        let store = store(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap());
        let checkpoints = Checkpoints::in_store(store).every(Duration::ZERO);
        out.job(script(seed, 3, 12)).workers(workers).limits(limits(5)).turns(turns).checkpoints(checkpoints)
    };
    let workers = 1 + drawn(seed, 1, 3) as usize;
    let (baton, at) = (Baton::new(workers, seed), 1 + drawn(seed, 2, 120));
    let paused = Arc::new(Paused { baton, at, state: Mutex::new(State::Running), changed: Condvar::new() });
    let old = job(workers, paused.clone()).start().unwrap();
    while *paused.state.lock().unwrap() == State::Running {
        if old.is_finished() {
            old.join().unwrap();
            return Fate::Over;
        }
        std::thread::yield_now();
    }
    let young = 1 + drawn(seed, 3, 3) as usize;
    job(young, Arc::new(Baton::new(young, seed + 1))).run().unwrap();
    let committed = ManifestLog::read(&LocalStore::open(Arc::new(fs.clone()), "/job").unwrap()).unwrap();
    let before = out.text() == undisturbed.text();
    paused.set(State::Woken);
    let ended = old.join();
    assert!(before, "seed {seed}: before the zombie wakes");
    let of_old = |(_, entry): &(u64, Entry)| matches!(entry, Entry::Commit(c) if c.generation == 1 && c.kind == CommitKind::Ended);
    if committed.iter().any(of_old) {
        ended.unwrap(); // its last commit had won before it stood still, and the younger one had only to publish
        assert_eq!(out.text(), undisturbed.text(), "seed {seed}");
        return Fate::Over;
    }
    if out.text() != undisturbed.text() {
        return Fate::Won(format!("the output is {:?}", out.text()));
    }
    match ended {
        Err(error) if error.kind() == ErrorKind::Environment && error.to_string().contains("E-FENCED") => Fate::Fenced,
        Err(error) => Fate::Won(format!("it ended with {error}")),
        Ok(_) => Fate::Won("it ended well".to_string()),
    }
}

#[test]
fn an_old_generation_that_wakes_up_changes_nothing_and_is_told() {
    let (mut fenced, mut over) = (0, 0);
    for seed in seeds(200) {
        match zombie(seed, |store| Arc::new(store)) {
            Fate::Fenced => fenced += 1,
            Fate::Over => over += 1,
            Fate::Won(how) => panic!("seed {seed}: {how}"),
        }
    }
    println!("{fenced} zombies fenced; {over} jobs were over before");
    assert!(fenced > seeds(200).count() / 2, "{fenced} fenced, {over} over");
}

#[test]
fn without_the_fence_a_zombie_wins() {
    let won = (0..40).filter(|&seed| matches!(zombie(seed, |store| Arc::new(WithoutFence(store))), Fate::Won(_)));
    let won = won.count();
    println!("{won} of 40 zombies win without a fence");
    assert!(won > 0);
}
