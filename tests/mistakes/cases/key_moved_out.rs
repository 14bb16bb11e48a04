//! A key that is taken out of the row.
//!
//! code: E0507

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
    let windows = flow.source::<Reading>("readings").key_by(|reading| reading.place).window(tumbling(10.seconds()));
    windows
        .aggregate("n", agg::count())
        .map(|pane| Total { sensor: 0, total: pane.value, at: pane.time })
        .sink("totals");
}
