//! A closure that borrows what the graph outlives.
//!
//! code: E0521

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

pub fn above(flow: &Flow, limit: &u64) {
    flow.source::<Reading>("readings").filter(|reading| reading.heat > *limit).sink("hot");
}
