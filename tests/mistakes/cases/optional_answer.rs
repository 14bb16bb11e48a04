//! A greatest value, which of nothing is `None`, where a number is wanted.
//!
//! code: E0308

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
    let windows = flow.source::<Reading>("readings").key_by(|reading| reading.sensor).window(tumbling(10.seconds()));
    let hottest = windows.aggregate_of("hottest", |of| of.max(|reading| reading.heat));
    hottest.map(|pane| Total { sensor: pane.key, total: pane.value, at: pane.time }).sink("totals");
}
