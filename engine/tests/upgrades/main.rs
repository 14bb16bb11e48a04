//! Jobs that go on with another graph than they were stopped with: types of state that changed, steps that are gone.
//!
//! Would catch: state that is lost, read as another type or up-cast twice; a row that is lost or doubled because it moved to
//! another worker when it was up-cast; an older checkpoint that can no longer be gone back to; a step that is new and finds
//! what an older one of its name has left; and a refusal that does not say what to do. Three versions of a program keep
//! the same things in different types, so that they must all write the same lines.

mod programs;
mod refusals;

use std::sync::Arc;

use dualgauge_engine::checkpoint::{Commit, Entry, KEPT, LocalStore, ManifestLog, Store};
use dualgauge_engine::fs::{Fault, FaultFs};
use dualgauge_engine::job::Running;
use dualgauge_engine::testing::{Item, Lines, Script, Step as Do, survive_on};
use dualgauge_engine::{Checkpoints, Duration, Durations, Epoch, ErrorKind, EventTime, Flow, Job, Limits};

use programs::{first, graph, keep_and_write, second, third};

/// The three outputs of a job, which outlive its crashes.
#[derive(Clone, Default)]
struct Out {
    sums: Lines,
    sorted: Lines,
    copies: Lines,
}

impl Out {
    fn text(&self) -> [Vec<String>; 3] {
        [&self.sums, &self.sorted, &self.copies].map(Lines::text)
    }

    /// An independent one, in which the same was written.
    fn fork(&self) -> Out {
        Out { sums: self.sums.fork(), sorted: self.sorted.fork(), copies: self.copies.fork() }
    }

    fn bind(&self, job: Job) -> Job {
        job.sink("sums", self.sums.clone()).sink("sorted", self.sorted.clone()).sink("copies", self.copies.clone())
    }

    /// The job that does with a script what the version of the program does, from 1 to 3.
    fn job(&self, version: usize, script: Script) -> Job {
        let graph = [graph::<first::Program>, graph::<second::Program>, graph::<third::Program>][version - 1];
        self.bind(Job::new(graph).source("items", script))
    }
}

/// A number that looks drawn, by a seed and its place.
fn drawn(seed: u64, place: u64, below: u64) -> u64 {
    let mixed = (seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % below
}

/// Three partitions of values that are all different; what is read of a shorter one is the start of a longer one.
fn script(seed: u64, batches: u64, ends: bool) -> Script {
    let partition = |number: u64| {
        let batch = |batch: u64| {
            let item = |row: u64| {
                let place = (number * 100 + batch) * 10 + row;
                let at = (batch * 3 + row) as i64 - drawn(seed, place, 5) as i64;
                let key = ["a", "b", "c", "d"][drawn(seed, place + 7, 4) as usize].to_string();
                Item { time: EventTime::default() + at.seconds(), key, value: place as i64 }
            };
            Do::Batch((0..rows(seed, number, batch)).map(item).collect(), None)
        };
        (0..batches).map(batch).chain((!ends).then_some(Do::Open)).collect()
    };
    Script::new((0..PARTITIONS).map(partition).collect())
}

const PARTITIONS: u64 = 3;

/// How many rows a batch has.
fn rows(seed: u64, partition: u64, batch: u64) -> u64 {
    1 + drawn(seed, partition + batch, 3)
}

/// How many batches of each partition are there before a program changes, and how many at last.
const BEFORE: u64 = 8;
const ALL: u64 = 12;

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("DUALGAUGE_SEEDS").ok().and_then(|count| count.parse().ok());
    0..count.unwrap_or(60)
}

fn limits() -> Limits {
    Limits { epoch_rows: 3, epoch_interval: Duration::MAX, ..Limits::default() }
}

fn undisturbed(seed: u64) -> [Vec<String>; 3] {
    let out = Out::default();
    out.job(3, script(seed, ALL, true)).limits(limits()).run().unwrap();
    out.text()
}

fn store(fs: &FaultFs) -> Arc<LocalStore> {
    Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap())
}

fn checkpoints(fs: &FaultFs) -> Checkpoints {
    Checkpoints::in_store(store(fs)).every(Duration::ZERO)
}

fn commits(store: &dyn Store) -> Vec<Commit> {
    let entries = ManifestLog::read(store).unwrap().into_iter();
    entries.filter_map(|(_, entry)| if let Entry::Commit(commit) = entry { Some(*commit) } else { None }).collect()
}

/// What the step `sums` keeps, as a commit says it.
fn shape_of_sums(commit: &Commit) -> String {
    let step = commit.steps.iter().find(|step| step.name == "sums").unwrap();
    step.parts[0].1.to_string()
}

/// Starts a job, and waits until it has read so many rows.
fn begun(job: Job, rows: u64, checkpoints: Checkpoints) -> Running {
    let running = job.limits(limits()).checkpoints(checkpoints).start().unwrap();
    while running.metrics().source("items").rows < rows {
        assert!(!running.is_finished(), "{:?}", running.join());
        std::thread::yield_now();
    }
    running
}

/// How many rows there are before a program changes.
fn rows_before() -> u64 {
    (0..PARTITIONS).flat_map(|number| (0..BEFORE).map(move |batch| rows(0, number, batch))).sum()
}

/// Stops a job, which leaves a last checkpoint; its epoch.
fn stop(running: Running, fs: &FaultFs) -> Epoch {
    running.stop_handle().stop();
    let stopped = running.join().unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Stopped, "{stopped}");
    commits(&*store(fs)).last().unwrap().epoch
}

/// The first version's part: what it wrote, and the disk with its checkpoints.
fn first_part(workers: usize) -> (Out, FaultFs, Epoch) {
    let (out, fs) = (Out::default(), FaultFs::new());
    let epoch =
        stop(begun(out.job(1, script(0, BEFORE, false)).workers(workers), rows_before(), checkpoints(&fs)), &fs);
    (out, fs, epoch)
}

#[test]
fn state_is_up_cast_wherever_a_job_is_killed_on_any_number_of_workers() {
    let (mut upgrades, mut at_once) = (0, 0);
    for seed in seeds() {
        let (out, fs, starts) = (Out::default(), FaultFs::new(), std::cell::Cell::new(0));
        let second = 1 + drawn(seed, 1, 2);
        let third = second + drawn(seed, 2, 3);
        survive_on(&fs, seed, || {
            starts.set(starts.get() + 1);
            let version = match starts.get() {
                start if start > third => 3,
                start if start > second => 2,
                _ => 1,
            };
            out.job(version, script(seed, ALL, true))
        });
        assert_eq!(out.text(), undisturbed(seed), "seed {seed}: left with crashes and upgrades, right without");
        let shapes: Vec<_> = commits(&*store(&fs)).iter().map(shape_of_sums).collect();
        upgrades += shapes.windows(2).filter(|two| two[0] != two[1]).count();
        at_once += shapes.windows(2).filter(|two| two[0].contains("i32") && two[1].contains("seq")).count();
    }
    println!("{upgrades} upgrades, {at_once} of them from the first version to the third");
    assert!(upgrades > 20 && at_once > 4, "{upgrades} {at_once}");
}

#[test]
fn what_was_up_cast_is_gone_on_from_with_nothing_declared_and_not_by_the_older_program() {
    let (out, fs, epoch) = first_part(2);
    let running = begun(out.job(2, script(0, ALL, false)).workers(3), 1, checkpoints(&fs));
    let notes = running.notes().join("\n");
    for step in ["sums", "sorted", "sink copies"] {
        assert!(notes.contains(&format!("step {step}: its state of epoch {epoch} was up-cast")), "{notes}");
    }
    stop(running, &fs);
    let older = out.job(1, script(0, ALL, true)).checkpoints(checkpoints(&fs)).run().unwrap_err().to_string();
    assert!(older.contains("keeps another type of state"), "{older}");

    let undeclared = |flow: &Flow<'_>| keep_and_write::<second::Program>(flow);
    let job = out.bind(Job::new(undeclared).source("items", script(0, ALL, true)));
    let running = job.limits(limits()).checkpoints(checkpoints(&fs)).start().unwrap();
    assert!(!running.notes().join("\n").contains("up-cast"), "{:?}", running.notes());
    running.join().unwrap();
    assert_eq!(out.text(), undisturbed(0));
    // Of what has ended nothing is loaded: any of them finds it done.
    out.job(3, script(0, ALL, true)).checkpoints(checkpoints(&fs)).run().unwrap();
    assert_eq!(out.text(), undisturbed(0));
}

#[test]
fn a_savepoint_of_the_older_program_can_be_gone_back_to_by_any_of_them() {
    let (out, fs) = (Out::default(), FaultFs::new());
    let running = begun(out.job(1, script(0, BEFORE, false)), rows_before(), checkpoints(&fs).every(Duration::MAX));
    running.stop_handle().savepoint();
    let epoch = loop {
        match running.metrics().savepoint() {
            Some(epoch) => break epoch,
            None => std::thread::yield_now(),
        }
    };
    stop(running, &fs);
    let then = out.fork();
    out.job(2, script(0, ALL, true)).limits(limits()).checkpoints(checkpoints(&fs)).run().unwrap();
    assert_eq!(out.text(), undisturbed(0));
    let since = commits(&*store(&fs)).iter().filter(|commit| commit.epoch > epoch).count();
    assert!(since > KEPT, "layers of other checkpoints have been collected");

    for version in [1, 2, 3] {
        let (out, fs) = (then.fork(), fs.fork());
        let job = out.job(version, script(0, ALL, true)).limits(limits());
        job.checkpoints(checkpoints(&fs).from(epoch)).run().unwrap();
        assert_eq!(out.text(), undisturbed(0), "version {version}");
    }
}

#[test]
fn the_disk_may_fail_and_the_power_go_at_any_moment_of_the_rewriting() {
    let (before, disk, _) = first_part(2);
    let start = |fs: &FaultFs, out: &Out| {
        let store = LocalStore::open(Arc::new(fs.clone()), "/job")?;
        let checkpoints = Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO);
        out.job(2, script(0, ALL, true)).limits(limits()).checkpoints(checkpoints).start()
    };
    // All is written anew when the job has started.
    let fs = disk.fork();
    let running = start(&fs, &before.fork()).unwrap();
    let end = fs.operations();
    running.join().unwrap();
    let (mut ended, mut carried_on) = (0, 0);
    for operation in 0..end {
        for fault in [Fault::PowerLoss, Fault::NoSpace, Fault::ShortWrite, Fault::FailedSync] {
            let (out, fs) = (before.fork(), disk.fork());
            fs.fail_at(operation, fault);
            match start(&fs, &out).and_then(|running| running.join().map(drop)) {
                Ok(()) => carried_on += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
                    ended += 1;
                    fs.crash(operation);
                    start(&fs, &out).unwrap().join().unwrap();
                }
            }
            assert_eq!(out.text(), undisturbed(0), "{fault:?} at operation {operation}");
        }
    }
    println!("{end} operations; {ended} ended, {carried_on} carried on");
    assert!(ended > 60 && carried_on > 20, "{ended} ended, {carried_on} carried on");
}
