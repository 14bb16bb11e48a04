//! Going back to a savepoint, or to checkpoints that were brought back from a copy, for every sink.
//!
//! Would catch: rows that are published once more, a savepoint that cannot be gone back to because what it has open is gone,
//! files taken back that were published before it, and output lost because a start after a crash in the midst of it resumes
//! from a commit whose output was taken back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use dualgauge::checkpoint::{CommitKind, Entry, LocalStore, ManifestLog};
use dualgauge::connectors::log::LogSink;
use dualgauge::connectors::memory::{self, Collect};
use dualgauge::connectors::{csv, json, parquet};
use dualgauge::fs::{Fault, FaultFs, Fs};
use dualgauge::job::StopHandle;
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Line};
use dualgauge::{Checkpoints, Epoch, Error, ErrorKind};

use crate::common::{disk, from_environment, limits, script};
use crate::starts::output;

/// What is bound to the one sink of the graph; a long span is open in every checkpoint and published at the end.
const SINKS: [&str; 6] = ["parquet", "parquet of one span", "csv", "one file of json", "log", "memory"];

/// What a run does when it has read so many items.
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    Savepoints,
    Stop,
    Nothing,
}

/// How many items are read before something is asked for.
const AT: [i64; 2] = [9, 17];

struct Run<'a> {
    fs: &'a FaultFs,
    sink: &'a str,
    memory: &'a Collect<Line>,
}

impl Run<'_> {
    fn run(&self, asks: Asks, checkpoints: impl Fn(Checkpoints) -> Checkpoints) -> Result<(), Error> {
        let (handle, count) = (Arc::new(OnceLock::<StopHandle>::new()), Arc::new(std::sync::atomic::AtomicI64::new(0)));
        let known = Arc::clone(&handle);
        let graph = move |flow: &Flow<'_>| {
            let (known, count) = (Arc::clone(&known), Arc::clone(&count));
            let items = flow.source::<Item>("items").disorder(9.seconds()).map(move |item| {
                let read = 1 + count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                match asks {
                    Asks::Savepoints if AT.contains(&read) => known.wait().savepoint(),
                    Asks::Stop if read == AT[0] => known.wait().stop(),
                    _ => {}
                }
                item
            });
            let sums = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let sums = sums.aggregate("sums", agg::sum(|item: &Item| item.value));
            sums.map(|pane| Line { time: pane.time, text: format!("{} {}", pane.key, pane.value) }).sink("sums");
        };
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        let job = Job::new(graph).source("items", script(3, 2, 14)).limits(limits(3)).turns(Arc::new(Baton::new(1, 1)));
        let job = match self.sink {
            "parquet" => job.sink("sums", parquet::write("/job/out").span(10.seconds()).buckets(2).on(fs)),
            "parquet of one span" => job.sink("sums", parquet::write("/job/out").span(1.hours()).buckets(2).on(fs)),
            "csv" => job.sink("sums", csv::write("/job/out/").span(10.seconds()).on(fs)),
            "one file of json" => job.sink("sums", json::write("/job/out.jsonl").on(fs)),
            "log" => job.sink("sums", LogSink::new_on(fs, "/job/out", 2)),
            "memory" => job.sink("sums", self.memory.clone()),
            other => panic!("{other} is bound to nothing"),
        };
        let store = LocalStore::open(Arc::new(self.fs.clone()), "/job/checkpoints")?;
        let every = Checkpoints::in_store(Arc::new(store)).every(Duration::from_micros(1));
        let running = job.checkpoints(checkpoints(every)).start()?;
        let _ = handle.set(running.stop_handle());
        running.join().map(drop)
    }

    fn output(&self) -> Vec<(String, String)> {
        match self.sink {
            "memory" => self.memory.rows().into_iter().map(|line| (String::new(), format!("{line:?}"))).collect(),
            sink => output(self.fs, sink),
        }
    }

    /// The epochs of its savepoints.
    fn savepoints(&self) -> Vec<Epoch> {
        let store = LocalStore::open(Arc::new(self.fs.clone()), "/job/checkpoints").unwrap();
        let entries = ManifestLog::read(&store).unwrap().into_iter();
        let savepoint = |entry| match entry {
            Entry::Commit(commit) if commit.kind == CommitKind::Savepoint => Some(commit.epoch),
            _ => None,
        };
        entries.filter_map(|(_, entry)| savepoint(entry)).collect()
    }
}

/// What a run gives that nobody disturbs.
fn undisturbed(sink: &str) -> Vec<(String, String)> {
    let (fs, memory) = (disk(), memory::collect());
    let run = Run { fs: &fs, sink, memory: &memory };
    run.run(Asks::Nothing, |checkpoints| checkpoints).unwrap();
    assert!(!run.output().is_empty(), "{sink}");
    run.output()
}

fn refused(sink: &str, ended: Result<(), Error>, words: &[&str]) {
    let error = ended.expect_err(sink);
    assert_eq!(error.kind(), ErrorKind::Usage, "{sink}: {error}");
    for word in ["E-OUTPUT-AHEAD", "sink sums"].iter().chain(words) {
        assert!(error.to_string().contains(word), "{sink}: {word}: {error}");
    }
}

#[test]
fn a_savepoint_is_gone_back_to_and_what_was_published_since_is_replaced_on_request_alone() {
    for sink in SINKS {
        let (expected, fs, memory) = (undisturbed(sink), disk(), memory::collect());
        let run = Run { fs: &fs, sink, memory: &memory };
        run.run(Asks::Savepoints, |checkpoints| checkpoints).unwrap();
        assert_eq!(run.output(), expected, "{sink}: a savepoint changes nothing");
        let [first, second] = run.savepoints()[..] else { panic!("{sink}: {:?}", run.savepoints()) };

        for _ in 0..2 {
            refused(
                sink,
                run.run(Asks::Nothing, |it| it.from(first)),
                &[&format!("after epoch {first}"), "Checkpoints::replace_output"],
            );
            assert_eq!(run.output(), expected, "{sink}: nothing is touched unasked");
        }
        // Back to the later one, to the earlier one, and to that again, each as often as one likes.
        for back in [second, first, first] {
            let ended = run.run(Asks::Nothing, |it| it.from(back).replace_output());
            assert!(ended.is_ok(), "{sink}, back to {back}: {ended:?}");
            assert_eq!(run.output(), expected, "{sink}, back to {back}");
        }
        run.run(Asks::Nothing, |it| it).unwrap();
        assert_eq!(run.output(), expected, "{sink}: and it has ended");
    }
}

#[test]
fn checkpoints_that_were_brought_back_from_a_copy_are_found_behind_their_output() {
    for sink in SINKS {
        let (expected, fs, memory) = (undisturbed(sink), disk(), memory::collect());
        let run = Run { fs: &fs, sink, memory: &memory };
        let stopped = run.run(Asks::Stop, |checkpoints| checkpoints).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Stopped, "{sink}: {stopped}");
        let copy = all(&fs);
        run.run(Asks::Nothing, |checkpoints| checkpoints).unwrap();
        assert_eq!(run.output(), expected, "{sink}");
        all(&fs).keys().for_each(|path| fs.remove(path.as_ref()).unwrap());
        for (path, bytes) in copy {
            fs.create(path.as_ref()).unwrap().append(&bytes).unwrap();
        }

        refused(sink, run.run(Asks::Nothing, |it| it), &["from an older copy", "Checkpoints::replace_output"]);
        assert_eq!(run.output(), expected, "{sink}: nothing is touched unasked");
        let ended = run.run(Asks::Nothing, Checkpoints::replace_output);
        assert!(ended.is_ok(), "{sink}: {ended:?}");
        assert_eq!(run.output(), expected, "{sink}");
    }
}

/// The files of the checkpoints.
fn all(fs: &FaultFs) -> BTreeMap<String, Vec<u8>> {
    let folders = ["manifest", "layers", "floors", "kept"].map(|folder| format!("/job/checkpoints/{folder}"));
    let files = folders
        .iter()
        .flat_map(|folder| fs.list(folder.as_ref()).unwrap().into_iter().map(move |name| format!("{folder}/{name}")));
    files.map(|path| (path.clone(), fs.read(Path::new(&path)).unwrap())).collect()
}

#[test]
fn a_crash_at_any_operation_of_going_back_is_resumed_from_by_a_start_without_a_word() {
    let subsets = from_environment("DUALGAUGE_SUBSETS", 1);
    for sink in SINKS.into_iter().filter(|sink| *sink != "memory") {
        let (expected, fs, memory) = (undisturbed(sink), disk(), memory::collect());
        let run = Run { fs: &fs, sink, memory: &memory };
        run.run(Asks::Savepoints, |checkpoints| checkpoints).unwrap();
        let first = run.savepoints()[0];
        let (fs, whole) = (fs.fork(), fs.fork());
        Run { fs: &whole, ..run }.run(Asks::Nothing, |it| it.from(first).replace_output()).unwrap();
        let operations = whole.operations();
        let step = from_environment("DUALGAUGE_STEP", 3) as usize;
        let crashed = crate::disks::count((0..operations).step_by(step), |operation| {
            let memory = memory::collect();
            let fs = fs.fork();
            fs.fail_at(operation, Fault::PowerLoss);
            let ended = Run { fs: &fs, sink, memory: &memory }.run(Asks::Nothing, |it| it.from(first).replace_output());
            for subset in 0..subsets {
                let left = fs.after_crash(subset);
                let again = Run { fs: &left, sink, memory: &memory };
                let resumed = again.run(Asks::Nothing, |it| it);
                assert!(resumed.is_ok(), "{sink}, operation {operation}, subset {subset}: {resumed:?}");
                assert!(
                    again.output() == expected,
                    "{sink}, operation {operation}, subset {subset}: {:?}",
                    again.output()
                );
            }
            ended.is_err()
        });
        println!(
            "{sink}: of {operations} operations of a start that goes back each {step}rd lost power; {crashed} ended it"
        );
        assert!(crashed > 20, "{sink}: {crashed}");
    }
}
