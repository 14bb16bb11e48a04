//! interval-join: every bid up to ten seconds after its auction opened, both ends included.

use dualgauge::prelude::*;

use super::{Auction, Bid, Query, Table, table};

pub const QUERY: Query = Query::of::<Joined>(
    "interval-join",
    "bids up to ten seconds after their auction opened",
    &[Table::Bids, Table::Auctions],
    graph,
);

#[record]
struct Joined {
    auction: u64,
    bidder: u64,
    seller: u64,
    price: u64,
    #[event_time]
    bid_time: EventTime,
    auction_time: EventTime,
}

fn graph(flow: &Flow) {
    let bids = flow.source::<Bid>(table(Table::Bids));
    flow.source::<Auction>(table(Table::Auctions))
        .key_by(|auction| auction.id)
        .interval_join(bids.key_by(|bid| bid.auction), between(0.seconds(), 10.seconds()))
        .inner("early_bids", |auction, bid| Joined {
            auction: auction.id,
            bidder: bid.bidder,
            seller: auction.seller,
            price: bid.price,
            bid_time: bid.date_time,
            auction_time: auction.date_time,
        })
        .sink("answer");
}
