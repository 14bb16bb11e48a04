//! q12: how many bids each bidder makes in every ten seconds, in a table a window.

use dualgauge::prelude::*;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::Exchange;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Event, Result};
use dualgauge_nexmark::Table;
use foldhash::HashMap;

use super::panes::{Panes, watermark};
use super::{TEN_SECONDS, Tables};

#[record]
struct Bid {
    bidder: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
pub struct Count {
    bidder: u64,
    bids: u64,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, Count>> {
    let bids = tables.read::<Bid>(Table::Bids)?;
    let by_bidder = Exchange::new(|bid: &Event<Bid>| bid.data.bidder);
    Ok(bids.unary_frontier::<CapacityContainerBuilder<Vec<Count>>, _, _, _>(by_bidder, "q12", |_, _| {
        let mut panes = Panes::<HashMap<u64, u64>>::new(TEN_SECONDS);
        move |(input, frontier), output| {
            input.for_each(|cap, bids| {
                panes.add(bids, &cap, |counts, bid| *counts.entry(bid.data.bidder).or_default() += 1)
            });
            while let Some((start, cap, counts)) = panes.close(watermark(frontier)) {
                let window_end = EventTime::from_micros(start + TEN_SECONDS);
                let time = window_end - 1.micros();
                let counts = counts.into_iter().map(|(bidder, bids)| Count { bidder, bids, window_end, time });
                output.session(&cap).give_iterator(counts);
            }
        }
    }))
}
