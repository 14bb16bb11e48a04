//! State of a key that cannot be stored.
//!
//! says: `Before` cannot be the state of a key
//! says: #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]

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

pub struct Before {
    at: EventTime,
}

pub struct Silence;

impl Process<u64, Reading> for Silence {
    type State = Before;
    type Out = Total;

    fn on_event(
        &mut self,
        _: &u64,
        reading: Reading,
        before: &mut Before,
        context: &mut ProcessContext<'_, u64, Total>,
    ) {
        before.at = reading.at;
        context.set_timer(reading.at + 1.minutes());
    }
}

pub fn graph(flow: &Flow) {
    flow.source::<Reading>("readings").key_by(|reading| reading.sensor).process("silence", Silence).sink("silences");
}
