//! A pane that is asked for its time when its key is gone.
//!
//! says: read the field, `pane.time`
//! says: pane.key` has been moved out

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

#[record]
pub struct Named {
    place: String,
    total: u64,
    #[event_time]
    at: EventTime,
}

pub fn graph(flow: &Flow) {
    let places = flow.source::<Reading>("readings").key_by(|reading| reading.place.clone());
    let panes = places.window(tumbling(10.seconds())).aggregate("n", agg::count());
    panes.map(|pane| Named { place: pane.key, total: pane.value, at: pane.time() }).sink("totals");
}
