//! q22, directories: the parts of each bid's page.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<Directories>("q22", "the directories of each bid's page", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: Text,
    url: String,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Directories {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: Text,
    dir1: Text,
    dir2: Text,
    dir3: Text,
    #[event_time]
    date_time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .map(|Bid { auction, bidder, price, channel, url, date_time }| {
            // https://www.nexmark.com/dir1/dir2/dir3/item.htm?query=1
            let mut parts = url.split('/').skip(3).map(Text::from);
            let mut next = || parts.next().unwrap_or_default();
            let (dir1, dir2, dir3) = (next(), next(), next());
            Directories { auction, bidder, price, channel, dir1, dir2, dir3, date_time }
        })
        .sink("answer");
}
