//! An aggregate's closure that does not say what it takes.
//!
//! code: E0282

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
    windows.aggregate("total", agg::sum(|reading| reading.heat)).map(|pane| pane.value.to_string()).map(|_| ());
}
