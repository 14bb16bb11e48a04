//! A stepped run: one thing happens at a time, and after each, everything moves until it stands still.
//!
//! What happens is a [`Moment`]: an event, a promise, the end of a partition, a move of the clock. The next one comes when
//! no worker has sent or taken anything for some rounds, so *when* a row is seen is a moment and not a matter of speed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::lines::decoded;
use super::script::{Item, Script, Step, bound, seconds};
use crate::connector::Firings;
use crate::run::Turns;
use crate::{
    Epoch, EventTime, Listing, Next, Offset, Partition, PartitionReader, Prepared, Record, Result, Scan, Sink,
    SinkWriter, Source, SourceBatch, VirtualClock, Writing,
};

/// After this many rounds in which nothing moved, nothing will: what a worker has to send it sends within one.
const QUIET: u32 = 4;

/// After this many more at the end of input, the job does not end by itself.
const STUCK: u32 = 1_000;

/// One thing that happens in a stepped run.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Which of the inputs it happens to.
    pub input: usize,
    /// Which of its partitions.
    pub partition: usize,
    /// What: a batch of one event, or of none with a promise; a move of the clock; an end.
    pub what: Step,
}

impl Moment {
    /// What happens, as a script says it.
    pub fn text(&self) -> String {
        match &self.what {
            Step::Batch(items, promise) => {
                let items = items.iter().map(|item| format!("{}:{}@{}", item.key, item.value, seconds(item.time)));
                items.chain(promise.map(|bound| format!("~{}", seconds(bound)))).collect::<Vec<_>>().join(" ")
            }
            Step::Wait(wait) => format!("+{wait}"),
            Step::Pending => "_".to_string(),
            Step::End => ".".to_string(),
            Step::Open => "...".to_string(),
        }
    }
}

/// What happens one after the other in a stepped run of these scripts: the first thing of each partition in turn, then the
/// second of each. A `_` lets the others go first.
pub fn moments(scripts: &[Script]) -> Vec<Moment> {
    let mut columns: Vec<Vec<Moment>> = Vec::new();
    for (input, script) in scripts.iter().enumerate() {
        for (partition, steps) in script.partitions.iter().enumerate() {
            let singles = steps.iter().flat_map(single).take_while(|step| !matches!(step, Step::Open));
            for (column, what) in singles.enumerate() {
                columns.resize_with(columns.len().max(column + 1), Vec::new);
                columns[column].push(Moment { input, partition, what });
            }
        }
    }
    columns.into_iter().flatten().filter(|moment| !matches!(moment.what, Step::Pending)).collect()
}

/// A step in parts of one event.
fn single(step: &Step) -> Vec<Step> {
    match step {
        Step::Batch(items, promise) => {
            let one = |item: &Item| Step::Batch(vec![item.clone()], None);
            let promise = promise.map(|promise| Step::Batch(Vec::new(), Some(promise)));
            items.iter().map(one).chain(promise).collect()
        }
        other => vec![other.clone()],
    }
}

/// How far a stepped run has come.
#[derive(Debug, Default)]
pub(super) struct Present {
    released: AtomicUsize,
}

impl Present {
    fn has_come(&self, moment: usize) -> bool {
        moment < self.released.load(Ordering::SeqCst)
    }

    /// The last moment that has come.
    fn last(&self) -> usize {
        self.released.load(Ordering::SeqCst).saturating_sub(1)
    }
}

/// A script whose steps come one by one.
pub(super) struct SteppedScript {
    partitions: Vec<SteppedPartition>,
    promised: bool,
    /// The moment at which each partition that has not ended ends.
    over: usize,
    present: Arc<Present>,
}

#[derive(Clone)]
struct SteppedPartition {
    /// Each with the moment at which it comes.
    steps: Vec<(usize, Step)>,
    is_open: bool,
}

impl SteppedScript {
    pub(super) fn new(input: usize, script: &Script, moments: &[Moment], present: &Arc<Present>) -> SteppedScript {
        let partition = |(number, steps): (usize, &Vec<Step>)| {
            let mine = |moment: &Moment| moment.input == input && moment.partition == number;
            let mine = moments.iter().enumerate().filter(|(_, moment)| mine(moment));
            let mine = mine.filter(|(_, moment)| !matches!(moment.what, Step::Wait(_)));
            SteppedPartition {
                steps: mine.map(|(at, moment)| (at, moment.what.clone())).collect(),
                is_open: steps.iter().any(|step| matches!(step, Step::Open)),
            }
        };
        let partitions = script.partitions.iter().enumerate().map(partition).collect();
        SteppedScript { partitions, promised: script.promised, over: moments.len(), present: Arc::clone(present) }
    }
}

impl Source for SteppedScript {
    fn describe(&self) -> String {
        "stepped script".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = |(number, partition): (usize, &SteppedPartition)| {
            let least = self.promised.then(|| bound(partition.steps.iter().map(|(_, step)| step)));
            Partition { bound: least, followed: !self.promised, ..Partition::new(format!("{number:03}")) }
        };
        Ok(Listing { partitions: self.partitions.iter().enumerate().map(partition).collect(), ..Listing::default() })
    }

    fn open(&self, partition: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number: usize = partition.id.0.parse().expect("a partition of this script");
        let (partition, present) = (self.partitions[number].clone(), Arc::clone(&self.present));
        Ok(Box::new(SteppedReader { partition, promised: self.promised, over: self.over, present, at: 0 }))
    }
}

struct SteppedReader {
    partition: SteppedPartition,
    promised: bool,
    over: usize,
    present: Arc<Present>,
    at: usize,
}

impl PartitionReader for SteppedReader {
    fn next(&mut self) -> Result<Next> {
        let Some((moment, step)) = self.partition.steps.get(self.at) else {
            let ends = self.present.has_come(self.over) && !self.partition.is_open;
            return Ok(if ends { Next::End } else { Next::Pending });
        };
        if !self.present.has_come(*moment) {
            return Ok(Next::Pending);
        }
        let Step::Batch(items, promise) = step else { return Ok(Next::End) };
        self.at += 1;
        let rest = || bound(self.partition.steps[self.at..].iter().map(|(_, step)| step));
        let bound_after = if self.promised { Some(rest()) } else { *promise };
        Ok(Next::Batch(SourceBatch {
            rows: Item::encode(items.iter()),
            offset_after: Offset::at(self.at as u64),
            bound_after,
        }))
    }
}

/// Lets the workers step in turn, and brings the next moment when nothing moves any more.
pub(super) struct StepByStep {
    moments: Vec<Moment>,
    present: Arc<Present>,
    clock: Arc<VirtualClock>,
    moves: Arc<AtomicU64>,
    state: Mutex<State>,
    passed: Condvar,
}

struct State {
    holder: usize,
    alive: Vec<bool>,
    /// What had moved by the end of the last round.
    moved: u64,
    quiet: u32,
}

impl StepByStep {
    pub(super) fn new(
        workers: usize,
        moments: Vec<Moment>,
        present: Arc<Present>,
        clock: Arc<VirtualClock>,
    ) -> StepByStep {
        let state = State { holder: 0, alive: vec![true; workers], moved: 0, quiet: 0 };
        let (state, moves) = (Mutex::new(state), Arc::default());
        StepByStep { moments, present, clock, moves, state, passed: Condvar::new() }
    }

    /// Ends a round of all workers.
    fn end_round(&self, state: &mut State) {
        let moved = self.moves.load(Ordering::SeqCst);
        state.quiet = if moved == state.moved { state.quiet + 1 } else { 0 };
        state.moved = moved;
        let next = self.present.released.load(Ordering::SeqCst);
        if state.quiet < QUIET || next > self.moments.len() {
            return;
        }
        state.quiet = 0;
        if let Some(Moment { what: Step::Wait(wait), .. }) = self.moments.get(next) {
            self.clock.advance(*wait);
        }
        self.present.released.store(next + 1, Ordering::SeqCst);
    }
}

impl Turns for StepByStep {
    fn take(&self, worker: usize) {
        let mut state = self.state.lock().expect("no panic holds it");
        while state.holder != worker {
            state = self.passed.wait(state).expect("no panic holds it");
        }
    }

    fn pass(&self, worker: usize, done: bool) {
        let mut state = self.state.lock().expect("no panic holds it");
        state.alive[worker] &= !done;
        if state.holder == worker {
            let workers = state.alive.len();
            let next = (1..=workers).map(|step| (worker + step) % workers).find(|next| state.alive[*next]);
            if let Some(next) = next {
                if next <= worker {
                    self.end_round(&mut state);
                }
                state.holder = next;
            }
        }
        self.passed.notify_all();
    }

    fn killed(&self) -> bool {
        let state = self.state.lock().expect("no panic holds it");
        state.quiet > STUCK
    }

    fn may_park(&self) -> bool {
        false
    }

    fn moves(&self) -> Option<Arc<AtomicU64>> {
        Some(Arc::clone(&self.moves))
    }
}

/// A line, and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// After which of the [`moments`]; after the last one comes the end of input.
    pub behind: usize,
    /// Its event time.
    pub time: EventTime,
    /// What it says.
    pub text: String,
}

/// A sink that notes when each line comes.
#[derive(Clone)]
pub(super) struct Witness {
    present: Arc<Present>,
    seen: Arc<Mutex<Vec<Seen>>>,
    shows: Shows,
}

/// When a stepped run shows a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shows {
    /// When it is settled.
    #[default]
    Settled,
    /// As soon as it comes.
    AtOnce,
    /// Each firing, as soon as it has fired.
    AllFirings,
}

impl Witness {
    pub(super) fn new(present: &Arc<Present>, shows: Shows) -> Witness {
        Witness { present: Arc::clone(present), seen: Arc::default(), shows }
    }

    /// What was seen: in the order of the moments, and after each by event time.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().expect("no panic holds it").clone();
        seen.sort();
        seen
    }
}

impl Sink for Witness {
    fn describe(&self) -> String {
        "witness".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }

    fn buckets(&self) -> usize {
        3
    }

    fn writes_at_once(&self) -> bool {
        self.shows == Shows::AtOnce
    }

    fn firings(&self) -> Firings {
        if self.shows == Shows::AllFirings { Firings::All } else { Firings::Last }
    }

    fn open(&self, _: usize, _: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for Witness {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let behind = self.present.last();
        let lines = decoded(rows).into_iter().zip(times);
        let seen = lines.map(|(line, time)| Seen { behind, time: *time, text: line.text });
        self.seen.lock().expect("no panic holds it").extend(seen);
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: Epoch, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn recover(&mut self, _: &[Prepared]) -> Result<()> {
        Ok(())
    }
}

impl Script {
    /// Whether some partition never ends.
    pub(super) fn is_open(&self) -> bool {
        self.partitions.iter().flatten().any(|step| matches!(step, Step::Open))
    }
}
