//! A sink that stands still while its source has plenty to give.
//!
//! Would catch: memory that grows with the input instead of staying within what flow control allows, and a job that does
//! not go on when the sink does. Rows on the way are counted, which no other program on the machine disturbs.

use std::sync::{Arc, Condvar, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge::prelude::*;
use dualgauge::testing::{Item, Script, Step};
use dualgauge::{Epoch, Limits, Prepared, Result, Sink, SinkWriter, Writing};

use crate::common::at;

/// How many rows a batch of the script has, and how many an epoch.
const BATCH: usize = 10;
const EPOCH: usize = 100;
const BATCHES: usize = 3_000;

/// A sink that takes nothing until it is opened.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<(Mutex<bool>, Condvar)>,
    rows: Arc<Mutex<Vec<EventTime>>>,
}

impl Gate {
    fn open_it(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Sink for Gate {
    fn describe(&self) -> String {
        "a gate".to_string()
    }
    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }
    fn open(&self, _: usize, _: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for Gate {
    fn write(&mut self, times: &[EventTime], _: &RecordBatch) -> Result<()> {
        let mut open = self.open.0.lock().unwrap();
        while !*open {
            open = self.open.1.wait(open).unwrap();
        }
        self.rows.lock().unwrap().extend(times);
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

#[test]
fn a_sink_that_stands_still_holds_its_source_and_lets_it_go_again() {
    let partition = |number: usize| {
        let item = |row: usize| Item { time: at(row as i64), key: number.to_string(), value: row as i64 };
        (0..BATCHES).map(|batch| Step::Batch((batch * BATCH..(batch + 1) * BATCH).map(item).collect(), None)).collect()
    };
    // The bucket is the first worker's; the second goes on reading until flow control stops it.
    let script = Script::new((0..2).map(partition).collect());
    let gate = Gate::default();
    let limits = Limits {
        epochs_ahead: 4,
        epoch_rows: EPOCH,
        epoch_interval: Duration::MAX,
        lockstep: Duration::MAX,
        ..Limits::default()
    };
    let copy = |flow: &Flow<'_>| flow.source::<Item>("items").sink("gate");
    let job = Job::new(copy).source("items", script).sink("gate", gate.clone()).workers(2).limits(limits);
    let running = job.start().unwrap();
    let rows = running.metrics().counter("items", "rows");
    // Each worker may have so many epochs open, and the batch on top that made the last one full.
    let allowed = 2 * (4 * EPOCH + BATCH) as u64;
    let mut most = 0;
    for _ in 0..20_000 {
        most = most.max(rows.get());
        std::thread::yield_now();
    }
    assert!(most <= allowed, "{most} rows were read, and no more than {allowed} are allowed on the way");
    gate.open_it();
    running.join().unwrap();
    let written = gate.rows.lock().unwrap().len();
    println!("{most} rows on the way at most, of {written}; {allowed} are allowed");
    assert_eq!((written, rows.get() as usize), (2 * BATCHES * BATCH, 2 * BATCHES * BATCH));
    assert!(most > 0);
}
