//! Whose a place of output is: one run has it, from its first moment until nothing of it is unfinished.
//!
//! It would catch two runs that mix their rows in one place, one that destroys what another has staged, and a place that
//! nobody can use again because somebody has died there.

use dualgauge::connectors::log::{Log, LogWriter};
use dualgauge::prelude::*;

use crate::Case;
use crate::back::{SINKS, output, undisturbed, words};
use crate::graphs::Ev;
use crate::starts::{ROWS, feed};
use crate::support::{Dir, Started};

pub const CASES: &[Case] = &[
    ("of_two_runs_in_one_place_the_second_is_refused_and_the_first_is_right", beside_a_run),
    ("what_a_stopped_job_has_staged_is_kept_from_another", after_a_stop),
    ("a_run_without_checkpoints_that_died_is_in_nobodys_way", after_a_death),
];

/// The checkpoints of the first run, and those of the second: with and without, each with each.
const CHECKPOINTS: &[[&[&str]; 2]] = &[
    [&[], &[]],
    [&[], &["--checkpoint", "ck2"]],
    [&["--checkpoint", "ck", "--every", "20ms"], &[]],
    [&["--checkpoint", "ck", "--every", "20ms"], &["--checkpoint", "ck2"]],
];

fn live(dir: &Dir) -> LogWriter {
    let mut writer = Log::create(dir.path("live"), &Ev::schema(), 1).unwrap().writer(0).unwrap();
    feed(&mut writer, 0);
    writer
}

/// The record of who has the place of a sink.
fn record(sink: &str) -> &'static str {
    if sink.ends_with("jsonl") { ".out.jsonl.job" } else { "out/.job" }
}

fn beside_a_run() {
    for sink in SINKS {
        for [first, second] in CHECKPOINTS {
            let (dir, bound) = (Dir::new(), format!("out={sink}"));
            let mut writer = live(&dir);
            let run = Started::new(dir.command("hours", &words(&bound, first))).has_made(&dir, record(sink));
            let other = dir.run("hours", &words(&bound, second));
            assert_eq!(other.code, Some(2), "{sink}, {first:?}, {second:?}: {other:?}");
            let told = [
                "is writing here at this moment",
                "which may go on with it",
                "there is output already",
                "is not empty",
            ];
            assert!(told.iter().any(|told| other.err.contains(told)), "{sink}, {first:?}, {second:?}: {other:?}");
            feed(&mut writer, ROWS);
            writer.seal().unwrap();
            let ran = run.ended();
            assert_eq!(ran.code, Some(0), "{sink}, {first:?}, {second:?}: {ran:?}");
            assert!(output(&dir) == undisturbed(&dir, sink), "{sink}, {first:?}, {second:?}: {:?}", output(&dir));
        }
    }
}

fn after_a_stop() {
    for sink in SINKS {
        for [first, second] in &CHECKPOINTS[2..] {
            let (dir, bound) = (Dir::new(), format!("out={sink}"));
            let mut writer = live(&dir);
            let run = Started::new(dir.command("hours", &words(&bound, first))).has_read(&dir, "ck", ROWS as u64);
            let ran = run.stopped();
            assert_eq!(ran.code, Some(4), "{sink}: {ran:?}");
            let before = dir.all();
            let other = dir.run("hours", &words(&bound, second));
            assert_eq!(other.code, Some(2), "{sink}, {second:?}: {other:?}");
            assert!(
                other.err.contains("ck") && other.err.contains("may go on with it"),
                "{sink}, {second:?}: {other:?}"
            );
            for (name, bytes) in before {
                assert!(dir.all().get(&name) == Some(&bytes), "{sink}, {second:?}: {name}");
            }
            feed(&mut writer, ROWS);
            writer.seal().unwrap();
            let ran = dir.run("hours", &words(&bound, first));
            assert_eq!(ran.code, Some(0), "{sink}, {second:?}: {ran:?}");
            assert!(output(&dir) == undisturbed(&dir, sink), "{sink}, {second:?}: {:?}", output(&dir));
        }
    }
}

fn after_a_death() {
    // With a span of an hour, something may have been published before the death.
    for sink in SINKS.iter().filter(|sink| !sink.contains("1h")) {
        for [_, second] in &CHECKPOINTS[..2] {
            let (dir, bound) = (Dir::new(), format!("out={sink}"));
            let mut writer = live(&dir);
            let ran = Started::new(dir.command("hours", &words(&bound, &[]))).has_made(&dir, record(sink)).killed();
            assert_eq!(ran.code, None, "{sink}: {ran:?}");
            feed(&mut writer, ROWS);
            writer.seal().unwrap();
            let ran = dir.run("hours", &words(&bound, second));
            // What a log was given before stays in it, and is not given once more unseen.
            if *sink == "log:out" && ran.code == Some(2) {
                assert!(ran.err.contains("did not come to its end"), "{sink}, {second:?}: {ran:?}");
                continue;
            }
            assert_eq!(ran.code, Some(0), "{sink}, {second:?}: {ran:?}");
            assert!(output(&dir) == undisturbed(&dir, sink), "{sink}, {second:?}: {:?}", output(&dir));
        }
    }
}
