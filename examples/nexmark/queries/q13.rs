//! q13, bounded side input: every bid with what a table says about its auction.
//!
//! The table has ten thousand rows, one for each remainder of an auction's number; the program makes it.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Described>("q13", "every bid with a row of a small table: a lookup", BIDS, graph);

/// How many rows the table has.
const ITEMS: u64 = 10_000;

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Described {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
    value: String,
}

fn graph(flow: &Flow) {
    let items: Vec<(u64, String)> = (0..ITEMS).map(|item| (item, format!("item {item}"))).collect();
    flow.source::<Bid>(table(Table::Bids))
        .lookup(items, |bid| bid.auction % ITEMS, |(item, _)| *item)
        .inner(|bid, (_, value)| Described {
            auction: bid.auction,
            bidder: bid.bidder,
            price: bid.price,
            date_time: bid.date_time,
            value: value.clone(),
        })
        .sink("answer");
}
