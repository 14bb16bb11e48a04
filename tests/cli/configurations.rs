//! What cannot work is refused by name: each of these calls exits with the code of its kind of error, says what is wrong
//! and where, and leaves no output behind.

use std::process::Stdio;

use dualgauge::cli::Exit;
use dualgauge::connectors::parquet::{FileOptions, write_file};
use dualgauge::prelude::*;

use crate::support::{Data, Name, call};

/// What is wrong, how the call exits, and what it says.
type Case = (&'static str, Exit, &'static [&'static str]);

const USAGE: Exit = Exit::Usage;
const FAILED: Exit = Exit::Failed;

/// More words for `run --source BIDS --sink OUT`.
const OPTIONS: &[Case] = &[
    ("extra", USAGE, &["unexpected argument 'extra'"]),
    ("--quiet yes", USAGE, &["unexpected argument 'yes'"]),
    ("--workers", USAGE, &["a value is required for '--workers <COUNT>'"]),
    ("--workers 257", USAGE, &["257 workers: a job has 1 to 256"]),
    ("--workers 1.5", USAGE, &["'1.5' for '--workers <COUNT>'"]),
    ("--workers 2 --workers 3", USAGE, &["'--workers <COUNT>' cannot be used multiple times"]),
    ("--from 2026-13-01", USAGE, &["'2026-13-01' for '--from <TIME>'", "is not a time"]),
    ("--until 5", USAGE, &["'5' for '--until <TIME>'", "2026-01-01T12:00:00Z"]),
    ("--seam 2026-01-01T25:00:00Z", USAGE, &["'2026-01-01T25:00:00Z' for '--seam <TIME>'"]),
    ("--processes 0", USAGE, &["--processes 0: there is at least one"]),
    ("--processes two", USAGE, &["'two' for '--processes <COUNT>'"]),
    ("--processes 300", USAGE, &["--processes 300 makes 300 workers: a job has 1 to 256"]),
    ("--processes 3 --workers 100", USAGE, &["--processes 3 makes 300 workers: a job has 1 to 256"]),
    ("--processes 3 --workers 0", USAGE, &["makes 0 workers: a job has 1 to 256"]),
    ("--process 0", USAGE, &["required arguments", "--hosts <LIST>"]),
    ("--hosts a:1,b:2", USAGE, &["required arguments", "--process <INDEX>"]),
    ("--cluster-secret SECRET", USAGE, &["required arguments", "--process <INDEX>"]),
    ("--process 0 --hosts a:1,b", USAGE, &["--hosts: `b` is no address", "host:port"]),
    ("--process 0 --hosts a:1,b:99999", USAGE, &["--hosts: `b:99999` is no address"]),
    ("--process 0 --hosts nowhere", USAGE, &["--hosts nowhere: neither addresses, such as", "nor a file"]),
    ("--process 0 --hosts DIR/hosts", USAGE, &["the hosts in ", "/hosts: `b` is no address"]),
    ("--process 0 --hosts a:1,b:2 --processes 3", USAGE, &["--processes 3 and --hosts with 2 addresses"]),
    ("--process 0 --hosts a:1,b:2", USAGE, &["processes recognise each other by a secret", "--cluster-secret FILE"]),
    ("--process 0 --hosts a:1,b:2 --cluster-secret DIR/none", USAGE, &["cannot read the cluster secret", "/none"]),
    ("--process 0 --hosts a:1,b:2 --cluster-secret DIR/open", USAGE, &["can be read by others", "644", "chmod 600"]),
    (
        "--process 0 --hosts a:1,b:2 --cluster-secret DIR/empty.secret",
        USAGE,
        &["a cluster secret has at least 16 bytes, and this one has 0"],
    ),
    (
        "--process 5 --hosts a:1,b:2 --cluster-secret SECRET",
        USAGE,
        &["there is no process 5: 2 hosts are processes 0 to 1"],
    ),
    ("--process 0 --hosts a:1 --cluster-secret SECRET", USAGE, &["1 hosts: a cluster has 2 to 256 processes"]),
    ("--process 0 --hosts a:1,a:1 --cluster-secret SECRET", USAGE, &["two processes have the address a:1"]),
    ("--process 0 --hosts a:1,b:2 --cluster-secret SECRET --lost-after 0s", USAGE, &["--lost-after 0s"]),
    ("--lost-after soon", USAGE, &["'soon' for '--lost-after <TIME>'", "10s"]),
    ("--checkpoint s3:/", USAGE, &["checkpoints s3:/: this program was built without `s3`", "cargo feature `s3`"]),
    ("--checkpoint http://host/x", USAGE, &["`http` is no kind of place", "name a directory"]),
    ("--checkpoint memory:", USAGE, &["`memory` is no kind of place", "name a directory"]),
    ("--checkpoint DIR/file", USAGE, &["checkpoints ", "/file: it is a file, and checkpoints are kept in a directory"]),
    ("--checkpoint /proc/none", FAILED, &["checkpoints /proc/none/manifest: No such file or directory"]),
    ("--checkpoint DIR/c --state-max 0", USAGE, &["--state-max 0: no job has so little state"]),
    ("--checkpoint DIR/c --state-max 5XB", USAGE, &["'5XB' for '--state-max <BYTES>'", "such as 512MiB"]),
    ("--checkpoint DIR/c --restart 1.5", USAGE, &["'1.5' for '--restart <COUNT>'"]),
    ("--checkpoint DIR/c --every 5", USAGE, &["`5` is not a length of time", "10s"]),
    ("--checkpoint DIR/c --every=-5s", USAGE, &["--every -5s", "more than nothing"]),
    ("--checkpoint DIR/c --from-checkpoint 7", USAGE, &["/c: there is no checkpoint of epoch 7"]),
    ("--job DIR/full", USAGE, &["cannot read the job file", "Is a directory"]),
    ("--job DIR/file", USAGE, &["job file ", "line 1"]),
];

/// What the source of bids is bound to.
const SOURCES: &[Case] = &[
    ("csv:", USAGE, &["source bids: `csv:`: the path is missing"]),
    ("parquet:", USAGE, &["`parquet:`: the path is missing"]),
    ("log:", USAGE, &["`log:`: the path is missing"]),
    ("json:", USAGE, &["`json:`: the path is missing"]),
    ("kafka:bids", USAGE, &["`kafka:bids`: unknown connector `kafka`", "parquet:PATH, log:PATH, csv:PATH, json:PATH"]),
    ("parquet:-", USAGE, &["`parquet:-`: `-` is standard input or output, which is for csv and json"]),
    ("log:-", USAGE, &["`log:-`: `-` is standard input or output"]),
    ("csv:a?disorder", USAGE, &["option `disorder` has no value; write disorder=VALUE"]),
    ("csv:a?disorder=5s&disorder=6s", USAGE, &["option `disorder` is given twice"]),
    ("csv:a?disorder=-5s", USAGE, &["option `disorder`: `-5s` is not a length of time"]),
    ("csv:a?max_ahead=-5s", USAGE, &["option `max_ahead`: `-5s` is not a length of time"]),
    ("csv:a?idle_after=never", USAGE, &["option `idle_after`: `never` is not a length of time"]),
    ("csv:a?bad=ignore", USAGE, &["option `bad`: `ignore` is not `fail`, `drop` or `quarantine`"]),
    ("csv:a?delimiter=ab", USAGE, &["option `delimiter`: `ab` is not one ASCII character"]),
    ("csv:a?header=perhaps", USAGE, &["option `header`: `perhaps` is not true or false"]),
    ("csv:a?line_bytes_max=0", USAGE, &["option `line_bytes_max`: `0` is not a whole number above zero"]),
    ("csv:a?block_bytes=many", USAGE, &["option `block_bytes`: `many` is not a whole number above zero"]),
    ("csv:a?=5", USAGE, &["unknown option ``", "expected one of follow"]),
    ("csv:DIR/bids.csv?bad=quarantine", USAGE, &["source bids: bad records are to go to quarantine", "names no sink"]),
    ("parquet:/no/such/*.parquet", FAILED, &["source bids: cannot list /no/such: No such file"]),
    ("parquet:/no/such", FAILED, &["source bids: cannot read /no/such: No such file"]),
    ("parquet:DIR/bids-*.parquet", USAGE, &["source bids: no file matches ", "bids-*.parquet"]),
    ("parquet:DIR/file", FAILED, &["source bids: file file: not a Parquet file: it has only 6 bytes"]),
    ("parquet:DIR/bids.csv", FAILED, &["source bids: file bids.csv: not a Parquet file: it does not start with PAR1"]),
    (
        "parquet:DIR/other.parquet",
        FAILED,
        &["source bids", "file other.parquet: E-SCHEMA: there is no column `date_time`"],
    ),
    ("log:/no/such", USAGE, &["/no/such: there is no log here (log.json is missing)"]),
    ("log:DIR/empty", USAGE, &["/empty: there is no log here"]),
    ("log:DIR/file", FAILED, &["/file/log.json: Not a directory"]),
    ("csv:DIR/empty", USAGE, &["source bids: directory ", "/empty has no file *.csv"]),
    ("json:DIR/full", USAGE, &["/full has no file *.jsonl, *.ndjson, *.json"]),
    ("csv:DIR/headless.csv", FAILED, &["headless.csv: E-SCHEMA: the header has no column `auction`"]),
    ("csv:DIR/missing.csv", FAILED, &["missing.csv: E-SCHEMA: the header has no column `date_time`"]),
    ("csv:DIR/wrong.csv", FAILED, &["source bids", "wrong.csv", "line 2", "column `auction`: found \"x\""]),
    ("csv:DIR/short.csv", FAILED, &["source bids", "short.csv", "line 2"]),
    ("csv:DIR/bids.parquet", FAILED, &["source bids: bids.parquet"]),
    ("json:DIR/wrong.json", FAILED, &["source bids", "wrong.json", "line 1", "auction"]),
    ("json:DIR/torn.json", FAILED, &["source bids", "torn.json", "line 1"]),
    ("json:DIR/bids.csv", FAILED, &["source bids", "bids.csv", "line 1"]),
    ("parquet:DIR/bids.parquet,csv:DIR/bids.csv", USAGE, &["where the one ends and the other begins", "say the seam"]),
    ("log:DIR/empty,parquet:DIR/bids.parquet", USAGE, &["source bids", "/empty: there is no log here"]),
];

/// What the sink is bound to.
const SINKS: &[Case] = &[
    ("csv:", USAGE, &["sink hot_items: `csv:`: the path is missing"]),
    ("kafka:topic", USAGE, &["sink hot_items: `kafka:topic`: unknown connector `kafka`"]),
    ("parquet:-", USAGE, &["sink hot_items: `parquet:-`: `-` is standard input or output"]),
    ("log:-", USAGE, &["sink hot_items: `log:-`: `-` is standard input or output"]),
    ("csv:DIR/full", USAGE, &["there is output already (", "/full/other.csv)", "set overwrite"]),
    ("csv:DIR/bids.csv", USAGE, &["sink hot_items", "writes where source bids", "/bids.csv)"]),
    ("parquet:DIR/file", FAILED, &["sink hot_items: ", "/file: Not a directory"]),
    ("parquet:DIR/out?rows=0", USAGE, &["unknown option `rows`; expected one of buckets, row_group_rows"]),
    ("parquet:DIR/out?row_group_rows=0", USAGE, &["option `row_group_rows`: `0` is not a whole number above zero"]),
    ("parquet:DIR/out?buckets=0", USAGE, &["option `buckets`: `0` is not a whole number above zero"]),
    ("parquet:DIR/out?span=0s", USAGE, &["option `span`: `0s` is not a length of time above zero"]),
    ("csv:DIR/out?buckets=0", USAGE, &["option `buckets`: `0` is not a whole number above zero"]),
    ("csv:DIR/out/?span=0s", USAGE, &["option `span`: `0s` is not a length of time above zero"]),
    ("json:DIR/out?pretty=yes", USAGE, &["unknown option `pretty`"]),
    ("json:DIR/out?bad=drop", USAGE, &["unknown option `bad`"]),
    ("csv:/proc/none/out.csv", FAILED, &["sink hot_items: /proc/none", "No such file or directory"]),
    ("log:DIR/out?partitions=0", USAGE, &["option `partitions`: `0` is not a whole number above zero"]),
    (
        "log:DIR/out?partitions=1000000",
        USAGE,
        &["sink hot_items: a log has between 1 and 10000 partitions, and 1000000"],
    ),
    ("log:DIR/file", FAILED, &["sink hot_items: ", "/file: File exists"]),
];

/// Words for the tool, its exit code and what it says.
const TOOL: &[(&str, i32, &[&str])] = &[
    ("", 2, &["Usage: dualgauge <COMMAND>", "checkpoint"]),
    ("checkpoints", 2, &["unrecognized subcommand 'checkpoints'", "'checkpoint'"]),
    ("checkpoint ls", 2, &["required arguments", "<PLACE>"]),
    ("checkpoint ls /no/such", 2, &["/no/such: there are no checkpoints here (no folder `manifest`)"]),
    ("checkpoint ls DIR/file", 2, &["/file: there are no checkpoints here"]),
    ("checkpoint show DIR/empty", 2, &["/empty: there are no checkpoints here"]),
    ("checkpoint show DIR/empty --epoch last", 2, &["'last' for '--epoch <EPOCH>'"]),
    ("checkpoint show DIR/begun", 2, &["/begun: there are no checkpoints here (no manifest)"]),
    ("checkpoint verify DIR/full", 2, &["/full: there are no checkpoints here"]),
    ("checkpoint savepoint /no/such", 2, &["/no/such: there are no checkpoints here"]),
    ("checkpoint savepoint DIR/empty --within soon", 2, &["'soon' for '--within <TIME>'"]),
    ("checkpoint savepoint DIR/empty --within 0s", 2, &["--within 0s: a savepoint takes some time"]),
    ("state get", 2, &["required arguments", "--checkpoint <PLACE>", "<STEP>"]),
    ("state get --checkpoint /no/such step", 2, &["/no/such: there are no checkpoints here"]),
    ("state get --checkpoint DIR/begun step", 2, &["/begun: there are no checkpoints here (no manifest)"]),
    ("log append /no/such", 2, &["to create a log, say its --schema", "there is no log here"]),
    ("log append DIR/new --schema auction", 2, &["column `auction`: expected NAME:TYPE, such as price:u64"]),
    ("log append DIR/new --schema auction:u65", 2, &["`u65` is not a type", "timestamp"]),
    ("log append DIR/new --schema t:timestamp,t:u64", 2, &["column 1 has the name `t`, which another one has"]),
    ("log append DIR/new --schema t:timestamp --partitions 0", 2, &["a log has between 1 and 10000 partitions"]),
    ("log append DIR/new --schema t:timestamp --partition 5", 2, &["a log of --partitions 1 has no partition 5"]),
    (
        "log append DIR/new --schema t:timestamp --event-time x",
        2,
        &["event-time column `x` is not among the columns: t"],
    ),
    ("log append DIR/file", 1, &["/file/log.json: Not a directory"]),
    ("log tail /no/such", 2, &["/no/such: there is no log here"]),
    ("log inspect DIR/empty", 2, &["/empty: there is no log here"]),
    ("log verify DIR/empty", 2, &["/empty: there is no log here"]),
    ("log repair /no/such", 2, &["/no/such: there is no log here"]),
];

/// Data, and places where something is wrong.
fn ground() -> Data {
    let data = Data::of_seconds(30);
    for (name, text) in [
        ("headless.csv", "1,2,3\n4,5,6\n"),
        ("missing.csv", "auction,price\n1,2\n"),
        ("wrong.csv", "auction,price,date_time\nx,2,1970-01-01T00:00:00Z\n"),
        ("short.csv", "auction,price,date_time\n1,2\n"),
        ("wrong.json", "{\"auction\":\"x\",\"price\":2,\"date_time\":\"1970-01-01T00:00:00Z\"}\n"),
        ("torn.json", "{\"auction\":1,\n"),
        ("hosts", "a:1\nb\n"),
        ("file", "a file"),
        ("open", "a secret that is long enough to be one"),
        ("secret", "a secret that is long enough to be one"),
        ("empty.secret", ""),
    ] {
        data.write(name, text);
    }
    let columns = Name::schema();
    let rows = Name::encode(std::iter::once(&Name { auction: 1, name: "a vase".to_string() }));
    write_file(data.path("other.parquet"), &columns, [rows], &FileOptions::default()).unwrap();
    for dir in ["empty", "full", "begun/manifest", "begun/snapshots"] {
        std::fs::create_dir_all(data.path(dir)).unwrap();
    }
    data.write("full/other.csv", "1\n");
    for secret in ["secret", "empty.secret"] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(data.path(secret), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    data
}

fn words(data: &Data, text: &str) -> Vec<String> {
    let (dir, secret) = (data.path("").display().to_string(), data.path("secret").display().to_string());
    let full = |word: &str| word.replace("DIR/", &dir).replace("SECRET", &secret);
    text.split(' ').filter(|word| !word.is_empty()).map(full).collect()
}

#[test]
fn a_run_that_cannot_work_is_refused_by_name() {
    let data = ground();
    let bound = |source: &str, sink: &str, more: &str| {
        format!("run --source bids={source} --sink hot_items={sink} {more}").trim().to_string()
    };
    let (good, out) = ("csv:DIR/bids.csv", "csv:DIR/out.csv");
    let options = OPTIONS.iter().map(|(more, exit, parts)| (bound(good, out, more), exit, parts));
    let sources = SOURCES.iter().map(|(source, exit, parts)| (bound(source, out, ""), exit, parts));
    let sinks = SINKS.iter().map(|(sink, exit, parts)| (bound(good, sink, ""), exit, parts));
    let mut wrong = Vec::new();
    for (text, exit, parts) in options.chain(sources).chain(sinks) {
        let words = words(&data, &text);
        let answer = call(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let missing: Vec<_> = parts.iter().filter(|part| !answer.err.contains(**part)).collect();
        let written = ["out.csv", "out"].iter().any(|name| data.path(name).exists());
        if answer.exit != *exit || !missing.is_empty() || written {
            wrong.push(format!("{text}\n  {:?}, written {written}, without {missing:?}: {}", answer.exit, answer.err));
            let _ = std::fs::remove_file(data.path("out.csv"));
            let _ = std::fs::remove_dir_all(data.path("out"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_tool_refuses_what_it_cannot_do_by_name() {
    let data = ground();
    let mut wrong = Vec::new();
    for (text, exit, parts) in TOOL {
        let mut tool = std::process::Command::new(env!("CARGO_BIN_EXE_dualgauge"));
        let done = tool.args(words(&data, text)).stdin(Stdio::null()).output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        let missing: Vec<_> = parts.iter().filter(|part| !err.contains(**part)).collect();
        if done.status.code() != Some(*exit) || !missing.is_empty() || !done.stdout.is_empty() {
            wrong.push(format!("{text}\n  {}, without {missing:?}: {err}", done.status));
        }
        assert!(!data.path("new").exists(), "{text}: a log was made");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
