//! State that grows without bound, up to its limit.
//!
//! Would catch: a job that grows until the machine ends it, a stop that loses what it has done, and a count that is not the
//! one of what is stored.

use std::sync::Arc;

use dualgauge::ErrorKind;
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Line, Lines, Script, Step};

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
    let error = run(10_000, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.to_string().starts_with("E-STATE-LIMIT: the state has 1"), "{error}");
    let written = out.text().len();
    assert!(written > 0 && written < 1_000, "{written} rows were written before");
    let error = run(15_000, 2).unwrap_err();
    assert!(error.to_string().contains("its limit is 15000"), "{error}");
    assert!(out.text().len() > written);
    run(u64::MAX, 3).unwrap();
    assert_eq!(out.text(), undisturbed.text());
}
