//! The three ways of one program over one kind of source.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dualgauge::checkpoint::LocalStore;
use dualgauge::connectors::{json, parquet};
use dualgauge::flow::SourceOptions;
use dualgauge::fs::{FaultFs, Fs};
use dualgauge::prelude::*;
use dualgauge::testing::Baton;
use dualgauge::{Checkpoints, ErrorKind, Limits};

use crate::corpus::{Corpus, Program, Way};

/// The bytes of every file that a reader sees, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What one run has written.
#[derive(PartialEq)]
pub struct Ran {
    pub files: Files,
    /// The rows that were late, sorted. They come behind the watermark, so it is chance in which file each is written.
    pub late: Vec<String>,
}

/// What the three ways came to.
pub struct Three {
    pub straight: Ran,
    pub checkpointed: Ran,
    /// By seed.
    pub crashed: Vec<Ran>,
}

impl Three {
    pub fn of(program: &Program, corpus: &Corpus, way: Way) -> Three {
        let job = |fs: &FaultFs| job(program, corpus, way, fs);
        let fs = disk();
        job(&fs).run().unwrap_or_else(|error| panic!("{}: {error}", program.name));
        let straight = Ran::of(program, &fs);
        let (checkpointed, turns) = checkpointed(program, &job);
        let seeds = std::env::var("DUALGAUGE_SEEDS").map_or(1, |count| count.parse().expect("a number"));
        let crashed = (0..seeds).map(|seed| crashed(program, &job, turns, seed)).collect();
        Three { straight, checkpointed, crashed }
    }
}

/// With checkpoints, on two workers; and how many turns it takes.
fn checkpointed(program: &Program, job: &impl Fn(&FaultFs) -> Job) -> (Ran, u64) {
    let (fs, baton) = (disk(), Arc::new(Baton::new(2, 0)));
    let outcome = job(&fs).workers(2).turns(baton.clone()).limits(small()).checkpoints(checkpoints(&fs)).run();
    let metrics = outcome.unwrap_or_else(|error| panic!("{}: {error}", program.name)).metrics;
    let commits = metrics.commits();
    assert!(commits >= 3, "{}: only {commits} checkpoints", program.name);
    (Ran::of(program, &fs), baton.turns())
}

/// Killed on two workers at a drawn turn of its second half, with the power; then resumed on three.
fn crashed(program: &Program, job: &impl Fn(&FaultFs) -> Job, turns: u64, seed: u64) -> Ran {
    let fs = disk();
    let kill = turns / 2 + (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) % (turns / 3);
    let baton = Arc::new(Baton::new(2, seed).kill_at(kill));
    let killed = job(&fs).workers(2).turns(baton).limits(small()).checkpoints(checkpoints(&fs));
    let running = killed.start().unwrap();
    let before = running.metrics();
    let ended = running.join().map(drop).expect_err("it is killed");
    assert_eq!(ended.kind(), ErrorKind::Stopped, "{}, killed at turn {kill} of {turns}: {ended}", program.name);
    assert!(before.commits() > 0, "{}: killed at turn {kill} of {turns}, before any commit", program.name);
    fs.crash(seed);
    let resumed = job(&fs).workers(3).limits(small()).checkpoints(checkpoints(&fs)).run();
    let after = resumed.unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", program.name)).metrics;
    let read = |metrics: &dualgauge::job::Metrics| metrics.snapshot().rows_read();
    let (first, second) = (read(&before), read(&after));
    assert!(second > 0 && first > 0, "{}: it goes on: {first} rows before, {second} after", program.name);
    Ran::of(program, &fs)
}

fn job(program: &Program, corpus: &Corpus, way: Way, fs: &FaultFs) -> Job {
    let mut job = Job::new(program.graph);
    for name in &program.sources {
        job = job.source_with(name, corpus.source(name, way), SourceOptions::default());
    }
    let (dir, fs) = (|name| Path::new("/").join(name), Arc::new(fs.clone()));
    job = job.sink(program.answer, parquet::write(dir(program.answer)).span(program.span).buckets(2).on(fs.clone()));
    match program.late {
        Some(late) => job.sink(late, json::write(dir(late)).span(program.span).buckets(2).on(fs)),
        None => job,
    }
}

/// Small epochs, which nothing but their rows ends.
fn small() -> Limits {
    Limits { epoch_rows: 50, batch_rows: 50, epoch_interval: Duration::MAX, ..Limits::default() }
}

/// As often as can be, on the disk of the output.
fn checkpoints(fs: &FaultFs) -> Checkpoints {
    let store = LocalStore::open(Arc::new(fs.clone()), "/job").unwrap();
    Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO)
}

/// An empty disk with the directory of the job.
fn disk() -> FaultFs {
    let fs = FaultFs::new();
    fs.create_dirs(Path::new("/job")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    fs
}

impl Ran {
    fn of(program: &Program, fs: &FaultFs) -> Ran {
        let lines = |text: Vec<u8>| String::from_utf8(text).unwrap().lines().map(str::to_string).collect::<Vec<_>>();
        let late = program.late.into_iter().flat_map(|sink| files(sink, fs).into_values().flat_map(lines));
        let mut late: Vec<_> = late.collect();
        late.sort();
        Ran { files: files(program.answer, fs), late }
    }
}

fn files(sink: &str, fs: &FaultFs) -> Files {
    let dir = Path::new("/").join(sink);
    let names = fs.list(&dir).unwrap_or_default().into_iter().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.clone(), fs.read(&dir.join(name)).unwrap())).collect()
}
