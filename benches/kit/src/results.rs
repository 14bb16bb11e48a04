//! What was measured: by dimension, value and contestant, every repetition.

use super::measure::Measurement;
use super::sweep::{Dimension, Size};

/// Everything that a run of the bench has measured.
#[derive(Clone, Debug)]
pub(super) struct Results {
    pub(super) size: Size,
    pub(super) seed: u64,
    /// The names of the contestants and what they do, in the order in which everything else has them.
    pub(super) contestants: Vec<(String, String)>,
    pub(super) dimensions: Vec<Measured>,
}

/// A dimension and what was measured in it.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) dimension: Dimension,
    /// By point, by contestant: every repetition.
    pub(super) runs: Vec<Vec<Vec<Measurement>>>,
}

/// The least, the median and the greatest value in several repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// The spread of these, in any order; `None` if there are none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        Some(Spread { least, median: values[values.len() / 2], greatest })
    }
}

impl Measured {
    /// Events a second, by contestant, at a point.
    pub(super) fn throughput(&self, point: usize, contestant: usize) -> Option<Spread> {
        let events = self.dimension.points[point].setting.workload.events as f64;
        Spread::of(self.runs[point][contestant].iter().map(|run| events / run.seconds))
    }

    /// The most memory, in megabytes.
    pub(super) fn peak_mb(&self, point: usize, contestant: usize) -> Option<Spread> {
        let peaks = self.runs[point][contestant].iter().filter_map(|run| run.peak_bytes);
        Spread::of(peaks.map(|bytes| bytes as f64 / 1e6))
    }

    /// Half of the windows, and 99 of 100, took no longer than these times, in milliseconds.
    pub(super) fn latency_ms(&self, point: usize, contestant: usize) -> Option<Spread> {
        let latency = self.runs[point][contestant].first()?.latency?;
        let ms = |duration: dualgauge::Duration| duration.as_micros() as f64 / 1e3;
        // A line through the 99th percentile, from the median to the slowest of all.
        Some(Spread { least: ms(latency.p50), median: ms(latency.p99), greatest: ms(latency.max) })
    }

    /// How many pairs came out at a point, the same for all.
    pub(super) fn pairs(&self, point: usize) -> u64 {
        self.runs[point].iter().flatten().next().map_or(0, |run| run.pairs)
    }
}
