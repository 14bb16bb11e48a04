//! q1, currency conversion: every bid with its price in euro.
//!
//! Flink's answer has a decimal price with three digits after the cent; ours is cut to the whole cent.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, euro_thousandths, table};

pub const QUERY: Query = Query::of::<Bid>("q1", "every bid in another currency", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
    extra: String,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .map(|bid| Bid { price: euro_thousandths(bid.price) / 1000, ..bid })
        .sink("answer");
}
