//! The counts of the engine, each kept where it belongs: by kind, name and worker.
//!
//! Each worker counts on its own handles, so that workers do not fight over a cache line; a reader adds them up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::{EventTime, PartitionId};

/// A count that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to the count.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An event time that is replaced as it moves; before the first it is [`EventTime::MIN`].
#[derive(Clone, Debug)]
pub(crate) struct Gauge(Arc<AtomicI64>);

impl Default for Gauge {
    fn default() -> Gauge {
        Gauge(Arc::new(AtomicI64::new(EventTime::MIN.as_micros())))
    }
}

impl Gauge {
    pub(crate) fn set(&self, time: EventTime) {
        self.0.store(time.as_micros(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> EventTime {
        EventTime::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// What a source counts on one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceCounts {
    pub(crate) rows: Counter,
    pub(crate) bad: Counter,
    pub(crate) repeated: Counter,
    pub(crate) unread: Counter,
    pub(crate) fell_idle: Counter,
    pub(crate) watermark: Gauge,
    /// How far the partitions that are being read have been read.
    positions: Arc<Mutex<BTreeMap<PartitionId, Arc<AtomicU64>>>>,
}

/// How far one partition has been read: known to the counts of its source for as long as it is read.
#[derive(Debug)]
pub(crate) struct Position {
    partition: PartitionId,
    at: Arc<AtomicU64>,
    all: Arc<Mutex<BTreeMap<PartitionId, Arc<AtomicU64>>>>,
}

impl SourceCounts {
    /// A partition is read from here on, from `start`.
    pub(crate) fn position(&self, partition: &PartitionId, start: u64) -> Position {
        let at = Arc::new(AtomicU64::new(start));
        self.positions.lock().expect("no panic holds it").insert(partition.clone(), Arc::clone(&at));
        Position { partition: partition.clone(), at, all: Arc::clone(&self.positions) }
    }

    /// The partitions that are being read, and how far.
    pub(super) fn positions(&self) -> Vec<(PartitionId, u64)> {
        let positions = self.positions.lock().expect("no panic holds it");
        positions.iter().map(|(partition, at)| (partition.clone(), at.load(Ordering::Relaxed))).collect()
    }
}

impl Position {
    pub(crate) fn set(&self, position: u64) {
        self.at.store(position, Ordering::Relaxed);
    }
}

impl Drop for Position {
    fn drop(&mut self) {
        if let Ok(mut all) = self.all.lock() {
            all.remove(&self.partition);
        }
    }
}

/// What a step counts on one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepCounts {
    pub(crate) records_in: Counter,
    pub(crate) records_out: Counter,
    pub(crate) late: Counter,
    pub(crate) in_no_window: Counter,
}

impl StepCounts {
    /// For the half of a step before the exchange: what comes in, what is late and what is in no window. What this half
    /// gives out is not seen outside.
    pub(crate) fn before_the_deal(&self) -> StepCounts {
        StepCounts { records_out: Counter::default(), ..self.clone() }
    }

    /// For the half after the exchange.
    pub(crate) fn behind_the_deal(&self) -> StepCounts {
        StepCounts { records_out: self.records_out.clone(), ..StepCounts::default() }
    }
}

/// What a sink counts on one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct SinkCounts {
    pub(crate) rows: Counter,
    /// Rows that waited for the watermark when the newest checkpoint was taken.
    pub(crate) waiting: Arc<AtomicU64>,
}

/// The counts of one kind, by name and worker.
pub(super) type Of<C> = BTreeMap<(String, usize), C>;

/// All counts of the engine. Kinds share no names.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sources: Of<SourceCounts>,
    pub(super) steps: Of<StepCounts>,
    pub(super) sinks: Of<SinkCounts>,
    /// How often the machine refused something to a sink.
    pub(super) sink_retries: BTreeMap<String, u64>,
}

/// The counts of `name` on `worker`: those that are there, or new ones.
pub(super) fn handles<C: Clone + Default>(counts: &mut Of<C>, name: &str, worker: usize) -> C {
    counts.entry((name.to_string(), worker)).or_default().clone()
}
