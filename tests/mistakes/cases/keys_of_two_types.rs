//! A join of two sides whose keys are of different types.
//!
//! says: the keys of a join are of one type: `u64` on the left, and `String` on the right
//! says: let both `key_by` give the same type

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
    let sensors = flow.source::<Reading>("readings").key_by(|reading| reading.sensor);
    let places = flow.source::<Reading>("places").key_by(|reading| reading.place.clone());
    let joined = sensors.as_of(places);
    joined.left("placed", |left, _| Total { sensor: left.sensor, total: 1, at: left.at }).sink("placed");
}
