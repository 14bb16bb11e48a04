//! A length of the standard library's.
//!
//! says: `std::time::Duration` is no length of event time
//! says: as `10.seconds()`

#![cfg(refused)]

use dualgauge::prelude::*;

#[record]
pub struct Reading {
    sensor: u64,
    place: String,
    heat: u64,
    weight: f64,
    #[event_time]
    at: EventTime,
}

#[record]
pub struct Total {
    sensor: u64,
    total: u64,
    #[event_time]
    at: EventTime,
}

pub fn graph(flow: &Flow) {
    let size = std::time::Duration::from_secs(10);
    let windows = flow.source::<Reading>("readings").key_by(|reading| reading.sensor).window(tumbling(size));
    windows
        .aggregate("n", agg::count())
        .map(|pane| Total { sensor: 0, total: pane.value, at: pane.time })
        .sink("totals");
}
