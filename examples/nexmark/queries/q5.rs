//! q5, hot items: every two seconds, the auctions with the most bids in the last ten.
//!
//! Two steps: the count of each auction in each sliding window, then the largest counts of a window. The results of all
//! windows that end at the same time share an instant, so a tumbling window as long as the slide holds exactly those.

use dualgauge::prelude::*;

use super::leaders::leaders;
use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<HotItem>("q5", "hot items: sliding windows", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct HotItem {
    auction: u64,
    bids: u64,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .key_by(|bid| bid.auction)
        .window(sliding(10.seconds(), 2.seconds()))
        .aggregate("bids", agg::count())
        .window_all(tumbling(2.seconds()))
        .aggregate("hottest", leaders(|pane: &Pane<u64, u64>| pane.value))
        .flat_map(|hottest| {
            hottest.value.into_iter().map(|pane| HotItem {
                auction: pane.key,
                bids: pane.value,
                window_end: pane.window.end,
                time: pane.time,
            })
        })
        .sink("answer");
}
