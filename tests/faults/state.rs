//! State that grows without bound, up to its limit.
//!
//! Would catch: a job that grows until the machine ends it, a stop that loses what it has done, and a count that is not the
//! one of what is stored.

use std::sync::Arc;

use dualgauge::checkpoint::{Entry, LocalStore, ManifestLog, StateReader, Store};
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Line, Lines, Script, Step};

use dualgauge::{ErrorKind, Outcome, Result};

use crate::common::{at, checkpoints, disk, limits};

/// Every record has a key of its own, and every key is remembered for ever.
fn totals(flow: &Flow<'_>) {
    let items = flow.source::<Item>("items").key_by(|item| item.key.clone());
    let totals = items.fold("totals", |total: &mut i64, item: Item| {
        *total += item.value;
        Line { time: item.time, text: format!("{} {total}", item.key) }
    });
    totals.sink("totals");
}

#[test]
fn state_beyond_its_limit_stops_the_job_after_a_checkpoint_and_a_higher_limit_goes_on() {
    let item = |row: i64| Item { time: at(row), key: format!("key {row}"), value: row };
    let batch = |batch: i64| Step::Batch((batch * 10..batch * 10 + 10).map(item).collect(), None);
    let script = || Script::new(vec![(0..100).map(batch).collect()]);
    let (fs, out, undisturbed) = (disk(), Lines::default(), Lines::default());
    Job::new(totals).source("items", script()).sink("totals", undisturbed.clone()).run().unwrap();
    let run = |state_bytes_max: u64, workers: usize| {
        let limits = dualgauge::Limits { state_bytes_max, ..limits(20) };
        let job = Job::new(totals).source("items", script()).sink("totals", out.clone()).workers(workers);
        let job = job.limits(limits).turns(Arc::new(Baton::new(workers, 3)));
        job.checkpoints(checkpoints(&fs).unwrap()).run()
    };
    let told = |run: Result<Outcome>| {
        let error = run.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(!error.may_be_retried(), "another start would come to the same: {error}");
        error.to_string()
    };
    let error = told(run(10_000, 1));
    assert!(error.starts_with("E-STATE-LIMIT: the state has 1"), "{error}");
    assert!(error.contains(" bytes (totals 1") || error.contains(" bytes (totals 9"), "the step is named: {error}");
    let written = out.text().len();
    assert!(written > 0 && written < 1_000, "{written} rows were written before");
    let error = told(run(15_000, 2));
    assert!(error.contains("its limit is 15000"), "{error}");
    assert!(out.text().len() > written);
    run(u64::MAX, 3).unwrap();
    assert_eq!(out.text(), undisturbed.text());
}

/// What the job's own count says at each commit is what the layers of that commit hold, whoever wrote them: saved, merged,
/// of earlier starts and of another number of workers.
#[test]
fn the_state_of_each_step_is_counted_as_it_is_stored() {
    let fs = disk();
    for workers in [2, 3, 1] {
        let out = Lines::default();
        let item = |row: i64| Item { time: at(row), key: format!("key {}", row % 300), value: row };
        let batch = |batch: i64| Step::Batch((batch * 10..batch * 10 + 10).map(item).collect(), None);
        // It does not end, so that it goes on from here.
        let script = Script::new(vec![(0..100).map(batch).chain([Step::Open]).collect()]);
        let job = Job::new(totals).source("items", script).sink("totals", out).workers(workers);
        let job = job.limits(limits(20)).turns(Arc::new(Baton::new(workers, 3)));
        let running = job.checkpoints(checkpoints(&fs).unwrap()).start().unwrap();
        let metrics = running.metrics();
        while metrics.commits() < 20 {
            std::thread::yield_now();
        }
        running.stop_handle().stop();
        running.join().unwrap_err();
        let counted = metrics.state();
        assert!(counted["totals"] > 1_000, "{counted:?}");
        let store: Arc<dyn Store> = Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap());
        let last = ManifestLog::read(&*store).unwrap().pop().unwrap().1;
        let Entry::Commit(commit) = last else { panic!("a stop ends with a commit: {last:?}") };
        assert!(commit.layers().count() > 1);
        let stored = StateReader::open(&store, &commit).unwrap().bytes();
        assert_eq!(counted, stored, "on {workers} workers");
    }
}
