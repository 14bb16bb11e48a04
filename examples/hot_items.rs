//! Hot items: how many bids each auction gets, every ten seconds. One graph, run three times: over history, over the
//! live log while it is being written, and over history first and then the log. The three answers must be the same.
//!
//! `cargo run --release --example hot_items`; with arguments it is the command line of the graph, such as
//! `cargo run --release --example hot_items -- run --source bids=parquet:data/bids/ --sink hot_items=csv:-`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use dualgauge::connectors::hybrid::Hybrid;
use dualgauge::connectors::{log::LogSource, parquet};
use dualgauge::prelude::*;
use dualgauge::{Digest, Outcome, Source};
use dualgauge_nexmark::{FeedOptions, LiveFeed, Options, Table};

#[record]
struct Bid {
    auction: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct HotItem {
    auction: u64,
    #[event_time]
    time: EventTime,
    window_end: EventTime,
    bids: u64,
}

/// The graph. It names its input and its output, but not where they are.
pub fn hot_items(flow: &Flow) {
    flow.source::<Bid>("bids")
        .disorder(1.seconds())
        .key_by(|bid| bid.auction)
        .window(tumbling(10.seconds()))
        .aggregate("bids_per_auction", agg::count())
        .rows(|auction, window, bids| HotItem { auction, time: window.last_instant(), window_end: window.end, bids })
        .sink("hot_items");
}

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        return dualgauge::main(hot_items);
    }
    match compare() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("hot_items: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What happens, in event time: nearly four minutes at 10,000 events a second, a second out of order at most.
const EVENTS: u64 = 2_200_000;
const RATE: u64 = 10_000;

/// Makes the data, runs the graph over it in each way, and says whether the answers are equal.
fn compare() -> Result<bool, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (history, log) = (dir.path().join("history"), dir.path().join("live"));
    let runs = [replay(&history)?, live(&log)?, both(&dir.path().join("archive"), &dir.path().join("both"))?];

    print_hottest(&runs[0].items);
    println!("{:<8} {:>11} {:>9} {:>9} {:>7}  digest of the output", "run", "bids", "seconds", "M bids/s", "late");
    runs.iter().for_each(Run::print);
    println!("What is live comes as fast as it is made and synced to the disk, batch by batch.");
    let equal = runs.iter().all(|run| run.digest() == runs[0].digest());
    println!("\n{}", if equal { "One answer." } else { "The answers DIFFER." });
    Ok(equal)
}

/// Replays history: Parquet files.
fn replay(dir: &Path) -> Result<Run, Box<dyn Error>> {
    let disorder = 1.seconds();
    let tables = vec![Table::Bids];
    let made =
        dualgauge_nexmark::generate(&Options { events: EVENTS, rate: RATE, disorder, tables, ..Options::new(dir) })?;
    let table = &made.tables[0];
    println!("replay: {} bids in {} Parquet files", grouped(table.rows), table.files);
    Run::of("replay", parquet::read(&table.dir))
}

/// Follows the present: a log that a thread appends to while the job runs, until it seals it.
fn live(dir: &Path) -> Result<Run, Box<dyn Error>> {
    let mut feed = LiveFeed::create(dir, feed_options())?;
    let source = LogSource::of(feed.log().clone());
    let feeder = thread::spawn(move || feed.run());
    let run = Run::of("live", source)?;
    let appended = feeder.join().expect("the feed does not panic")?;
    println!("live:   {} bids appended to a log of 2 partitions while the job followed it", grouped(appended));
    Ok(run)
}

/// History first, then the present, in one run: the first half of a log is archived as Parquet files, which say which
/// part of it they hold; the second half is appended while the job runs.
fn both(archive: &Path, log: &Path) -> Result<Run, Box<dyn Error>> {
    let mut feed = LiveFeed::create(log, feed_options())?;
    feed.append(Table::Bids.rows(EVENTS) / 2)?;
    let archived = feed.archive(archive, 1 << 18)?;
    let source = Hybrid::archived(archive, log)?;
    let feeder = thread::spawn(move || feed.run());
    let run = Run::of("both", source)?;
    let appended = feeder.join().expect("the feed does not panic")?;
    println!("both:   {} bids archived as history, {} appended meanwhile", grouped(archived.rows), grouped(appended));
    Ok(run)
}

/// The same bids as in the history, a second out of order at most, in two partitions.
fn feed_options() -> FeedOptions {
    FeedOptions { events: EVENTS, rate: RATE, batch_rows: 16_384, ..FeedOptions::default() }
}

/// The result of a run of the graph.
struct Run {
    name: &'static str,
    outcome: Outcome,
    items: Vec<HotItem>,
}

impl Run {
    fn of(name: &'static str, bids: impl Source + 'static) -> Result<Run, Box<dyn Error>> {
        let out = memory::collect::<HotItem>();
        let workers = thread::available_parallelism().map_or(1, |count| count.get().min(4));
        let outcome = Job::new(hot_items).source("bids", bids).sink("hot_items", out.clone()).workers(workers).run()?;
        Ok(Run { name, outcome, items: out.rows() })
    }

    fn digest(&self) -> Digest {
        Digest::of(self.items.iter().cloned())
    }

    fn print(&self) {
        let (metrics, seconds) = (&self.outcome.metrics, self.outcome.elapsed.as_micros() as f64 / 1e6);
        let (bids, late) = (metrics.source("bids").rows, metrics.snapshot().late());
        let rate = bids as f64 / seconds / 1e6;
        println!("{:<8} {:>11} {seconds:>9.2} {rate:>9.2} {late:>7}  {}", self.name, grouped(bids), self.digest());
    }
}

/// The three hottest items of each of the last three windows.
fn print_hottest(items: &[HotItem]) {
    println!("\n{:<21} {:>8} {:>6}", "window ends", "auction", "bids");
    let mut hottest: Vec<&HotItem> = items.iter().collect();
    hottest.sort_by_key(|item| (item.window_end, std::cmp::Reverse(item.bids), item.auction));
    let windows: Vec<_> = hottest.chunk_by(|a, b| a.window_end == b.window_end).collect();
    for item in windows[windows.len().saturating_sub(3)..].iter().flat_map(|window| &window[..window.len().min(3)]) {
        println!("{:<21} {:>8} {:>6}", item.window_end.to_string(), item.auction, item.bids);
    }
    println!();
}

/// A number with thousands separators: 2,024,000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).unwrap()).collect();
    parts.join(",")
}
