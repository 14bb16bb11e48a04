//! A key that is not hashed, ordered or stored.
//!
//! says: `Level` cannot be a key
//! says: a key is compared, hashed and stored
//! says: #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]

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

#[derive(Clone, Debug, PartialEq)]
pub enum Level {
    Low,
    High,
}

pub fn graph(flow: &Flow) {
    let level = |reading: &Reading| if reading.heat > 30 { Level::High } else { Level::Low };
    let windows = flow.source::<Reading>("readings").key_by(level).window(tumbling(10.seconds()));
    windows
        .aggregate("n", agg::count())
        .map(|pane| Total { sensor: 0, total: pane.value, at: pane.time })
        .sink("totals");
}
