//! What a job counts while it runs, for progress bars, reports and tests.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::counts::{Counter, Counts, SinkCounts, SourceCounts, StepCounts, handles};
use super::snapshot::{CheckpointMetrics, SinkMetrics, Snapshot, SourceMetrics, StepMetrics, watermark_holder};
use super::standstill::Standstill;
use super::tries::Whose;
use crate::checkpoint::CommitKind;
use crate::{Clock, Epoch, Error, EventTime};

/// The target under which the `log` crate gets what a person should know, for programs that embed a job.
pub(crate) const LOGGED: &str = "dualgauge";

/// The counts and watermarks of a running job, shared by all its workers.
///
/// [`Metrics::snapshot`] has them all; [`Metrics::source`], [`Metrics::step`] and [`Metrics::sink`] look one up by name.
#[derive(Default)]
pub struct Metrics {
    /// What the engine counts.
    counts: Mutex<Counts>,
    /// What the program and its operators count: in a namespace of its own, since any name is allowed here.
    counters: Mutex<BTreeMap<(String, &'static str), Counter>>,
    clock: Mutex<Option<Arc<dyn Clock>>>,
    checkpoint: Mutex<Option<LastCheckpoint>>,
    commits: AtomicU64,
    checkpoint_retries: AtomicU64,
    savepoint: Mutex<Option<Epoch>>,
    state: Mutex<BTreeMap<String, u64>>,
    restarts: Mutex<Restarts>,
    retries: Mutex<Retries>,
    notes: Mutex<Vec<String>>,
    standing: Mutex<BTreeMap<(String, usize), Standstill>>,
}

/// The newest checkpoint of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// How often a job was started again, and the last reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts {
    /// How often.
    pub count: u64,
    /// The error that the job had ended with.
    pub last: String,
}

/// How often the machine refused something that is retried, and what it last refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How often; [`SinkMetrics::retries`] has it for each sink, and [`Metrics::checkpoint_retries`] for checkpoints.
    pub count: u64,
    /// What was refused, and why.
    pub last: String,
}

impl Metrics {
    /// All that is known now, as plain data.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let (state, standstills) = (self.state(), self.standstills());
        let bytes_of = |name: &str| state.get(name).copied().unwrap_or_default();
        let mut snapshot = Snapshot {
            taken: now.unwrap_or_default(),
            sources: BTreeMap::new(),
            steps: BTreeMap::new(),
            sinks: BTreeMap::new(),
            checkpoints: CheckpointMetrics {
                commits: self.commits(),
                retries: self.checkpoint_retries(),
                last: self.checkpoint(),
                savepoint: self.savepoint(),
            },
            workers: BTreeMap::new(),
            watermark_holder: None,
            standstills,
            restarts: self.restarts(),
            retries: self.retries(),
            notes: self.notes(),
            counters: BTreeMap::new(),
        };
        let counts = self.counts();
        for ((name, worker), counts) in &counts.sources {
            add_source(snapshot.sources.entry(name.clone()).or_insert_with(before_the_first), counts);
            snapshot.workers.entry(*worker).or_default().rows_read += counts.rows.get();
        }
        for ((name, worker), counts) in &counts.steps {
            let step = snapshot.steps.entry(name.clone()).or_insert_with(|| of_step(bytes_of(name)));
            add_step(step, counts);
            snapshot.workers.entry(*worker).or_default().records_in += counts.records_in.get();
        }
        for ((name, worker), counts) in &counts.sinks {
            add_sink(snapshot.sinks.entry(name.clone()).or_default(), counts);
            snapshot.workers.entry(*worker).or_default().rows_written += counts.rows.get();
        }
        for (name, retries) in &counts.sink_retries {
            snapshot.sinks.entry(name.clone()).or_default().retries = *retries;
        }
        drop(counts);
        for (name, sink) in &mut snapshot.sinks {
            sink.state_bytes = bytes_of(&format!("sink {name}"));
        }
        for source in snapshot.sources.values_mut() {
            source.lag = now.filter(|_| source.watermark.is_instant()).map(|now| now - source.watermark);
        }
        for ((name, what), counter) in self.counters.lock().expect("no panic holds it").iter() {
            snapshot.counters.entry(name.clone()).or_default().insert(what.to_string(), counter.get());
        }
        snapshot.watermark_holder = watermark_holder(&snapshot.sources, &snapshot.standstills);
        snapshot
    }

    /// What the source `name` has counted; all zero if there is none of that name, or none that has started.
    pub fn source(&self, name: &str) -> SourceMetrics {
        self.snapshot().source(name)
    }

    /// What the step `name` has counted; all zero if there is none of that name, or none that has started.
    pub fn step(&self, name: &str) -> StepMetrics {
        self.snapshot().step(name)
    }

    /// What the sink `name` has counted; all zero if there is none of that name, or none that has started.
    pub fn sink(&self, name: &str) -> SinkMetrics {
        self.snapshot().sink(name)
    }

    /// A counter of the program's own: what `name` counts as `what`, over all workers.
    ///
    /// A step gets it from [`Flow::counter`](crate::Flow::counter). What the engine counts for sources, steps and sinks
    /// is not here, whatever they are called: see [`Metrics::snapshot`].
    pub fn counter(&self, name: &str, what: &'static str) -> Counter {
        self.counters.lock().expect("no panic holds it").entry((name.to_string(), what)).or_default().clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no panic holds it")
    }

    pub(crate) fn source_counts(&self, name: &str, worker: usize) -> SourceCounts {
        handles(&mut self.counts().sources, name, worker)
    }

    pub(crate) fn step_counts(&self, name: &str, worker: usize) -> StepCounts {
        handles(&mut self.counts().steps, name, worker)
    }

    pub(crate) fn sink_counts(&self, name: &str, worker: usize) -> SinkCounts {
        handles(&mut self.counts().sinks, name, worker)
    }

    /// The clock by which the lag of sources is measured.
    pub(super) fn go_by(&self, clock: &Arc<dyn Clock>) {
        *self.clock.lock().expect("no panic holds it") = Some(Arc::clone(clock));
    }

    fn now(&self) -> Option<EventTime> {
        self.clock.lock().expect("no panic holds it").as_ref().map(|clock| clock.now())
    }

    /// The newest checkpoint that was committed, in this run or before it.
    pub fn checkpoint(&self) -> Option<LastCheckpoint> {
        *self.checkpoint.lock().expect("no panic holds it")
    }

    /// How many checkpoints were committed in this run, over all its starts. Of several processes, the first one knows.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How often the store of checkpoints refused something that is retried.
    pub fn checkpoint_retries(&self) -> u64 {
        self.checkpoint_retries.load(Ordering::Relaxed)
    }

    /// The epoch of the newest savepoint that was committed in this run.
    pub fn savepoint(&self) -> Option<Epoch> {
        *self.savepoint.lock().expect("no panic holds it")
    }

    /// How many bytes of state each step has in the newest checkpoint, and each sink (`sink NAME`) whose rows wait for
    /// the watermark: what is held, and what was replaced and is not merged away yet. With several processes, the first
    /// one knows.
    pub fn state(&self) -> BTreeMap<String, u64> {
        self.state.lock().expect("no panic holds it").clone()
    }

    /// How often the job was started again, and why.
    pub fn restarts(&self) -> Restarts {
        self.restarts.lock().expect("no panic holds it").clone()
    }

    /// How often the machine refused something that is retried, and why: the job stands still while that lasts.
    pub fn retries(&self) -> Retries {
        self.retries.lock().expect("no panic holds it").clone()
    }

    /// What a person should know that the run has met since its start, a sentence each, in order: such as an unread
    /// file.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no panic holds it").clone()
    }

    pub(crate) fn note(&self, note: String) {
        log::warn!(target: LOGGED, "{note}");
        self.notes.lock().expect("no panic holds it").push(note);
    }

    /// How many rows waited at each sink for the watermark when the newest checkpoint was taken; none where none did.
    /// They are in the checkpoint. With several processes, each knows its own.
    pub fn waiting(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((name, _), counts) in &self.counts().sinks {
            let rows = counts.waiting.load(Ordering::Relaxed);
            if rows > 0 {
                *sums.entry(name.clone()).or_default() += rows;
            }
        }
        sums
    }

    /// What holds the sources back, where something has for a third of a second or longer: separately on each worker of
    /// this process, by the name of the source. None where all of them are moving.
    pub fn standstills(&self) -> Vec<Standstill> {
        self.standing.lock().expect("no panic holds it").values().cloned().collect()
    }

    /// An attempt to run begins: nothing from an earlier one stands still.
    pub(crate) fn note_attempt(&self) {
        self.standing.lock().expect("no panic holds it").clear();
    }

    pub(crate) fn note_standstill(&self, source: &str, worker: usize, standing: Option<Standstill>) {
        let mut all = self.standing.lock().expect("no panic holds it");
        match standing {
            Some(standing) => drop(all.insert((source.to_string(), worker), standing)),
            None => drop(all.remove(&(source.to_string(), worker))),
        }
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
        log::warn!(target: LOGGED, "the job is started again, after: {why}");
        let mut restarts = self.restarts.lock().expect("no panic holds it");
        *restarts = Restarts { count: restarts.count + 1, last: why.to_string() };
    }

    pub(crate) fn note_retry(&self, whose: Whose<'_>, why: &dyn Display) {
        match whose {
            Whose::Sink(name) => *self.counts().sink_retries.entry(name.to_string()).or_default() += 1,
            Whose::Checkpoints => drop(self.checkpoint_retries.fetch_add(1, Ordering::Relaxed)),
        }
        log::warn!(target: LOGGED, "the machine refuses and is asked again: {whose}: {why}");
        let mut retries = self.retries.lock().expect("no panic holds it");
        *retries = Retries { count: retries.count + 1, last: format!("{whose}: {why}") };
    }
}

/// A source before any worker's part of it is added.
fn before_the_first() -> SourceMetrics {
    SourceMetrics { watermark: EventTime::MAX, ..SourceMetrics::default() }
}

fn add_source(source: &mut SourceMetrics, counts: &SourceCounts) {
    source.rows += counts.rows.get();
    source.bad += counts.bad.get();
    source.repeated += counts.repeated.get();
    source.unread += counts.unread.get();
    source.fell_idle += counts.fell_idle.get();
    source.watermark = source.watermark.min(counts.watermark.get());
    source.positions.extend(counts.positions());
}

fn of_step(state_bytes: u64) -> StepMetrics {
    StepMetrics { state_bytes, ..StepMetrics::default() }
}

fn add_step(step: &mut StepMetrics, counts: &StepCounts) {
    step.records_in += counts.records_in.get();
    step.records_out += counts.records_out.get();
    step.late += counts.late.get();
    step.in_no_window += counts.in_no_window.get();
}

fn add_sink(sink: &mut SinkMetrics, counts: &SinkCounts) {
    sink.rows += counts.rows.get();
    sink.waiting += counts.waiting.load(Ordering::Relaxed);
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.snapshot()).finish()
    }
}
