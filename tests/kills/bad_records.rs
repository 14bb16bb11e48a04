//! Killed among bad records: one line in a thousand cannot be read, and is a dead letter exactly once.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::prelude::*;

use crate::drawn::TEAMS;
use crate::supervisor::{Call, Ground, Output, Run, Way};
use crate::{Golden, ONE, compare, drawn, each, from_environment};

/// Where the lines are, below the ground of all runs; the child reads them there.
pub const DIRECTORY: &str = "dirty";

const FILES: u64 = 3;

/// One in so many lines is bad.
const ONE_IN: u64 = 1_000;

/// The event time that the lines cover, in microseconds; so there are as many windows however many lines there are.
const TIME: u64 = 120_000_000;

/// How many lines there are.
pub fn lines() -> u64 {
    from_environment("DUALGAUGE_LINES", 20_000)
}

/// Writes the lines, and tells the offsets of the bad ones, with their files.
fn write(ground: &Ground) -> BTreeSet<(String, usize)> {
    let dir = ground.path().join(DIRECTORY);
    fs::create_dir(&dir).unwrap();
    let (mut bad, each) = (BTreeSet::new(), lines() / FILES);
    for file in 0..FILES {
        let (name, mut text) = (format!("bids{file}.csv"), "auction,bidder,price,date_time\n".to_string());
        for line in 0..each {
            let place = file * each + line;
            let time = EventTime::from_micros((line * TIME / each + drawn(place, 900_000)) as i64);
            let good = format!("{},{},{},{time}", drawn(place + 1, 20), drawn(place + 2, 30), place % 9_973);
            let is_bad = drawn(place + 3, ONE_IN) == 0 || line == each / 2; // some in each, however few there are
            let text_of_it = match place % 4 {
                _ if !is_bad => good,
                0 => good.replacen(',', ".5,", 1),
                1 => good.rsplit_once(',').unwrap().0.to_string(),
                2 => good.replace(&time.to_string(), "noon"),
                _ => "\u{1F600} nothing of all this".to_string(),
            };
            if is_bad {
                bad.insert((name.clone(), text.len()));
            }
            writeln!(text, "{text_of_it}").unwrap();
        }
        fs::write(dir.join(name), text).unwrap();
    }
    bad
}

/// Every bad line is one dead letter of a run that nobody has touched, and nothing else is one.
fn check(bad: &BTreeSet<(String, usize)>, counted: u64, output: &Output) {
    let letters = output.iter().filter(|(name, _)| name.starts_with("bad_bids/"));
    let letters: Vec<&str> = letters.flat_map(|(_, text)| str::from_utf8(text).unwrap().lines()).collect();
    let is_of = |letter: &str, (file, offset): &(String, usize)| {
        letter.contains(file) && letter.contains(&format!("\"offset\":{offset},"))
    };
    for line in bad {
        let found = letters.iter().filter(|letter| is_of(letter, line)).count();
        assert_eq!(found, 1, "{line:?} is {found} dead letters");
    }
    assert_eq!((letters.len(), counted), (bad.len(), bad.len() as u64), "dead letters, and what was counted as bad");
}

/// Each run loses a process three times, and goes on by another team.
pub fn killed(golden: &Golden) -> String {
    let kills = from_environment("DUALGAUGE_KILLS", 9);
    let bad = write(&golden.ground);
    let way = Way { from: DIRECTORY, to: "quarantine", team: ONE };
    let (expected, passages) = {
        let untouched = Run::new(&golden.ground, "dirty-golden", way);
        let ended = untouched.finish(ONE);
        let counted = ended.lines.iter().find_map(|(_, line)| line.strip_prefix("bad ")).expect("it says its count");
        let output = untouched.output();
        check(&bad, counted.parse().unwrap(), &output);
        (output, ended.lines.len() as u64)
    };
    let killed = AtomicU64::new(0);
    each(0..kills.div_ceil(3), |number, seed| {
        let run = Run::new(&golden.ground, &format!("dirty-{number}"), way);
        let mut told = Vec::new();
        for turn in 0..3 {
            let place = seed * 8 + turn + 4_000_000;
            let team = TEAMS[(seed + 2 * turn) as usize % TEAMS.len()];
            let process = drawn(place + 1_000_000, team.processes as u64) as usize;
            let mut processes = run.call(&Call::new(team, 0, "trace"));
            let moment = 1 + drawn(place, passages / 4);
            processes.lines(moment as usize);
            processes.kill(process);
            if processes.wait().statuses[process].success() {
                break; // it was done before
            }
            told.push((team, process, moment));
            killed.fetch_add(1, Ordering::Relaxed);
        }
        run.finish(TEAMS[(seed + 1) as usize % TEAMS.len()]);
        compare(&expected, &run, &format!("seed {seed}, killed: {told:?}"));
    });
    let killed = killed.into_inner();
    assert!(killed >= kills * 9 / 10, "{killed} kills");
    format!("{killed} kills among {} lines, of which {} are bad: each one dead letter", lines(), bad.len())
}
