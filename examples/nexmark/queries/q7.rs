//! q7, highest bid: the bids with the highest price of every ten seconds.
//!
//! Flink's SQL joins the bids with the highest price of each window, and compares times with BETWEEN, so that a bid at the
//! very end of a window also counts for it. Here a window is half-open, as everywhere else.

use dualgauge::prelude::*;

use super::leaders::leaders;
use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Highest>("q7", "the highest bids: tumbling windows", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Highest {
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
        .window_all(tumbling(10.seconds()))
        .aggregate("highest", leaders(|bid: &Bid| bid.price))
        .flat_map(|pane| {
            let (window_end, time) = (pane.window.end, pane.time);
            pane.value.into_iter().map(move |Bid { auction, bidder, price, date_time }| Highest {
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
