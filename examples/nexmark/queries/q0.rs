//! q0, pass-through: every bid as it is. What remains is the cost of reading and writing.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Bid>("q0", "every bid", BIDS, graph);

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
    flow.source::<Bid>(table(Table::Bids)).sink("answer");
}
