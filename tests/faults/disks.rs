//! Disks that lose power, refuse, lie, or are full, with the output and the checkpoints on them.
//!
//! Would catch: a row that is lost or doubled because something was seen before it was durable, a failed sync that is
//! tried again, a full disk that ends a job which could have waited, and a job that reads on while nothing can be stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dualgauge::checkpoint::LocalStore;
use dualgauge::connectors::parquet;
use dualgauge::fs::{Fault, FaultFs, Fs, RealFs};
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Line, Lines};
use dualgauge::{Checkpoints, ErrorKind, Result};

#[cfg(target_os = "linux")]
use crate::common::SmallDisk;
use crate::common::{Out, checkpoints, disk, from_environment, limits, script, sums};

/// Runs the job with everything on one disk; how many commits there were.
fn run(fs: &FaultFs) -> Result<u64> {
    let sums_sink = parquet::write("/out").span(10.seconds()).buckets(1).on(Arc::new(fs.clone()));
    let job = Job::new(sums).source("items", script(1, 2, 9)).sink("sums", sums_sink).sink("late", Lines::default());
    let job = job.limits(limits(4)).turns(Arc::new(Baton::new(1, 1))).checkpoints(checkpoints(fs)?);
    let outcome = job.run()?;
    Ok(outcome.metrics.commits())
}

/// The files that a reader sees.
fn output(fs: &FaultFs) -> BTreeMap<String, Vec<u8>> {
    let names = fs.list("/out".as_ref()).unwrap_or_default().into_iter().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.clone(), fs.read(&Path::new("/out").join(name)).unwrap())).collect()
}

/// What a run on a whole disk gives, and how many operations it takes.
fn whole() -> (BTreeMap<String, Vec<u8>>, u64) {
    let fs = disk().fork();
    let commits = run(&fs).unwrap();
    let (output, operations) = (output(&fs), fs.operations());
    assert!(commits >= 3 && output.len() >= 2 && operations > 100, "{commits} {operations} {:?}", output.keys());
    (output, operations)
}

/// Several at once, as many as there are processors; how many `found` something.
pub fn count(cases: impl Iterator<Item = u64>, found: impl Fn(u64) -> bool + Sync) -> usize {
    let cases = std::sync::Mutex::new(cases.collect::<Vec<_>>());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let one = || {
        let next = || cases.lock().unwrap().pop();
        std::iter::from_fn(next).filter(|case| found(*case)).count()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|running| running.join().unwrap()).sum()
    })
}

/// Power is lost at every operation, and each time many subsets of what was not synced are kept.
#[test]
fn power_may_be_lost_at_any_operation() {
    let ((expected, operations), subsets) = (whole(), from_environment("DUALGAUGE_SUBSETS", 3));
    let lost = count(0..operations, |operation| {
        let fs = disk().fork();
        fs.fail_at(operation, Fault::PowerLoss);
        let ended = run(&fs).is_err();
        for subset in 0..subsets {
            let left = fs.after_crash(subset);
            let again = run(&left);
            assert!(again.is_ok(), "operation {operation}, subset {subset}: {again:?}");
            assert!(output(&left) == expected, "operation {operation}, subset {subset}: {:?}", output(&left).keys());
        }
        ended
    });
    println!("power lost at {operations} operations, {subsets} subsets each; {lost} ended the job");
    assert!(lost as u64 > operations * 9 / 10);
}

/// The control: where syncs only claim to have synced, the same test finds loss.
#[test]
fn power_loss_is_found_out_where_syncs_do_nothing() {
    let (expected, operations) = whole();
    let lost = count((0..operations).step_by(7), |operation| {
        let fs = disk().fork();
        fs.set_lying(true);
        fs.fail_at(operation, Fault::PowerLoss);
        let _ = run(&fs);
        let left = fs.after_crash(operation);
        left.set_lying(false);
        run(&left).is_err() || output(&left) != expected
    });
    println!("{lost} of {} power losses are found out without syncs", operations.div_ceil(7));
    assert!(lost > 3, "{lost}");
}

/// Every operation fails once in every way. The job carries on, or ends with an error that names the machine; and what
/// comes after a power loss on top is as if nothing had been.
#[test]
fn every_operation_may_fail_once() {
    let (expected, operations) = whole();
    for fault in [Fault::NoSpace, Fault::Io, Fault::ShortWrite, Fault::FailedSync] {
        let ended = count(0..operations, |operation| {
            let fs = disk().fork();
            fs.fail_at(operation, fault);
            let first = run(&fs);
            if let Err(error) = &first {
                assert_eq!(error.kind(), ErrorKind::Environment, "{fault:?} at {operation}: {error}");
                let left = fs.after_crash(operation);
                let again = run(&left);
                assert!(again.is_ok(), "{fault:?} at {operation}: {again:?}");
                assert!(output(&left) == expected, "{fault:?} at {operation}: {:?}", output(&left).keys());
            } else {
                assert!(output(&fs) == expected, "{fault:?} at {operation}: {:?}", output(&fs).keys());
            }
            first.is_err()
        });
        println!(
            "{fault:?} at each of {operations} operations: the job carried on {} times",
            operations as usize - ended
        );
        assert!(ended > 0 && ended < operations as usize, "{fault:?}: {ended}");
    }
}

#[test]
fn a_disk_that_stays_full_ends_the_job_after_ten_tries_and_nothing_is_lost() {
    let (fs, out) = (disk(), Out::default());
    let start = || out.job(script(2, 2, 30)).limits(limits(4)).turns(Arc::new(Baton::new(1, 1)));
    let undisturbed = Out::default();
    undisturbed.job(script(2, 2, 30)).run().unwrap();
    let store = checkpoints(&fs).unwrap();
    fs.set_space(Some(4_000));
    let error = start().checkpoints(store).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.to_string().contains("after 10 tries") && error.to_string().contains("no space left"), "{error}");
    fs.set_space(None);
    let outcome = start().checkpoints(checkpoints(&fs).unwrap()).run().unwrap();
    assert!(outcome.metrics.commits() > 0);
    assert_eq!(out.text(), undisturbed.text());
}

/// Until there is room, the checkpoints that are due are kept, and the sources wait for them; then all goes on.
#[test]
fn while_a_disk_is_full_the_sources_wait_and_with_room_the_job_goes_on() {
    let (fs, out, undisturbed) = (disk(), Out::default(), Out::default());
    let long = || script(3, 1, 900);
    undisturbed.job(long()).run().unwrap();
    let store = checkpoints(&fs).unwrap();
    fs.set_space(Some(3_000));
    let running = out.job(long()).workers(2).limits(limits(2)).checkpoints(store).start().unwrap();
    let metrics = running.metrics();
    let rows = || metrics.source("items").rows;
    while metrics.checkpoint_retries() < 3 {
        assert!(!running.is_finished(), "it waits for the disk, and does not end: {:?}", running.join().map(drop));
        std::thread::yield_now();
    }
    let read = rows();
    fs.set_space(None);
    running.join().unwrap();
    assert!(read < rows() / 4, "{read} of {} rows were read while the disk was full", rows());
    assert_eq!(out.text(), undisturbed.text());
}

/// A real file system of two megabytes, filled up and freed while the job runs.
#[cfg(target_os = "linux")]
#[test]
fn a_real_disk_may_be_full_for_a_while() {
    let Some(small) = SmallDisk::mount() else { return };
    let (out, undisturbed) = (Out::default(), Out::default());
    let long = || script(4, 2, 300);
    undisturbed.job(long()).run().unwrap();
    let store = LocalStore::open(Arc::new(RealFs), small.path().join("job")).unwrap();
    let checkpoints = Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO);
    let job = out.job(long()).limits(limits(4)).checkpoints(checkpoints);
    // The fence is written before the disk is filled up.
    let running = job.start().unwrap();
    small.fill();
    let metrics = running.metrics();
    while metrics.checkpoint_retries() < 2 && !running.is_finished() {
        std::thread::yield_now();
    }
    small.free();
    let outcome = running.join().unwrap();
    println!("{} tries failed while it was full", outcome.metrics.checkpoint_retries());
    assert!(metrics.checkpoint_retries() >= 2, "the disk was never full");
    assert_eq!(out.text(), undisturbed.text());
}

#[test]
fn lines_are_what_a_file_of_them_holds() {
    // The two kinds of output that are compared above say the same.
    let (fs, out) = (disk().fork(), Out::default());
    run(&fs).unwrap();
    out.job(script(1, 2, 9)).run().unwrap();
    let rows = memory::collect::<Line>();
    let dir = tempfile::tempdir().unwrap();
    output(&fs).iter().for_each(|(name, bytes)| std::fs::write(dir.path().join(name), bytes).unwrap());
    let copy = |flow: &Flow<'_>| flow.source::<Line>("lines").sink("out");
    Job::new(copy).source("lines", parquet::read(dir.path())).sink("out", rows.clone()).run().unwrap();
    assert_eq!(rows.rows().len(), out.sums.text().len());
}
