//! q18, last bid: of each bidder on each auction, in every ten seconds.
//!
//! Flink's query is over all of time and corrects itself with every bid. Ours gives the result of each window.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<LastBid>("q18", "the last bid of each bidder and auction", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct LastBid {
    auction: u64,
    bidder: u64,
    price: u64,
    date_time: EventTime,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .key_by(|bid| (bid.bidder, bid.auction))
        .window(tumbling(10.seconds()))
        .aggregate("last_bid", agg::last()) // of several at one instant, the one with the highest price
        .filter_map(|pane| {
            let (window_end, time) = (pane.window.end, pane.time);
            pane.value.map(|Bid { auction, bidder, price, date_time }| LastBid {
                auction,
                bidder,
                price,
                date_time,
                window_end,
                time,
            })
        })
        .sink("answer");
}
