//! Five million keys of live state, of which one in a hundred changes between two checkpoints.
//!
//! The source makes its events, so that nothing but the state is worked on: first each key once, then fifty thousand keys
//! again and again, others each half second.

use std::time::Instant;

use dualgauge::__private::RecordBatch;
use dualgauge::checkpoint::LayerRef;
use dualgauge::prelude::*;
use dualgauge::{Listing, Next, Offset, Partition, PartitionReader, Result, Scan, Source, SourceBatch};

use crate::graphs::Counted;
use crate::{checkpoints, commits, fresh_dir, median};

const KEYS: u64 = 5_000_000;
const CHANGING: u64 = KEYS / 100;
/// How many events go to the same fifty thousand keys before others have their turn.
const TURN: u64 = 4_000_000;
const EVENTS: u64 = KEYS + 12 * TURN;
const ROUNDS: usize = 3;

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
#[derive(Clone)]
struct Touches {
    at: u64,
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
        Ok(Box::new(Touches { at: offset.map_or(0, |offset| offset.position) }))
    }
}

impl PartitionReader for Touches {
    fn next(&mut self) -> Result<Next> {
        if self.at >= EVENTS {
            return Ok(Next::End);
        }
        let end = (self.at + 8192).min(EVENTS);
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
        .aggregate("touches_per_key", count())
        .map(|pane| Touched { key: pane.key, time: pane.time(), count: pane.value })
        .sink("touched");
}

pub fn run() {
    let dir = fresh_dir("checkpoint-keys");
    let time = |with: bool| {
        let touches = Touches { at: 0 };
        let mut job = Job::new(counts).source("touches", touches).sink("touched", Counted::default());
        if with {
            fresh_dir("checkpoint-keys");
            job = job.checkpoints(checkpoints(&dir).every(1.seconds()));
        }
        let start = Instant::now();
        let outcome = job.run().expect("the job runs");
        (start.elapsed().as_secs_f64(), outcome.metrics)
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(time(false).0);
        with.push(time(true).0);
    }
    let (without, with) = (median(without), median(with));
    // The first layer holds every key; of the others each young one is what one checkpoint has stored.
    let commits = commits(&dir);
    let young = |layer: &&LayerRef| layer.saves == 1;
    let mut sizes: Vec<(String, u64)> = Vec::new();
    for layer in commits.iter().flat_map(|commit| &commit.chains).flat_map(|chain| &chain.layers).filter(young) {
        if !sizes.iter().any(|(name, _)| *name == layer.name) {
            sizes.push((layer.name.clone(), layer.size));
        }
    }
    println!("{KEYS} keys of live state, {EVENTS} events, one worker, seconds");
    println!("  without checkpoints          {without:>7.3}");
    println!("  a checkpoint every second    {with:>7.3}  {} commits", commits.len());
    println!("  cost                         {:>6.1} %  (limit 10 %)", (with / without - 1.0) * 100.0);
    println!("  bytes of each save           {:?}", sizes.iter().map(|(_, size)| *size).collect::<Vec<_>>());
}
