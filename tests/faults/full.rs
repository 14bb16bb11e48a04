//! A disk below a sink that is full, for a while or for good, or refuses once: of Parquet, JSON, CSV and a log.
//!
//! Would catch: a row that is lost or doubled because an append stopped half-way, a job that ends although somebody frees
//! space, one that tries for ever although nobody does, sources that read on meanwhile, and a failed sync that is tried
//! again.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dualgauge::cli::{Console, Exit, Interrupt, run_from};
use dualgauge::connectors::log::{Log, LogSink, LogSource};
use dualgauge::connectors::{csv, json, parquet};
use dualgauge::fs::{Fault, FaultFs, Fs};
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Line, Lines};
use dualgauge::{ErrorKind, Result, Sink};

#[cfg(target_os = "linux")]
use crate::common::SmallDisk;
use crate::common::{checkpoints, disk, from_environment, limits, script, sums};
use crate::disks::count;

const KINDS: [&str; 4] = ["parquet", "json", "csv", "log"];

/// A job that writes to a disk of the sink's own, so many batches of each partition.
fn job(kind: &str, out: &FaultFs, batches: u64) -> Job {
    let (fs, span): (Arc<dyn Fs>, _) = (Arc::new(out.clone()), 10.seconds());
    let sink: Arc<dyn Sink> = match kind {
        "parquet" => Arc::new(parquet::write("/out").span(span).buckets(2).on(fs)),
        "json" => Arc::new(json::write("/out/").span(span).buckets(2).on(fs)),
        "csv" => Arc::new(csv::write("/out/").span(span).on(fs)),
        _ => Arc::new(LogSink::new_on(fs, "/out", 2)),
    };
    let job = Job::new(sums).source("items", script(1, 2, batches)).sink_with("sums", sink);
    job.sink("late", Lines::default()).limits(limits(4))
}

/// The same in a fixed order of its steps, with checkpoints on a disk of their own.
fn in_order(kind: &str, out: &FaultFs, store: &FaultFs) -> Result<()> {
    let job = job(kind, out, 9).turns(Arc::new(Baton::new(1, 1)));
    job.checkpoints(checkpoints(store)?).run().map(drop)
}

/// What a reader sees: files byte for byte; of a log its rows, for its identity and its times are never the same.
fn output(kind: &str, out: &FaultFs) -> BTreeMap<String, Vec<u8>> {
    if kind == "log" {
        let (log, rows) = (Log::open_on(Arc::new(out.clone()), "/out").unwrap(), memory::collect::<Line>());
        let copy = |flow: &Flow<'_>| flow.source::<Line>("lines").sink("rows");
        Job::new(copy).source("lines", LogSource::of(log)).sink("rows", rows.clone()).run().unwrap();
        let numbered = rows.rows().into_iter().enumerate();
        return numbered.map(|(number, row)| (format!("{number:04}"), format!("{row:?}").into_bytes())).collect();
    }
    let names = out.list("/out".as_ref()).unwrap();
    assert!(!names.contains(&".staging".to_string()), "{kind}: what was staged is left over: {names:?}");
    let seen = names.into_iter().filter(|name| !name.starts_with('.'));
    seen.map(|name| (name.clone(), out.read(&Path::new("/out").join(name)).unwrap())).collect()
}

/// What a run on a whole disk gives, and how many operations its output takes.
fn whole(kind: &str) -> (BTreeMap<String, Vec<u8>>, u64) {
    let (out, store) = (disk(), disk());
    let before = out.operations();
    in_order(kind, &out, &store).unwrap();
    let output = output(kind, &out);
    assert!(output.len() >= 2, "{kind}: {:?}", output.keys());
    (output, out.operations() - before)
}

#[test]
fn a_disk_that_stays_full_below_a_sink_ends_the_job_after_ten_tries_and_nothing_is_lost() {
    for kind in KINDS {
        let ((expected, _), mut ended, mut tried) = (whole(kind), 0, 0);
        let step = if matches!(kind, "json" | "csv") { 60 } else { 600 }; // text is short
        for space in (0..).step_by(step) {
            let (out, store) = (disk(), disk());
            out.set_space(Some(space));
            let Err(error) = in_order(kind, &out, &store) else { break };
            ended += 1;
            assert_eq!(error.kind(), ErrorKind::Environment, "{kind}, {space}: {error}");
            for part in ["sums: ", "/out/", "no space left", "free some space there and start the job again"] {
                assert!(error.to_string().contains(part), "{kind}, {space}: `{part}` is not in {error}");
            }
            tried += usize::from(error.to_string().contains("after 10 tries"));
            out.set_space(Some(0));
            assert!(in_order(kind, &out, &store).is_err(), "{kind}, {space}: it has nothing left to write");
            out.set_space(None);
            in_order(kind, &out, &store).unwrap();
            assert!(output(kind, &out) == expected, "{kind}, {space}: {:?}", output(kind, &out).keys());
        }
        println!("{kind}: full after {ended} numbers of bytes, the job ended, {tried} times after ten tries");
        // Before anything is read, a sink looks at its place, and then nobody waits yet.
        assert!(tried > 3 && ended - tried <= 2, "{kind}: {tried} of {ended}");
    }
}

#[test]
fn while_the_disk_below_a_sink_is_full_the_sources_wait_and_with_room_the_job_goes_on() {
    const BATCHES: u64 = 200;
    for (kind, durable) in KINDS.iter().flat_map(|kind| [(kind, true), (kind, false)]) {
        let undisturbed = disk();
        job(kind, &undisturbed, BATCHES).run().unwrap();
        let (out, store) = (disk(), disk());
        out.set_space(Some(2_000));
        let job = job(kind, &out, BATCHES).workers(2).limits(limits(2));
        let job = if durable { job.checkpoints(checkpoints(&store).unwrap()) } else { job };
        let running = job.start().unwrap();
        let metrics = running.metrics();
        let (retries, rows) = (|| metrics.sink("sums").retries, || metrics.source("items").rows);
        while retries() < 3 {
            assert!(!running.is_finished(), "{kind}: it waits for the disk: {:?}", running.join().map(drop));
            std::thread::yield_now();
        }
        let read = rows();
        out.set_space(None);
        running.join().unwrap();
        println!("{kind}: {read} of {} rows were read while the disk was full", rows());
        assert!(read < rows(), "{kind}: {read} of {} rows were read while the disk was full", rows());
        assert!(metrics.retries().last.starts_with("sums: /out/"), "{:?}", metrics.retries());
        assert!(output(kind, &out) == output(kind, &undisturbed), "{kind}: {:?}", output(kind, &out).keys());
    }
}

/// A real file system of two megabytes below a sink, filled up and freed while the job runs.
#[cfg(target_os = "linux")]
#[test]
fn a_real_disk_below_a_sink_may_be_full_for_a_while() {
    let Some(small) = SmallDisk::mount() else { return };
    let (undisturbed, store) = (tempfile::tempdir().unwrap(), disk());
    let job = |out: &Path| {
        let sink = parquet::write(out).span(10.seconds()).buckets(2);
        let job = Job::new(sums).source("items", script(4, 2, 300)).sink("sums", sink).sink("late", Lines::default());
        job.limits(limits(4))
    };
    job(undisturbed.path()).run().unwrap();
    let out = small.path().join("out");
    let running = job(&out).checkpoints(checkpoints(&store).unwrap()).start().unwrap();
    small.fill();
    let metrics = running.metrics();
    let retries = || metrics.sink("sums").retries;
    while retries() < 2 && !running.is_finished() {
        std::thread::yield_now();
    }
    small.free();
    running.join().unwrap();
    println!("{} tries failed while it was full", retries());
    assert!(retries() >= 2, "the disk was never full");
    let files = |dir: &Path| -> BTreeMap<_, _> {
        let seen = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let seen = seen.filter(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        seen.map(|path| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap())).collect()
    };
    assert!(files(&out) == files(undisturbed.path()) && files(&out).len() > 5);
}

/// Whoever reads the alarm frees space, and the run goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_run_on_a_full_disk_sounds_an_alarm() {
    struct Reader<'a>(&'a SmallDisk, Vec<u8>);
    impl Write for Reader<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let had = self.has_the_alarm();
            self.1.extend_from_slice(bytes);
            if !had && self.has_the_alarm() {
                self.0.free();
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl Reader<'_> {
        fn has_the_alarm(&self) -> bool {
            String::from_utf8_lossy(&self.1).contains("stands still")
        }
    }
    let (Some(small), dir) = (SmallDisk::mount(), tempfile::tempdir().unwrap()) else { return };
    let lines: String = (0..40).map(|second| format!("1970-01-01T00:00:{second:02}Z,a,{second}\n")).collect();
    std::fs::write(dir.path().join("items.csv"), format!("time,key,value\n{lines}")).unwrap();
    small.fill();
    small.spare(4096); // for the record of who writes there, which comes before the first row
    let items = format!("items=csv:{}", dir.path().join("items.csv").display());
    let [sums_sink, late] =
        [small.path().join("sums/"), dir.path().join("late/")].map(|path| path.display().to_string());
    let (sums_sink, late) = (format!("sums=csv:{sums_sink}"), format!("late=csv:{late}"));
    let words = ["sums", "run", "--source", &items, "--sink", &sums_sink, "--sink", &late];
    let (mut out, mut err) = (Vec::new(), Reader(&small, Vec::new()));
    let console = Console { out: &mut out, err: &mut err, terminal: false, interrupt: Interrupt::default() };
    let exit = run_from(sums, words, console);
    let err = String::from_utf8(err.1).unwrap();
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(err.contains("the job stands still and tries again (refused "), "{err}");
    assert!(err.contains("): sums: ") && err.contains("/sums/.staging/"), "{err}");
    let entries = std::fs::read_dir(small.path().join("sums")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".published", "19700101T000000Z-b0.csv"], "{err}");
}

/// What is refused once is done at the second try, but for syncs; and what is done again leaves nothing of the first try.
#[test]
fn every_operation_below_a_sink_may_fail_once() {
    const FAULTS: [Fault; 4] = [Fault::NoSpace, Fault::Io, Fault::ShortWrite, Fault::FailedSync];
    let ways = from_environment("DUALGAUGE_WAYS", 1).min(4);
    for kind in KINDS {
        let (expected, operations) = whole(kind);
        let ended = count(0..operations * ways, |case| {
            let (operation, fault) = (case % operations, FAULTS[((case + case / operations) % 4) as usize]);
            let (out, store) = (disk(), disk());
            out.fail_at(out.operations() + operation, fault);
            let Err(error) = in_order(kind, &out, &store) else {
                assert!(output(kind, &out) == expected, "{kind}: {fault:?} at {operation}");
                return false;
            };
            assert_eq!(error.kind(), ErrorKind::Environment, "{kind}: {fault:?} at {operation}: {error}");
            assert!(!error.to_string().contains("tries"), "{kind}: {fault:?} at {operation}: {error}");
            let (out, store) = (out.after_crash(operation), store.after_crash(operation));
            let what = format!("{kind}: {fault:?} at {operation}, and a crash");
            in_order(kind, &out, &store).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(output(kind, &out) == expected, "{what}");
            true
        }) as u64;
        println!("{kind}: {operations} operations fail once in each of {ways} ways: {ended} ended the job");
        assert!(ended > 0 && ended < operations * ways, "{kind}: {ended} of {operations}");
    }
}
