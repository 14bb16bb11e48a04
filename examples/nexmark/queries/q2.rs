//! q2, selection: the bids on some auctions.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Bid>("q2", "bids on some auctions", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids)).filter(|bid| bid.auction % 123 == 0).sink("answer");
}
