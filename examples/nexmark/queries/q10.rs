//! q10, log to the file system: every bid, with the day and the minute by which the files are partitioned.
//!
//! The partitioning itself is up to the sink, which cuts its files by spans of event time: `--out DIR`. Here it shows
//! in two columns.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Logged>("q10", "every bid with its day and minute", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
    extra: String,
}

#[record]
struct Logged {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
    extra: String,
    day: Text,
    minute: Text,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .map(|Bid { auction, bidder, price, date_time, extra }| {
            // 2026-01-01T00:16:00Z
            let written = date_time.floor_to(1.minutes(), Duration::ZERO).to_string();
            let (day, minute) = (Text::from(&written[..10]), Text::from(&written[11..16]));
            Logged { auction, bidder, price, date_time, extra, day, minute }
        })
        .sink("answer");
}
