//! q8: who opened an auction in the ten seconds in which they joined; a window keeps its persons, and the sellers as a set.

use dualgauge::prelude::*;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::Exchange;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Event, Result};
use dualgauge_nexmark::Table;
use foldhash::HashSet;

use super::panes::{Panes, watermark};
use super::{TEN_SECONDS, Tables};

#[record]
struct Person {
    id: u64,
    name: Text,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Auction {
    seller: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
pub struct NewSeller {
    id: u64,
    name: Text,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, NewSeller>> {
    let (persons, auctions) = (tables.read::<Person>(Table::Persons)?, tables.read::<Auction>(Table::Auctions)?);
    let (by_id, by_seller) = (
        Exchange::new(|person: &Event<Person>| person.data.id),
        Exchange::new(|auction: &Event<Auction>| auction.data.seller),
    );
    Ok(persons.binary_frontier::<_, CapacityContainerBuilder<Vec<NewSeller>>, _, _, _, _>(
        auctions,
        by_id,
        by_seller,
        "q8",
        |_, _| {
            let mut panes = Panes::<(Vec<Person>, HashSet<u64>)>::new(TEN_SECONDS);
            move |(persons, before_persons), (auctions, before_auctions), output| {
                persons.for_each(|cap, persons| {
                    panes.add(persons, &cap, |(persons, _), person| persons.push(person.data))
                });
                auctions.for_each(|cap, auctions| {
                    panes.add(auctions, &cap, |(_, sellers), auction| {
                        sellers.insert(auction.data.seller);
                    })
                });
                let both = watermark(before_persons).min(watermark(before_auctions));
                while let Some((start, cap, (persons, sellers))) = panes.close(both) {
                    let window_end = EventTime::from_micros(start + TEN_SECONDS);
                    let time = window_end - 1.micros();
                    let new = persons.into_iter().filter(|person| sellers.contains(&person.id));
                    let new = new.map(|Person { id, name, .. }| NewSeller { id, name, window_end, time });
                    output.session(&cap).give_iterator(new);
                }
            }
        },
    ))
}
