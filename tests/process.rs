//! Whole processes: what only shows from outside, as signals, exit codes and the noise of panics.
//!
//! Started with arguments behind `graph`, this program is the command line of a graph, as a user writes it; else it
//! starts itself, and `dualgauge`, and looks at what they do.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};

use dualgauge::prelude::*;

#[record]
struct Bid {
    auction: u64,
    #[event_time]
    date_time: EventTime,
}

/// Copies bids; says so of the first, and panics at auction 13.
fn copies(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").inspect(|bid| match bid.data.auction {
        1 => eprintln!("the first bid"),
        13 => panic!("an unlucky auction"),
        _ => {}
    });
    bids.sink("copies");
}

fn main() -> ExitCode {
    if std::env::var_os("COMMAND_LINE_OF_A_GRAPH").is_some() {
        return dualgauge::main(copies);
    }
    // Names are asked for by tools that list tests.
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let checks: [(&str, fn()); 7] = [
        ("a_run_that_is_done_exits_with_0", a_run_that_is_done_exits_with_0),
        ("a_wrong_call_exits_with_2", a_wrong_call_exits_with_2),
        ("a_panic_exits_with_70_and_is_told_once", a_panic_exits_with_70_and_is_told_once),
        ("ctrl_c_ends_a_live_run_in_order", ctrl_c_ends_a_live_run_in_order),
        ("a_signal_asks_for_a_savepoint_and_another_for_a_last_checkpoint", a_signal_asks_for_a_savepoint),
        ("a_command_asks_for_a_savepoint_through_the_place_of_checkpoints", a_command_asks_for_a_savepoint),
        ("a_log_is_appended_to_and_printed", a_log_is_appended_to_and_printed),
    ];
    for (name, check) in checks {
        check();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn graph(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("COMMAND_LINE_OF_A_GRAPH", "yes").env_remove("RUST_BACKTRACE").current_dir(dir).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A directory with `bids.csv`: bids on these auctions, a second apart.
fn bids(auctions: &[u64]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let lines = auctions.iter().enumerate().map(|(at, auction)| format!("{auction},1970-01-01T00:00:{at:02}Z\n"));
    std::fs::write(dir.path().join("bids.csv"), format!("auction,date_time\n{}", lines.collect::<String>())).unwrap();
    dir
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn a_run_that_is_done_exits_with_0() {
    let dir = bids(&[2, 3]);
    let output = graph(dir.path(), &["run", "--source", "bids=csv:bids.csv", "--sink", "copies=json:-"]).output();
    let Output { status, stdout, stderr } = output.unwrap();
    assert_eq!(status.code(), Some(0), "{}", text(&stderr));
    let rows = "{\"auction\":2,\"date_time\":\"1970-01-01T00:00:00Z\"}\n{\"auction\":3,\"date_time\":\"1970-01-01T00:00:01Z\"}\n";
    assert_eq!(text(&stdout), rows, "standard output is the sink's alone");
    assert!(text(&stderr).starts_with("done in "), "{}", text(&stderr));
}

fn a_wrong_call_exits_with_2() {
    let output = graph(bids(&[2]).path(), &["run", "--source", "bits=csv:bids.csv"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert_eq!(text(&output.stderr), "error: unknown source bits; the graph has the sources: bids\n");
}

fn a_panic_exits_with_70_and_is_told_once() {
    let dir = bids(&[2, 13]);
    let output = graph(dir.path(), &["run", "--source", "bids=csv:bids.csv", "--sink", "copies=csv:out.csv"]).output();
    let Output { status, stderr, .. } = output.unwrap();
    assert_eq!(status.code(), Some(70), "{}", text(&stderr));
    let told = text(&stderr);
    assert_eq!(told.matches("an unlucky auction").count(), 1, "{told}");
    assert!(told.starts_with("error: inspect at ") && told.contains("RUST_BACKTRACE=1"), "{told}");
    assert!(!dir.path().join("out.csv").exists(), "nothing is published");
}

fn ctrl_c_ends_a_live_run_in_order() {
    let dir = bids(&[1]);
    let words = ["run", "--source", "bids=csv:bids.csv?follow=true", "--sink", "copies=csv:out.csv"];
    let mut child = graph(dir.path(), &words).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    line_with(&mut stderr, "the first bid");
    signal(&child, "-INT");
    let status = child.wait().unwrap();
    let mut told = String::new();
    stderr.read_to_string(&mut told).unwrap();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(
        told.contains("stopped: every row that had come to a sink was written; windows that were half full"),
        "{told}"
    );
    let out = std::fs::read_to_string(dir.path().join("out.csv")).unwrap();
    assert_eq!(out, "auction,date_time\n1,1970-01-01T00:00:00Z\n");
}

/// What a process says, up to a line with this in it.
fn line_with(stderr: &mut impl BufRead, part: &str) -> String {
    let mut told = String::new();
    while !told.contains(part) || !told.ends_with('\n') {
        assert_ne!(stderr.read_line(&mut told).unwrap(), 0, "it ended, and `{part}` is not in {told}");
    }
    told
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn a_signal_asks_for_a_savepoint() {
    let dir = bids(&[1, 2]);
    let words = ["run", "--source", "bids=csv:bids.csv?follow=true", "--sink", "copies=csv:out.csv"];
    let words = [&words[..], &["--checkpoint", "checkpoints", "--every", "1d"]].concat();
    let mut child = graph(dir.path(), &words).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // What is told of the start and what the graph prints are not told by one thread.
    let mut told = line_with(&mut stderr, "note: checkpoints in checkpoints every 1d\n");
    if !told.contains("the first bid") {
        told += &line_with(&mut stderr, "the first bid");
    }
    signal(&child, "-USR1");
    line_with(&mut stderr, "savepoint of epoch ");
    signal(&child, "-KILL");
    assert_eq!(child.wait().unwrap().code(), None, "it was killed");

    let mut child = graph(dir.path(), &words).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    line_with(&mut stderr, "note: goes on after epoch ");
    signal(&child, "-INT");
    let told = line_with(&mut stderr, "stopped: a last checkpoint of epoch ");
    assert!(told.contains("goes on from there"), "{told}");
    assert_eq!(child.wait().unwrap().code(), Some(4), "stopped by hand, and another start resumes");

    let mut child = graph(dir.path(), &words).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    line_with(&mut stderr, "note: goes on after epoch ");
    signal(&child, "-TERM");
    line_with(&mut stderr, "stopped: a last checkpoint of epoch ");
    assert_eq!(child.wait().unwrap().code(), Some(0), "a service manager has what it wanted");

    let more = std::fs::read_to_string(dir.path().join("bids.csv")).unwrap() + "3,1970-01-01T00:00:05Z\n";
    std::fs::write(dir.path().join("bids.csv"), more).unwrap();
    let output = graph(dir.path(), &[&words[..], &["--until", "1970-01-01T00:00:05Z"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("the first bid"), "what was read is not read again");
    let out = std::fs::read_to_string(dir.path().join("out.csv")).unwrap();
    assert_eq!(out, "auction,date_time\n1,1970-01-01T00:00:00Z\n2,1970-01-01T00:00:01Z\n");
}

fn a_command_asks_for_a_savepoint() {
    let dir = bids(&[1, 2]);
    let savepoint = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dualgauge"));
        command.current_dir(dir.path()).args(["checkpoint", "savepoint", "checkpoints"]).args(more);
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), text(&stdout), text(&stderr))
    };
    let (exit, _, told) = savepoint(&[]);
    assert_eq!(exit, Some(2), "{told}");
    assert!(told.contains("there are no checkpoints here"), "{told}");

    let words = ["run", "--source", "bids=csv:bids.csv?follow=true", "--sink", "copies=csv:out.csv"];
    let words = [&words[..], &["--checkpoint", "checkpoints", "--every", "1d"]].concat();
    let mut child = graph(dir.path(), &words).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    line_with(&mut stderr, "the first bid");
    let (exit, first, told) = savepoint(&[]);
    assert_eq!(exit, Some(0), "{told}");
    line_with(&mut stderr, first.trim()); // and the run says so too
    let (exit, second, told) = savepoint(&[]);
    assert_eq!(exit, Some(0), "{told}");
    let epoch = |told: &str| told.trim().strip_prefix("savepoint of epoch ").unwrap().parse::<u64>().unwrap();
    assert!(epoch(&second) > epoch(&first), "each asks for its own: {first}{second}");
    signal(&child, "-KILL");
    assert_eq!(child.wait().unwrap().code(), None, "it was killed");

    let (exit, out, told) = savepoint(&["--within", "1s"]);
    assert_eq!((exit, out.as_str()), (Some(1), ""), "nobody is there: {told}");
    assert!(told.starts_with("error: checkpoints: no savepoint within 1s: does the job run"), "{told}");
    assert!(!dir.path().join("checkpoints/savepoint-wanted").exists(), "the next start is not asked any more");

    let (first, until) = (epoch(&first).to_string(), ["--until", "1970-01-01T00:00:01Z"]);
    let back = graph(dir.path(), &[&words[..], &["--from-checkpoint", &first], &until].concat()).output().unwrap();
    assert_eq!(back.status.code(), Some(0), "{}", text(&back.stderr));
    assert!(text(&back.stderr).contains(&format!("note: goes on after epoch {first} ")), "{}", text(&back.stderr));
    let (exit, _, told) = savepoint(&[]);
    assert_eq!(exit, Some(2), "{told}");
    assert!(told.contains("the input of this job has ended, with the checkpoint of epoch "), "{told}");
}

fn a_log_is_appended_to_and_printed() {
    let dir = tempfile::tempdir().unwrap();
    let log = |words: &[&str], input: &str| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dualgauge"));
        command.current_dir(dir.path()).arg("log").args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that refuses the call does not wait for its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    };
    let json = "{\"auction\":1,\"price\":2.5,\"date_time\":\"2026-01-01T00:00:00Z\"}\n";
    let missing = log(&["append", "bids"], json);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("to create a log, say its --schema"), "{}", text(&missing.stderr));
    let created = log(&["append", "bids", "--schema", "auction:u64,price:f64?,date_time:timestamp"], json);
    assert_eq!(created.status.code(), Some(0), "{}", text(&created.stderr));
    let csv = "auction,price,date_time\n7,,2026-01-01T00:00:05Z\n";
    let sealed = log(&["append", "bids", "--format", "csv", "--seal"], csv);
    assert_eq!(text(&sealed.stderr), "1 row appended; partition 0 now ends at offset 2\n");
    assert_eq!(log(&["append", "bids"], json).status.code(), Some(2), "nothing follows a seal");

    let printed = log(&["tail", "bids", "--follow"], "");
    let rows = json.to_string() + "{\"auction\":7,\"date_time\":\"2026-01-01T00:00:05Z\"}\n";
    assert_eq!((printed.status.code(), text(&printed.stdout)), (Some(0), rows));
    assert_eq!(text(&log(&["tail", "bids", "--format", "csv", "--from", "1"], "").stdout), csv);
    assert!(text(&log(&["inspect", "bids"], "").stdout).contains("sealed"));
    assert_eq!(log(&["verify", "bids"], "").status.code(), Some(0));

    let segment =
        walk(&dir.path().join("bids/p0000")).into_iter().find(|path| path.extension().is_some_and(|e| e == "arrows"));
    let segment = segment.unwrap_or_else(|| panic!("{:?}", walk(&dir.path().join("bids/p0000"))));
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let damaged = log(&["verify", "bids"], "");
    assert_eq!(damaged.status.code(), Some(1), "{}", text(&damaged.stdout));
    assert!(text(&damaged.stderr).contains("the log is damaged"), "{}", text(&damaged.stderr));
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}
