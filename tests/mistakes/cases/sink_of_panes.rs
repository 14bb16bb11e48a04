//! What comes out of a window, written as it is.
//!
//! says: `Pane<u64, u64>` is no record
//! says: .rows(|key, window, value|

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
    windows.aggregate("n", agg::count()).sink("totals");
}
