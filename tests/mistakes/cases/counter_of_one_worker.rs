//! A count that is shared by `Rc`: it is that of one worker, which no compiler can know.
//!
//! compiles

#![cfg(refused)]

use std::cell::Cell;
use std::rc::Rc;

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
    let seen = Rc::new(Cell::new(0_u64));
    let count = Rc::clone(&seen);
    flow.source::<Reading>("readings").inspect(move |_| count.set(count.get() + 1)).sink("copies");
}
