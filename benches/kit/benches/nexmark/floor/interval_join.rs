//! interval-join: every bid up to ten seconds after its auction opened.
//!
//! Auctions are kept in tables of ten seconds each, so that the auction of a bid is in one of two. Bids wait for both
//! watermarks.

use std::collections::BTreeMap;

use dualgauge::prelude::*;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::Exchange;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Event, Result};
use dualgauge_nexmark::Table;
use foldhash::HashMap;

use super::panes::{Panes, watermark};
use super::{Auction, Bid, TEN_SECONDS, Tables};

/// How long bids are gathered, in microseconds: a fraction of ten seconds.
const PANE: i64 = 1_000_000;

#[record]
pub struct Joined {
    auction: u64,
    bidder: u64,
    seller: u64,
    price: u64,
    #[event_time]
    bid_time: EventTime,
    auction_time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, Joined>> {
    let (bids, auctions) = (tables.read::<Bid>(Table::Bids)?, tables.read::<Auction>(Table::Auctions)?);
    let by_auction = Exchange::new(|bid: &Event<Bid>| bid.data.auction);
    let by_id = Exchange::new(|auction: &Event<Auction>| auction.data.id);
    Ok(bids.binary_frontier::<_, CapacityContainerBuilder<Vec<Joined>>, _, _, _, _>(
        auctions,
        by_auction,
        by_id,
        "interval_join",
        |_, _| {
            let mut panes = Panes::<Vec<Bid>>::new(PANE);
            let mut opened = BTreeMap::<i64, HashMap<u64, Auction>>::new();
            move |(bids, before_bids), (auctions, before_auctions), output| {
                bids.for_each(|cap, bids| panes.add(bids, &cap, |pane, bid| pane.push(bid.data)));
                auctions.for_each(|_, auctions| {
                    for Event { time, data } in auctions.drain(..) {
                        opened.entry(time.as_micros().div_euclid(TEN_SECONDS)).or_default().insert(data.id, data);
                    }
                });
                let both = watermark(before_bids).min(watermark(before_auctions));
                while let Some((start, cap, bids)) = panes.close(both) {
                    let table = start.div_euclid(TEN_SECONDS);
                    opened = opened.split_off(&(table - 1));
                    let tables = [opened.get(&table), opened.get(&(table - 1))];
                    output.session(&cap).give_iterator(bids.into_iter().filter_map(|bid| {
                        let auction = tables.into_iter().flatten().find_map(|table| table.get(&bid.auction))?;
                        let after = bid.date_time.as_micros() - auction.date_time.as_micros();
                        (0..=TEN_SECONDS).contains(&after).then_some(Joined {
                            auction: auction.id,
                            bidder: bid.bidder,
                            seller: auction.seller,
                            price: bid.price,
                            bid_time: bid.date_time,
                            auction_time: auction.date_time,
                        })
                    }));
                }
            }
        },
    ))
}
