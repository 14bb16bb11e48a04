//! window-join: every bid on an auction of the same ten seconds; a window keeps its bids, and its auctions as a table.

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

#[record]
pub struct Joined {
    auction: u64,
    bidder: u64,
    seller: u64,
    price: u64,
    bid_time: EventTime,
    auction_time: EventTime,
    #[event_time]
    time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, Joined>> {
    let (bids, auctions) = (tables.read::<Bid>(Table::Bids)?, tables.read::<Auction>(Table::Auctions)?);
    let (by_auction, by_id) =
        (Exchange::new(|bid: &Event<Bid>| bid.data.auction), Exchange::new(|auction: &Event<Auction>| auction.data.id));
    Ok(bids.binary_frontier::<_, CapacityContainerBuilder<Vec<Joined>>, _, _, _, _>(
        auctions,
        by_auction,
        by_id,
        "window_join",
        |_, _| {
            let mut panes = Panes::<(Vec<Bid>, HashMap<u64, Auction>)>::new(TEN_SECONDS);
            move |(bids, before_bids), (auctions, before_auctions), output| {
                bids.for_each(|cap, bids| panes.add(bids, &cap, |(bids, _), bid| bids.push(bid.data)));
                auctions.for_each(|cap, auctions| {
                    panes.add(auctions, &cap, |(_, table), auction| {
                        table.insert(auction.data.id, auction.data);
                    })
                });
                let both = watermark(before_bids).min(watermark(before_auctions));
                while let Some((start, cap, (bids, table))) = panes.close(both) {
                    let time = EventTime::from_micros(start + TEN_SECONDS - 1);
                    output.session(&cap).give_iterator(bids.into_iter().filter_map(|bid| {
                        let auction = table.get(&bid.auction)?;
                        Some(Joined {
                            auction: auction.id,
                            bidder: bid.bidder,
                            seller: auction.seller,
                            price: bid.price,
                            bid_time: bid.date_time,
                            auction_time: auction.date_time,
                            time,
                        })
                    }));
                }
            }
        },
    ))
}
