//! Output of a run without rows: it is there, it can be read, and it says what its columns are.

use crate::Case;
use crate::starts::copy;
use crate::support::{Dir, Started, ran};

pub const CASES: &[Case] = &[
    ("a_sink_without_a_row_is_there_and_can_be_read", no_rows),
    ("a_sink_that_nothing_was_sent_to_is_there_beside_one_with_rows", nothing_bad),
    ("an_output_that_is_overwritten_by_nothing_is_empty", overwritten),
    ("a_job_that_ended_without_a_row_and_is_brought_back_leaves_what_one_with_rows_leaves", brought_back),
    #[cfg(unix)]
    ("a_pipe_as_a_sink_is_refused_by_name_with_what_to_use", pipe),
    ("the_start_of_a_live_run_says_when_its_first_file_is_seen", first_seen),
];

const HEADER: &str = "key,value,ts\n";
const ROW: &str = "a,1,2024-01-01T00:00:00Z\n";

/// Every sink that stays when a run has ended, by its scheme and its path; it can be read by the same.
const SINKS: &[(&str, &str)] =
    &[("log", "o"), ("parquet", "o"), ("csv", "o/"), ("csv", "o.csv"), ("json", "o/"), ("json", "o.jsonl")];

/// What a sink holds, as CSV; how it is read must not matter.
fn held(dir: &Dir, scheme: &str, path: &str) -> String {
    let options = if scheme == "log" { "?follow=false" } else { "" };
    let source = format!("in={scheme}:{path}{options}");
    let ran = dir.run("ev", &["run", "-q", "--source", &source, "--sink", "out=csv:-"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{source}");
    ran.out
}

fn no_rows() {
    for (scheme, path) in SINKS {
        for checkpoints in [&[][..], &["--checkpoint", "ck"]] {
            for graph in ["ev", "nothing"] {
                let dir = Dir::new();
                dir.write("in.csv", if graph == "ev" { HEADER.to_string() } else { format!("{HEADER}{ROW}") });
                let sink = format!("out={scheme}:{path}");
                let words = [&["run", "-q", "--source", "in=csv:in.csv", "--sink", &sink], checkpoints].concat();
                // A start behind the end changes nothing.
                for _ in 0..=checkpoints.len() / 2 {
                    let ran = dir.run(graph, &words);
                    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{graph} {sink} {checkpoints:?}");
                    assert_eq!(held(&dir, scheme, path), HEADER, "{graph} {sink} {checkpoints:?}");
                }
            }
        }
    }
}

fn nothing_bad() {
    for (scheme, path) in SINKS {
        let dir = Dir::new();
        dir.write("in.csv", format!("{HEADER}{ROW}"));
        let sink = format!("bad={scheme}:{path}");
        let words =
            ["run", "-q", "--source", "in=csv:in.csv?bad=quarantine", "--sink", "out=csv:good.csv", "--sink", &sink];
        let ran = dir.run("ev_quarantine", &words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{sink}");
        assert_eq!(dir.read("good.csv"), format!("{HEADER}{ROW}"), "{sink}");
        let there = dir.all().keys().any(|name| name.starts_with(path) && !name.contains("/."));
        assert!(there, "{sink}: {:?}", dir.all().keys());
    }
}

fn overwritten() {
    for (scheme, path) in SINKS.iter().filter(|(scheme, _)| *scheme != "log") {
        for checkpoints in [&[][..], &["--checkpoint", "ck"]] {
            let dir = Dir::new();
            dir.write("full.csv", format!("{HEADER}{ROW}"));
            dir.write("empty.csv", HEADER);
            let sink = format!("out={scheme}:{path}?overwrite=true");
            for (source, expected) in
                [("full", format!("{HEADER}{ROW}")), ("empty", HEADER.to_string()), ("full", format!("{HEADER}{ROW}"))]
            {
                let source = format!("in=csv:{source}.csv");
                let words = [&["run", "-q", "--source", &source, "--sink", &sink], checkpoints].concat();
                let ran = dir.run("ev", &words);
                assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{source} {sink} {checkpoints:?}");
                assert_eq!(held(&dir, scheme, path), expected, "{source} {sink} {checkpoints:?}");
                let _ = std::fs::remove_dir_all(dir.path("ck"));
            }
        }
    }
}

/// The checkpoints of a job that has ended without a row are brought back to before its end, and now there are rows.
fn brought_back() {
    for (scheme, path) in SINKS {
        let run = |dir: &Dir, source: &str| {
            let (source, sink) = (format!("in=csv:{source}"), format!("out={scheme}:{path}"));
            dir.command("ev", &["run", "-q", "--source", &source, "--sink", &sink, "--checkpoint", "ck"])
        };
        let (dir, alone) = (Dir::new(), Dir::new());
        dir.write("in.csv", HEADER);
        let record =
            if path.contains('.') { format!(".{path}.job") } else { format!("{}/.job", path.trim_end_matches('/')) };
        let stopped = Started::new(run(&dir, "in.csv?follow=true")).has_made(&dir, &record).stopped();
        assert_eq!(stopped.code, Some(4), "{scheme}:{path}: {stopped:?}");
        let kept = Dir::new();
        copy(&dir, &kept, "ck");
        for source in ["in.csv", "in.csv"] {
            let ran = ran(run(&dir, source));
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}:{path}");
            assert_eq!(held(&dir, scheme, path), HEADER, "{scheme}:{path}");
        }
        std::fs::remove_dir_all(dir.path("ck")).unwrap();
        copy(&kept, &dir, "ck");
        for dir in [&dir, &alone] {
            dir.write("in.csv", format!("{HEADER}{ROW}"));
            let ran = ran(run(dir, "in.csv"));
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}:{path}");
            assert_eq!(held(dir, scheme, path), format!("{HEADER}{ROW}"), "{scheme}:{path}");
        }
        let seen = |dir: &Dir| {
            let names = dir.all().into_keys().filter(|name| name.starts_with('o') && !name.contains("/."));
            names.collect::<Vec<_>>()
        };
        assert_eq!(seen(&dir), seen(&alone), "{scheme}:{path}");
    }
}

#[cfg(unix)]
fn pipe() {
    for (sink, word) in [
        ("json:pipe", "`json:-`"),
        ("csv:pipe.csv", "`csv:-` and `> pipe.csv`"),
        ("csv:link.csv", "is a symbolic link"),
        ("parquet:pipe", "name a directory"),
        ("log:pipe", "name a directory"),
    ] {
        let dir = Dir::new();
        dir.write("in.csv", format!("{HEADER}{ROW}"));
        let made = ran(dir.shell("mkfifo pipe pipe.csv && ln -s pipe link.csv"));
        assert_eq!(made.code, Some(0), "{made:?}");
        let sink = format!("out={sink}");
        let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:in.csv", "--sink", &sink]);
        assert!(ran.code == Some(2) && ran.err.contains(word) && ran.err.contains("sink out"), "{sink}: {ran:?}");
    }
}

fn first_seen() {
    let dir = Dir::new();
    dir.write("in.csv", format!("{HEADER}{ROW}"));
    for (sink, words) in [
        ("parquet:a", "note: sink out: a file is seen when the watermark has passed the end of its span of 1h"),
        ("csv:b/?span=10m", "note: sink out: a file is seen when the watermark has passed the end of its span of 10m"),
        ("json:c.jsonl", "note: sink out: its file is seen when the run has ended"),
    ] {
        let sink = format!("out={sink}");
        let live = ["run", "--until", "2024-01-01T00:00:00Z", "--source", "in=csv:in.csv?follow=true", "--sink", &sink];
        let ran = dir.run("ev", &live);
        assert!(ran.code == Some(0) && ran.err.contains(words), "{sink}: {ran:?}");
        let sink = sink.replacen(':', ":history/", 1);
        let ran = dir.run("ev", &["run", "--source", "in=csv:in.csv", "--sink", &sink]);
        assert!(ran.code == Some(0) && !ran.err.contains("is seen when"), "{sink}: {ran:?}");
    }
}
