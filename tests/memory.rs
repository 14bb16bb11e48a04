//! A job whose keys come without end, in a memory cgroup: it stops by itself before the kernel ends it, and goes on.
//!
//! Started with `COMMAND_LINE_OF_A_GRAPH`, this program is the command line of the graph. Would catch: a limit of the state
//! that is looked at too late, memory that grows with something else than the state, and a stop that loses or repeats
//! output. The control is the same job without a limit, which the kernel must end: else the cgroup shows nothing.
//!
//! `DUALGAUGE_CGROUP=512 cargo test --test memory` gives it 512 MiB; the number of keys follows. Without the variable, and
//! where no cgroup can be made, it says so and shows nothing: a kernel that ends processes is no good neighbour.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use dualgauge::prelude::*;

#[record]
struct Bid {
    bidder: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Total {
    bidder: u64,
    bids: u64,
    #[event_time]
    time: EventTime,
}

/// How much each key keeps, beside the key.
const KEPT: usize = 400;

/// Counts the bids of each bidder, and keeps some luggage of each for ever.
fn totals(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").key_by(|bid| bid.bidder);
    let totals = bids.fold("totals", |state: &mut (u64, String), bid: Bid| {
        if state.1.is_empty() {
            state.1 = "luggage ".repeat(KEPT / 8);
        }
        state.0 += 1;
        Total { bidder: bid.bidder, bids: state.0, time: bid.date_time }
    });
    totals.sink("totals");
}

fn main() -> ExitCode {
    if std::env::var_os("COMMAND_LINE_OF_A_GRAPH").is_some() {
        return dualgauge::main(totals);
    }
    // Names are asked for by tools that list tests.
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    state_without_bound_is_stopped_before_memory_is_full_and_goes_on_with_more();
    println!("test state_without_bound_is_stopped_before_memory_is_full_and_goes_on_with_more ... ok");
    ExitCode::SUCCESS
}

/// A memory cgroup, gone at the end.
struct Cgroup(PathBuf);

impl Cgroup {
    /// One of so many bytes, where this process may make it.
    fn new(bytes: u64) -> Option<Cgroup> {
        let name = format!("dualgauge-{}", std::process::id());
        // The first is where cgroups of version 1 are, the second of version 2.
        for (folder, limits) in [
            ("/sys/fs/cgroup/memory", &[("memory.limit_in_bytes", bytes), ("memory.swappiness", 0)][..]),
            ("/sys/fs/cgroup", &[("memory.max", bytes), ("memory.swap.max", 0)]),
        ] {
            let cgroup = Cgroup(Path::new(folder).join(&name));
            let set = |(file, value): &(&str, u64)| fs::write(cgroup.0.join(file), value.to_string()).is_ok();
            if fs::create_dir(&cgroup.0).is_ok() && limits.iter().all(set) {
                return Some(cgroup);
            }
        }
        None
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Runs the graph to its end, in the cgroup or outside of it.
fn run(dir: &Path, cgroup: Option<&Cgroup>, more: &[&str]) -> Output {
    let mut command = Command::new("sh");
    // A shell joins the cgroup and becomes the program, which is in it from its first page on.
    let join = cgroup.map(|cgroup| format!("echo $$ > {}/cgroup.procs && ", cgroup.0.display())).unwrap_or_default();
    command.args(["-c", &format!("{join}exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
    command.env("COMMAND_LINE_OF_A_GRAPH", "yes").env_remove("RUST_BACKTRACE").current_dir(dir).stdin(Stdio::null());
    let bound = ["run", "--source", "bids=csv:bids.csv?disorder=0s", "--sink", "totals=csv:totals"];
    command.args(bound).args(more).output().unwrap()
}

fn state_without_bound_is_stopped_before_memory_is_full_and_goes_on_with_more() {
    let Ok(mib) = std::env::var("DUALGAUGE_CGROUP") else {
        return println!("skipped: DUALGAUGE_CGROUP says no number of MiB");
    };
    let mib: u64 = mib.parse().expect("DUALGAUGE_CGROUP is a number of MiB");
    let cgroup = || Cgroup::new(mib << 20);
    let Some(control) = cgroup() else {
        return println!("skipped: this process may not make a memory cgroup");
    };
    let dir = tempfile::tempdir().unwrap();
    // Together they keep half as much again as there is memory.
    let keys = (mib << 20) * 3 / 2 / KEPT as u64;
    let line = |key: u64| format!("{key},{}\n", EventTime::default() + (key as i64).millis());
    fs::write(dir.path().join("bids.csv"), "bidder,date_time\n".to_string() + &(0..keys).map(line).collect::<String>())
        .unwrap();

    let ended = run(dir.path(), Some(&control), &[]);
    drop(control);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), None, "without a limit the kernel ends it: {said}");

    // Beside the state there are what checkpoints are written of, and the tables that grow.
    let (cgroup, limit) = (cgroup().expect("it was just possible"), format!("{}MiB", mib / 6));
    let checkpoints = ["--checkpoint", "checkpoints", "--every", "100ms", "--state-max"];
    let stopped = run(dir.path(), Some(&cgroup), &[&checkpoints[..], &[&limit]].concat());
    let said = String::from_utf8_lossy(&stopped.stderr);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    for part in ["E-STATE-LIMIT: the state has ", " bytes (totals ", "Raise the limit to go on"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    println!("{}", said.lines().last().unwrap_or_default());

    let done = run(dir.path(), None, &[&checkpoints[..], &["1TiB"]].concat());
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("goes on after epoch "), "{said}");
    let mut rows = Vec::new();
    for file in fs::read_dir(dir.path().join("totals")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|ending| ending == "csv") {
            rows.extend(fs::read_to_string(file).unwrap().lines().skip(1).map(row));
        }
    }
    rows.sort_unstable();
    assert_eq!(rows.len() as u64, keys);
    let expected = (0..keys).map(|key| (key, 1, EventTime::default() + (key as i64).millis()));
    let other = rows.into_iter().zip(expected).find(|(row, expected)| row != expected);
    assert_eq!(other, None, "every bidder has bid once");
}

/// A line of the output: bidder, bids, time.
fn row(line: &str) -> (u64, u64, EventTime) {
    let mut cells = line.split(',');
    let mut cell = || cells.next().unwrap_or_else(|| panic!("`{line}` is no row"));
    (cell().parse().unwrap(), cell().parse().unwrap(), cell().parse().unwrap())
}
