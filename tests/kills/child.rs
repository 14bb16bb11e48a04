//! The program that is killed: one graph with every kind of state, and a file sink of every kind.

use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dualgauge::checkpoint::LocalStore;
use dualgauge::cluster::{Cluster, Secret};
use dualgauge::connectors::log::{LogSink, LogSource};
use dualgauge::connectors::{csv, json, parquet};
use dualgauge::flow::SourceOptions;
use dualgauge::fs::RealFs;
use dualgauge::prelude::*;
use dualgauge::{Checkpoints, ErrorKind, Limits, Source};

use crate::{bad_records, panics};

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
pub struct Answer {
    #[event_time]
    pub time: EventTime,
    pub key: u64,
    pub value: u64,
}

/// Windows to Parquet, sessions to JSON, running totals to CSV.
fn files(flow: &Flow<'_>) {
    of_files(flow);
}

/// The same, and the dearest bids of sliding windows to a log.
fn files_and_log(flow: &Flow<'_>) {
    let windows = of_files(flow).key_by(|bid| bid.bidder % 9).window(sliding(6.seconds(), 4.seconds()));
    let dearest = windows.aggregate("dearest_of_windows", agg::max(|bid: &Bid| bid.price));
    dearest
        .map(|pane| Answer { time: pane.time, value: pane.value.unwrap_or_default(), key: pane.key })
        .sink("dearest");
}

/// Windows to Parquet, and lines that cannot be read to JSON.
fn quarantined(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").disorder(1.seconds()).quarantine("bad_bids");
    let windows =
        bids.key_by(|bid| bid.auction).window(tumbling(5.seconds())).aggregate("bids_of_windows", agg::count());
    windows.map(|pane| Answer { time: pane.time, key: pane.key, value: pane.value }).sink("windows");
}

/// Windows, and a total, with hooks that may panic.
fn hooked(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").disorder(1.seconds()).map(|bid| {
        panics::call("map");
        bid
    });
    let windows = bids.clone().key_by(|bid| {
        panics::call("key_by");
        bid.auction
    });
    let dearest = agg::max(|bid: &Bid| {
        panics::call("aggregate");
        bid.price
    });
    let windows = windows.window(tumbling(5.seconds())).aggregate("dearest_of_windows", dearest);
    windows
        .map(|pane| Answer { time: pane.time, value: pane.value.unwrap_or_default(), key: pane.key })
        .sink("windows");
    let totals = bids.clone().key_by(|bid| bid.auction % 50).fold("total_of_auctions", |total: &mut u64, bid: Bid| {
        panics::call("fold");
        *total += bid.price;
        Answer { time: bid.date_time, key: bid.auction, value: *total }
    });
    totals.sink("totals");
}

fn of_files<'s>(flow: &Flow<'s>) -> Stream<'s, Bid> {
    let bids = flow.source::<Bid>("bids").disorder(1.seconds());

    let windows = bids.clone().key_by(|bid| bid.auction).window(tumbling(5.seconds()));
    let windows = windows.aggregate("bids_of_windows", agg::count());
    windows.map(|pane| Answer { time: pane.time, key: pane.key, value: pane.value }).sink("windows");

    let visits = bids.clone().key_by(|bid| bid.bidder).window(session(3.seconds()));
    let visits = visits.aggregate("dearest_of_sessions", agg::max(|bid: &Bid| bid.price));
    visits
        .map(|pane| Answer { time: pane.time, value: pane.value.unwrap_or_default(), key: pane.key })
        .sink("sessions");

    let totals = bids.clone().key_by(|bid| bid.auction % 50).fold("total_of_auctions", |total: &mut u64, bid: Bid| {
        *total += bid.price;
        Answer { time: bid.date_time, key: bid.auction, value: *total }
    });
    totals.sink("totals");
    bids
}

/// Runs the job, or one process of it, as its words say; whatever was there before, it goes on from.
pub fn run(words: &[String]) -> ExitCode {
    let [dir, from, to, workers, process, hosts, patience @ ..] = words else {
        panic!("directory, source, sinks, workers, process, hosts, patience: {words:?}")
    };
    let (workers, process) = (workers.parse().expect("a number of workers"), process.parse().expect("a number"));
    let hosts: Vec<&str> = hosts.split(',').collect();
    let job = job(Path::new(dir), from, to, workers, hosts.len());
    let job =
        job.and_then(|job| if hosts.len() > 1 { Ok(job.cluster(cluster(process, hosts, patience)?)) } else { Ok(job) });
    match job.and_then(Job::run) {
        Ok(outcome) => {
            if to == "quarantine" {
                println!("bad {}", outcome.metrics.source("bids").bad);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{:?}: {error}", error.kind());
            // As the command line of a graph does.
            if error.kind() == ErrorKind::Panic { ExitCode::from(70) } else { ExitCode::FAILURE }
        }
    }
}

/// The part of this process, which listens at its standard input.
fn cluster(process: usize, hosts: Vec<&str>, patience: &[String]) -> dualgauge::Result<Cluster> {
    let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned().expect("it is open"));
    let micros = patience.iter().map(|micros| Duration::from_micros(micros.parse().expect("microseconds")));
    let [deadline, bootstrap] = micros.collect::<Vec<_>>()[..] else { panic!("two times: {patience:?}") };
    let cluster = Cluster::new(process, hosts, Secret::new("known to all processes of the test")?)?.listener(listener);
    Ok(cluster.heartbeat(Duration::from_micros(deadline.as_micros() / 10), deadline).bootstrap(bootstrap))
}

fn job(dir: &Path, from: &str, to: &str, workers: usize, processes: usize) -> dualgauge::Result<Job> {
    let data = dir.parent().expect("the directory of a run lies beside its input");
    let bids: Arc<dyn Source> = match from {
        "history" => Arc::new(parquet::read(data.join("history/bids"))),
        bad_records::DIRECTORY => Arc::new(csv::read(data.join(from))),
        _ => Arc::new(LogSource::open(dir.join("live"))?),
    };
    let out = dir.join("out");
    let graph = match to {
        "log" => files_and_log,
        "quarantine" => quarantined,
        _ if to.starts_with(panics::PANIC) => hooked,
        _ => files,
    };
    let job = Job::new(graph).workers(workers).source_with("bids", bids, SourceOptions::default());
    let job = job.sink("windows", parquet::write(out.join("windows")).span(20.seconds()).buckets(2));
    let job = match to {
        _ if to.starts_with(panics::PANIC) => {
            panics::arm(&to[panics::PANIC.len()..]);
            job.sink("totals", csv::write(out.join("totals/")).span(20.seconds()))
        }
        "quarantine" => job.sink("bad_bids", json::write(out.join("bad_bids/")).span(20.seconds()).buckets(2)),
        _ => {
            let job = job.sink("sessions", json::write(out.join("sessions/")).span(20.seconds()).buckets(2));
            job.sink("totals", csv::write(out.join("totals/")).span(20.seconds()))
        }
    };
    let job = if to == "log" { job.sink("dearest", LogSink::new(out.join("dearest"), 2)) } else { job };
    let store = LocalStore::open(Arc::new(RealFs), dir.join("checkpoints"))?;
    // Each process has its part of the rows, and a run is to have some checkpoints however many there are.
    let (epoch_rows, batch_rows) = match from {
        bad_records::DIRECTORY => (bad_records::lines() as usize / 60 / processes, 4_096),
        _ => (50 / processes, 40),
    };
    let limits = Limits { epoch_rows, batch_rows: epoch_rows.min(batch_rows), ..Limits::default() };
    Ok(job.limits(limits).checkpoints(Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO)))
}
