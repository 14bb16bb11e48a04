//! Several starts of one job at the same moment, which take turns at every operation on the disk that they share.
//!
//! Would catch: a start that sweeps away what another one writes, a claim or a lock over which two of them fall, and a
//! younger generation that fails for what an older one does. At least one comes to the end with the whole output; whoever
//! does not is told `E-FENCED`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use dualgauge::checkpoint::{LocalStore, Store};
use dualgauge::connectors::log::{Log, LogSink, ReadOptions};
use dualgauge::connectors::{csv, json, parquet};
use dualgauge::fs::{FaultFs, Fs, FsFile, FsLock, Kind, Lacks, Resolved};
use dualgauge::job::Turns;
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Line};
use dualgauge::{Checkpoints, Error, Next, PartitionReader};

use crate::common::{disk, drawn, limits, script, seeds};

/// The disk as one of several starts sees it: each operation waits for its turn.
#[derive(Clone)]
struct InTurn {
    fs: FaultFs,
    baton: Arc<Baton>,
    me: usize,
}

/// How often a lock that another one holds is tried for, each time after others had turns: time passes only so.
const TRIES: usize = 1_000;

impl InTurn {
    fn turn<T>(&self, work: impl FnOnce(&FaultFs) -> T) -> T {
        self.baton.take(self.me);
        let done = work(&self.fs);
        self.baton.pass(self.me, false);
        done
    }
}

impl std::fmt::Debug for InTurn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InTurn({})", self.me)
    }
}

impl Fs for InTurn {
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.turn(|fs| fs.create(path))
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.turn(|fs| fs.append(path))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.turn(|fs| fs.open(path))
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn(|fs| fs.link(from, to))
    }
    fn move_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn(|fs| fs.move_new(from, to))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn(|fs| fs.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.turn(|fs| fs.remove(path))
    }
    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        self.turn(|fs| fs.create_dirs(dir))
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.turn(|fs| fs.remove_dir(dir))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.turn(|fs| fs.sync_dir(dir))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.turn(|fs| fs.list(dir))
    }
    fn resolve(&self, path: &Path) -> Resolved {
        self.fs.resolve(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.turn(|fs| fs.kind(path))
    }
    fn lock(&self, path: &Path) -> io::Result<Option<FsLock>> {
        for _ in 0..TRIES {
            if let Some(lock) = self.turn(|fs| fs.lock(path))? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }
}

/// What is bound to the one sink of the graph.
pub const SINKS: [&str; 4] = ["parquet", "csv", "one file of json", "log"];

fn graph(flow: &Flow<'_>) {
    let items = flow.source::<Item>("items").disorder(9.seconds());
    let sums = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    let sums = sums.aggregate("sums", agg::sum(|item: &Item| item.value));
    sums.map(|pane| Line { time: pane.time, text: format!("{} {}", pane.key, pane.value) }).sink("sums");
}

/// The job on a disk, up to its end.
pub fn run(fs: Arc<dyn Fs>, sink: &str, seed: u64) -> Result<(), Error> {
    let job =
        Job::new(graph).source("items", script(seed, 2, 8)).limits(limits(5)).turns(Arc::new(Baton::new(1, seed)));
    let job = match sink {
        "parquet" => job.sink("sums", parquet::write("/job/out").span(10.seconds()).buckets(2).on(Arc::clone(&fs))),
        "csv" => job.sink("sums", csv::write("/job/out/").span(10.seconds()).on(Arc::clone(&fs))),
        "log" => job.sink("sums", LogSink::new_on(Arc::clone(&fs), "/job/out", 2)),
        _ => job.sink("sums", json::write("/job/out.jsonl").on(Arc::clone(&fs))),
    };
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(fs, "/job/checkpoints")?);
    job.checkpoints(Checkpoints::in_store(store).every(Duration::from_micros(1))).run().map(drop)
}

/// What readers see: files and their bytes, of a log its rows.
pub fn output(fs: &FaultFs, sink: &str) -> Vec<(String, String)> {
    let visible = |dir: &str| {
        let names = fs.list(Path::new(dir)).unwrap().into_iter().filter(|name| !name.starts_with('.'));
        names
            .filter_map(|name| Some((fs.read(&Path::new(dir).join(&name)).ok()?, name)))
            .map(|(bytes, name)| (name, format!("{bytes:?}")))
            .collect()
    };
    match sink {
        "log" => rows(fs),
        "one file of json" => visible("/job"),
        _ => visible("/job/out"),
    }
}

/// The rows of each partition of the log.
fn rows(fs: &FaultFs) -> Vec<(String, String)> {
    let log = Log::open_on(Arc::new(fs.clone()), "/job/out").unwrap();
    let rows = |partition: u32| {
        let mut reader = log.reader(partition, None, ReadOptions::default()).unwrap();
        let mut rows = Vec::new();
        while let Next::Batch(batch) = reader.next().unwrap() {
            let count = batch.rows.num_rows();
            rows.extend((0..count).map(|row| format!("{:?}", batch.rows.slice(row, 1))));
        }
        rows.sort();
        (partition.to_string(), rows.join("\n"))
    };
    (0..log.partitions()).map(rows).collect()
}

#[test]
fn of_starts_at_the_same_moment_at_least_one_ends_well_and_the_others_are_told() {
    at_the_same_moment(seeds(30), Lacks::default());
}

/// Several starts, on a file system that lacks something.
pub fn at_the_same_moment(seeds: std::ops::Range<u64>, lacks: Lacks) {
    let (mut ended, mut fenced) = (0, 0);
    for seed in seeds {
        for sink in SINKS {
            let undisturbed = disk();
            run(Arc::new(undisturbed.clone()), sink, seed).unwrap();
            let (fs, starts) = (disk(), 2 + drawn(seed, 1, 3) as usize);
            fs.set_lacks(lacks);
            let baton = Arc::new(Baton::new(starts, seed));
            let start = |me| {
                let (in_turn, baton) = (InTurn { fs: fs.clone(), baton: Arc::clone(&baton), me }, Arc::clone(&baton));
                move || {
                    let ended = run(Arc::new(in_turn), sink, seed);
                    baton.take(me);
                    baton.pass(me, true);
                    ended
                }
            };
            let threads: Vec<_> = (0..starts).map(|me| std::thread::spawn(start(me))).collect();
            let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            let failed: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
            assert!(failed.len() < starts, "{sink}, seed {seed}: none survived: {failed:?}");
            let other = failed.iter().find(|error| !error.to_string().contains("E-FENCED"));
            assert!(other.is_none(), "{sink}, seed {seed}: {other:?}");
            assert_eq!(output(&fs, sink), output(&undisturbed, sink), "{sink}, seed {seed}");
            (ended, fenced) = (ended + starts - failed.len(), fenced + failed.len());
        }
    }
    println!("{ended} starts came to the end, {fenced} were fenced");
    assert!(fenced > 0);
}
