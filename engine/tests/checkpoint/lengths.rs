//! A log that is shortened: what a start, a commit and a look cost is what is kept, and nobody who is over comes back by it.
//!
//! Would catch: an entry that stays for ever, a start that reads what was, a savepoint or a last commit that goes with
//! the others, a place of an older program that is not shortened, and a zombie that creates an entry that is gone.
//! `DUALGAUGE_COMMITS` is the number of commits.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge_engine::Epoch;
use dualgauge_engine::checkpoint::protocol::LOG_MAX;
use dualgauge_engine::checkpoint::{
    Appended, Commit, CommitKind, Created, Entry, KEPT, ManifestLog, SavepointRequest, Started, Store, StoreError,
    Wish, collect, layer_name, start, verify_all,
};
use dualgauge_engine::fs::FaultFs;

use crate::common::{commit, layer, store, wish};

/// A store in memory that counts what it is asked for.
#[derive(Debug, Default)]
struct Counting {
    held: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Calls, names that were listed, and bytes that were read.
    calls: AtomicU64,
    listed: AtomicU64,
    read: AtomicU64,
}

impl Counting {
    fn count(&self) -> [u64; 3] {
        [&self.calls, &self.listed, &self.read].map(|count| count.load(Ordering::Relaxed))
    }

    /// What `work` asks for.
    fn of<T>(&self, work: impl FnOnce() -> T) -> ([u64; 3], T) {
        let before = self.count();
        let done = work();
        let after = self.count();
        ([after[0] - before[0], after[1] - before[1], after[2] - before[2]], done)
    }
}

impl Store for Counting {
    fn describe(&self) -> String {
        "memory".into()
    }
    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        self.held.lock().unwrap().insert(name.to_string(), bytes);
        Ok(())
    }
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut held = self.held.lock().unwrap();
        match held.get(name) {
            Some(found) if found == bytes => Ok(Created::New),
            Some(_) => Ok(Created::Taken),
            None => {
                held.insert(name.to_string(), bytes.to_vec());
                Ok(Created::New)
            }
        }
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let found = self.held.lock().unwrap().get(name).cloned();
        let bytes = found.ok_or_else(|| StoreError::NotFound { place: name.to_string() })?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let bytes = self.get(name)?;
        Ok(bytes[(range.start as usize).min(bytes.len())..(range.end as usize).min(bytes.len())].to_vec())
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let held = self.held.lock().unwrap();
        let names = held.range(folder.to_string()..).map(|(name, _)| name).take_while(|name| name.starts_with(folder));
        let names: Vec<_> = names.cloned().collect();
        self.listed.fetch_add(names.len() as u64, Ordering::Relaxed);
        Ok(names)
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.held.lock().unwrap().remove(name);
        Ok(())
    }
}

fn append(started: &mut Started, commit: Commit) {
    let appended = started.log.append(&Entry::Commit(Box::new(commit)));
    assert!(matches!(appended, Ok(Appended::Done(_))), "{appended:?}");
    collect(&**started.log.store(), &started.log, KEPT).unwrap();
    started.log.shorten(KEPT).unwrap();
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |count| count.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn after_many_commits_a_start_a_commit_and_a_look_cost_what_is_kept() {
    let commits = from_environment("DUALGAUGE_COMMITS", 100_000);
    let counting = Arc::new(Counting::default());
    let store: Arc<dyn Store> = Arc::clone(&counting) as _;
    let savepoints = [3, commits / 2];
    let mut started = start(store.clone(), wish()).unwrap();
    let mut most = [0; 3];
    for epoch in 1..=commits {
        // Each has a layer of its own, as small as can be: what is collected is told by its name.
        let name = layer_name(started.generation, Epoch(epoch), "a");
        let mut commit = match epoch % 97 {
            0 => commit(started.generation, epoch, vec![layer(&store, &name, &[], &[])]),
            _ => commit(started.generation, epoch, Vec::new()),
        };
        commit.kind = if savepoints.contains(&epoch) { CommitKind::Savepoint } else { CommitKind::Checkpoint };
        let (cost, ()) = counting.of(|| append(&mut started, commit));
        most = [0, 1, 2].map(|at| most[at].max(cost[at]));
        if epoch % (commits / 7 + 1) == 0 {
            let (cost, again) = counting.of(|| start(store.clone(), wish()).unwrap());
            assert!(cost[0] < 200 && cost[1] < 300 && cost[2] < 20_000, "a start: {cost:?}");
            assert_eq!(again.resume.as_ref().unwrap().epoch, Epoch(epoch));
            assert_eq!(again.job, started.job);
            started = again;
        }
    }
    println!("{commits} commits: calls, names and bytes of the dearest {most:?}");
    assert!(most[0] < 200 && most[1] < 300 && most[2] < 20_000, "a commit: {most:?}");
    let (cost, entries) = counting.of(|| ManifestLog::look(&*store).unwrap());
    println!("a look: {cost:?}, {} entries; {} names in the store", entries.len(), counting.held.lock().unwrap().len());
    assert!(entries.len() as u64 <= LOG_MAX + 4 && cost[0] < 100, "{cost:?}");
    assert!(counting.held.lock().unwrap().len() < 100);
    let found: Vec<_> = verify_all(&*store).unwrap().into_iter().map(|one| one.commit.unwrap()).collect();
    let kept: Vec<_> = found.iter().filter(|(_, kind)| *kind == CommitKind::Savepoint).map(|(of, _)| of.0).collect();
    assert_eq!(kept, savepoints);
    let from = |epoch| start(store.clone(), Wish { from: Some(Epoch(epoch).into()), ..wish() });
    for kept in savepoints.into_iter().chain(commits - 2..=commits) {
        assert_eq!(from(kept).unwrap().resume.unwrap().epoch, Epoch(kept));
    }
    assert!(from(commits / 3).unwrap_err().to_string().contains("there is no checkpoint of epoch"));
}

#[test]
fn starts_without_a_commit_are_shortened_too_and_lose_no_commit() {
    let store = store(&FaultFs::new());
    let mut started = start(store.clone(), wish()).unwrap();
    for round in 1..=3 {
        for epoch in 0..4 {
            let kind = if epoch == 1 { CommitKind::Savepoint } else { CommitKind::Checkpoint };
            let commit = Commit { kind, ..commit(started.generation, round * 10 + epoch, Vec::new()) };
            append(&mut started, commit);
        }
        for _ in 0..5 * LOG_MAX {
            started = start(store.clone(), wish()).unwrap();
            assert_eq!(started.resume.as_ref().unwrap().epoch, Epoch(round * 10 + 3));
        }
        let entries = ManifestLog::read(&*store).unwrap();
        assert!(entries.len() as u64 <= LOG_MAX + 8, "{}", entries.len());
        let commits = entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Commit(commit) => Some(commit.epoch.0),
            Entry::Fence(_) => None,
        });
        let savepoints = (1..round).map(|before| before * 10 + 1);
        let last = (1..4).map(|epoch| round * 10 + epoch);
        assert_eq!(commits.collect::<Vec<_>>(), savepoints.chain(last).collect::<Vec<_>>());
    }
    // A job that never gets as far as a commit.
    let store = self::store(&FaultFs::new());
    let generations = (0..5 * LOG_MAX).map(|_| start(store.clone(), wish()).unwrap());
    let generations: Vec<_> = generations.map(|started| (started.generation, started.job)).collect();
    assert!(generations.windows(2).all(|two| two[1].0 == two[0].0 + 1 && two[1].1 == two[0].1));
    assert!(store.list("manifest/").unwrap().len() as u64 <= LOG_MAX + 2);
}

#[test]
fn whoever_is_over_creates_what_is_gone_and_is_told() {
    let store = store(&FaultFs::new());
    let mut old = start(store.clone(), wish()).unwrap();
    append(&mut old, commit(1, 1, Vec::new()));
    let mut young = start(store.clone(), wish()).unwrap();
    for epoch in 2..200 {
        append(&mut young, commit(2, epoch, Vec::new()));
    }
    let gone = "manifest/00000000000000000002";
    assert!(store.get(gone).is_err(), "the fence of the younger one is gone, so that its number is free");
    let late = Entry::Commit(Box::new(commit(1, 2, Vec::new())));
    assert_eq!(old.log.append(&late).unwrap(), Appended::Fenced { by: None });
    assert_eq!(old.log.append(&late).unwrap(), Appended::Fenced { by: None });
    assert!(store.get(gone).is_err(), "it took back what it had created");
    append(&mut young, commit(2, 200, Vec::new()));

    // What a dead one has created below the floor counts for nothing, and goes with the next start.
    store.create(gone, b"whatever").unwrap();
    let third = start(store.clone(), wish()).unwrap();
    assert_eq!((third.generation, third.resume.unwrap().epoch), (3, Epoch(200)));
    assert!(store.get(gone).is_err());
}

#[test]
fn a_log_that_was_never_shortened_is_read_and_shortened_from_then_on() {
    let store = store(&FaultFs::new());
    let mut started = start(store.clone(), wish()).unwrap();
    for epoch in 1..=3_000 {
        let kind = if epoch == 7 { CommitKind::Savepoint } else { CommitKind::Checkpoint };
        let commit = Commit { kind, ..commit(1, epoch, Vec::new()) };
        assert_eq!(started.log.append(&Entry::Commit(Box::new(commit))).unwrap(), Appended::Done(epoch));
    }
    let mut started = start(store.clone(), wish()).unwrap();
    assert_eq!(started.resume.as_ref().unwrap().epoch, Epoch(3_000));
    for epoch in 3_001..=3_003 {
        append(&mut started, commit(2, epoch, Vec::new())); // a thousand names go with each
    }
    assert!(store.list("manifest/").unwrap().len() < 10, "{:?}", store.list("manifest/").unwrap().len());
    let entries = ManifestLog::read(&*store).unwrap();
    assert!(entries.iter().any(|(number, entry)| *number == 7 && entry.generation() == 1), "the savepoint is kept");
}

#[test]
fn who_asks_for_a_savepoint_is_answered_however_far_the_log_was_shortened_meanwhile() {
    let store = store(&FaultFs::new());
    let mut started = start(store.clone(), wish()).unwrap();
    append(&mut started, commit(1, 1, Vec::new()));
    let mut request = SavepointRequest::make(&*store).unwrap();
    for epoch in 2..500 {
        let kind = if epoch == 100 { CommitKind::Savepoint } else { CommitKind::Checkpoint };
        append(&mut started, Commit { kind, ..commit(1, epoch, Vec::new()) });
    }
    store.delete("savepoint-wanted").unwrap();
    assert_eq!(request.answer(&*store).unwrap(), Some(Epoch(100)));
}

#[test]
fn an_entry_that_is_missing_above_the_floor_is_named_and_so_is_the_first_one() {
    for (missing, named) in [(0, "entry, which names the job"), (31, "entry 31 "), (33, "entry 33 ")] {
        let fs = FaultFs::new();
        let store = store(&fs);
        let mut started = start(store.clone(), wish()).unwrap();
        for epoch in 1..=35 {
            append(&mut started, commit(1, epoch, Vec::new()));
        }
        let name = format!("manifest/{missing:020}");
        assert!(store.get(&name).is_ok(), "{name}: {:?}", store.list("manifest/"));
        store.delete(&name).unwrap();
        let error = start(store, wish()).unwrap_err().to_string();
        assert!(error.contains("E-CHECKPOINT-CORRUPT") && error.contains(named), "{error}");
    }
}
