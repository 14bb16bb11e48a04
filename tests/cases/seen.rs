//! When a row is seen: the newest row of a live run, and the firings of a window before its last.
//!
//! Nothing here says how long a thing may take: a row that is not shown makes its case hang, which is how it was seen red.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use dualgauge::job::Snapshot;

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("the_newest_live_row_is_shown_when_it_comes_where_no_order_is_wanted", at_once),
    ("asked_to_stop_without_checkpoints_a_run_writes_what_has_come", at_the_stop),
    ("asked_to_stop_with_checkpoints_a_run_says_how_many_rows_wait_and_resumes_with_them", waiting),
    ("firings_are_shown_where_that_is_asked_for_and_the_last_are_the_answer", firings),
    ("a_run_that_stands_still_says_why", stands),
    ("a_run_is_told_in_json_and_at_levels_between_all_and_nothing", levels),
    ("what_cannot_show_firings_or_do_without_order_says_so", refused),
];

fn event(minute: u32) -> String {
    format!("{{\"key\":\"a\",\"value\":{minute},\"ts\":\"2024-01-01T00:{minute:02}:00Z\"}}\n")
}

fn live(dir: &Dir, graph: &str, words: &[&str]) -> (Child, ChildStdin) {
    let mut command = dir.command(graph, &[&["run", "--source", "in=json:-?follow=true"], words].concat());
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = child.stdin.take().unwrap();
    (child, input)
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// Reads what the run says until it has read so much.
fn until(err: &mut impl BufRead, words: &str) -> String {
    let mut told = String::new();
    while !told.contains(words) {
        assert_ne!(err.read_line(&mut told).unwrap(), 0, "{told}");
    }
    told
}

fn at_once() {
    let dir = Dir::new();
    let (mut child, mut input) = live(&dir, "ev", &["-q", "--sink", "out=json:-?order=none"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for minute in [5, 9, 7] {
        input.write_all(event(minute).as_bytes()).unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.contains(&format!("\"value\":{minute},")), "{line}");
    }
    drop(input);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(0), ""));
}

fn at_the_stop() {
    let dir = Dir::new();
    for (sink, written) in [("out=json:-", None), ("out=json:rows.jsonl", Some("rows.jsonl")), ("out=csv:-", None)] {
        let (mut child, mut input) = live(&dir, "ev", &["--sink", sink]);
        input.write_all((event(1) + &event(2)).as_bytes()).unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut told = until(&mut err, "2 rows  ");
        interrupt(&child);
        err.read_to_string(&mut told).unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let text = written.map_or(printed, |name| dir.read(name));
        assert!(text.contains("2024-01-01T00:01") && text.contains("2024-01-01T00:02"), "{sink}: {text}: {told}");
        assert!(told.contains("every row that had come to a sink was written"), "{sink}: {told}");
        assert_eq!(output.status.code(), Some(1), "{sink}: {told}");
    }
}

fn waiting() {
    let dir = Dir::new();
    dir.write("a.jsonl", event(1) + &event(2));
    let words =
        ["run", "--source", "in=json:a.jsonl?follow=true", "--sink", "out=json:out/?span=1m", "--checkpoint", "ck"];
    let mut child = dir.command("ev", &words).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut told = until(&mut err, "2 rows  ");
    interrupt(&child);
    err.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4), "{told}");
    assert!(told.contains("1 row waits in it for the watermark (1 at out)"), "{told}");
    let words = [&words[..], &["--until", "2024-01-01"]].concat();
    let ran = dir.run("ev", &words);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let files = dir.list("out").into_iter().filter(|name| name.ends_with(".jsonl"));
    let rows: String = files.map(|name| dir.read(&format!("out/{name}"))).collect();
    assert_eq!(rows.lines().count(), 2, "{rows}");
}

fn stands() {
    let dir = Dir::new();
    dir.write("in/a.jsonl", event(1) + &event(2));
    dir.write("in/b.jsonl", event(1));
    // The watermark stays where the last to fall idle held it, whichever that is.
    dir.write("alike/a.jsonl", event(1));
    dir.write("alike/b.jsonl", event(1));
    let words = ["run", "--sink", "out=json:-", "--source"];
    for (source, why) in [
        (
            "in=json:in?follow=true",
            "source in waits for partition b.jsonl: nothing comes, and the watermark is held at 2024-01-01T00:01:00Z (no idle_after)",
        ),
        (
            "in=json:alike?follow=true&idle_after=10ms",
            "source in is idle in all its partitions, and the watermark stays at 2024-01-01T00:01:00Z (all_idle=stay)",
        ),
    ] {
        let mut child = dir.command("ev", &[&words[..], &[source]].concat()).spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut told = until(&mut err, &format!("  stands still: {why}"));
        interrupt(&child);
        err.read_to_string(&mut told).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    }
}

fn levels() {
    let dir = Dir::new();
    dir.write("in/a.jsonl", event(1) + &event(2));
    dir.write("in/b.jsonl", event(1));
    let words = ["run", "--sink", "out=json:-", "--progress", "json", "--source", "in=json:in?follow=true"];
    let mut child = dir.command("ev", &words).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut told = until(&mut err, "\"silent_since\":1");
    interrupt(&child);
    err.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    let lines = told.lines().filter(|line| line.starts_with('{'));
    let counted: Vec<Snapshot> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(counted.last().unwrap().source("in").rows, 3, "{told}");
    let rest: Vec<_> = told.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err()).collect();
    assert!(rest.iter().all(|line| line.starts_with("stopped: ")), "{told}");
    for (words, parts) in [
        (&["--progress", "lines"][..], &["note: in: ", "done in "][..]),
        (&["--progress", "off"], &["note: in: ", "done in "]),
        (&["--progress", "notes"], &["note: in: "]),
        (&["--progress", "json"], &["{\"said\":\"note: in: ", "{\"taken\":"]),
        (&["--quiet"], &[]),
    ] {
        dir.write("in/c.txt", "");
        let call = ["run", "--sink", "out=json:-", "--source", "in=json:in"];
        let ran = dir.run("ev", &[&call[..], words].concat());
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
        for part in ["note: in: ", "done in ", "{\"said\":\"note: in: ", "{\"taken\":"] {
            let wanted = parts.iter().any(|wanted| wanted.contains(part));
            assert_eq!(ran.err.contains(part), wanted, "{words:?}, {part}: {}", ran.err);
        }
    }
    let both = dir.run("ev", &["run", "-q", "--progress", "json", "--source", "in=json:in", "--sink", "out=json:-"]);
    assert!(both.code == Some(2) && both.err.contains("cannot be used with"), "{both:?}");
}

fn firings() {
    let dir = Dir::new();
    dir.write("a.jsonl", [1, 12, 15, 31, 59].map(event).concat());
    let run = |sink: &str| {
        let ran = dir.run("early", &["run", "-q", "--source", "in=json:a.jsonl?disorder=0s", "--sink", sink]);
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
        ran.out
    };
    let last = run("out=json:-");
    let cut = |line: &str| line.split(",\"firing\"").next().unwrap().to_string() + "}";
    for sink in ["out=json:-?firings=all", "out=json:all/?firings=all", "out=log:lg?firings=all"] {
        let printed = run(sink);
        let text = match sink {
            "out=json:-?firings=all" => printed,
            "out=log:lg?firings=all" => dir.dualgauge(&["log", "tail", "lg", "--format", "json"]).out,
            _ => dir
                .list("all")
                .iter()
                .filter(|name| name.ends_with("jsonl"))
                .map(|name| dir.read(&format!("all/{name}")))
                .collect(),
        };
        let lasts: Vec<_> = text.lines().filter(|line| line.contains("\"last\":true")).map(cut).collect();
        assert_eq!(lasts, last.lines().collect::<Vec<_>>(), "{sink}: {text}");
        assert!(text.contains("\"firing\":1,\"last\":false"), "{sink}: {text}");
    }
}

fn refused() {
    let dir = Dir::new();
    dir.write("a.jsonl", event(1));
    for (sink, why) in [
        ("out=parquet:p?firings=all", "a Parquet file has the last firing of each result"),
        ("out=parquet:p?order=none", "rows are written in the order of event time"),
        ("out=log:lg?order=none", "rows are written in the order of event time"),
        ("out=json:files/?order=none", "`order=none` is for standard output"),
        ("out=csv:file.csv?order=none", "`order=none` is for standard output"),
    ] {
        let ran = dir.run("ev", &["run", "-q", "--source", "in=json:a.jsonl", "--sink", sink]);
        assert_eq!(ran.code, Some(2), "{sink}: {ran:?}");
        assert!(ran.err.contains(why), "{sink}: {}", ran.err);
    }
}
