//! q14, calculation: bids of some prices, with their time of day and how often `c` is in their padding.
//!
//! Flink's answer has a decimal price with three digits after the cent; ours is cut to the whole cent, after the
//! comparison. The hour is that of UTC.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, euro_thousandths, table};

pub const QUERY: Query = Query::of::<Calculated>("q14", "a function of each bid", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
    extra: String,
}

#[record]
struct Calculated {
    auction: u64,
    bidder: u64,
    price: u64,
    time_of_day: Text,
    #[event_time]
    date_time: EventTime,
    extra: String,
    c_count: u64,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .filter_map(|Bid { auction, bidder, price, date_time, extra }| {
            let price = euro_thousandths(price);
            (1_000_000_000 < price && price < 50_000_000_000).then(|| Calculated {
                auction,
                bidder,
                price: price / 1000,
                time_of_day: time_of_day(date_time),
                c_count: extra.bytes().filter(|byte| *byte == b'c').count() as u64,
                date_time,
                extra,
            })
        })
        .sink("answer");
}

fn time_of_day(time: EventTime) -> Text {
    let hour = (time - time.floor_to(1.days(), Duration::ZERO)).as_micros() / 1.hours().as_micros();
    Text::const_new(match hour {
        8..=18 => "dayTime",
        0..=6 | 20.. => "nightTime",
        _ => "otherTime",
    })
}
