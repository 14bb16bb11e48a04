//! Several starts of one job in one empty place at the same moment: exactly one goes on, and the others say why not.
//!
//! It would catch two starts that make each other fail, one that ends for another reason than the younger one, and two
//! that both believe to be the job. `DUALGAUGE_STARTS` is the number of rounds, of 2 to 4 starts each.

use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use dualgauge::connectors::log::{Log, LogWriter};
use dualgauge::prelude::*;

use crate::Case;
use crate::graphs::Ev;
use crate::support::{Dir, Ran, ran};

pub const CASES: &[Case] = &[("of_simultaneous_starts_exactly_one_survives", simultaneous)];

/// How many rows each half of the input has, a minute apart.
pub const ROWS: i64 = 90;

/// Appends the rows from `first` on.
pub fn feed(writer: &mut LogWriter, first: i64) {
    let row = |row: i64| Ev { key: format!("k{}", row % 7), value: row, ts: EventTime::default() + row.minutes() };
    writer.append_rows(&(first..first + ROWS).map(row).collect::<Vec<_>>()).unwrap();
    writer.commit().unwrap();
}

/// The words of a run, whose sinks are a directory and a file.
fn words(checkpointed: bool) -> Vec<&'static str> {
    let mut words = vec!["run", "-q", "--source", "in=log:live", "--sink", "out=parquet:out?span=1h"];
    words.extend(["--sink", "late=json:late.jsonl"]);
    if checkpointed {
        words.extend(["--checkpoint", "ck", "--every", "20ms"]);
    }
    words
}

fn simultaneous() {
    let rounds: u64 = std::env::var("DUALGAUGE_STARTS").map_or(50, |rounds| rounds.parse().expect("a number"));
    let mut starts = 0;
    for round in 0..rounds {
        let at_once = 2 + round % 3;
        starts += at_once;
        of_so_many(round, at_once as usize);
    }
    println!("{rounds} rounds of 2 to 4 starts, {starts} in all: one survived in each");
}

fn of_so_many(round: u64, at_once: usize) {
    let dir = Dir::new();
    let log = Log::create(dir.path("live"), &Ev::schema(), 1).unwrap();
    let mut writer = log.writer(0).unwrap();
    feed(&mut writer, 0);
    let (says, ended) = channel();
    let starts: Vec<Command> = (0..at_once).map(|_| dir.command("hours", &words(true))).collect();
    for start in starts {
        let says = says.clone();
        thread::spawn(move || says.send(ran(start)));
    }
    for _ in 1..at_once {
        let other: Ran = ended.recv().unwrap();
        let told = other.code != Some(0) && other.err.contains("E-FENCED");
        assert!(told, "round {round}, of {at_once}: {other:?}");
    }
    // All others have ended, so this one goes on, reads what comes, and ends with the log.
    feed(&mut writer, ROWS);
    writer.seal().unwrap();
    let last = ended.recv().unwrap();
    assert_eq!(last.code, Some(0), "round {round}, of {at_once}, the last one: {last:?}");

    let alone = Dir::new();
    copy(&dir, &alone, "live");
    let ran = alone.run("hours", &words(false));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let output = |of: &Dir| of.list("out").into_iter().filter(|name| !name.starts_with('.')).collect::<Vec<_>>();
    assert!(output(&alone).len() > 2, "{:?}", output(&alone));
    assert_eq!(output(&dir), output(&alone), "round {round}, of {at_once}");
    for name in output(&dir) {
        let bytes = |of: &Dir| std::fs::read(of.path("out").join(&name)).unwrap();
        assert!(bytes(&dir) == bytes(&alone), "round {round}, of {at_once}: {name}");
    }
}

/// Copies a directory and what is in it.
pub fn copy(from: &Dir, to: &Dir, name: &str) {
    std::fs::create_dir(to.path(name)).unwrap();
    for entry in from.list(name) {
        let path = format!("{name}/{entry}");
        match from.path(&path).is_dir() {
            true => copy(from, to, &path),
            false => drop(std::fs::copy(from.path(&path), to.path(&path)).unwrap()),
        }
    }
}
