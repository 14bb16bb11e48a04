//! A closure that counts.
//!
//! code: E0594

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
    let mut number = 0;
    let numbered = flow.source::<Reading>("readings").map(move |reading| {
        number += 1;
        Total { sensor: reading.sensor, total: number, at: reading.at }
    });
    numbered.sink("numbered");
}
