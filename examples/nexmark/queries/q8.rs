//! q8, monitor new users: who opened an auction in the ten seconds in which they joined.
//!
//! Flink's SQL joins two windowed aggregates, which is a semi-join: a person is in the answer once.

use dualgauge::prelude::*;

use super::{Query, Table, table};

pub const QUERY: Query = Query::of::<NewSeller>(
    "q8",
    "new people who sell at once: a window semi-join",
    &[Table::Persons, Table::Auctions],
    graph,
);

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
struct NewSeller {
    id: u64,
    name: Text,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

fn graph(flow: &Flow) {
    let auctions = flow.source::<Auction>(table(Table::Auctions));
    flow.source::<Person>(table(Table::Persons))
        .key_by(|person| person.id)
        .window(tumbling(10.seconds()))
        .join(auctions.key_by(|auction| auction.seller))
        .semi("new_sellers", |window, person| NewSeller {
            id: person.id,
            name: person.name,
            window_end: window.end,
            time: window.last_instant(),
        })
        .sink("answer");
}
