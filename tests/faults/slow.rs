//! A sink that stands still while its source has plenty to give.
//!
//! Would catch: memory that grows with the input instead of staying within what flow control allows, and a job that does
//! not go on when the sink does. Rows on the way are counted, which no other program on the machine disturbs; memory, and
//! the time to be up to speed again, are printed and not judged.

use std::sync::{Arc, Condvar, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge::prelude::*;
use dualgauge::testing::{Item, Script, Step};
use dualgauge::{Clock, Epoch, Limits, Prepared, Result, Sink, SinkWriter, SystemClock, Writing};

use crate::common::{at, from_environment};

/// How many rows a batch of the script has, and how many an epoch.
const BATCH: usize = 10;
const EPOCH: usize = 100;
const BATCHES: usize = 3_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Shut,
    /// Somebody stands before it.
    StoodBefore,
    Open,
}

/// A sink that takes nothing until it is opened.
#[derive(Clone, Default)]
struct Gate {
    state: Arc<(Mutex<State>, Condvar)>,
    rows: Arc<Mutex<Vec<EventTime>>>,
}

impl Gate {
    fn open_it(&self) {
        *self.state.0.lock().unwrap() = State::Open;
        self.state.1.notify_all();
    }

    /// Waits until a worker stands before it.
    fn until_stood_before(&self) {
        let shut = self.state.0.lock().unwrap();
        drop(self.state.1.wait_while(shut, |state| *state == State::Shut).unwrap());
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
        let mut state = self.state.0.lock().unwrap();
        while *state != State::Open {
            *state = State::StoodBefore;
            self.state.1.notify_all();
            state = self.state.1.wait(state).unwrap();
        }
        drop(state);
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

/// How many kibibytes this process has in memory; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
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
    let metrics = running.metrics();
    let rows = || metrics.source("items").rows;
    let clock = SystemClock::new();
    // Each worker may have so many epochs open, and the batch on top that made the last one full.
    let allowed = 2 * (4 * EPOCH + BATCH) as u64;
    // From then on no epoch closes, and so no more rows are read than may be on the way.
    gate.until_stood_before();
    let (read_before, resident_before) = (rows(), resident());
    let mut most = 0;
    for _ in 0..from_environment("DUALGAUGE_LOOKS", 20_000) {
        most = most.max(rows() - read_before);
        std::thread::yield_now();
    }
    let (resident_after, stood_for) = (resident(), clock.elapsed());
    assert!(most <= allowed, "{most} rows were read on, and no more than {allowed} are allowed on the way");
    gate.open_it();
    // Up to speed: as many rows again as were on the way.
    let (opened, read) = (clock.elapsed(), rows());
    while rows() < read + allowed && !running.is_finished() {
        std::thread::yield_now();
    }
    let up_to_speed = clock.elapsed() - opened;
    running.join().unwrap();
    let written = gate.rows.lock().unwrap().len();
    println!("{most} rows were read on at most, of {written}; {allowed} are allowed on the way");
    println!(
        "it stood still for {stood_for}: {resident_before} KiB resident before, {resident_after} after; {up_to_speed} until \
         {allowed} rows more were read"
    );
    assert_eq!((written, rows() as usize), (2 * BATCHES * BATCH, 2 * BATCHES * BATCH));
    assert!(read_before + most > 0);
}
