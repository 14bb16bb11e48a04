//! Jobs that fail and are started again: how often, after what, and with which last words.
//!
//! Would catch: a row that is lost or doubled across a restart within the process, a failure that is tried for ever or
//! not at all, one that is tried although nothing can mend it, and a stop that does not end the waiting.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use arrow_schema::SchemaRef;
use dualgauge_engine::checkpoint::{Created, LocalStore, ManifestLog, Store, StoreError};
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::fs::{FaultFs, Fs};
use dualgauge_engine::job::Metrics;
use dualgauge_engine::testing::{Item, Line, Lines, Script};
use dualgauge_engine::{
    Checkpoints, Claim, Duration, Durations, Error, ErrorKind, Event, Flow, Job, Limits, Listing, Offset, Partition,
    PartitionReader, Restart, Result, Scan, Sink, SinkWriter, Source, Writing,
};

/// What fails a number of times, and then does not.
#[derive(Clone, Debug)]
struct Fails(Arc<AtomicU32>);

impl Fails {
    fn times(times: u32) -> Fails {
        Fails(Arc::new(AtomicU32::new(times)))
    }

    /// Whether it fails this time.
    fn now(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

const SCRIPT: &str = "a:1@1 b:2@2 | c:3@3 d:4@4 | e:5@5 f:6@6 | g:7@7";

fn script() -> Script {
    Script::from(SCRIPT).promised()
}

/// Says each item's key; `look` sees it first.
fn copies(look: impl Fn(&Item) + Clone + Send + Sync + 'static) -> impl Fn(&Flow<'_>) + Send + Sync {
    move |flow| {
        let look = look.clone();
        let lines = flow.source::<Item>("items").transform(NodeSpec::stateless("look"), move |batch| {
            batch.transform(|event, out| {
                look(&event.data);
                out.push(Event::new(event.time, Line { time: event.time, text: event.data.key }))
            })
        });
        lines.sink("lines");
    }
}

fn place() -> Arc<dyn Store> {
    Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap())
}

/// A job with checkpoints as often as can be, that is started again at once.
fn job(job: Job, store: &Arc<dyn Store>, limit: u32) -> Job {
    let limits = Limits { epoch_rows: 1, epoch_interval: Duration::MAX, ..Limits::default() };
    let checkpoints = Checkpoints::in_store(Arc::clone(store)).every(Duration::ZERO);
    job.limits(limits).checkpoints(checkpoints).restart(Restart { limit, backoff: Duration::ZERO })
}

fn copied() -> Vec<String> {
    ["1 a", "2 b", "3 c", "4 d", "5 e", "6 f", "7 g"].map(str::to_string).to_vec()
}

#[test]
fn a_closure_that_panics_a_few_times_does_not_show_in_the_output() {
    for workers in [1, 3] {
        let (fails, out) = (Fails::times(2), Lines::default());
        let graph = copies(move |item| assert!(!(item.key == "e" && fails.now()), "not e"));
        let outcome = job(Job::new(graph), &place(), 5).source("items", script()).sink("lines", out.clone());
        let outcome = outcome.workers(workers).run().unwrap();
        assert_eq!(out.text(), copied());
        let restarts = outcome.metrics.restarts();
        assert_eq!(restarts.count, 2);
        assert!(restarts.last.contains("panicked: not e"), "{}", restarts.last);
    }
}

#[test]
fn a_panic_that_comes_again_and_again_is_a_loop_and_names_step_partition_and_epoch() {
    let (store, out, tries) = (place(), Lines::default(), Arc::new(AtomicU32::new(0)));
    let graph = copies({
        let tries = Arc::clone(&tries);
        move |item| {
            if item.key == "e" {
                tries.fetch_add(1, Ordering::SeqCst);
                panic!("never e");
            }
        }
    });
    let error = job(Job::new(graph), &store, 100).source("items", script()).sink("lines", out).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    let told = error.to_string();
    for part in
        ["look at ", "never e", "source items: 000", "in epoch ", "the same 3 times in a row", "mend the closure"]
    {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    // Each start may have committed something new, and then the counting began anew; three in a row have not.
    assert!(tries.load(Ordering::SeqCst) >= 3);
    let generations = ManifestLog::read(&*store).unwrap().iter().map(|(_, entry)| entry.generation()).max();
    assert_eq!(generations, Some(u64::from(tries.load(Ordering::SeqCst))), "each try is a generation");
}

#[test]
fn failures_that_differ_are_tried_as_often_as_the_policy_says() {
    let (out, tries) = (Lines::default(), AtomicU32::new(0));
    // Nothing is ever committed, since the very first item panics before any epoch closes.
    let look = move |_: &Item| panic!("failure {}", tries.fetch_add(1, Ordering::SeqCst));
    let look = Arc::new(look);
    let graph = copies(move |item| look(item));
    let none = Checkpoints::in_store(place()).every(1.days());
    let job = Job::new(graph).source("items", script()).sink("lines", out).checkpoints(none);
    let error = job.restart(Restart { limit: 4, backoff: Duration::ZERO }).run().unwrap_err().to_string();
    assert!(error.contains("panicked: failure 4 "), "the first try and four more: {error}");
    assert!(error.contains("5 failures in a row; there is no checkpoint yet"), "{error}");
}

/// A source that cannot be opened at first.
struct Shaky(Script, Fails, fn(&str) -> Error);

impl Source for Shaky {
    fn describe(&self) -> String {
        "shaky".into()
    }
    fn bounded(&self) -> bool {
        true
    }
    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        self.0.partitions(scan)
    }
    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        if self.1.now() { Err(self.2("the line is down")) } else { self.0.open(partition, offset, scan) }
    }
}

#[test]
fn a_source_that_fails_a_few_times_is_tried_again_and_bad_data_is_not() {
    let out = Lines::default();
    let shaky = Shaky(script(), Fails::times(2), |what| Error::environment(what));
    let done = job(Job::new(copies(|_| {})), &place(), 5).source("items", shaky).sink("lines", out.clone()).run();
    assert_eq!(done.unwrap().metrics.restarts().count, 2);
    assert_eq!(out.text(), copied());

    let fails = Fails::times(2);
    let bad = Shaky(script(), fails.clone(), |what| Error::data(what));
    let error = job(Job::new(copies(|_| {})), &place(), 5).source("items", bad).sink("lines", Lines::default()).run();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(fails.0.load(Ordering::SeqCst), 1, "it was tried once");
}

/// A store that cannot be listed at times.
#[derive(Debug)]
struct Away(Arc<dyn Store>, Fails, bool);

impl Store for Away {
    fn describe(&self) -> String {
        self.0.describe()
    }
    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        self.0.put(name, write)
    }
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.0.create(name, bytes)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.0.get(name)
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        self.0.get_range(name, range)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        // The first start finds it there.
        if folder == "layers/" && self.1.now() {
            let (place, cause) = (folder.to_string(), io::Error::other("away"));
            return Err(if self.2 {
                StoreError::Fatal { place, cause }
            } else {
                StoreError::Transient { place, cause }
            });
        }
        self.0.list(folder)
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.delete(name)
    }
}

#[test]
fn a_store_that_is_away_for_a_while_is_tried_again_and_a_failed_sync_is_not() {
    let out = Lines::default();
    let store: Arc<dyn Store> = Arc::new(Away(place(), Fails::times(2), false));
    let run = |store: &Arc<dyn Store>, out: &Lines| {
        job(Job::new(copies(|_| {})), store, 5).source("items", script()).sink("lines", out.clone()).run()
    };
    // Fewer times than what is taken for a loop. One start may meet it several times, since it stores beside what it reads.
    let restarts = run(&store, &out).unwrap().metrics.restarts().count;
    assert!((1..=2).contains(&restarts), "{restarts} restarts");
    assert_eq!(out.text(), copied());

    let store: Arc<dyn Store> = Arc::new(Away(place(), Fails::times(100), true));
    let error = run(&store, &Lines::default()).unwrap_err();
    assert!(error.to_string().contains("what was written may be lost"), "{error}");
    let generations = ManifestLog::read(&*store).unwrap().iter().map(|(_, entry)| entry.generation()).max();
    assert_eq!(generations, Some(1), "it was started once");
}

#[test]
fn a_younger_generation_ends_the_older_one_for_good() {
    let store = place();
    let other = Arc::clone(&store);
    // At its first item, the job is started a second time, by someone else.
    let started = Fails::times(1);
    let graph = copies(move |_| {
        if started.now() {
            let wish = dualgauge_engine::checkpoint::Wish { workers: 1, version: "0".into(), ..Default::default() };
            dualgauge_engine::checkpoint::start(Arc::clone(&other), wish).unwrap();
        }
    });
    let error = job(Job::new(graph), &store, 5).source("items", script()).sink("lines", Lines::default()).run();
    assert!(error.unwrap_err().to_string().contains("a younger generation of this job has started"));
    let generations = ManifestLog::read(&*store).unwrap().iter().map(|(_, entry)| entry.generation()).max();
    assert_eq!(generations, Some(2), "it did not start a third time");
}

#[test]
fn a_stop_ends_the_waiting_between_two_starts() {
    let graph = copies(|_| panic!("always"));
    let job = Job::new(graph).source("items", script()).sink("lines", Lines::default());
    let checkpoints = Checkpoints::in_store(place());
    let running = job.checkpoints(checkpoints).restart(Restart { limit: 5, backoff: 1.days() }).start().unwrap();
    let (metrics, stop) = (running.metrics(), running.stop_handle());
    while metrics.restarts().count == 0 {
        std::thread::yield_now();
    }
    assert!(!running.is_finished());
    stop.stop();
    assert!(running.join().unwrap_err().to_string().contains("panicked: always"));
}

#[test]
fn a_restart_without_checkpoints_is_refused() {
    let job = Job::new(copies(|_| {})).source("items", script()).sink("lines", Lines::default());
    let error = job.restart(Restart::times(5)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("`Job::checkpoints`"), "{error}");
}

/// A sink that writes to a disk when it claims its place.
#[derive(Debug)]
struct OnDisk(FaultFs);

impl Sink for OnDisk {
    fn describe(&self) -> String {
        "on disk".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }

    fn claim(&self, _: &SchemaRef, writing: &Writing) -> Result<Claim> {
        let fs: Arc<dyn Fs> = writing.retry.on(Arc::new(self.0.clone()));
        let file = fs.create(Path::new("/claim"));
        file.and_then(|mut file| file.append(b"mine")).map_err(|cause| Error::io("/claim", cause))?;
        Ok(Claim::default())
    }

    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        Lines::default().open(bucket, schema, writing)
    }
}

#[test]
fn what_a_start_waits_for_is_counted_while_it_waits() {
    let (disk, metrics) = (FaultFs::new(), Arc::<Metrics>::default());
    disk.set_space(Some(0));
    let job = Job::new(copies(|_| ())).source("items", script()).sink("lines", OnDisk(disk.clone()));
    let counted = Arc::clone(&metrics);
    let start = thread::spawn(move || job.start_counting(counted).unwrap().join().unwrap());
    while metrics.retries().count == 0 && !start.is_finished() {
        thread::yield_now();
    }
    let last = metrics.retries().last;
    assert!(last.contains("/claim: "), "{last}");
    disk.set_space(None);
    assert_eq!(start.join().unwrap().metrics.source("items").rows, 7);
}

/// What the program around a job logs.
struct Logged(Mutex<Vec<String>>);

static LOGGED: Logged = Logged(Mutex::new(Vec::new()));

impl log::Log for Logged {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "dualgauge"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(format!("{}: {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_program_that_logs_is_told_that_its_job_is_started_again_and_why() {
    log::set_logger(&LOGGED).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let (fails, out) = (Fails::times(1), Lines::default());
    let graph = copies(move |item| assert!(!(item.key == "c" && fails.now()), "c is to be logged"));
    job(Job::new(graph), &place(), 5).source("items", script()).sink("lines", out).run().unwrap();
    // The other tests of this program log too.
    let logged = LOGGED.0.lock().unwrap();
    let is_it = |line: &String| {
        line.starts_with("WARN: the job is started again, after: ") && line.contains("panicked: c is to be logged")
    };
    assert_eq!(logged.iter().filter(|line| is_it(line)).count(), 1, "{logged:?}");
}
