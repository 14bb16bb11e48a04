//! A program that imports what others export, by name and by `*`, beside the prelude.
//!
//! That it compiles is the test: the prelude takes no name that a program has from elsewhere. The mistakes beside it, each with
//! the words that the compiler finds for it, are in `cases`.

use std::cmp::*;
use std::collections::*;
use std::iter::*;
use std::mem::*;
use std::time::Duration;

use anyhow::Context;
use dualgauge::prelude::*;
use log::*;

/// As the crate of this name has it.
mod anyhow {
    /// Says what was done when something failed.
    pub trait Context<T> {
        /// The same with what was done before it.
        fn context(self, what: &str) -> Result<T, String>;
    }

    impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
        fn context(self, what: &str) -> Result<T, String> {
            self.map_err(|error| format!("{what}: {error}"))
        }
    }
}

/// A row.
#[record]
pub struct Reading {
    sensor: u64,
    text: String,
    #[event_time]
    at: EventTime,
}

/// How many there were, and the least number among them.
#[record]
pub struct Counted {
    sensor: u64,
    readings: u64,
    least: i64,
    #[event_time]
    at: EventTime,
}

/// Functions that have the names of aggregates and connectors.
fn source() -> &'static str {
    "readings"
}

fn count(text: &str) -> Result<i64, String> {
    text.parse::<i64>().context("a count")
}

fn of(readings: u64) -> u64 {
    readings
}

/// The graph.
pub fn graph(flow: &Flow) {
    let wait = Duration::from_secs(1);
    log::info!("a window waits for {wait:?}");
    debug!("by its own name");
    let known: HashMap<u64, &str> = once((1, "door")).collect();
    let readings = flow.source::<Reading>(source()).filter(move |reading| known.contains_key(&reading.sensor));
    let panes =
        readings.key_by(|reading| reading.sensor).window(tumbling(10.seconds())).aggregate_of("counted", |of| {
            (of.count(), of.min(|reading| min(count(&reading.text).unwrap_or_default(), max(0, 7))))
        });
    panes
        .rows(|sensor, window, (readings, least)| Counted {
            sensor,
            readings: of(readings),
            least: least.unwrap_or_else(|| take(&mut 0)),
            at: window.last_instant(),
        })
        .sink("counted");
}

/// Crates that are called like connectors are reached by their names.
pub fn compression() -> parquet::basic::Compression {
    parquet::basic::Compression::SNAPPY
}
