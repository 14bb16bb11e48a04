//! What a job counts while it runs, for progress bars, reports and tests.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::standstill::Standstill;
use super::tries::Whose;
use crate::checkpoint::CommitKind;
use crate::{Epoch, Error, EventTime};

/// The counts and watermarks of a running job, shared by all its workers.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: Mutex<BTreeMap<(String, &'static str), Counter>>,
    watermarks: Mutex<BTreeMap<(String, usize), Gauge>>,
    checkpoint: Mutex<Option<LastCheckpoint>>,
    commits: AtomicU64,
    checkpoint_retries: AtomicU64,
    savepoint: Mutex<Option<Epoch>>,
    state: Mutex<BTreeMap<String, u64>>,
    restarts: Mutex<Restarts>,
    retries: Mutex<Retries>,
    notes: Mutex<Vec<String>>,
    waiting: Mutex<BTreeMap<(String, usize), u64>>,
    standing: Mutex<BTreeMap<(String, usize), Standstill>>,
}

/// The newest checkpoint of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastCheckpoint {
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// Why it was taken.
    pub kind: CommitKind,
    /// When it was taken, by the clock of the job.
    pub taken: EventTime,
    /// How many bytes of state were written for it.
    pub bytes: u64,
}

/// How often a job was started again, and why the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// How often.
    pub count: u64,
    /// The error that the job had ended with.
    pub last: String,
}

/// How often the machine refused something that is tried again, and what the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// How often; the counter `retries` has it for each sink, and [`Metrics::checkpoint_retries`] for checkpoints.
    pub count: u64,
    /// What was refused, and why.
    pub last: String,
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
    /// What `name` (a source, sink or step) counts as `what`: a source `rows`, `bad`, `repeated` and `unread`, a sink `written` and `retries`, a step `late`.
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

    /// The newest checkpoint that was committed, in this run or before it.
    pub fn checkpoint(&self) -> Option<LastCheckpoint> {
        *self.checkpoint.lock().expect("no panic holds it")
    }

    /// How many checkpoints were committed in this run, over all its starts. Of several processes the first one knows it.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How often the store of checkpoints refused something that is tried again.
    pub fn checkpoint_retries(&self) -> u64 {
        self.checkpoint_retries.load(Ordering::Relaxed)
    }

    /// The epoch of the newest savepoint that was committed in this run.
    pub fn savepoint(&self) -> Option<Epoch> {
        *self.savepoint.lock().expect("no panic holds it")
    }

    /// How many bytes of state each step has in the newest checkpoint, and each sink (`sink NAME`) whose rows wait for the
    /// watermark: what is held, and what was replaced and is not merged away yet. Of several processes the first knows it.
    pub fn state(&self) -> BTreeMap<String, u64> {
        self.state.lock().expect("no panic holds it").clone()
    }

    /// How often the job was started again, and why.
    pub fn restarts(&self) -> Restarts {
        self.restarts.lock().expect("no panic holds it").clone()
    }

    /// How often the machine refused something that is tried again, and why: the job stands still while that goes on.
    pub fn retries(&self) -> Retries {
        self.retries.lock().expect("no panic holds it").clone()
    }

    /// What a person should know that the run has met since its start, a sentence each, in order: a file that is not read.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no panic holds it").clone()
    }

    pub(crate) fn note(&self, note: String) {
        self.notes.lock().expect("no panic holds it").push(note);
    }

    /// How many rows waited at each sink for the watermark when the newest checkpoint was taken; none where none did. They
    /// are in the checkpoint. Of several processes each knows its own.
    pub fn waiting(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((name, _), rows) in self.waiting.lock().expect("no panic holds it").iter().filter(|(_, rows)| **rows > 0) {
            *sums.entry(name.clone()).or_default() += rows;
        }
        sums
    }

    /// What holds the sources back, where something has for a third of a second or longer: on each worker of this process for
    /// itself, by the name of the source. None where all of them go on.
    pub fn standstills(&self) -> Vec<Standstill> {
        self.standing.lock().expect("no panic holds it").values().cloned().collect()
    }

    pub(crate) fn note_standstill(&self, source: &str, worker: usize, standing: Option<Standstill>) {
        let mut all = self.standing.lock().expect("no panic holds it");
        match standing {
            Some(standing) => drop(all.insert((source.to_string(), worker), standing)),
            None => drop(all.remove(&(source.to_string(), worker))),
        }
    }

    pub(crate) fn note_waiting(&self, name: &str, worker: usize, rows: u64) {
        self.waiting.lock().expect("no panic holds it").insert((name.to_string(), worker), rows);
    }

    pub(crate) fn note_checkpoint(&self, checkpoint: LastCheckpoint) {
        *self.checkpoint.lock().expect("no panic holds it") = Some(checkpoint);
    }

    /// One more than those that were committed before.
    pub(crate) fn note_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_savepoint(&self, epoch: Epoch) {
        *self.savepoint.lock().expect("no panic holds it") = Some(epoch);
    }

    pub(crate) fn note_state(&self, state: BTreeMap<String, u64>) {
        *self.state.lock().expect("no panic holds it") = state;
    }

    pub(crate) fn note_restart(&self, why: &Error) {
        let mut restarts = self.restarts.lock().expect("no panic holds it");
        *restarts = Restarts { count: restarts.count + 1, last: why.to_string() };
    }

    pub(crate) fn note_retry(&self, whose: Whose<'_>, why: &dyn Display) {
        match whose {
            Whose::Sink(name) => self.counter(name, "retries").add(1),
            Whose::Checkpoints => drop(self.checkpoint_retries.fetch_add(1, Ordering::Relaxed)),
        }
        let mut retries = self.retries.lock().expect("no panic holds it");
        *retries = Retries { count: retries.count + 1, last: format!("{whose}: {why}") };
    }

    pub(crate) fn watermark(&self, name: &str, worker: usize) -> Gauge {
        let start = || Gauge(Arc::new(AtomicI64::new(i64::MIN)));
        let mut watermarks = self.watermarks.lock().expect("no panic holds it");
        watermarks.entry((name.to_string(), worker)).or_insert_with(start).clone()
    }
}
