//! What the drivers of the flow promise of every step and connector, whoever wrote it.
//!
//! Would catch: a step that sends what nobody waits for any more, a job whose memory grows with its input, a panic that
//! takes the process along, and a key that changes its owner with a new version.

use dualgauge_engine::sink::{Prepared, Writing};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::flow::{NodeSpec, Outputs, SourceOptions};
use dualgauge_engine::job::{Limit, Standstill, Turns};
use dualgauge_engine::state::Parts;
use dualgauge_engine::testing::{Item, Script};
use dualgauge_engine::{
    Batch, Duration, Durations, Epoch, ErrorKind, Event, EventTime, Flow, Job, KeyGroup, Limits, Listing, Next, Offset,
    Partition, PartitionId, PartitionReader, Record, Result, Scan, Sink, SinkWriter, Source, SourceBatch, Step,
    VirtualClock, record,
};

#[record]
struct Number {
    #[event_time]
    time: EventTime,
    value: u64,
}

/// Long before the middle of time, up to which a source may run ahead of one that stands at its beginning.
const START: EventTime = EventTime::from_millis(-1_000_000_000);

fn number(value: u64) -> Number {
    Number { time: START + (value as i64).seconds(), value }
}

/// The numbers below an end, one to a batch and a second apart, and how many of them have been read.
#[derive(Clone)]
struct Numbers {
    end: u64,
    read: Arc<AtomicU64>,
}

fn numbers(end: u64) -> Numbers {
    Numbers { end, read: Arc::default() }
}

impl Source for Numbers {
    fn describe(&self) -> String {
        "numbers".to_string()
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = Partition { bound: Some(START), ..Partition::new("numbers") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }

    fn open(&self, _: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        Ok(Box::new(self.clone()))
    }
}

impl PartitionReader for Numbers {
    fn next(&mut self) -> Result<Next> {
        let value = self.read.fetch_add(1, Ordering::SeqCst);
        if value == self.end {
            return Ok(Next::End);
        }
        let (row, next) = (number(value), number(value + 1));
        let rows = Number::encode(std::iter::once(&row));
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(next.value), bound_after: Some(next.time) }))
    }
}

/// A sink that counts its rows and keeps none.
#[derive(Clone)]
struct Discard {
    rows: Arc<AtomicU64>,
}

fn discard() -> Discard {
    Discard { rows: Arc::default() }
}

impl Sink for Discard {
    fn describe(&self) -> String {
        "discard".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }

    fn open(&self, _: usize, _: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for Discard {
    fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
        self.rows.fetch_add(rows.num_rows() as u64, Ordering::SeqCst);
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

/// Says that it keeps nothing, and emits what it kept when the watermark moves.
struct Liar {
    kept: Vec<Event<Number>>,
}

impl Step for Liar {
    type In = Number;
    type Out = Number;
    type Late = Number;

    fn apply(&mut self, batch: Batch<Number>, _: EventTime, _: &mut Outputs<Number, Number>) {
        self.kept.extend(batch.events);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Number, Number>) {
        if watermark == EventTime::MAX {
            self.kept.drain(..).for_each(|event| out.emit.give(event.time, event.data));
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    fn holds(&self) -> Option<EventTime> {
        None
    }
}

#[test]
fn a_step_that_emits_below_its_hold_is_named() {
    // Nothing is sent below the hold.
    let source = numbers(10);
    let job = Job::new(|flow: &Flow<'_>| {
        let numbers = flow.source::<Number>("numbers");
        numbers.local_step(NodeSpec::stateful("liar", "liar"), Liar { kept: Vec::new() }).sink("out");
    });
    let error = job.sink("out", discard()).source("numbers", source).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    let message = error.to_string();
    assert!(message.contains("liar liar at ") && message.contains("Nothing is sent below the hold"), "{message}");
}

/// Lets the first worker take many turns before any other takes its first, and notes how much it has read by then.
struct FirstAlone {
    turns: Mutex<u64>,
    passed: Condvar,
    read: Arc<AtomicU64>,
    read_alone: Arc<AtomicU64>,
}

const TURNS_ALONE: u64 = 500;

impl Turns for FirstAlone {
    fn take(&self, worker: usize) {
        let mut turns = self.turns.lock().unwrap();
        while worker > 0 && *turns < TURNS_ALONE {
            turns = self.passed.wait(turns).unwrap();
        }
    }

    fn pass(&self, worker: usize, done: bool) {
        let mut turns = self.turns.lock().unwrap();
        if worker == 0 && *turns < TURNS_ALONE {
            *turns = if done { TURNS_ALONE } else { *turns + 1 };
            self.read_alone.store(self.read.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        self.passed.notify_all();
    }

    fn may_park(&self) -> bool {
        false
    }
}

#[test]
fn a_source_waits_for_the_epochs_to_close() {
    // No source runs more than `epochs_ahead` epochs ahead of what is closed. Here nothing is closed, since the second
    // worker has not begun: the first has time to read 500 rows, and reads three epochs of five.
    let source = numbers(1_000);
    let (sink, read_alone) = (discard(), Arc::new(AtomicU64::new(0)));
    let turns = FirstAlone {
        turns: Mutex::new(0),
        passed: Condvar::new(),
        read: Arc::clone(&source.read),
        read_alone: Arc::clone(&read_alone),
    };
    let limits = Limits {
        epoch_rows: 5,
        epochs_ahead: 3,
        epoch_interval: Duration::MAX,
        lockstep: Duration::MAX,
        ..Limits::default()
    };
    let job = Job::new(|flow: &Flow<'_>| flow.source::<Number>("numbers").sink("out"));
    let job = job.source("numbers", source).sink("out", sink.clone()).limits(limits);
    job.workers(2).turns(Arc::new(turns)).run().unwrap();
    assert_eq!(read_alone.load(Ordering::SeqCst), 15);
    assert_eq!(sink.rows.load(Ordering::SeqCst), 1_000);
}

#[test]
fn a_panic_in_a_closure_is_an_error_that_names_the_step_on_any_number_of_workers() {
    // A panic in a closure ends the job, never the process.
    for workers in [1, 2, 3] {
        let source = numbers(1_000);
        let job = Job::new(|flow: &Flow<'_>| {
            let doomed = flow.source::<Number>("numbers").transform(NodeSpec::stateless("doomed"), |batch| {
                batch.transform(|event, out| {
                    assert!(event.data.value < 500, "value {} is too large", event.data.value);
                    out.push(event);
                })
            });
            doomed.sink("out");
        });
        let job = job.sink("out", discard()).source("numbers", source).workers(workers);
        let error = job.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panic);
        let message = error.to_string();
        assert!(
            message.starts_with("doomed at ")
                && message.contains("value 500 is too large (this worker had read last: source numbers: "),
            "{message}"
        );
    }
}

#[test]
fn keys_of_every_width_keep_their_group() {
    // The group of a key is frozen for ever.
    let groups = [KeyGroup::of(&7_u64), KeyGroup::of(&"apple".to_string()), KeyGroup::of(&(1_u32, -1_i64))];
    assert_eq!(groups[..2], [KeyGroup(175), KeyGroup(241)]);
    assert_eq!(KeyGroup::of(&7_u64), KeyGroup::of(&7_i64), "keys of one width and the same bytes are of one group");
    for workers in 1..=256 {
        for group in groups {
            assert!(group.owner(workers) < workers);
        }
    }
}

/// Of a thread: that it is alive.
fn alive(life: &Arc<()>) -> bool {
    Arc::strong_count(life) > 1
}

#[test]
fn a_job_whose_handle_is_dropped_is_stopped_and_its_threads_have_ended() {
    for workers in [1, 3] {
        let (life, sink) = (Arc::new(()), discard());
        let held = Arc::clone(&life);
        let job = Job::new(move |flow: &Flow<'_>| {
            let held = Arc::clone(&held);
            let endless = flow.source::<Number>("numbers").transform(NodeSpec::stateless("held"), move |batch| {
                let _held = &held;
                batch
            });
            endless.sink("out");
        });
        let running = job.sink("out", sink).source("numbers", numbers(u64::MAX)).workers(workers).start().unwrap();
        drop(running);
        assert!(!alive(&life), "no worker holds the graph any more");
    }
}

#[test]
fn a_job_that_does_not_end_is_left_behind_when_its_handle_is_dropped() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (entered, standing) = std::sync::mpsc::channel::<()>();
    let (wait, entered) = (Arc::new(Mutex::new(wait)), Mutex::new(entered));
    let job = Job::new(move |flow: &Flow<'_>| {
        let (wait, entered) = (Arc::clone(&wait), entered.lock().unwrap().clone());
        let stuck = flow.source::<Number>("numbers").transform(NodeSpec::stateless("stuck"), move |batch| {
            let _ = entered.send(());
            let _ = wait.lock().unwrap().recv(); // returns when the test lets go, and not before
            batch
        });
        stuck.sink("out");
    });
    let running = job.sink("out", discard()).source("numbers", numbers(10)).start().unwrap();
    standing.recv().unwrap();
    drop(running); // would wait for ever
    drop(release);
}

#[test]
fn a_detached_job_runs_on_to_its_end() {
    let (sender, ended) = std::sync::mpsc::channel::<u64>();
    let sender = Mutex::new(sender);
    let job = Job::new(move |flow: &Flow<'_>| {
        let sender = sender.lock().unwrap().clone();
        let told = flow.source::<Number>("numbers").transform(NodeSpec::stateless("told"), move |batch| {
            batch.events.iter().for_each(|event| sender.send(event.data.value).unwrap_or(()));
            batch
        });
        told.sink("out");
    });
    job.sink("out", discard()).source("numbers", numbers(1_000)).start().unwrap().detach().unwrap();
    assert_eq!(ended.iter().find(|value| *value == 999), Some(999));
}

#[test]
fn limits_under_which_nothing_moves_are_refused_before_anything_is_read() {
    let source = numbers(10);
    let job = Job::new(|flow: &Flow<'_>| flow.source::<Number>("numbers").sink("out"));
    let job = job.sink("out", discard()).source("numbers", source.clone());
    let error = job.limits(Limits { epochs_ahead: 0, ..Limits::default() }).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().starts_with("the limit epochs_ahead is 0: nothing could be read"), "{error}");
    assert_eq!(source.read.load(Ordering::SeqCst), 0);
}

/// Runs a job whose clock moves on for as long as it has not said what it waits for, and returns the first thing that `told`
/// is content with. It hangs where nothing is said.
fn says(job: Job, clock: &VirtualClock, told: impl Fn(&Limit) -> bool) -> Standstill {
    let running = job.start().unwrap();
    let metrics = running.metrics();
    let said = loop {
        clock.advance(50.millis());
        if let Some(standing) = metrics.standstills().into_iter().find(|standing| told(&standing.limit)) {
            break standing;
        }
        std::thread::yield_now();
    };
    drop(running);
    said
}

/// A graph that passes items on, over a script, with a clock that stands still but where it is told.
fn passes(script: &str, options: SourceOptions) -> (Job, Arc<VirtualClock>) {
    let clock = Arc::new(VirtualClock::at(EventTime::default()));
    let job = Job::new(|flow: &Flow<'_>| flow.source::<Item>("items").sink("out")).sink("out", discard());
    let job = job.source_with("items", Arc::new(Script::from(script)), options).clock(clock.clone());
    (job, clock)
}

#[test]
fn a_run_that_stands_still_says_for_which_partition_it_waits() {
    let at = |seconds: i64| EventTime::default() + seconds.seconds();
    let script = "a:1@5 a:2@60 ...
        b:1@3 ...";
    for (idle_after, workers) in [(None, 1), (None, 2), (Some(1.hours()), 2)] {
        let options = SourceOptions::default().disorder(Duration::ZERO);
        let options = idle_after.map_or(options.clone(), |idle_after| options.idle_after(idle_after));
        let (job, clock) = passes(script, options);
        let waits = |limit: &Limit| matches!(limit, Limit::Silent { watermark, .. } if *watermark == at(3));
        let said = says(job.workers(workers), &clock, waits);
        let partition = PartitionId("001".to_string());
        assert_eq!(said.limit, Limit::Silent { partition, watermark: at(3), idle_after });
        assert_eq!(said.source, "items");
    }
}

#[test]
fn a_run_of_which_all_is_idle_says_so() {
    let options = SourceOptions::default().disorder(Duration::ZERO).idle_after(1.seconds());
    let (job, clock) = passes("a:1@5 ...", options);
    let said = says(job, &clock, |limit| matches!(limit, Limit::AllIdle { .. }));
    assert_eq!(said.limit, Limit::AllIdle { watermark: EventTime::default() + 5.seconds() });
}

#[test]
fn a_source_that_waits_for_a_slow_step_says_so_and_no_more_when_it_goes_on() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let clock = Arc::new(VirtualClock::at(EventTime::default()));
    let rows: Vec<_> = (0..20).map(|row| format!("a:{row}@{row} |")).collect();
    let script = format!("{}\nb:999@1", rows.join(" "));
    let job = Job::new(move |flow: &Flow<'_>| {
        let wait = Arc::clone(&wait);
        let slow = flow.source::<Item>("items").transform(NodeSpec::stateless("slow"), move |batch| {
            if batch.events.iter().any(|event| event.data.value == 999) {
                let _ = wait.lock().unwrap().recv(); // returns when the test lets go, and not before
            }
            batch
        });
        slow.sink("out");
    });
    let limits = Limits { epoch_rows: 1, epochs_ahead: 2, lockstep: Duration::MAX, ..Limits::default() };
    let job = job.source("items", Script::from(script.as_str())).sink("out", discard()).limits(limits).workers(2);
    let running = job.clock(clock.clone()).start().unwrap();
    let metrics = running.metrics();
    while !metrics.standstills().iter().any(|standing| standing.limit == Limit::Backpressure { epochs: 2 }) {
        clock.advance(50.millis());
        std::thread::yield_now();
    }
    drop(release);
    running.join().unwrap();
    assert_eq!(metrics.standstills(), []);
}

/// A followed source that gives its numbers in no order, three at once, and says behind them what follows no more.
#[derive(Clone)]
struct Promises {
    at: u64,
}

impl Source for Promises {
    fn describe(&self) -> String {
        "promises".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn gives_watermarks(&self) -> bool {
        true
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = Partition { followed: true, ..Partition::new("promises") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }

    fn open(&self, _: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        Ok(Box::new(self.clone()))
    }
}

impl PartitionReader for Promises {
    fn next(&mut self) -> Result<Next> {
        let first = self.at;
        if first == 12 {
            return Ok(Next::End);
        }
        self.at += 3;
        let rows = Number::encode([2, 0, 1].map(|by| number(first + by)).iter());
        let bound_after = Some(number(self.at).time);
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.at), bound_after }))
    }
}

/// Keeps nothing, and counts as late what is below its watermark.
struct CountLate(Arc<AtomicU64>);

impl Step for CountLate {
    type In = Number;
    type Out = Number;
    type Late = Number;

    fn apply(&mut self, mut batch: Batch<Number>, watermark: EventTime, _: &mut Outputs<Number, Number>) {
        batch.drain_judged(watermark, |event, watermark| {
            self.0.fetch_add(u64::from(event.time < watermark), Ordering::SeqCst);
        });
    }

    fn advance(&mut self, _: EventTime, _: &mut Outputs<Number, Number>) {}

    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    fn holds(&self) -> Option<EventTime> {
        None
    }
}

#[test]
fn of_a_source_that_gives_watermarks_nothing_is_late_that_it_has_not_said() {
    for (disorder, expected) in [(None, 0), (Some(Duration::ZERO), 8)] {
        let late = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&late);
        let job = Job::new(move |flow: &Flow<'_>| {
            let numbers = flow.source::<Number>("numbers");
            let step = CountLate(Arc::clone(&counted));
            numbers.step(NodeSpec::stateful("count", "late"), |_| KeyGroup(0), step).sink("out");
        });
        let options = disorder.map_or(SourceOptions::default(), |length| SourceOptions::default().disorder(length));
        job.source_with("numbers", Arc::new(Promises { at: 0 }), options).sink("out", discard()).run().unwrap();
        assert_eq!(late.load(Ordering::SeqCst), expected, "{disorder:?}");
    }
}
