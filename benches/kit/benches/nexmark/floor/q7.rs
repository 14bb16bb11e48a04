//! q7: the highest bids of every ten seconds; first each worker's own, then the highest among those.

use dualgauge::prelude::*;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::{Exchange, Pipeline};
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Event, Result};
use dualgauge_nexmark::Table;

use super::panes::{Panes, watermark};
use super::{TEN_SECONDS, Tables};

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
pub struct Highest {
    auction: u64,
    bidder: u64,
    price: u64,
    date_time: EventTime,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, Highest>> {
    let bids = tables.read::<Bid>(Table::Bids)?;
    let own = bids.unary_frontier::<CapacityContainerBuilder<Vec<Event<Bid>>>, _, _, _>(Pipeline, "own", |_, _| {
        let mut panes = Panes::<Vec<Event<Bid>>>::new(TEN_SECONDS);
        move |(input, frontier), output| {
            input.for_each(|cap, bids| panes.add(bids, &cap, keep_highest));
            while let Some((_, cap, highest)) = panes.close(watermark(frontier)) {
                output.session(&cap).give_iterator(highest.into_iter());
            }
        }
    });
    let to_one = Exchange::new(|_: &Event<Bid>| 0);
    Ok(own.unary_frontier::<CapacityContainerBuilder<Vec<Highest>>, _, _, _>(to_one, "all", |_, _| {
        let mut panes = Panes::<Vec<Event<Bid>>>::new(TEN_SECONDS);
        move |(input, frontier), output| {
            input.for_each(|cap, bids| panes.add(bids, &cap, keep_highest));
            while let Some((start, cap, highest)) = panes.close(watermark(frontier)) {
                let window_end = EventTime::from_micros(start + TEN_SECONDS);
                let time = window_end - 1.micros();
                output.session(&cap).give_iterator(highest.into_iter().map(|Event { data, .. }| {
                    let Bid { auction, bidder, price, date_time } = data;
                    Highest { auction, bidder, price, date_time, window_end, time }
                }));
            }
        }
    }))
}

#[inline]
fn keep_highest(highest: &mut Vec<Event<Bid>>, bid: Event<Bid>) {
    let price = highest.first().map_or(0, |first| first.data.price);
    if bid.data.price > price {
        highest.clear();
    }
    if bid.data.price >= price {
        highest.push(bid);
    }
}
