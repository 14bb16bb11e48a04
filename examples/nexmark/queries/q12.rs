//! q12, bids by bidder: how many each makes in every ten seconds.
//!
//! Flink's windows are by processing time, so that no two runs give the same answer. Ours are by event time.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Count>("q12", "bids by bidder: tumbling windows", BIDS, graph);

#[record]
struct Bid {
    bidder: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Count {
    bidder: u64,
    bids: u64,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .key_by(|bid| bid.bidder)
        .window(tumbling(10.seconds()))
        .aggregate("bids", agg::count())
        .map(|pane| Count { bidder: pane.key, bids: pane.value, window_end: pane.window.end, time: pane.time })
        .sink("answer");
}
