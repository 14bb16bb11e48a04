//! Checkpoints in a server that speaks like S3: killed in a commit and in its recovery, a job goes on from there, and its
//! files are those of a run that nobody has touched.
//!
//! Would catch: a request, a condition, a listing or an error that a real server answers otherwise than the stores in memory
//! do. It needs a server: `DUALGAUGE_S3` names one and an empty bucket, as `http://host:port/bucket`, and
//! `tests/s3/server.sh` starts one. Without the variable there is no test in here, and it says so. It is itself the program
//! that it kills.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use dualgauge::checkpoint::open_store;
use dualgauge::connectors::csv;
use dualgauge::prelude::*;
use dualgauge::{Checkpoints, Limits};

/// Where the killed program finds the place of its checkpoints; it runs in the directory of its data.
const PLACE: &str = "DUALGAUGE_S3_PLACE";

/// How many of the thousand bids an epoch of the killed program has.
const EPOCH: &str = "DUALGAUGE_S3_EPOCH";

#[record]
struct Bid {
    auction: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Answer {
    #[event_time]
    time: EventTime,
    auction: u64,
    value: u64,
}

/// Bids per auction in windows, and running totals of what was bid.
fn graph(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").disorder(1.seconds());
    let windows = bids.clone().key_by(|bid| bid.auction).window(tumbling(5.seconds()));
    let windows = windows.aggregate("bids_of_windows", agg::count());
    windows.map(|pane| Answer { time: pane.time, auction: pane.key, value: pane.value }).sink("windows");
    let totals = bids.key_by(|bid| bid.auction).fold("total_of_auctions", |total: &mut u64, bid: Bid| {
        *total += bid.price;
        Answer { time: bid.date_time, auction: bid.auction, value: *total }
    });
    totals.sink("totals");
}

fn main() -> ExitCode {
    if let Ok(place) = std::env::var(PLACE) {
        return run(&place);
    }
    // Names are asked for by tools that list tests.
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let Ok(server) = std::env::var("DUALGAUGE_S3") else {
        println!("not run: DUALGAUGE_S3 names no server; tests/s3/server.sh starts one");
        return ExitCode::SUCCESS;
    };
    let server = Server::new(&server);
    for (name, epoch, plans) in [
        ("killed_before_a_commit", 50, &["before-report:3", ""][..]),
        ("killed_between_commit_and_publication", 50, &["before-publish:4", ""]),
        ("killed_in_its_recovery_too", 50, &["after-publish:3", "after-fence", "before-load", "before-recover:2", ""]),
        ("killed_beside_a_log_that_is_shortened", 4, &["before-collect:60", "before-publish:9", "after-fence", ""]),
    ] {
        goes_on(&server, name, epoch, plans);
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// Runs the job here, in two workers; whatever was there before, it goes on from.
fn run(place: &str) -> ExitCode {
    let job = open_store(place).and_then(|store| {
        let epoch_rows = std::env::var(EPOCH).unwrap().parse().unwrap();
        let limits = Limits { epoch_rows, batch_rows: epoch_rows.min(40), ..Limits::default() };
        let job = Job::new(graph).workers(2).limits(limits).source("bids", csv::read("bids.csv"));
        let job = job.sink("windows", csv::write("out/windows/").span(20.seconds()).buckets(2));
        let job = job.sink("totals", csv::write("out/totals/").span(20.seconds()));
        job.checkpoints(Checkpoints::in_store(store).every(Duration::ZERO)).run()
    });
    match job {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

/// Starts the job with each plan after the other, of which the last is to come to the end.
fn goes_on(server: &Server, name: &str, epoch: usize, plans: &[&str]) {
    let (undisturbed, killed) = (ground(), ground());
    let memory = server.started(undisturbed.path(), "checkpoints", epoch, "");
    assert!(memory.status.success(), "{name}: {}", said(&memory));
    let expected = output(undisturbed.path());
    assert!(expected.len() > 10, "{name}: {:?}", expected.keys());

    let place = server.place(name);
    for plan in plans {
        let ended = server.started(killed.path(), &place, epoch, plan);
        let reached = said(&ended).contains(&format!("reached {}", plan.split(':').next().unwrap()));
        assert_eq!(ended.status.success(), plan.is_empty(), "{name} with `{plan}`: {}", said(&ended));
        assert!(reached || plan.is_empty(), "{name}: `{plan}` is not reached: {}", said(&ended));
    }
    let found = output(killed.path());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
    assert!(found == expected, "{name}: other bytes");

    let listed = server.dualgauge(&["checkpoint", "ls", &place]);
    assert!(listed.status.success(), "{name}: {}", said(&listed));
    let entries = said(&listed).lines().count();
    let starts = said(&listed).lines().filter(|line| line.contains(" start ")).count();
    if epoch < 10 {
        assert!(entries < 50, "{name}: a shortened log has {entries} entries: {}", said(&listed));
    } else {
        assert_eq!(starts, plans.len(), "{name}: each start has got as far as its fence: {}", said(&listed));
    }
    let verified = server.dualgauge(&["checkpoint", "verify", &place]);
    assert!(verified.status.success() && said(&verified).contains("none damaged"), "{name}: {}", said(&verified));
    let wrong = server.dualgauge(&["checkpoint", "verify", &format!("{place}-that-is-none")]);
    assert!(!wrong.status.success(), "{name}: {}", said(&wrong));
}

/// A server, and its bucket.
struct Server {
    endpoint: String,
    bucket: String,
}

impl Server {
    fn new(url: &str) -> Server {
        let (endpoint, bucket) =
            url.trim_end_matches('/').rsplit_once('/').expect("DUALGAUGE_S3: http://host:port/bucket");
        Server { endpoint: endpoint.to_string(), bucket: bucket.to_string() }
    }

    /// A place of its own for each run of this test.
    fn place(&self, name: &str) -> String {
        format!("s3://{}/{}/{name}", self.bucket, std::process::id())
    }

    fn started(&self, dir: &Path, place: &str, epoch: usize, plan: &str) -> Output {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let plan = if plan.is_empty() { "trace" } else { plan };
        command.current_dir(dir).env(PLACE, place).env(EPOCH, epoch.to_string()).env("DUALGAUGE_FAILPOINT", plan);
        self.with_access(&mut command).output().unwrap()
    }

    fn dualgauge(&self, words: &[&str]) -> Output {
        self.with_access(Command::new(env!("CARGO_BIN_EXE_dualgauge")).args(words)).output().unwrap()
    }

    /// Credentials that are in the environment are taken from there.
    fn with_access<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("AWS_ENDPOINT", &self.endpoint).env("AWS_ALLOW_HTTP", "true");
        for (name, value) in
            [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")]
        {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A directory with `bids.csv`: a thousand bids in two hundred seconds.
fn ground() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let time = |bid: u64| EventTime::default() + (200 * bid as i64).millis();
    let lines = (0..1000).map(|bid: u64| format!("{},{},{}\n", bid * bid % 7, 100 + bid, time(bid)));
    let text = format!("auction,price,date_time\n{}", lines.collect::<String>());
    std::fs::write(dir.path().join("bids.csv"), text).unwrap();
    dir
}

/// The files that a reader sees, by their paths.
fn output(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for sink in ["windows", "totals"] {
        for entry in std::fs::read_dir(dir.join("out").join(sink)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with('.') {
                found.insert(format!("{sink}/{name}"), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}
