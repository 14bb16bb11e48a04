//! One graph, one answer: whole graphs over the same bids, lying differently and read differently, must write the same
//! bytes. What this would catch: an answer that depends on files, row groups, partitions, batches, epochs or workers, or
//! on whether the bids were history, live, or both.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dualgauge::connectors::hybrid::Hybrid;
use dualgauge::connectors::log::LogSource;
use dualgauge::connectors::parquet;
use dualgauge::flow::SourceOptions;
use dualgauge::fs::{FaultFs, Fs};
use dualgauge::prelude::*;
use dualgauge::testing::survive_on;
use dualgauge::{Limits, Source};
use dualgauge_nexmark::{FeedOptions, LiveFeed, Options, Table};

const EVENTS: u64 = 20_000;
const RATE: u64 = 500;

/// Runs with crashes, of each graph over each kind of source.
const CRASHES: u64 = 3;

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Answer {
    #[event_time]
    time: EventTime,
    key: u64,
    start: EventTime,
    bids: u64,
    dearest: u64,
}

fn answer(pane: Pane<u64, (u64, Option<u64>)>) -> Answer {
    Answer {
        time: pane.time,
        key: pane.key,
        start: pane.window.start,
        bids: pane.value.0,
        dearest: pane.value.1.unwrap_or_default(),
    }
}

fn bids<'s>(flow: &Flow<'s>) -> Stream<'s, Bid> {
    flow.source::<Bid>("bids").disorder(1.seconds())
}

fn hot_items(flow: &Flow) {
    let panes = bids(flow).key_by(|bid| bid.auction).window(tumbling(5.seconds()));
    panes.aggregate("hot_items", (agg::count(), agg::max(|bid: &Bid| bid.price))).map(answer).sink("out");
}

fn overlapping(flow: &Flow) {
    let panes = bids(flow).key_by(|bid| bid.auction % 7).window(sliding(6.seconds(), 4.seconds()).offset(1.seconds()));
    panes.aggregate("overlapping", (agg::count(), agg::max(|bid: &Bid| bid.price))).map(answer).sink("out");
}

fn sessions(flow: &Flow) {
    let panes = bids(flow).key_by(|bid| bid.bidder).window(session(3.seconds()));
    panes.aggregate("sessions", (agg::count(), agg::max(|bid: &Bid| bid.price))).map(answer).sink("out");
}

fn running(flow: &Flow) {
    let totals = bids(flow).key_by(|bid| bid.auction).fold("running", |dearest: &mut u64, bid: Bid| {
        *dearest = bid.price.max(*dearest);
        Answer { time: bid.date_time, key: bid.auction, start: bid.date_time, bids: bid.price, dearest: *dearest }
    });
    totals.sink("out");
}

fn corrected(flow: &Flow) {
    let windowed =
        bids(flow).key_by(|bid| bid.auction % 50).window(tumbling(5.seconds())).allowed_lateness(2.seconds());
    windowed
        .early(1.seconds())
        .aggregate("corrected", (agg::count(), agg::max(|bid: &Bid| bid.price)))
        .map(answer)
        .sink("out");
}

const GRAPHS: [fn(&Flow); 5] = [hot_items, overlapping, sessions, running, corrected];

/// The bytes of every file that a run writes, by name.
fn run(graph: fn(&Flow), source: impl Source + 'static, workers: usize, limits: Limits) -> BTreeMap<String, Vec<u8>> {
    let out = tempfile::tempdir().unwrap();
    let sink = parquet::write(out.path()).span(20.seconds()).buckets(2);
    let job = Job::new(graph).source("bids", source).sink("out", sink).workers(workers).limits(limits);
    let outcome = job.run().unwrap();
    assert_eq!(outcome.metrics.snapshot().late(), 0);
    let entries = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| (path.file_name().unwrap().to_string_lossy().to_string(), std::fs::read(path).unwrap());
    entries.map(|path| read(&path)).collect()
}

/// The same through crashes that `seed` draws, with output and checkpoints on one disk that loses power too.
fn run_through_crashes(graph: fn(&Flow), source: &dyn Fn() -> Arc<dyn Source>, seed: u64) -> BTreeMap<String, Vec<u8>> {
    let fs = FaultFs::new();
    survive_on(&fs, seed, || {
        let sink = parquet::write("/out").span(20.seconds()).buckets(2).on(Arc::new(fs.clone()));
        Job::new(graph).source_with("bids", source(), SourceOptions::default()).sink("out", sink)
    });
    let names = fs.list(Path::new("/out")).unwrap().into_iter().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.clone(), fs.read(&Path::new("/out").join(name)).unwrap())).collect()
}

fn history(dir: &Path, file_rows: usize, row_group_rows: usize, disorder: Duration) {
    let options = Options { events: EVENTS, rate: RATE, tables: vec![Table::Bids], ..Options::new(dir) };
    dualgauge_nexmark::generate(&Options { file_rows, row_group_rows, disorder, ..options }).unwrap();
}

fn feed(dir: &Path, partitions: u32, batch_rows: u64) -> LiveFeed {
    let options = FeedOptions { events: EVENTS, rate: RATE, partitions, batch_rows, ..FeedOptions::default() };
    LiveFeed::create(dir, options).unwrap()
}

fn small_epochs() -> Limits {
    Limits { epoch_rows: 500, batch_rows: 300, ..Limits::default() }
}

#[test]
fn every_way_of_lying_and_reading_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    history(&at("whole"), usize::MAX, usize::MAX, Duration::ZERO);
    history(&at("parts"), 7_001, 1_013, 1.seconds());
    let mut alone = feed(&at("alone"), 1, 997);
    alone.run().unwrap();
    let mut three = feed(&at("three"), 3, 250);
    three.run().unwrap();
    let mut both = feed(&at("both"), 2, 400);
    both.append(8_000).unwrap();
    both.archive(at("archive"), 3_000).unwrap();
    both.run().unwrap();
    let seam = dualgauge_nexmark::START + 17.seconds();

    for graph in GRAPHS {
        let expected = run(graph, parquet::read(at("whole/bids")), 1, Limits::default());
        assert!(expected.len() >= 4, "two spans of two buckets at least, not {:?}", expected.keys());
        let same = |what: &str, found: BTreeMap<String, Vec<u8>>| {
            assert!(found.keys().eq(expected.keys()), "{what}: {:?} and not {:?}", found.keys(), expected.keys());
            assert!(found == expected, "{what}: other bytes");
        };
        same("history, two workers", run(graph, parquet::read(at("whole/bids")), 2, Limits::default()));
        same("history in parts", run(graph, parquet::read(at("parts/bids")), 1, small_epochs()));
        same("history in parts, three workers", run(graph, parquet::read(at("parts/bids")), 3, small_epochs()));
        let log = |name: &str| LogSource::open(at(name)).unwrap();
        same("live", run(graph, log("alone"), 1, Limits::default()));
        same("live, three partitions, two workers", run(graph, log("three"), 2, small_epochs()));
        let archived = || Hybrid::archived(at("archive"), at("both")).unwrap();
        same("history, then live", run(graph, archived(), 1, Limits::default()));
        same("history, then live, three workers", run(graph, archived(), 3, small_epochs()));
        let cut = Hybrid::cut_at(seam, parquet::read(at("parts/bids")), log("three"));
        same("history before a time and live from it on", run(graph, cut, 2, small_epochs()));
        let parts: &dyn Fn() -> Arc<dyn Source> = &|| Arc::new(parquet::read(at("parts/bids")));
        let three: &dyn Fn() -> Arc<dyn Source> = &|| Arc::new(log("three"));
        let hybrid: &dyn Fn() -> Arc<dyn Source> = &|| Arc::new(archived());
        for (what, source) in [("history", parts), ("live", three), ("history, then live", hybrid)] {
            for seed in 0..CRASHES {
                let found = run_through_crashes(graph, source, seed);
                same(&format!("{what}, through crashes of seed {seed}"), found);
            }
        }
    }
}

#[test]
fn a_hole_in_the_history_is_found_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (log, archive) = (dir.path().join("log"), dir.path().join("archive"));
    let mut feed = feed(&log, 1, 500);
    feed.append(6_000).unwrap();
    feed.archive(&archive, 2_500).unwrap();
    Hybrid::archived(&archive, &log).unwrap();
    history(&dir.path().join("plain"), usize::MAX, usize::MAX, Duration::ZERO);
    let refused = Hybrid::archived(dir.path().join("plain/bids"), &log).err().unwrap().to_string();
    assert!(refused.contains("do not say which offsets"), "{refused}");
}
