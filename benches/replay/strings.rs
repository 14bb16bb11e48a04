//! The same job keyed by an integer and by a string.
//!
//! A string costs three times: its bytes are decoded and copied into a `String` of its own, the key is a copy of that,
//! and the map compares it byte by byte.

use std::time::Instant;

use dualgauge::prelude::*;

use crate::graphs::Counted;
use crate::{data, spread};

const BIDS: u64 = 10_000_000;
const ROUNDS: usize = 5;

#[record]
struct ByBidder {
    bidder: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct ByChannel {
    channel: String,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Total {
    #[event_time]
    time: EventTime,
    bids: u64,
}

/// As many keys as there are channels, so that only the key's type differs.
fn by_number(flow: &Flow) {
    let panes = flow.source::<ByBidder>("bids").key_by(|bid| bid.bidder % 10_000).window(tumbling(10.seconds()));
    panes.aggregate("count", count()).map(|pane| Total { time: pane.time(), bids: pane.value }).sink("totals");
}

fn by_channel(flow: &Flow) {
    let panes = flow.source::<ByChannel>("bids").key_by(|bid| bid.channel.clone()).window(tumbling(10.seconds()));
    panes.aggregate("count", count()).map(|pane| Total { time: pane.time(), bids: pane.value }).sink("totals");
}

pub fn run() {
    let bids = data::bids(BIDS);
    let time = |graph: fn(&Flow)| {
        let counted = Counted::default();
        let job = Job::new(graph).source("bids", parquet::read(&bids)).sink("totals", counted.clone());
        let start = Instant::now();
        job.run().expect("the job runs");
        (start.elapsed().as_secs_f64(), counted.rows())
    };
    let (mut numbers, mut strings, mut rows) = (Vec::new(), Vec::new(), (0, 0));
    for round in 0..=ROUNDS {
        let (number, string) = (time(by_number), time(by_channel));
        rows = (number.1, string.1);
        if round > 0 {
            numbers.push(number.0);
            strings.push(string.0);
        }
    }
    let (number, string) = (spread(numbers).0, spread(strings).0);
    println!("a count per key and 10 s over {BIDS} bids, one worker, seconds");
    println!("  key `bidder % 10_000: u64`   {number:>7.3}  {} results", rows.0);
    println!("  key `channel: String`        {string:>7.3}  {} results", rows.1);
    println!("  string / integer             {:>7.2}  (limit 2.5)", string / number);
}
