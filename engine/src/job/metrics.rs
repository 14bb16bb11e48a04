//! What a job counts while it runs, for progress bars, reports and tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::EventTime;

/// The counts and watermarks of a running job, shared by all its workers.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: Mutex<BTreeMap<(String, &'static str), Counter>>,
    watermarks: Mutex<BTreeMap<(String, usize), Gauge>>,
}

/// A count that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

/// An event time that is replaced as it moves.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<AtomicI64>);

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

impl Gauge {
    pub(crate) fn set(&self, time: EventTime) {
        self.0.store(time.as_micros(), Ordering::Relaxed);
    }

    /// The event time now.
    pub fn get(&self) -> EventTime {
        EventTime::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Metrics {
    /// What `name` (a source, sink or step) counts as `what`: a source `rows` and `bad`, a sink `written`, a step `late`.
    pub fn counter(&self, name: &str, what: &'static str) -> Counter {
        self.counters.lock().expect("no panic holds it").entry((name.to_string(), what)).or_default().clone()
    }

    /// Every count, by name and what is counted.
    pub fn counts(&self) -> Vec<(String, &'static str, u64)> {
        let counters = self.counters.lock().expect("no panic holds it");
        counters.iter().map(|((name, what), counter)| (name.clone(), *what, counter.get())).collect()
    }

    /// The sum over all names of what is counted as `what`.
    pub fn total(&self, what: &str) -> u64 {
        self.counts().iter().filter(|count| count.1 == what).map(|count| count.2).sum()
    }

    /// The watermark of a source over all its workers; [`EventTime::MAX`] when it has ended.
    pub fn source_watermark(&self, name: &str) -> EventTime {
        let watermarks = self.watermarks.lock().expect("no panic holds it");
        watermarks.iter().filter(|(key, _)| key.0 == name).map(|(_, gauge)| gauge.get()).min().unwrap_or(EventTime::MIN)
    }

    pub(crate) fn watermark(&self, name: &str, worker: usize) -> Gauge {
        let start = || Gauge(Arc::new(AtomicI64::new(i64::MIN)));
        let mut watermarks = self.watermarks.lock().expect("no panic holds it");
        watermarks.entry((name.to_string(), worker)).or_insert_with(start).clone()
    }
}
