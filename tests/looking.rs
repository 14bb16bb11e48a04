//! Looking into checkpoints by command, and the stored format as it was released.
//!
//! `tests/fixtures/checkpoint-1` was written by the first version of the format and is never written again: what is read
//! of it, and how a job goes on from it, must stay the same. It would catch a change of any stored byte, a state that is
//! shown wrong, a damaged layer that nobody tells of, and a wrong call without the alternatives.
//!
//! Started with arguments behind `graph`, this program is the command line of the graph that wrote the fixture.
//! `WRITE_FIXTURE=DIR` makes it anew, for the next version of the format.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use dualgauge::prelude::*;

#[record]
struct Bid {
    auction: u64,
    bidder: String,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Line {
    what: String,
    number: u64,
    #[event_time]
    time: EventTime,
}

/// Bids per auction in windows of ten seconds, and what each bidder has bid so far.
fn auctions(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").inspect(|bid| eprintln!("a bid of {}", bid.data.price));
    let counted =
        bids.clone().key_by(|bid| bid.auction).window(tumbling(10.seconds())).aggregate("per_auction", agg::count());
    let counts =
        counted.map(|pane| Line { what: format!("auction {}", pane.key), number: pane.value, time: pane.time });
    let spent = bids.key_by(|bid| bid.bidder.clone()).fold("spent", |total: &mut (u64, Option<String>), bid: Bid| {
        *total = (total.0 + bid.price, Some(format!("last on {}", bid.auction)));
        Line { what: bid.bidder, number: total.0, time: bid.date_time }
    });
    counts.union(spent).sink("lines");
}

const RUN: [&str; 5] = ["run", "--source", "bids=csv:bids.csv?follow=true&disorder=0s", "--sink", "lines=csv:lines"];

fn main() -> ExitCode {
    if std::env::var_os("COMMAND_LINE_OF_A_GRAPH").is_some() {
        return dualgauge::main(auctions);
    }
    if let Some(dir) = std::env::var_os("WRITE_FIXTURE") {
        write_fixture(Path::new(&dir));
        return ExitCode::SUCCESS;
    }
    // Names are asked for by tools that list tests.
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let checks: [(&str, fn()); 6] = [
        ("a_job_goes_on_from_what_the_first_version_stored", goes_on),
        ("checkpoints_are_listed", listed),
        ("a_checkpoint_is_shown", shown),
        ("all_that_is_stored_is_verified", verified),
        ("what_a_step_keeps_is_printed", state_printed),
        ("a_wrong_call_is_refused_with_what_there_is", refused),
    ];
    for (name, check) in checks {
        check();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// The command line of the graph, in a directory.
fn graph(dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("COMMAND_LINE_OF_A_GRAPH", "yes").current_dir(dir).args(RUN).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A copy of the fixture.
fn fixture() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            match entry.path().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(fs::copy(entry.path(), to).unwrap()),
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoint-1"), dir.path());
    dir
}

/// Calls `dualgauge` with these words: its exit code, and what it printed on standard output and on standard error.
fn call(dir: &Path, words: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualgauge"));
    let output = command.current_dir(dir).args(words.split(' ')).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What the graph has written, once it has seen all bids of the first minute.
fn answer(dir: &Path, more: &[&str]) -> Vec<String> {
    let until = ["--until", "1970-01-01T00:00:59Z"];
    let output = graph(dir, &[&until[..], more].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let files = fs::read_dir(dir.join("lines")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "csv"));
    files.flat_map(|path| fs::read_to_string(path).unwrap().lines().map(str::to_string).collect::<Vec<_>>()).collect()
}

fn goes_on() {
    let undisturbed = tempfile::tempdir().unwrap();
    append(undisturbed.path(), 0..60);
    let expected = answer(undisturbed.path(), &[]);
    assert!(
        expected.len() > 60 && expected.contains(&"auction 1,5,1970-01-01T00:00:29.999999Z".to_string()),
        "{expected:?}"
    );
    for from in [&[][..], &["--from-checkpoint", "5"]] {
        let dir = fixture();
        append(dir.path(), 30..60);
        let resumed = answer(dir.path(), &[&["--checkpoint", "checkpoints"], from].concat());
        assert_eq!(resumed, expected, "{from:?}");
    }
}

fn listed() {
    let (exit, out, _) = call(fixture().path(), "checkpoint ls checkpoints");
    let expected = "\
entry  what        generation  epoch  taken                        steps  layers  bytes
0      start       1
1      savepoint   1           5      2026-11-25T18:47:41.557584Z  3      2       739
2      checkpoint  1           11     2026-11-25T18:47:41.654937Z  3      4       1661
";
    assert_eq!((exit, out.as_str()), (Some(0), expected));
}

fn shown() {
    let (exit, out, _) = call(fixture().path(), "checkpoint show checkpoints");
    let expected = "\
checkpoint of epoch 11, taken 2026-11-25T18:47:41.654937Z
entry 2, by generation 1
4 layers of state, 1661 bytes

sources
  bids: csv:bids.csv
    bids.csv: offset 941, 30 rows, up to 1970-01-01T00:00:29Z

sinks
  lines
    bucket 0: 124 bytes prepared

steps
  per_auction: 178 bytes in the layers
    panes: (u64, u64): 2 entries, 20 bytes
  spent: 891 bytes in the layers
    states: (String, (u64, Option<String>)): 3 entries, 49 bytes
    waiting: struct Bid { auction: u64, bidder: String, price: u64, date_time: struct EventTime(i64) }: 1 entry, 19 bytes
    timers: String: 0 entries, 0 bytes
  sink lines: 452 bytes in the layers
    unsettled: struct Line { what: String, number: u64, time: struct EventTime(i64) }: 0 entries, 0 bytes
";
    assert_eq!((exit, out.as_str()), (Some(0), expected));
    let (_, out, _) = call(fixture().path(), "checkpoint show checkpoints --epoch 5");
    assert!(out.starts_with("savepoint of epoch 5") && out.contains("offset 790, 25 rows"), "{out}");
}

fn verified() {
    let dir = fixture();
    let whole =
        "entry 1, savepoint of epoch 5: whole\nentry 2, checkpoint of epoch 11: whole\n2 checkpoints, none damaged\n";
    assert_eq!(call(dir.path(), "checkpoint verify checkpoints"), (Some(0), whole.to_string(), String::new()));

    let layers = dir.path().join("checkpoints/layers");
    let newest = layers.join("0000000001-00000000000000000011-w001");
    let bytes = fs::read(&newest).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&newest, flipped).unwrap();
        let (exit, out, err) = call(dir.path(), "checkpoint verify checkpoints");
        assert_eq!(
            (exit, err.as_str()),
            (Some(1), "error: checkpoints: 1 of 2 checkpoints damaged\n"),
            "byte {at}: {out}"
        );
        assert!(out.contains("epoch 5: whole\nentry 2, checkpoint of epoch 11: damaged: "), "byte {at}: {out}");
        assert!(out.contains("layers/0000000001-00000000000000000011-w001: "), "byte {at}: {out}");
    }
    fs::write(&newest, &bytes).unwrap();
    fs::remove_file(layers.join("0000000001-00000000000000000005-w000")).unwrap();
    let (exit, out, _) = call(dir.path(), "checkpoint verify checkpoints");
    assert_eq!((exit, out.matches("the layer is missing").count()), (Some(1), 2), "{out}");
}

fn state_printed() {
    let dir = fixture();
    let get = |words: &str| {
        let (exit, out, err) = call(dir.path(), &format!("state get {words} --checkpoint checkpoints"));
        assert_eq!(exit, Some(0), "{words}: {err}");
        (out, err)
    };
    let pane = "{\"part\":\"panes\",\"place\":[\"1970-01-01T00:00:20Z\"],\"key\":1,\"value\":5}\n";
    assert_eq!(get("per_auction 1").0, pane);
    let pane = "{\"part\":\"panes\",\"place\":[\"1970-01-01T00:00:20Z\"],\"key\":1,\"value\":3}\n";
    assert_eq!(get("per_auction 1 --epoch 5").0, pane);
    let ada = "{\"part\":\"states\",\"key\":\"ada\",\"value\":[1135,\"last on 2\"]}\n";
    assert_eq!((get("spent ada").0.as_str(), get("spent \"ada\"").0.as_str()), (ada, ada));
    let seven = "{\"part\":\"states\",\"key\":\"7\",\"value\":[1026,\"last on 1\"]}\n\
        {\"part\":\"waiting\",\"place\":[\"1970-01-01T00:00:29Z\"],\"value\":{\"auction\":2,\"bidder\":\"7\",\"price\":129,\
        \"date_time\":\"1970-01-01T00:00:29Z\"}}\n";
    assert_eq!(get("spent 7").0, seven);
    assert_eq!(get("spent 7 --part states").0.lines().count(), 1);
    assert_eq!(get("per_auction"), ("1\n2\n".to_string(), "2 keys\n".to_string()));
    let (keys, told) = get("spent");
    assert_eq!(keys, "\"7\"\n\"ada\"\n\"bob\"\n");
    assert!(told.starts_with("3 keys\nwaiting besides: 1 record; "), "{told}");
}

fn refused() {
    let dir = fixture();
    fs::create_dir_all(dir.path().join("empty/manifest")).unwrap();
    for (words, exit, part) in [
        ("checkpoint ls nowhere", 2, "error: nowhere: there are no checkpoints here"),
        ("checkpoint ls empty", 2, "error: empty: there are no checkpoints here"),
        ("checkpoint verify empty", 2, "error: empty: there are no checkpoints here"),
        ("checkpoint show lines", 2, "error: lines: there are no checkpoints here"),
        ("checkpoint show file://checkpoints", 2, "a file URL has an absolute path"),
        ("checkpoint show nosuch://bucket/job", 2, "nosuch"),
        ("checkpoint show checkpoints --epoch 4", 2, "no checkpoint of epoch 4; there are: 5, 11\n"),
        ("checkpoint show checkpoints --epoch new", 2, "invalid value 'new'"),
        ("checkpoint", 2, "Usage: dualgauge checkpoint"),
        ("state get per_auction 1", 2, "--checkpoint <PLACE>"),
        ("state get spend 1 --checkpoint checkpoints", 2, "there are: per_auction, spent, sink lines\n"),
        ("state get spent ada --checkpoint checkpoints --part panes", 2, "there are: states, waiting, timers\n"),
        ("state get spent eve --checkpoint checkpoints", 1, "keeps nothing of the key \"eve\""),
    ] {
        let answer = call(dir.path(), words);
        assert_eq!((answer.0, answer.1.as_str()), (Some(exit), ""), "{words}: {}", answer.2);
        assert!(answer.2.contains(part), "{words}: {}", answer.2);
    }
    assert!(!dir.path().join("nowhere").exists(), "who only looks creates nothing");
}

/// Writes bids, one a second, at the end of `bids.csv`.
fn append(dir: &Path, seconds: std::ops::Range<u64>) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(dir.join("bids.csv")).unwrap();
    if seconds.start == 0 {
        file.write_all(b"auction,bidder,price,date_time\n").unwrap();
    }
    let bidder = |second: u64| ["ada", "bob", "7"][second as usize % 3];
    let time = |second: u64| EventTime::from_millis(1_000 * second as i64);
    let line = |second| format!("{},{},{},{}\n", 1 + second % 2, bidder(second), 100 + second, time(second));
    file.write_all(seconds.map(line).collect::<String>().as_bytes()).unwrap();
}

/// A savepoint at 25 seconds, in the third window, and a last checkpoint at 30.
fn write_fixture(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    append(dir, 0..25);
    let mut child = graph(dir, &["--checkpoint", "checkpoints", "--every", "1d", "--workers", "2"]).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |part: &str| assert!(told.any(|line| line.contains(part)), "it ended without `{part}`");
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    };
    until("a bid of 124");
    signal("-USR1");
    until("savepoint of epoch ");
    append(dir, 25..30);
    until("a bid of 129");
    signal("-INT");
    until("stopped: a last checkpoint of epoch ");
    child.wait().unwrap();
}
