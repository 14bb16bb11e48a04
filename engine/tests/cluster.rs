//! The door of a cluster, and its one fate: strangers, misfits, missing processes, and a failure in one of several.
//!
//! Each process is a thread of this one, with sockets between them. Would catch: bytes that end a process before it has
//! looked whose they are, a start that waits for ever, a failure that leaves the other processes waiting.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use arrow_schema::SchemaRef;
use dualgauge_engine::cluster::{Cluster, Secret};
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::testing::{Item, Line, Lines, Script};
use dualgauge_engine::{Durations, Error, ErrorKind, Event, Flow, Job, Outcome, Result, Sink, SinkWriter, Writing};

#[path = "cluster/between.rs"]
mod between;
#[path = "cluster/recorded.rs"]
mod recorded;

/// A cluster that is not started yet: listeners, and what its processes are told.
struct Plan {
    listeners: Vec<TcpListener>,
    hosts: Vec<String>,
}

fn plan(processes: usize) -> Plan {
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let hosts = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    Plan { listeners, hosts }
}

impl Plan {
    /// One of its processes, which waits for the others for half a minute: nobody is so slow.
    fn process(&self, process: usize) -> Cluster {
        let listener = self.listeners[process].try_clone().unwrap();
        let cluster = Cluster::new(process, self.hosts.clone(), secret("the secret of all")).unwrap();
        cluster.listener(listener).bootstrap(30.seconds())
    }

    fn address(&self, process: usize) -> SocketAddr {
        self.listeners[process].local_addr().unwrap()
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// Copies items; panics at the key `bad`.
fn copies(flow: &Flow<'_>) {
    let copied = flow.source::<Item>("items").transform(NodeSpec::stateless("copy"), |batch| {
        batch.transform(|event: Event<Item>, out| {
            assert_ne!(event.data.key, "bad", "an unlucky key");
            out.push(Event::new(event.time, Line { time: event.time, text: event.data.key }));
        })
    });
    copied.sink("copies");
}

fn job(script: &str, lines: &Lines) -> Job {
    Job::new(copies).source("items", Script::from(script)).sink("copies", lines.clone())
}

/// Runs the processes of a cluster at once, and waits for all.
fn run(processes: impl IntoIterator<Item = Job>) -> Vec<Result<Outcome>> {
    let running: Vec<_> = processes.into_iter().map(|job| thread::spawn(|| job.run())).collect();
    running.into_iter().map(|process| process.join().unwrap()).collect()
}

fn errors(outcomes: Vec<Result<Outcome>>) -> Vec<Error> {
    outcomes.into_iter().map(|outcome| outcome.unwrap_err()).collect()
}

/// Connects, sends, and reads until it is closed.
fn probe(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let _ = stream.write_all(bytes); // it may be closed before all is sent
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer); // closed, or reset with something unread
    answer
}

#[test]
fn strangers_are_closed_without_a_word_and_do_not_keep_others_out() {
    let (plan, lines) = (plan(2), Lines::default());
    let address = plan.address(0);
    let first = thread::spawn({
        let job = job("a:1@1\nb:1@2", &lines).cluster(plan.process(0));
        move || job.run()
    });
    // A thousand that connect and say nothing, or half of something, and stay.
    let slow: Vec<_> = (0..1000)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(&[170, 0, b'D'][..number % 4]);
            stream
        })
        .collect();
    let http = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (what, bytes) in [
        ("eight bytes of garbage", &[0xfe; 8][..]),
        ("an HTTP request", http.as_bytes()),
        ("timely's own greeting of process 1", &1_u64.to_be_bytes()[..]),
        ("a frame of nothing", &[0, 0][..]),
        ("a frame longer than any", &[255, 255, 0][..]),
        ("a whole frame of nonsense", &[&[172, 0][..], &[7; 172]].concat()[..]),
    ] {
        assert_eq!(probe(address, bytes), b"", "{what} is not answered");
    }
    drop(TcpStream::connect(address).unwrap()); // connects and leaves
    let second = job("a:1@1\nb:1@2", &lines).cluster(plan.process(1)).run();
    second.unwrap();
    first.join().unwrap().unwrap();
    assert_eq!(lines.text(), ["1 a", "2 b"]);
    drop(slow);
}

#[test]
fn a_secret_that_is_another_is_the_likely_mistake() {
    let (plan, lines) = (plan(2), Lines::default());
    let other = Cluster::new(1, plan.hosts.clone(), secret("the secret of nobody")).unwrap();
    let outcomes = run([
        job("a:1@1", &lines).cluster(plan.process(0).bootstrap(300.millis())),
        job("a:1@1", &lines).cluster(other.bootstrap(300.millis())),
    ]);
    let [first, second] = &errors(outcomes)[..] else { panic!("two outcomes") };
    assert!(first.to_string().contains("there is no process 1 at 127.0.0.1:"), "{first}");
    assert!(second.to_string().contains("is the secret the same?"), "{second}");
}

#[test]
fn a_process_that_is_missing_is_named_when_the_time_is_over() {
    let (plan, lines) = (plan(3), Lines::default());
    let jobs = [0, 1].map(|process| job("a:1@1", &lines).cluster(plan.process(process).bootstrap(500.millis())));
    for error in errors(run(jobs)) {
        assert_eq!(error.kind(), ErrorKind::Environment);
        let told = error.to_string();
        assert!(told.contains("has waited 500ms for the others, and there is no process 2 at 127.0.0.1:"), "{told}");
    }
}

#[test]
fn processes_that_do_not_fit_together_say_so_at_once() {
    fn other(flow: &Flow<'_>) {
        flow.source::<Item>("items").sink("copies");
    }
    let lines = Lines::default();
    type Change = fn(Job) -> Job;
    let differing: [(&str, Change); 3] = [
        ("process 1 has 2 workers and process 0 has 1", |job| job.workers(2)),
        ("the options of the run is another in process 1", |job| job.to(dualgauge_engine::EventTime::default())),
        ("the list of what the sources hold is another in process 1", |_| {
            Job::new(copies).source("items", Script::from("a:1@1\nb:1@2")).sink("copies", Lines::default())
        }),
    ];
    for (expected, change) in differing {
        let plan = plan(2);
        let jobs =
            [job("a:1@1", &lines).cluster(plan.process(0)), change(job("a:1@1", &lines)).cluster(plan.process(1))];
        for error in errors(run(jobs)) {
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
    let plan = plan(2);
    let graph = Job::new(other).source("items", Script::from("a:1@1")).sink("copies", lines.clone());
    let jobs = [job("a:1@1", &lines).cluster(plan.process(0)), graph.cluster(plan.process(1))];
    for error in errors(run(jobs)) {
        assert!(error.to_string().contains("the graph is another in process 1 than in process 0"), "{error}");
    }
}

#[test]
fn a_panic_in_one_process_ends_all_with_its_words() {
    let (plan, lines) = (plan(3), Lines::default());
    // The second partition is read in process 1; the others never end.
    let script = "a:1@1 ...\nbad:1@1 ...\nc:1@1 ...";
    let outcomes = run([0, 1, 2].map(|process| job(script, &lines).cluster(plan.process(process))));
    for (process, error) in errors(outcomes).into_iter().enumerate() {
        assert_eq!(error.kind(), ErrorKind::Panic, "process {process}: {error}");
        let told = error.to_string();
        assert!(told.contains("an unlucky key"), "process {process}: {told}");
        assert_eq!(told.starts_with("process 1: "), process != 1, "process {process}: {told}");
    }
}

/// Lines on a disk that fails where its buckets are opened, in a way that starting again may or may not mend.
struct Failing {
    lines: Lines,
    failure: Option<fn() -> Error>,
}

impl Sink for Failing {
    fn describe(&self) -> String {
        "lines on a disk".to_string()
    }

    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
        self.lines.check(schema, writing)
    }

    fn buckets(&self) -> usize {
        self.lines.buckets()
    }

    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        match self.failure {
            Some(failure) => Err(failure()),
            None => self.lines.open(bucket, schema, writing),
        }
    }
}

#[test]
fn what_starting_again_cannot_mend_is_known_in_all_processes() {
    // Enough rows that every bucket is opened.
    let partition = |key| (0..10).map(|row| format!("{key}{row}:1@{row} ")).collect::<String>();
    let script = ["a", "b", "c"].map(partition).join("\n");
    type Failed = fn() -> Error;
    let failures: [(Failed, bool); 2] =
        [(|| Error::environment("the disk is full"), true), (|| Error::environment("a sync failed").for_good(), false)];
    for (failure, may_be_retried) in failures {
        let (plan, lines) = (plan(3), Lines::default());
        let outcomes = run([0, 1, 2].map(|process| {
            let failing = Failing { lines: lines.clone(), failure: (process == 1).then_some(failure) };
            let job = Job::new(copies).source("items", Script::from(script.as_str()));
            job.sink("copies", failing).cluster(plan.process(process))
        }));
        for (process, error) in errors(outcomes).into_iter().enumerate() {
            let failed = failure().to_string();
            assert!(error.to_string().contains(&failed), "process {process}: {error}");
            assert_eq!(error.may_be_retried(), may_be_retried, "process {process}: {error}");
        }
    }
}

#[test]
fn a_stop_in_one_process_stops_all() {
    let (plan, lines) = (plan(2), Lines::default());
    let start = |process| {
        let job = job("a:1@1 ...\nb:1@1 ...", &lines).cluster(plan.process(process));
        thread::spawn(move || job.start().unwrap())
    };
    let running = [start(0), start(1)].map(|process| process.join().unwrap());
    running[1].stop_handle().stop();
    for error in running.map(|running| running.join().unwrap_err()) {
        assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    }
}

#[test]
fn processes_that_are_stopped_without_checkpoints_write_what_had_come() {
    // Asked in the first, in the second, in both by the same Ctrl-C.
    for asked in [&[0][..], &[1], &[0, 1], &[1, 0]] {
        let (plan, lines) = (plan(2), Lines::default());
        let start = |process| {
            let job = job("a:1@1 b:1@9 ...\nc:1@5 d:1@7 ...", &lines).cluster(plan.process(process));
            thread::spawn(move || job.start().unwrap())
        };
        let running = [start(0), start(1)].map(|process| process.join().unwrap());
        let metrics = running.each_ref().map(|running| running.metrics());
        while metrics.iter().map(|metrics| metrics.snapshot().rows_read()).sum::<u64>() < 4 {
            thread::yield_now();
        }
        asked.iter().for_each(|process: &usize| running[*process].stop_handle().stop());
        for error in running.map(|running| running.join().unwrap_err()) {
            assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
            assert!(error.to_string().contains("every row that had come to a sink was written"), "{asked:?}: {error}");
        }
        assert_eq!(lines.text(), ["1 a", "5 c", "7 d", "9 b"], "{asked:?}");
    }
}

#[test]
fn a_job_that_nobody_waits_for_ends_in_all_processes() {
    let (plan, lines) = (plan(2), Lines::default());
    let first = job("a:1@1 ...\nb:1@1 ...", &lines).cluster(plan.process(0));
    let second = job("a:1@1 ...\nb:1@1 ...", &lines).cluster(plan.process(1));
    let second = thread::spawn(move || second.run().unwrap_err());
    let running = first.start().unwrap();
    // Workers whose job is dropped are waited for, so they are stopped first.
    running.stop_handle().stop();
    drop(running);
    let second = second.join().unwrap();
    assert_eq!(second.kind(), ErrorKind::Stopped, "{second}");
}

#[test]
fn what_cannot_be_a_cluster_is_refused() {
    let of = |process, hosts: &[&str]| Cluster::new(process, hosts.iter().copied(), secret("the secret of all"));
    assert!(of(0, &["a:1"]).unwrap_err().to_string().contains("1 hosts: a cluster has 2 to 256 processes"));
    assert!(of(2, &["a:1", "b:1"]).unwrap_err().to_string().contains("there is no process 2"));
    assert!(of(0, &["a:1", "a:1"]).unwrap_err().to_string().contains("two processes have the address a:1"));
    let many = of(0, &["a:1", "b:1", "c:1"]).unwrap();
    let refused = job("a:1@1", &Lines::default()).workers(86).cluster(many).run().unwrap_err();
    assert!(refused.to_string().contains("258 workers: a job has 1 to 256"), "{refused}");
}
