//! A source of rows that do not say when they happened: known when the graph is looked at, since a source may make the times.
//!
//! compiles

#![cfg(refused)]

use dualgauge::prelude::*;

#[record]
pub struct Untimed {
    sensor: u64,
}

pub fn graph(flow: &Flow) {
    flow.source::<Untimed>("readings").sink("copies");
}
