//! A panic in every hook that a user can hang something on: operators, aggregates, keyed steps, a source, a sink.
//!
//! Would catch: a job that hangs or ends its process, an error that does not name the culprit, and a checkpoint that a
//! panic has spoilt: the same job goes on without the panic, on another number of workers, and must give the whole output.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge::operators::aggregate::Aggregate;
use dualgauge::operators::keyed::{Process, ProcessContext};
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Line, Lines, Script};
use dualgauge::{
    Clock, Epoch, ErrorKind, Listing, Next, Offset, Partition, PartitionReader, Prepared, Result, Scan, Sink,
    SinkWriter, Source, SystemClock, Writing,
};

use crate::common::{checkpoints, disk, drawn, limits, script};

/// The hook that panics, and at which of its calls.
static ARMED: Mutex<Option<(&str, u64)>> = Mutex::new(None);

/// When a hook has panicked, by the clock of this file.
static PANICKED: Mutex<Duration> = Mutex::new(Duration::ZERO);

fn now() -> Duration {
    static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::new);
    CLOCK.elapsed()
}

/// Two tests panic in the same hooks.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A call of a hook.
fn call(hook: &str) {
    let due = {
        let mut armed = ARMED.lock().unwrap();
        match &mut *armed {
            Some((name, calls)) if *name == hook && *calls > 0 => {
                *calls -= 1;
                *calls == 0
            }
            _ => false,
        }
    };
    if due {
        *PANICKED.lock().unwrap() = now();
        panic!("unlucky");
    }
}

/// Whether the hook that was armed has not come to its call.
fn disarm() -> bool {
    ARMED.lock().unwrap().take().is_some_and(|(_, calls)| calls > 0)
}

/// A sum, with hooks of this prefix.
#[derive(Clone)]
struct Sums(&'static str, &'static str, &'static str);

impl Aggregate<Item> for Sums {
    type Acc = i64;
    type Out = i64;

    fn start(&self) -> i64 {
        0
    }
    fn add(&self, acc: &mut i64, _: EventTime, item: &Item) {
        call(self.0);
        *acc += item.value;
    }
    fn merge(&self, acc: &mut i64, other: &i64) {
        call(self.1);
        *acc += other;
    }
    fn finish(&self, acc: &i64) -> i64 {
        call(self.2);
        *acc
    }
}

/// Says what has come since, when a key was silent for seven seconds.
struct Silences;

impl Process<String, Item> for Silences {
    type State = (i64, u64);
    type Out = Line;

    fn on_event(
        &mut self,
        _: &String,
        item: Item,
        state: &mut (i64, u64),
        context: &mut ProcessContext<'_, String, Line>,
    ) {
        call("on_event");
        *state = (state.0 + item.value, state.1 + 1);
        context.set_timer(context.time() + 7.seconds());
    }

    fn on_timer(&mut self, key: &String, state: &mut (i64, u64), context: &mut ProcessContext<'_, String, Line>) {
        call("on_timer");
        state.1 -= 1;
        if state.1 == 0 {
            context.emit(line(context.time(), key, state.0));
        }
    }
}

fn line(time: EventTime, key: &str, value: i64) -> Line {
    Line { time, text: format!("{key} {value}") }
}

fn graph(flow: &Flow<'_>) {
    let hooked = |hook: &'static str| {
        move |item: Item| {
            call(hook);
            item
        }
    };
    let items = flow.source::<Item>("items").disorder(9.seconds()).map(hooked("map"));
    let items = items.filter(|_| {
        call("filter");
        true
    });
    let items = items.inspect(|_| call("inspect")).filter_map(move |item| Some(hooked("filter_map")(item)));
    let items = items.flat_map(move |item| [hooked("flat_map")(item)]);
    let windows = items.clone().key_by(|item| {
        call("key_by");
        item.key.clone()
    });
    let windows = windows.window(tumbling(10.seconds())).aggregate("sums", Sums("add", "merge", "finish"));
    windows.map(|pane| line(pane.time, &pane.key, pane.value)).sink("windows");

    let sessions = items.clone().key_by(|item| item.key.clone()).window(session(2.seconds()));
    let sessions = sessions.aggregate("visits", Sums("add to a session", "merge sessions", "finish a session"));
    sessions.map(|pane| line(pane.time, &pane.key, pane.value)).sink("sessions");

    let silences = items.clone().key_by(|item| item.key.clone()).process("silences", Silences);
    silences.sink("silences");

    let folded = items.clone().key_by(|item| item.key.clone()).fold("folded", |total: &mut i64, item: Item| {
        call("fold");
        *total += item.value;
        line(item.time, &item.key, *total)
    });
    folded.sink("folded");

    let reduced = items.clone().key_by(|item| item.key.clone()).reduce("reduced", |total: Item, item: Item| {
        call("reduce");
        Item { value: total.value.max(item.value), ..item }
    });
    reduced.map(|item| line(item.time, &item.key, item.value)).sink("reduced");
}

/// The script, with hooks.
struct HookedSource(Script);

impl Source for HookedSource {
    fn describe(&self) -> String {
        self.0.describe()
    }
    fn bounded(&self) -> bool {
        self.0.bounded()
    }
    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        self.0.partitions(scan)
    }
    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        call("open");
        Ok(Box::new(HookedReader(self.0.open(partition, offset, scan)?)))
    }
}

struct HookedReader(Box<dyn PartitionReader>);

impl PartitionReader for HookedReader {
    fn next(&mut self) -> Result<Next> {
        call("next");
        self.0.next()
    }
}

/// Lines, with hooks.
struct HookedSink(Lines);

impl Sink for HookedSink {
    fn describe(&self) -> String {
        self.0.describe()
    }
    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
        self.0.check(schema, writing)
    }
    fn buckets(&self) -> usize {
        self.0.buckets()
    }
    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(HookedWriter(self.0.open(bucket, schema, writing)?)))
    }
}

struct HookedWriter(Box<dyn SinkWriter>);

impl SinkWriter for HookedWriter {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        call("write");
        self.0.write(times, rows)
    }
    fn prepare(&mut self, epoch: Epoch, watermark: EventTime) -> Result<Vec<u8>> {
        call("prepare");
        self.0.prepare(epoch, watermark)
    }
    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        call("commit");
        self.0.commit(epoch, prepared)
    }
    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        self.0.recover(prepared)
    }
}

/// The outputs of a run.
#[derive(Clone, Default)]
struct Out([Lines; 5]);

impl Out {
    fn job(&self, seed: u64) -> Job {
        let [windows, sessions, silences, folded, reduced] = self.0.clone();
        let job = Job::new(graph).source("items", HookedSource(script(seed, 3, 10)));
        let job = job.sink("windows", HookedSink(windows)).sink("sessions", sessions).sink("silences", silences);
        job.sink("folded", folded).sink("reduced", reduced)
    }

    fn text(&self) -> Vec<Vec<String>> {
        self.0.iter().map(Lines::text).collect()
    }
}

/// Every hook, and how the error begins that names it.
const HOOKS: [(&str, &str); 20] = [
    ("map", "map at "),
    ("filter", "filter at "),
    ("inspect", "inspect at "),
    ("filter_map", "filter_map at "),
    ("flat_map", "flat_map at "),
    ("key_by", "aggregate sums"),
    ("add", "aggregate sums"),
    ("merge", "aggregate sums"),
    ("finish", "aggregate sums"),
    ("add to a session", "aggregate visits"),
    ("merge sessions", "aggregate visits"),
    ("finish a session", "aggregate visits"),
    ("on_event", "process silences"),
    ("on_timer", "process silences"),
    ("fold", "fold folded"),
    ("reduce", "reduce reduced"),
    ("open", "source items"),
    ("next", "source items"),
    ("write", "sink windows"),
    ("prepare", "sink windows"),
];

/// Worker threads of tests say on standard error what they panic with: that is meant.
#[test]
fn a_panic_in_any_hook_ends_the_job_by_name_and_the_checkpoint_is_whole() {
    let _alone = alone();
    let (mut panics, mut hooks) = (0, std::collections::BTreeSet::new());
    let all = HOOKS.into_iter().chain([("commit", "sink windows")]);
    for (number, (hook, named)) in (0..).zip(all) {
        for workers in [1, 3] {
            let seed = number * 10 + workers as u64;
            let (fs, out, undisturbed) = (disk(), Out::default(), Out::default());
            undisturbed.job(seed).run().unwrap();
            let start = |workers: usize, seed: u64| {
                let job = out.job(seed).workers(workers).limits(limits(4)).turns(Arc::new(Baton::new(workers, seed)));
                job.checkpoints(checkpoints(&fs).unwrap()).run()
            };
            *ARMED.lock().unwrap() = Some((hook, 1 + drawn(seed, 1, 4)));
            let ended = start(workers, seed);
            if disarm() {
                ended.unwrap();
                continue; // it is called less often in this run
            }
            let error = ended.expect_err(hook);
            assert_eq!(error.kind(), ErrorKind::Panic, "{hook}: {error}");
            assert!(error.to_string().starts_with(named), "{hook}, {workers} workers: {error}");
            assert!(error.to_string().contains("panicked: unlucky"), "{hook}, {workers} workers: {error}");
            start(4 - workers, seed).unwrap();
            assert_eq!(out.text(), undisturbed.text(), "{hook}, {workers} workers");
            panics += 1;
            hooks.insert(hook);
        }
    }
    println!("{panics} panics in {} hooks", hooks.len());
    assert_eq!(hooks.len(), HOOKS.len() + 1, "{hooks:?}");
}

/// Threads as they come, and no scheduler; prints how long it took from the panic until all threads had ended.
#[test]
fn a_panic_ends_all_threads_of_a_job() {
    let _alone = alone();
    let (mut times, all) = (Vec::new(), HOOKS.iter().map(|(hook, _)| *hook).chain(["commit"]));
    for (hook, workers) in all.flat_map(|hook| [(hook, 1), (hook, 3), (hook, 8)]) {
        *ARMED.lock().unwrap() = Some((hook, 1));
        let fs = disk();
        let job = Out::default().job(7).workers(workers).limits(limits(4)).checkpoints(checkpoints(&fs).unwrap());
        let ended = job.run();
        let ended_at = now();
        if disarm() {
            ended.unwrap();
            continue;
        }
        assert_eq!(ended.expect_err(hook).kind(), ErrorKind::Panic, "{hook}, {workers} workers");
        times.push(ended_at - *PANICKED.lock().unwrap());
    }
    times.sort();
    let of = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("{} panics until all threads had ended: p50 {}, p99 {}", times.len(), of(50), of(99));
    assert!(times.len() > HOOKS.len() * 2, "{}", times.len());
}
