//! A run that stands still says why: ahead of another source, and behind checkpoints that are not stored.
//!
//! What this would catch: a limit that is met and not told, or told for ever. Who is waited for is held up by a gate, and the
//! clock is moved by the test, so a limit of which nothing is said makes its test hang.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;

use dualgauge_engine::checkpoint::{Created, LocalStore, Store, StoreError};
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::job::{Limit, Running, Standstill};
use dualgauge_engine::testing::{Item, Line, Lines, Script};
use dualgauge_engine::{
    Checkpoints, Clock, Duration, Durations, Event, EventTime, Flow, Job, Limits, Stream, VirtualClock,
};

/// Where somebody is held up until the test lets go.
#[derive(Debug, Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

fn lines(items: Stream<'_, Item>, name: &'static str, gate: &Arc<Gate>) {
    let gate = Arc::clone(gate);
    let lines = items.transform(NodeSpec::stateless(name), move |batch| {
        batch.transform(|event, out| {
            if event.data.key == "held" {
                gate.pass();
            }
            out.push(Event::new(event.time, Line { time: event.time, text: event.data.key }));
        })
    });
    lines.sink(name);
}

/// Moves the clock on until the run says that it stands still for this reason.
fn said(running: &Running, clock: &VirtualClock, reason: &Limit) -> Standstill {
    let metrics = running.metrics();
    loop {
        clock.advance(50.millis());
        if let Some(standing) = metrics.standstills().into_iter().find(|standing| standing.limit == *reason) {
            return standing;
        }
        std::thread::yield_now();
    }
}

#[test]
fn one_that_waits_for_another_source_names_it_and_says_no_more_when_that_goes_on() {
    let (gate, clock) = (Arc::<Gate>::default(), Arc::new(VirtualClock::at(EventTime::default())));
    let held = Arc::clone(&gate);
    let job = Job::new(move |flow: &Flow<'_>| {
        lines(flow.source::<Item>("slow"), "slow lines", &held);
        lines(flow.source::<Item>("fast"), "fast lines", &held);
    });
    // On the second worker the slow one's row is held up; the fast one is read on the first.
    let job =
        job.source("slow", Script::from(".\nheld:1@1")).source("fast", Script::from("a:1@1 | a:2@9000 | a:3@9001"));
    let job = job.sink("slow lines", Lines::default()).sink("fast lines", Lines::default()).workers(2);
    let limits = Limits { lockstep: 1.minutes(), lockstep_rows: 0, ..Limits::default() };
    let running = job.limits(limits).clock(clock.clone()).start().unwrap();
    let behind = Limit::Lockstep { behind: "slow".to_string() };
    assert_eq!(said(&running, &clock, &behind).source, "fast");
    gate.open();
    let metrics = running.metrics();
    running.join().unwrap();
    assert_eq!(metrics.standstills(), []);
}

/// A store in which no thread but the test's own writes before the gate is open.
#[derive(Debug)]
struct Slow {
    store: LocalStore,
    own: ThreadId,
    gate: Arc<Gate>,
}

impl Slow {
    fn wait(&self) {
        if std::thread::current().id() != self.own {
            self.gate.pass();
        }
    }
}

impl Store for Slow {
    fn describe(&self) -> String {
        self.store.describe()
    }
    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        self.wait();
        self.store.put(name, write)
    }
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.wait();
        self.store.create(name, bytes)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.store.get(name)
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        self.store.get_range(name, range)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(folder)
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.store.delete(name)
    }
}

#[test]
fn one_that_waits_for_a_checkpoint_says_so_and_no_more_when_it_is_stored() {
    let (gate, clock) = (Arc::<Gate>::default(), Arc::new(VirtualClock::at(EventTime::default())));
    let store = LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap();
    let store = Slow { store, own: std::thread::current().id(), gate: Arc::clone(&gate) };
    let checkpoints = Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO);
    let free = Arc::<Gate>::default();
    let job = Job::new(move |flow: &Flow<'_>| lines(flow.source::<Item>("items"), "lines", &free));
    let rows: Vec<_> = (0..2_000).map(|row| format!("a:{row}@{row} |")).collect();
    let job = job.source("items", Script::from(rows.join(" ").as_str())).sink("lines", Lines::default());
    let limits = Limits { epoch_rows: 1, epochs_ahead: 1_000_000, ..Limits::default() };
    let running = job.limits(limits).checkpoints(checkpoints).clock(clock.clone()).start().unwrap();
    let said = said(&running, &clock, &Limit::Checkpoint);
    assert_eq!(said.source, "items");
    let told = said.told(clock.now());
    assert!(told.starts_with("source items waits until a checkpoint is stored, for "), "{told}");
    gate.open();
    let metrics = running.metrics();
    running.join().unwrap();
    assert_eq!(metrics.standstills(), []);
}
