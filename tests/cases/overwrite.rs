//! Overwriting: the older output stays until the new one is whole, whatever becomes of the run.

use dualgauge::connectors::log::Log;
use dualgauge::prelude::*;

use crate::Case;
use crate::graphs::Ev;
use crate::starts::feed;
use crate::support::{Dir, Started};

pub const CASES: &[Case] = &[
    ("a_run_that_fails_leaves_the_output_that_it_was_to_overwrite", fails),
    ("a_run_that_stops_or_is_killed_leaves_the_output_that_it_was_to_overwrite", stops),
    ("a_run_that_ends_well_overwrites_what_a_sink_has_made_and_nothing_else", ends_well),
];

const SINKS: &[&str] = &["parquet:out", "csv:out/", "json:out/", "csv:out.csv", "json:out.jsonl"];

const GOOD: &str = "key,value,ts\na,1,2024-01-01T00:00:00Z\nb,2,2024-01-01T05:00:00Z\n";
const OTHER: &str = "key,value,ts\nc,3,2024-01-02T00:00:00Z\n";

/// A directory with an older output.
fn written(sink: &str) -> Dir {
    let dir = Dir::new();
    dir.write("good.csv", GOOD);
    dir.write("other.csv", OTHER);
    dir.write("bad.csv", format!("{GOOD}c,three,2024-01-01T00:00:00Z\n"));
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:good.csv", "--sink", &format!("out={sink}")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    dir
}

/// What somebody sees who reads the output.
fn seen(dir: &Dir) -> Vec<(String, Vec<u8>)> {
    let seen = |(name, _): &(String, Vec<u8>)| name.starts_with("out") && !name.contains("/.");
    dir.all().into_iter().filter(seen).collect()
}

fn overwriting(sink: &str) -> String {
    format!("out={sink}?overwrite=true")
}

fn fails() {
    for sink in SINKS {
        let inside = format!("in={}", sink.replace("csv:", "csv:./"));
        for (source, code) in [("in=csv:bad.csv", 1), ("in=csv:missing.csv", 2), (inside.as_str(), 2)] {
            for checkpoints in [&[][..], &["--checkpoint", "ck"]] {
                let dir = written(sink);
                let before = seen(&dir);
                let bound = overwriting(sink);
                let words = [&["run", "-q", "--source", source, "--sink", &bound], checkpoints].concat();
                let ran = dir.run("ev", &words);
                assert!(ran.code == Some(code) || (code == 2 && ran.code == Some(1)), "{sink}, {source}: {ran:?}");
                assert!(!before.is_empty() && seen(&dir) == before, "{sink}, {source}: {:?}", seen(&dir));
            }
        }
    }
}

fn stops() {
    for sink in SINKS {
        for kill in [false, true] {
            let dir = written(sink);
            let before = seen(&dir);
            let mut writer = Log::create(dir.path("live"), &Ev::schema(), 1).unwrap().writer(0).unwrap();
            feed(&mut writer, 0);
            let bound = overwriting(sink);
            // The end is in sight, else the run would be refused, but it does not come.
            let words = ["run", "-q", "--source", "in=log:live", "--until", "1980-01-01", "--sink", &bound];
            let words = [&words[..], &["--checkpoint", "ck", "--every", "20ms"]].concat();
            let run = Started::new(dir.command("ev", &words)).has_read(&dir, "ck", 1);
            let ran = if kill { run.killed() } else { run.stopped() };
            assert_eq!(ran.code, if kill { None } else { Some(4) }, "{sink}: {ran:?}");
            assert!(seen(&dir) == before, "{sink}, killed {kill}: {:?}", seen(&dir));
            writer.seal().unwrap();
            let ran = dir.run("ev", &words);
            assert_eq!(ran.code, Some(0), "{sink}, killed {kill}: {ran:?}");
            let text: Vec<u8> = seen(&dir).into_iter().flat_map(|(_, bytes)| bytes).collect();
            assert!(seen(&dir) != before && !text.is_empty(), "{sink}, killed {kill}: it was resumed, and exchanged");
        }
    }
}

fn ends_well() {
    for sink in SINKS {
        for checkpoints in [&[][..], &["--checkpoint", "ck"]] {
            let (dir, fresh) = (written(sink), Dir::new());
            let run = |dir: &Dir, sink: &str| {
                dir.write("other.csv", OTHER);
                dir.run("ev", &[&["run", "-q", "--source", "in=csv:other.csv", "--sink", sink], checkpoints].concat())
            };
            let ran = run(&dir, &overwriting(sink));
            assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
            assert_eq!(run(&fresh, &format!("out={sink}")).code, Some(0), "{sink}");
            assert!(seen(&dir) == seen(&fresh), "{sink}: {:?}", seen(&dir));
        }
    }
    for (sink, mine) in [("csv:out/", "out/sales-b1.csv"), ("parquet:out", "out/status-b1.parquet")] {
        let dir = written(sink);
        dir.write(mine, "mine");
        let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:other.csv", "--sink", &overwriting(sink)]);
        assert_eq!(dir.read(mine), "mine", "{sink}: {ran:?}");
    }
}
