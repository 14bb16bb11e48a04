//! Several processes, each a thread of this one with sockets between them: the same files as one process, with
//! checkpoints and without, and whatever the number of processes was before.
//!
//! Would catch: batches that do not survive the way between processes, partitions that nobody or two read, sinks that are
//! looked at or finished by several, state that goes to the wrong process when their number changes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use dualgauge::checkpoint::LocalStore;
use dualgauge::cluster::{Cluster, Secret};
use dualgauge::connectors::binding;
use dualgauge::fs::RealFs;
use dualgauge::job::Running;
use dualgauge::prelude::*;
use dualgauge::{Checkpoints, ErrorKind, Limits, Outcome, Result};

#[record]
struct Bid {
    auction: u64,
    channel: String,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Total {
    channel: String,
    #[event_time]
    time: EventTime,
    bids: u64,
    price: u64,
}

#[record]
struct Visit {
    auction: u64,
    #[event_time]
    time: EventTime,
    bids: u64,
}

/// Windows with aggregation before the exchange, sessions, running state, a state that is broadcast, and rows as they are.
fn graph(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").disorder(5.seconds());
    let (cheap, dear) = bids.split(|bid| if bid.price < 60 { Either::Left(bid) } else { Either::Right(bid) });
    let (some, others) = dear.split(|bid| if bid.price < 80 { Either::Left(bid) } else { Either::Right(bid) });
    // Every change so far, and in their order, is in the state.
    let changes = cheap.clone().broadcast(|state: &mut u64, bid: Bid| *state = (*state * 31 + bid.price) % 1_000_003);
    let met = |bid: Bid, state: &u64| [Visit { auction: bid.auction, time: bid.date_time, bids: *state }];
    others.clone().with_broadcast("met", changes, met).sink("met");
    cheap
        .key_by(|bid| bid.channel.clone())
        .window(tumbling(10.seconds()))
        .aggregate("totals", (agg::count(), agg::sum(|bid: &Bid| bid.price)))
        .map(|pane| Total { time: pane.time, channel: pane.key, bids: pane.value.0, price: pane.value.1 })
        .sink("totals");
    let sessions = some.key_by(|bid| bid.auction).window(session(15.seconds())).aggregate("visits", agg::count());
    sessions.map(|pane| Visit { time: pane.time, auction: pane.key, bids: pane.value }).sink("visits");
    others
        .key_by(|bid| bid.auction)
        .fold("running", |sum: &mut u64, bid: Bid| {
            *sum += bid.price;
            Visit { auction: bid.auction, time: bid.date_time, bids: *sum }
        })
        .sink("running");
}

/// Adds bids that are a little out of order to five files.
fn write_bids(dir: &Path, rows: Range<u64>) {
    std::fs::create_dir_all(dir).unwrap();
    for file in 0..FILES {
        let path = dir.join(format!("bids-{file}.csv"));
        let mut text = if path.exists() { String::new() } else { "auction,channel,price,date_time\n".to_string() };
        for number in rows.clone().filter(|number| number % FILES == file) {
            let (auction, price, second) = (number * 7919 % 23, number * 31 % 97, number / 5 + number * 13 % 5);
            let time = EventTime::default() + (second as i64).seconds();
            text += &format!("{auction},channel {},{price},{time}\n", number % 11);
        }
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}

const FILES: u64 = 5;

/// The job over the bids in `dir`, which writes to directories in `dir/out`.
fn job(dir: &Path, options: &str, out: &str) -> Job {
    let at = |name: &str| format!("{}/{out}/{name}", dir.display());
    Job::new(graph)
        .source_with(
            "bids",
            binding::source(&format!("csv:{}/in/{options}", dir.display())).unwrap().into(),
            dualgauge::flow::source("bids"),
        )
        .sink_with("totals", binding::sink(&format!("parquet:{}?span=1m", at("totals"))).unwrap().into())
        .sink_with("visits", binding::sink(&format!("csv:{}?buckets=3&span=1m", at("visits"))).unwrap().into())
        .sink_with("met", binding::sink(&format!("csv:{}?span=1m", at("met"))).unwrap().into())
        .sink_with("running", binding::sink(&format!("json:{}.json", at("running"))).unwrap().into())
        .limits(Limits { epoch_rows: 100, batch_rows: 64, ..Limits::default() })
}

/// Starts the job as so many processes; calls `meanwhile` with all of them, and gives what each of them says.
fn run_as(processes: usize, job: impl Fn() -> Job + Sync, meanwhile: impl FnOnce(&[Running])) -> Vec<Result<Outcome>> {
    if processes == 1 {
        let running = job().start().unwrap();
        meanwhile(std::slice::from_ref(&running));
        return vec![running.join()];
    }
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let hosts: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let secret = Secret::new(Secret::generate().unwrap()).unwrap();
    thread::scope(|scope| {
        let start = |(process, listener)| {
            let cluster = Cluster::new(process, hosts.clone(), secret.clone()).unwrap().listener(listener);
            let job = &job;
            scope.spawn(move || job().cluster(cluster).start().unwrap())
        };
        let starting: Vec<_> = listeners.into_iter().enumerate().map(start).collect();
        let running: Vec<_> = starting.into_iter().map(|process| process.join().unwrap()).collect();
        meanwhile(&running);
        // All are waited for at once: they end together.
        let ending: Vec<_> = running.into_iter().map(|running| scope.spawn(|| running.join())).collect();
        ending.into_iter().map(|process| process.join().unwrap()).collect()
    })
}

/// What a reader of the directory sees, by path.
fn output(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        match path.is_dir() {
            _ if name.starts_with('.') && (name.ends_with("job") || name.ends_with("published")) => {}
            true => found.extend(output(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes))),
            false => drop(found.insert(name, std::fs::read(path).unwrap())),
        }
    }
    found
}

fn assert_same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>, what: &str) {
    let names = |output: &BTreeMap<String, Vec<u8>>| output.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right), "{what}: the same files");
    assert!(left == right, "{what}: the same bytes");
}

#[test]
fn several_processes_write_the_files_that_one_writes() {
    let dir = tempfile::tempdir().unwrap();
    write_bids(&dir.path().join("in"), 0..2000);
    job(dir.path(), "", "alone").run().unwrap();
    let alone = output(&dir.path().join("alone"));
    assert!(alone.len() > 10, "{:?}", alone.keys());
    for (processes, workers) in [(2, 1), (2, 2), (3, 1)] {
        let out = format!("{processes}x{workers}");
        for outcome in run_as(processes, || job(dir.path(), "", &out).workers(workers), |_| {}) {
            outcome.unwrap();
        }
        assert_same(&output(&dir.path().join(&out)), &alone, &out);
    }
}

#[test]
fn a_job_goes_on_in_another_number_of_processes() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in");
    let store = Arc::new(LocalStore::open(Arc::new(RealFs), dir.path().join("checkpoints")).unwrap());
    let checkpointed = |options: &str, workers| {
        let checkpoints = Checkpoints::in_store(store.clone()).every(20.millis());
        job(dir.path(), options, "rescaled").workers(workers).checkpoints(checkpoints)
    };
    let mut written = 0;
    for (processes, workers) in [(1, 1), (2, 1), (1, 3), (3, 2)] {
        write_bids(&input, written..written + 500);
        written += 500;
        let stop_when_read = |running: &[Running]| {
            let rows = || running.iter().map(|one| one.metrics().source("bids").rows).sum::<u64>();
            while rows() < 500 && !running.iter().any(Running::is_finished) {
                thread::yield_now();
            }
            // Whichever is asked, all stop, after a checkpoint.
            running.last().unwrap().stop_handle().stop();
        };
        for outcome in run_as(processes, || checkpointed("?follow=true", workers), stop_when_read) {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
            assert!(error.to_string().contains("a last checkpoint"), "{error}");
        }
    }
    write_bids(&input, written..written + 500);
    for outcome in run_as(2, || checkpointed("", 2), |_| {}) {
        outcome.unwrap();
    }
    job(dir.path(), "", "alone").run().unwrap();
    let (rescaled, alone) = (output(&dir.path().join("rescaled")), output(&dir.path().join("alone")));
    assert_same(&rescaled, &alone, "rescaled");
    // Its input has ended, and what it wrote is whole: started once more, there is nothing to do.
    for outcome in run_as(3, || checkpointed("", 1), |_| {}) {
        outcome.unwrap();
    }
    assert_same(&output(&dir.path().join("rescaled")), &alone, "started once more");
}
