//! The same job keyed by an integer and by a string.
//!
//! A string costs three times: its bytes are decoded and copied into a `String` of its own, the key is a copy of that,
//! and the map compares it byte by byte, at the end of a pointer. By `perf`, of the string job 42 % goes to finding the
//! accumulator (the copy of the key, its hash, the comparison), 27 % to reading rows, 13 % to sorting and encoding results.

use std::time::Instant;

use dualgauge::prelude::*;

use crate::graphs::{Counted, hot_items};
use crate::{data, spread};

const BIDS: u64 = 10_000_000;
const ROUNDS: usize = 5;

#[record]
struct Bid {
    channel: String,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct HotChannel {
    channel: String,
    #[event_time]
    time: EventTime,
    window_end: EventTime,
    bids: u64,
}

/// `hot_items`, by channel instead of by auction.
fn hot_channels(flow: &Flow) {
    flow.source::<Bid>("bids")
        .key_by(|bid| bid.channel.clone())
        .window(tumbling(10.seconds()))
        .aggregate("bids_per_channel", count())
        .map(|pane| HotChannel { time: pane.time(), channel: pane.key, window_end: pane.window.end, bids: pane.value })
        .sink("hot_items");
}

pub fn run() {
    let bids = data::bids(BIDS);
    let time = |graph: fn(&Flow)| {
        let counted = Counted::default();
        let job = Job::new(graph).source("bids", parquet::read(&bids)).sink("hot_items", counted.clone());
        let start = Instant::now();
        job.run().expect("the job runs");
        (start.elapsed().as_secs_f64(), counted.rows())
    };
    let (mut numbers, mut strings, mut rows) = (Vec::new(), Vec::new(), (0, 0));
    for round in 0..=ROUNDS {
        let (number, string) = (time(hot_items), time(hot_channels));
        rows = (number.1, string.1);
        if round > 0 {
            numbers.push(number.0);
            strings.push(string.0);
        }
    }
    let (number, string) = (spread(numbers).0, spread(strings).0);
    println!("a count per key and 10 s over {BIDS} bids, one worker, seconds");
    println!("  key `auction: u64`           {number:>7.3}  {} results", rows.0);
    println!("  key `channel: String`        {string:>7.3}  {} results", rows.1);
    println!("  string / integer             {:>7.2}  (limit 2.5)", string / number);
}
