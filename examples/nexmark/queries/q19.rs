//! q19, the ten highest bids on each auction, in every ten seconds.
//!
//! Flink's query is over all of time and corrects itself with every bid. Ours gives the result of each window. Bids of
//! the same price rank by bidder, then by time.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Ranked>("q19", "the ten highest bids of each auction", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Ranked {
    auction: u64,
    rank: u64,
    bidder: u64,
    price: u64,
    date_time: EventTime,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .key_by(|bid| bid.auction)
        .window(tumbling(10.seconds()))
        .aggregate_of("highest_bids", |of| of.top_k(10, |bid| bid.price))
        .flat_map(|pane| {
            let (window_end, time) = (pane.window.end, pane.time);
            (1..).zip(pane.value).map(move |(rank, Bid { auction, bidder, price, date_time })| Ranked {
                auction,
                rank,
                bidder,
                price,
                date_time,
                window_end,
                time,
            })
        })
        .sink("answer");
}
