//! A graph, its data, and a console that remembers.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use dualgauge::cli::{Console, Exit, Interrupt, run_from};
use dualgauge::connectors::parquet::{FileOptions, write_file};
use dualgauge::prelude::*;

#[record]
pub struct Bid {
    pub auction: u64,
    pub price: u64,
    #[event_time]
    pub date_time: EventTime,
}

#[record]
pub struct HotItem {
    pub auction: u64,
    #[event_time]
    pub time: EventTime,
    pub bids: u64,
}

/// Bids per auction in windows of ten seconds.
pub fn hot_items(flow: &Flow<'_>) {
    flow.source::<Bid>("bids")
        .key_by(|bid| bid.auction)
        .window(tumbling(10.seconds()))
        .aggregate("bids_per_auction", agg::count())
        .map(|pane| HotItem { auction: pane.key, time: pane.time, bids: pane.value })
        .sink("hot_items");
}

/// The name of an auction: a row of a table.
#[record]
pub struct Name {
    pub auction: u64,
    pub name: String,
}

/// A bid with the name of its auction.
#[record]
pub struct NamedBid {
    pub name: String,
    #[event_time]
    pub time: EventTime,
}

/// The bids on auctions that are in a table of names.
pub fn named_bids(flow: &Flow<'_>) {
    let names = flow.table::<Name>("names");
    let named = flow.source::<Bid>("bids").lookup(names, |bid| bid.auction, |name| name.auction);
    named.inner(|bid, name| NamedBid { name: name.name.clone(), time: bid.date_time }).sink("named");
}

/// What a call printed, and how it exits.
pub struct Answer {
    pub exit: Exit,
    pub out: String,
    pub err: String,
}

/// Calls the command line of a graph with these words.
pub fn call_graph(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static, words: &[&str], interrupt: Interrupt) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let console = Console { out: &mut out, err: &mut err, terminal: false, interrupt };
    let exit = run_from(graph, [&["hot_items"], words].concat(), console);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { exit, out: text(out), err: text(err) }
}

/// Calls the command line of [`hot_items`].
pub fn call(words: &[&str]) -> Answer {
    call_graph(hot_items, words, Interrupt::default())
}

/// A directory with bids in it, gone at the end of the test.
pub struct Data(tempfile::TempDir);

impl Data {
    /// One bid a second from the epoch, on auctions 1 and 2 in turn: `bids.csv`, and `bids.parquet` in row groups of 20.
    pub fn of_seconds(seconds: u64) -> Data {
        let data = Data(tempfile::tempdir().unwrap());
        let bids: Vec<_> = (0..seconds).map(bid_at).collect();
        std::fs::write(data.path("bids.csv"), "auction,price,date_time\n").unwrap();
        data.append(0..seconds);
        let options = FileOptions { row_group_rows: 20, ..FileOptions::default() };
        write_file(data.path("bids.parquet"), &Bid::schema(), [Bid::encode(bids.iter())], &options).unwrap();
        data
    }

    /// Writes the bids of more seconds at the end of `bids.csv`.
    pub fn append(&self, seconds: Range<u64>) {
        let line = |bid: Bid| format!("{},{},{}\n", bid.auction, bid.price, bid.date_time);
        let mut file = std::fs::OpenOptions::new().append(true).open(self.path("bids.csv")).unwrap();
        file.write_all(seconds.map(bid_at).map(line).collect::<String>().as_bytes()).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `bids=csv:…/bids.csv?disorder=0s` and the like.
    pub fn bind(&self, name: &str, scheme: &str, file: &str) -> String {
        format!("{name}={scheme}:{}", self.path(file).display())
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// The lines of a file that a run wrote, without the header.
    pub fn lines(&self, name: &str) -> Vec<String> {
        lines(&self.path(name))
    }
}

pub fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().skip(1).map(str::to_string).collect()
}

fn bid_at(second: u64) -> Bid {
    let date_time = EventTime::default() + (second as i64).seconds();
    Bid { auction: 1 + second % 2, price: 100 + second, date_time }
}
