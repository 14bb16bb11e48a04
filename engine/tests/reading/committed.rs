//! When a reader is told that an offset is committed.
//!
//! Would catch: a call before the manifest that holds the offset is stored, or for another partition; one that never comes, after a
//! crash between the two, after a stop, or for the last offset; and calls out of order or on another thread than the reader's.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use dualgauge_engine::checkpoint::{CommitKind, Entry, LocalStore, ManifestLog, SourceCut};
use dualgauge_engine::cluster::{Cluster, Secret};
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::testing::{Baton, Item, Lines, Script, as_lines};
use dualgauge_engine::{
    Checkpoints, Duration, Durations, Error, ErrorKind, Event, Flow, Job, Limits, Listing, Next, Offset, Partition,
    PartitionId, PartitionReader, Result, Scan, Source,
};

const SCRIPT: &str = "a:1@1 | a:2@2 | a:3@3 _ a:4@4 | a:5@5 | a:6@6 .
    b:1@1 _ _ b:2@2 | b:3@3 | b:4@4
    c:1@2 | c:2@3 | _ _ c:3@5";

/// One thing that a reader was asked.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    Opened(PartitionId, Option<u64>),
    Committed(PartitionId, u64),
}

/// A script whose readers note what they are told, and look whether it is true.
#[derive(Clone)]
struct Told {
    script: Script,
    fs: FaultFs,
    calls: Arc<Mutex<Vec<Call>>>,
    /// What the reader says when it is told.
    refuses: bool,
}

struct TellReader {
    reader: Box<dyn PartitionReader>,
    partition: PartitionId,
    told: Told,
    last: Option<u64>,
    thread: ThreadId,
    asked: bool,
}

impl Told {
    fn of(fs: &FaultFs) -> Told {
        Told { script: Script::from(SCRIPT), fs: fs.clone(), calls: Arc::default(), refuses: false }
    }

    fn note(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Source for Told {
    fn describe(&self) -> String {
        "told".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        self.script.partitions(scan)
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let (reader, id) = (self.script.open(partition, offset, scan)?, partition.id.clone());
        self.note(Call::Opened(id.clone(), offset.map(|offset| offset.position)));
        let (told, thread) = (self.clone(), thread::current().id());
        Ok(Box::new(TellReader { reader, partition: id, told, last: None, thread, asked: false }))
    }
}

impl PartitionReader for TellReader {
    fn next(&mut self) -> Result<Next> {
        self.asked = true;
        self.reader.next()
    }

    fn committed(&mut self, offset: &Offset) -> Result<()> {
        let (id, at) = (&self.partition, offset.position);
        assert_eq!(self.thread, thread::current().id(), "{id} is told by another thread than reads it");
        assert!(self.last.is_none_or(|last| last < at), "{id} is told of {at} after {:?}", self.last);
        self.last = Some(at);
        let stored = commits(&self.told.fs).iter().any(|(_, cut)| {
            cut.partitions.get(id).and_then(|cut| cut.offset.as_ref()).is_some_and(|offset| offset.position == at)
        });
        assert!(stored, "{id} is told of {at}, which no manifest holds");
        self.told.note(Call::Committed(id.clone(), at));
        if self.told.refuses { Err(Error::data("it is not to be had")) } else { Ok(()) }
    }
}

fn store(fs: &FaultFs) -> Arc<LocalStore> {
    Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap())
}

/// How far the source was read at each commit that is stored.
fn commits(fs: &FaultFs) -> Vec<(CommitKind, SourceCut)> {
    let entries = ManifestLog::read(&*store(fs)).unwrap();
    let commit = |entry: Entry| match entry {
        Entry::Commit(commit) => Some((commit.kind, commit.sources["items"].clone())),
        Entry::Fence(_) => None,
    };
    entries.into_iter().filter_map(|(_, entry)| commit(entry)).collect()
}

fn keys(flow: &Flow<'_>) {
    let keys = flow.source::<Item>("items").transform(NodeSpec::stateless("key"), |batch| {
        batch.transform(|event, out| out.push(Event::new(event.time, event.data.key)))
    });
    as_lines(keys).sink("lines");
}

fn job(told: &Told, lines: &Lines, workers: usize) -> Job {
    let limits = Limits { epoch_rows: 1, epoch_interval: Duration::MAX, ..Limits::default() };
    let checkpoints = Checkpoints::in_store(store(&told.fs)).every(Duration::ZERO);
    Job::new(keys)
        .source("items", told.clone())
        .sink("lines", lines.clone())
        .workers(workers)
        .limits(limits)
        .checkpoints(checkpoints)
}

/// The last offset of each partition in a cut, or among calls.
fn last_told(calls: &[Call]) -> Vec<(PartitionId, u64)> {
    let mut last = std::collections::BTreeMap::new();
    for call in calls {
        if let Call::Committed(id, at) = call {
            last.insert(id.clone(), *at);
        }
    }
    last.into_iter().collect()
}

fn last_stored(fs: &FaultFs) -> Vec<(PartitionId, u64)> {
    let Some((_, cut)) = commits(fs).pop() else { return Vec::new() };
    let offset = |(id, cut): (&PartitionId, &dualgauge_engine::checkpoint::PartitionCut)| {
        Some((id.clone(), cut.offset.as_ref()?.position))
    };
    cut.partitions.iter().filter_map(offset).collect()
}

#[test]
fn every_partition_is_told_of_its_last_offset_and_of_none_before_it_is_stored() {
    for workers in 1..=4 {
        for seed in 0..10 {
            let fs = FaultFs::new();
            let told = Told::of(&fs);
            job(&told, &Lines::default(), workers).turns(Arc::new(Baton::new(workers, seed))).run().unwrap();
            let calls = told.take();
            assert_eq!(
                last_told(&calls),
                last_stored(&fs),
                "{workers} workers, schedule {seed}: left told, right stored"
            );
            assert!(calls.len() > 6, "it is told as the job goes on: {calls:?}");
        }
    }
}

#[test]
fn a_job_whose_workers_run_as_they_like_is_told_too() {
    let fs = FaultFs::new();
    let told = Told::of(&fs);
    job(&told, &Lines::default(), 3).run().unwrap();
    assert_eq!(last_told(&told.take()), last_stored(&fs));
}

#[test]
fn the_readers_of_every_process_are_told() {
    let (fs, lines) = (FaultFs::new(), Lines::default());
    let told = Told::of(&fs);
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let hosts: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let mut process = 0;
    let running = listeners.map(|listener| {
        let cluster = Cluster::new(process, hosts.clone(), Secret::new("the secret of both").unwrap()).unwrap();
        process += 1;
        let job = job(&told, &lines, 2).cluster(cluster.listener(listener).bootstrap(30.seconds()));
        thread::spawn(move || job.run().unwrap())
    });
    running.into_iter().for_each(|process| drop(process.join().unwrap()));
    assert_eq!(last_told(&told.take()), last_stored(&fs));
}

#[test]
fn what_was_stored_and_not_told_before_a_kill_is_told_at_the_resume() {
    let mut between = 0;
    for seed in 0..2 {
        for turn in (0..240).step_by(6) {
            let (fs, lines) = (FaultFs::new(), Lines::default());
            let told = Told::of(&fs);
            let workers = 1 + seed as usize % 3;
            let baton = Arc::new(Baton::new(workers, seed).kill_at(turn));
            let Err(error) = job(&told, &lines, workers).turns(baton).run() else { break };
            assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
            let (first, stored) = (told.take(), commits(&fs).pop());
            let workers = 1 + (seed as usize + 1) % 3;
            job(&told, &lines, workers).turns(Arc::new(Baton::new(workers, seed))).run().unwrap();
            let second = told.take();
            for (id, cut) in stored.iter().flat_map(|(_, cut)| &cut.partitions) {
                let Some(offset) = cut.offset.as_ref().filter(|_| !cut.ended) else { continue };
                let at = offset.position;
                let opened = second.iter().position(|call| *call == Call::Opened(id.clone(), Some(at)));
                let opened =
                    opened.unwrap_or_else(|| panic!("seed {seed}, turn {turn}: {id} is opened at {at}: {second:?}"));
                let next =
                    second[opened + 1..].iter().find(|call| matches!(call, Call::Committed(other, _) if other == id));
                assert_eq!(next, Some(&Call::Committed(id.clone(), at)), "seed {seed}, turn {turn}");
                between += usize::from(!first.contains(&Call::Committed(id.clone(), at)));
            }
            let ended =
                |id: &PartitionId| stored.iter().any(|(_, cut)| cut.partitions.get(id).is_some_and(|cut| cut.ended));
            let (told, stored) = (last_told(&second), last_stored(&fs));
            for (id, at) in stored.iter().filter(|(id, _)| !ended(id)) {
                assert!(told.contains(&(id.clone(), *at)), "seed {seed}, turn {turn}: {id} at {at}: {told:?}");
            }
        }
    }
    assert!(between > 3, "only {between} times was it killed between the two");
}

#[test]
fn without_checkpoints_nobody_is_told() {
    let told = Told::of(&FaultFs::new());
    Job::new(keys).source("items", told.clone()).sink("lines", Lines::default()).run().unwrap();
    assert!(told.take().iter().all(|call| matches!(call, Call::Opened(..))));
}

#[test]
fn a_reader_that_refuses_ends_the_job_by_its_name() {
    let told = Told { refuses: true, ..Told::of(&FaultFs::new()) };
    let error = job(&told, &Lines::default(), 1).run().unwrap_err().to_string();
    for word in ["source items: 00", "committed at", "it is not to be had"] {
        assert!(error.contains(word), "{error}");
    }
}
