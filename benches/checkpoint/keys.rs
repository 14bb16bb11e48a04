//! Five million keys of live state, of which one in a hundred changes between two checkpoints.
//!
//! The source makes its own events, so that all the work is on the state: first each key once, then fifty thousand keys
//! again and again, different ones each second or so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dualgauge::arrow::RecordBatch;
use dualgauge::checkpoint::{ChainReader, Commit, GroupRange, LayerRef};
use dualgauge::prelude::*;
use dualgauge::{Listing, Next, Offset, Partition, PartitionReader, Result, Scan, Source, SourceBatch};

use crate::graphs::Counted;
use crate::{checkpoints, commits, fresh_dir, median, store};

const KEYS: u64 = 5_000_000;
const CHANGING: u64 = KEYS / 100;
/// How many events go to the same fifty thousand keys before others get their turn.
const TURN: u64 = 20_000_000;
/// By this event every key is there; the rest waits until all of them are stored.
const SETTLED: u64 = KEYS + TURN;
const EVENTS: u64 = SETTLED + 8 * TURN;
const ROUNDS: usize = 5;

#[record]
struct Touch {
    key: u64,
    #[event_time]
    time: EventTime,
}

#[record]
struct Touched {
    key: u64,
    #[event_time]
    time: EventTime,
    count: u64,
}

/// The events, in order of event time, a microsecond apart.
#[derive(Clone, Default)]
struct Touches {
    at: u64,
    /// Whether what follows [`SETTLED`] may come.
    settled: Arc<AtomicBool>,
}

fn key(event: u64) -> u64 {
    let place = match event.checked_sub(KEYS) {
        None => event,
        Some(later) => (later / TURN * CHANGING + later % CHANGING) % KEYS,
    };
    place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1
}

impl Source for Touches {
    fn describe(&self) -> String {
        "touches".to_string()
    }
    fn bounded(&self) -> bool {
        true
    }
    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = Partition { bound: Some(EventTime::default()), ..Partition::new("touches") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }
    fn open(&self, _: &Partition, offset: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        Ok(Box::new(Touches { at: offset.map_or(0, |offset| offset.position), settled: self.settled.clone() }))
    }
}

impl PartitionReader for Touches {
    fn next(&mut self) -> Result<Next> {
        if self.at >= EVENTS {
            return Ok(Next::End);
        }
        if self.at == SETTLED && !self.settled.load(Ordering::Acquire) {
            return Ok(Next::Pending);
        }
        let end = (self.at + 8192).min(if self.at < SETTLED { SETTLED } else { EVENTS });
        let time = |event: u64| EventTime::from_micros(event as i64);
        let rows: Vec<_> = (self.at..end).map(|event| Touch { key: key(event), time: time(event) }).collect();
        self.at = end;
        let rows: RecordBatch = Touch::encode(rows.iter());
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(end), bound_after: Some(time(end)) }))
    }
}

/// How often each key was touched, over all of time.
fn counts(flow: &Flow) {
    flow.source::<Touch>("touches")
        .key_by(|touch| touch.key)
        .window(whole())
        .aggregate("touches_per_key", agg::count())
        .map(|pane| Touched { key: pane.key, time: pane.time, count: pane.value })
        .sink("touched");
}

/// Runs the job. Returns how long the middle events took, after all keys are there and stored, and how long the whole
/// took.
fn time(checkpointed: Option<&PathBuf>) -> (f64, f64) {
    let touches = Touches::default();
    let mut job = Job::new(counts).source("touches", touches.clone()).sink("touched", Counted::default());
    if let Some(dir) = checkpointed {
        fresh_dir("checkpoint-keys");
        job = job.checkpoints(checkpoints(dir).every(1.seconds()));
    }
    let start = Instant::now();
    let running = job.start().expect("the job starts");
    let metrics = running.metrics();
    let rows = || metrics.source("touches").rows;
    let until = |counted: &dyn Fn() -> u64, count: u64| {
        while counted() < count && !running.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        start.elapsed().as_secs_f64()
    };
    let mut middle = until(&rows, SETTLED);
    if checkpointed.is_some() {
        middle = until(&|| metrics.commits(), metrics.commits() + 3); // as many as may have been under way
    }
    touches.settled.store(true, Ordering::Release);
    let middle = until(&rows, EVENTS) - middle;
    running.join().expect("the job runs");
    (middle, start.elapsed().as_secs_f64())
}

pub fn run() {
    let dir = fresh_dir("checkpoint-keys");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (a, b) = (time(None), time(Some(&dir)));
        if round > 0 {
            without.push(a);
            with.push(b);
        }
    }
    // Compares neighbouring runs: whatever else the machine does changes more slowly.
    let costs = |of: fn(&(f64, f64)) -> f64| {
        let pairs = with.iter().zip(&without);
        median(pairs.map(|(with, without)| (of(with) / of(without) - 1.0) * 100.0).collect())
    };
    let costs = (costs(|time| time.0), costs(|time| time.1));
    let medians = |times: &[(f64, f64)]| {
        (median(times.iter().map(|time| time.0).collect()), median(times.iter().map(|time| time.1).collect()))
    };
    let (without, with) = (medians(&without), medians(&with));
    // In the commits that are kept, each layer that is a single save is what one checkpoint has stored; the last of
    // them says that everything is gone.
    let commits = commits(&dir);
    let kept = commits.iter().rev().skip(1).take(2).flat_map(Commit::layers).filter(|layer| layer.saves == 1);
    let sizes = kept.filter(|layer| layer.size < KEYS).map(|layer| (layer.size as f64, changed(&dir, layer) as f64));
    let (stored, changed) = sizes.fold((0.0, 0.0), |sum, (stored, changed)| (sum.0 + stored, sum.1 + changed));
    println!("{KEYS} keys of live state, of which {CHANGING} change at a time; {EVENTS} events, one worker, seconds");
    println!("                               the middle    the whole");
    println!("  without checkpoints          {:>7.3}       {:>7.3}", without.0, without.1);
    println!("  a checkpoint every second    {:>7.3}       {:>7.3}   {} commits", with.0, with.1, commits.len());
    println!("  cost, run by run             {:>5.1} %       {:>5.1} %   (limit 10 % of the middle)", costs.0, costs.1);
    println!("  a save in the middle stores {:.2} times the bytes that have changed (limit 3)", stored / changed);
}

/// The bytes of keys and values in a layer.
fn changed(dir: &PathBuf, layer: &LayerRef) -> usize {
    let chain = ChainReader::open(store(dir), std::slice::from_ref(layer)).expect("a layer that is kept");
    let mut bytes = 0;
    let mut count = |_, key: &[u8], value: &[u8]| {
        bytes += key.len() + value.len();
        Ok(())
    };
    chain.entries("touches_per_key", "panes", GroupRange::new(0, 256), &mut count).expect("a layer that is whole");
    bytes
}
