//! Going back with the words of the command line: to a savepoint that a command has asked for, and with checkpoints that
//! were copied and brought back.

use dualgauge::connectors::log::{Log, LogWriter, ReadOptions};
use dualgauge::prelude::*;
use dualgauge::{Next, PartitionReader};

use crate::Case;
use crate::graphs::Ev;
use crate::starts::{ROWS, copy, feed};
use crate::support::{Dir, Ran, Started};

pub const CASES: &[Case] = &[
    ("a_savepoint_by_command_is_gone_back_to", savepoint),
    ("checkpoints_that_were_copied_and_brought_back_are_behind_their_output", brought_back),
];

/// What the sink is bound to; a month is open at every checkpoint.
pub const SINKS: &[&str] = &[
    "parquet:out?span=1h",
    "parquet:out?span=30d",
    "csv:out/?span=1h",
    "json:out/?span=30d",
    "json:out.jsonl",
    "log:out",
];

/// The words of a run of the graph `hours` over a live log.
pub fn words<'a>(sink: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "-q", "--source", "in=log:live", "--sink", "late=json:late.jsonl", "--sink", sink], more].concat()
}

/// What somebody sees who reads the output: the names of files and their bytes, of a log its rows.
pub fn output(dir: &Dir) -> Vec<(String, Vec<u8>)> {
    if dir.path("out/log.json").exists() {
        let mut reader = Log::open(dir.path("out")).unwrap().reader(0, None, ReadOptions::default()).unwrap();
        let mut rows = Vec::new();
        while let Next::Batch(batch) = reader.next().unwrap() {
            let all = (0..batch.rows.num_rows()).map(|row| format!("{:?}", batch.rows.slice(row, 1)));
            rows.extend(all.map(|row| (row, Vec::new())));
        }
        return rows;
    }
    let seen = |(name, _): &(String, Vec<u8>)| name.starts_with("out") && !name.contains("/.");
    dir.all().into_iter().filter(seen).collect()
}

/// All files but for the checkpoints, to which each start adds.
pub fn untouched(dir: &Dir) -> Vec<(String, Vec<u8>)> {
    dir.all().into_iter().filter(|(name, _)| !name.starts_with("ck") && !name.ends_with("lock")).collect()
}

/// The same output without any disturbance.
pub fn undisturbed(dir: &Dir, sink: &str) -> Vec<(String, Vec<u8>)> {
    let alone = Dir::new();
    copy(dir, &alone, "live");
    let ran = alone.run("hours", &words(&format!("out={sink}"), &[]));
    assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
    assert!(!output(&alone).is_empty(), "{sink}");
    output(&alone)
}

pub const CHECKPOINTED: &[&str] = &["--checkpoint", "ck", "--every", "20ms"];

fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for word in ["E-OUTPUT-AHEAD", "sink out"].iter().chain(words) {
        assert!(ran.err.contains(word), "{word}: {ran:?}");
    }
}

/// A job that has read the first rows of a live log, and who appends to it.
fn started(bound: &str) -> (Dir, LogWriter, Started) {
    let dir = Dir::new();
    let log = Log::create(dir.path("live"), &Ev::schema(), 1).unwrap();
    let mut writer = log.writer(0).unwrap();
    feed(&mut writer, 0);
    let run = Started::new(dir.command("hours", &words(bound, CHECKPOINTED))).has_read(&dir, "ck", ROWS as u64);
    (dir, writer, run)
}

fn savepoint() {
    for sink in SINKS {
        let bound = format!("out={sink}");
        let (dir, mut writer, run) = started(&bound);
        let savepoint = dir.dualgauge(&["checkpoint", "savepoint", "ck"]);
        assert_eq!(savepoint.code, Some(0), "{savepoint:?}");
        let epoch = savepoint.out.trim().strip_prefix("savepoint of epoch ").unwrap().to_string();
        feed(&mut writer, ROWS);
        writer.seal().unwrap();
        drop(writer);
        let ran = run.ended();
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
        let expected = undisturbed(&dir, sink);
        assert_eq!(output(&dir), expected, "{sink}");

        let back = [CHECKPOINTED, &["--from-checkpoint", &epoch]].concat();
        let before = untouched(&dir);
        refused(&dir.run("hours", &words(&bound, &back)), &[&format!("after epoch {epoch}"), "--replace-output"]);
        assert!(untouched(&dir) == before, "{sink}: nothing is touched unasked");
        let mut words = words(&bound, &[&back[..], &["--replace-output"]].concat());
        words.retain(|word| *word != "-q");
        let ran = dir.run("hours", &words);
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
        assert!(ran.err.contains("note: sink out: ") && ran.err.contains("were taken back"), "{sink}: {ran:?}");
        assert!(output(&dir) == expected, "{sink}: {:?}", output(&dir));
    }
}

fn brought_back() {
    for sink in SINKS {
        let bound = format!("out={sink}");
        let (dir, mut writer, run) = started(&bound);
        let ran = run.stopped();
        assert_eq!(ran.code, Some(4), "{sink}: {ran:?}");
        let kept = Dir::new();
        copy(&dir, &kept, "ck");
        feed(&mut writer, ROWS);
        writer.seal().unwrap();
        drop(writer);
        let ran = dir.run("hours", &words(&bound, CHECKPOINTED));
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
        let expected = output(&dir);
        assert!(expected == undisturbed(&dir, sink), "{sink}");
        std::fs::remove_dir_all(dir.path("ck")).unwrap();
        copy(&kept, &dir, "ck");

        let before = untouched(&dir);
        refused(&dir.run("hours", &words(&bound, CHECKPOINTED)), &[]);
        assert!(untouched(&dir) == before, "{sink}: nothing is touched unasked");
        let ran = dir.run("hours", &words(&bound, &[CHECKPOINTED, &["--replace-output"]].concat()));
        // What a checkpoint has open is gone with the end of the job, unless it is a savepoint.
        if sink.contains("30d") || sink.ends_with("jsonl") {
            refused(&ran, &["is gone"]);
            assert!(untouched(&dir) == before, "{sink}: what could not be made again is not taken back");
            continue;
        }
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
        assert!(output(&dir) == expected, "{sink}: {:?}", output(&dir));
    }
}
