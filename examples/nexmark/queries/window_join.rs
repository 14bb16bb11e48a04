//! window-join: every bid on an auction that opened in the same ten seconds.

use dualgauge::prelude::*;

use super::{Auction, Bid, Query, Table, table};

pub const QUERY: Query = Query::of::<Joined>(
    "window-join",
    "bids with the auctions of the same ten seconds",
    &[Table::Bids, Table::Auctions],
    graph,
);

#[record]
struct Joined {
    auction: u64,
    bidder: u64,
    seller: u64,
    price: u64,
    bid_time: EventTime,
    auction_time: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    let auctions = flow.source::<Auction>(table(Table::Auctions));
    flow.source::<Bid>(table(Table::Bids))
        .key_by(|bid| bid.auction)
        .window(tumbling(10.seconds()))
        .join(auctions.key_by(|auction| auction.id))
        .inner("bids_with_auctions", |window, bid, auction| Joined {
            auction: auction.id,
            bidder: bid.bidder,
            seller: auction.seller,
            price: bid.price,
            bid_time: bid.date_time,
            auction_time: auction.date_time,
            time: window.last_instant(),
        })
        .sink("answer");
}
