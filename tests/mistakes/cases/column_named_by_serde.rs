//! A column that is named in the words of serde, and an enum as a record.
//!
//! says: `#[serde(rename)]` says nothing of a column: write `#[column(name = "…")]`

#![cfg(refused)]

use dualgauge::prelude::*;

#[record]
pub struct Renamed {
    #[serde(rename = "Sensor")]
    sensor: u64,
    #[event_time]
    at: EventTime,
}

#[record]
pub enum Level {
    Low,
    High,
}
