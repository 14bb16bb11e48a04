//! A filter that gives a number.
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
    flow.source::<Reading>("readings").filter(|reading| reading.heat).sink("copies");
}
