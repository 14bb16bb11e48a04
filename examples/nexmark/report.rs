//! The result of a run, as a line of a table.

use std::fmt;

use dualgauge::{Digest, Outcome};

use crate::queries::Query;

pub struct Report {
    name: &'static str,
    read: u64,
    late: u64,
    seconds: f64,
    peak_megabytes: Option<f64>,
    answer: Digest,
    hashed: bool,
}

impl Report {
    pub const HEADER: &'static str =
        "query           events read        rows    late  seconds  M events/s  peak MB  digest of the answer";

    pub fn of(query: &Query, outcome: &Outcome, answer: Digest, hashed: bool) -> Report {
        let metrics = outcome.metrics.snapshot();
        Report {
            name: query.name,
            read: query.inputs.iter().map(|table| metrics.source(table.name()).rows).sum(),
            late: metrics.late(),
            seconds: outcome.elapsed.as_micros() as f64 / 1e6,
            peak_megabytes: peak_megabytes(),
            answer,
            hashed,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { name, read, late, seconds, .. } = self;
        let (rows, rate) = (self.answer.rows, *read as f64 / seconds / 1e6);
        let peak = self.peak_megabytes.map_or("?".to_string(), |peak| format!("{peak:.0}"));
        let digest = if self.hashed { self.answer.to_string() } else { "not asked for".to_string() };
        write!(f, "{name:<14} {read:>12} {rows:>11} {late:>7} {seconds:>8.3} {rate:>11.2} {peak:>8}  {digest}")
    }
}

/// The most memory that this process ever had, where the system says so: on Linux.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1e3)
}
