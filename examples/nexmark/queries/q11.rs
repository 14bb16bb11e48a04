//! q11, user sessions: how many bids each bidder makes in a session, which lasts until ten seconds pass without one.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Visit>("q11", "bids of a visit: session windows", BIDS, graph);

#[record]
struct Bid {
    bidder: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Visit {
    bidder: u64,
    bids: u64,
    start: EventTime,
    end: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .key_by(|bid| bid.bidder)
        .window(session(10.seconds()))
        .aggregate("visits", agg::count())
        .map(|pane| Visit {
            bidder: pane.key,
            bids: pane.value,
            start: pane.window.start,
            end: pane.window.end,
            time: pane.time,
        })
        .sink("answer");
}
