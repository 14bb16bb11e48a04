//! Places: what a job reads, what it writes and where its checkpoints are lie apart, whatever they are called.

use crate::Case;
use crate::support::{Dir, Started};

pub const CASES: &[Case] = &[
    ("what_a_job_reads_it_does_not_write_and_no_two_of_its_outputs_meet", places_meet),
    ("places_beside_each_other_are_no_places_that_meet", places_apart),
    ("an_output_whose_checkpoints_were_deleted_says_so", deleted_checkpoints),
    ("what_is_a_log_or_an_output_is_no_place_for_checkpoints", no_checkpoints_there),
    #[cfg(unix)]
    ("a_pipe_where_a_file_of_our_own_was_is_refused_and_not_waited_for", pipes),
    #[cfg(unix)]
    ("a_link_in_the_place_of_an_output_is_refused_and_what_it_leads_to_stays", links),
];

const ROW: &str = "key,value,ts\na,1,2024-01-01T00:00:00Z\n";

/// A directory with an input in several forms, and links to it.
fn inputs() -> Dir {
    let dir = Dir::new();
    for file in ["s.csv", "d/a.csv", "d/b/c.csv", "house/x.csv", "in.d.csv/c.csv", "q/c.csv", "w/b/c.csv"] {
        dir.write(file, ROW);
    }
    let made = dir.run("ev", &["run", "-q", "--source", "in=csv:s.csv", "--sink", "out=log:lg"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let made = dir.run("ev", &["run", "-q", "--source", "in=csv:s.csv", "--sink", "out=parquet:p"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    #[cfg(unix)]
    for (target, link) in [
        ("s.csv", "t.csv"),
        ("d", "e"),
        ("not/yet", "later"),
        ("../house/x.csv", "d/x.csv"),
        (".", "here"),
        ("..", "q/above"),
        ("..", "w/above"),
        ("d", "part.csv"),
        ("d", "linked"),
    ] {
        std::os::unix::fs::symlink(target, dir.path(link)).unwrap();
    }
    std::fs::hard_link(dir.path("s.csv"), dir.path("h.csv")).unwrap();
    dir
}

/// Bindings of a graph that meet, and the two that the refusal names.
const MEET: &[(&str, &[&str], [&str; 2])] = &[
    ("ev", &["--source", "in=csv:s.csv", "--sink", "out=csv:s.csv?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:s.csv", "--sink", "out=json:./d/../s.csv?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:s.csv", "--sink", "out=csv:h.csv?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=parquet:p", "--sink", "out=parquet:p?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=parquet:p", "--sink", "out=parquet:p/out"], ["source in", "sink out"]),
    (
        "ev",
        &["--source", "in=parquet:p/*.parquet", "--sink", "out=parquet:p?overwrite=true"],
        ["source in", "sink out"],
    ),
    ("ev", &["--source", "in=csv:d", "--sink", "out=csv:d/new.csv"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:d/b/c.csv", "--sink", "out=csv:d/?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=log:lg?follow=false", "--sink", "out=log:lg?seal=false"], ["source in", "sink out"]),
    ("ev", &["--source", "in=log:lg", "--sink", "out=log:./lg"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:s.csv", "--sink", "out=parquet:o", "--checkpoint", "o"], ["sink out", "checkpoints"]),
    (
        "ev",
        &["--source", "in=csv:s.csv", "--sink", "out=parquet:o", "--checkpoint", "o/ck"],
        ["sink out", "checkpoints"],
    ),
    ("ev", &["--source", "in=csv:s.csv", "--sink", "out=csv:ck/o/", "--checkpoint", "ck"], ["sink out", "checkpoints"]),
    ("ev", &["--source", "in=csv:d", "--sink", "out=csv:o.csv", "--checkpoint", "d/ck"], ["source in", "checkpoints"]),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:o.csv", "--sink", "bad=json:o.csv"],
        ["sink out", "sink bad"],
    ),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:o/", "--sink", "bad=json:o/"],
        ["sink out", "sink bad"],
    ),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:o/", "--sink", "bad=json:o/bad.json"],
        ["sink out", "sink bad"],
    ),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=log:o", "--sink", "bad=log:x/../o"],
        ["sink out", "sink bad"],
    ),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:-", "--sink", "bad=json:-"],
        ["sink out", "sink bad"],
    ),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:o.csv", "--sink", "bad=json:.o.csv.published/"],
        ["sink out", "sink bad"],
    ),
    (
        "ev",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:o.csv", "--checkpoint", ".o.csv.staging"],
        ["sink out", "checkpoints"],
    ),
    (
        "lookup",
        &["--source", "in=csv:s.csv", "--source", "cats=csv:c.csv", "--sink", "out=csv:c.csv?overwrite=true"],
        ["source cats", "sink out"],
    ),
    (
        "lookup",
        &["--source", "in=csv:-", "--source", "cats=csv:-", "--sink", "out=csv:o.csv"],
        ["source in", "source cats"],
    ),
];

#[cfg(unix)]
const MEET_BY_LINKS: &[(&str, &[&str], [&str; 2])] = &[
    ("ev", &["--source", "in=csv:s.csv", "--sink", "out=csv:t.csv?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:t.csv", "--sink", "out=csv:s.csv?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:d", "--sink", "out=csv:e/?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:e/b", "--sink", "out=csv:d/b/new.csv"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:d", "--sink", "out=csv:house/x.csv?overwrite=true"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:part*.csv", "--sink", "out=json:d/new.jsonl"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:in.*.csv", "--sink", "out=json:in.d.csv/new.jsonl"], ["source in", "sink out"]),
    ("ev", &["--source", "in=csv:link*/*.csv", "--sink", "out=json:d/new.jsonl"], ["source in", "sink out"]),
    (
        "ev_quarantine",
        &["--source", "in=csv:s.csv", "--sink", "out=csv:later/", "--sink", "bad=json:not/yet/"],
        ["sink out", "sink bad"],
    ),
];

#[cfg(not(unix))]
const MEET_BY_LINKS: &[(&str, &[&str], [&str; 2])] = &[];

fn places_meet() {
    for (graph, bindings, named) in MEET.iter().chain(MEET_BY_LINKS) {
        let dir = inputs();
        dir.write("c.csv", "id,name\n1,one\n");
        let before = dir.all();
        let ran = dir.run(graph, &[&["run", "-q"], *bindings].concat());
        assert_eq!(ran.code, Some(2), "{bindings:?}: {}", ran.err);
        for name in named {
            assert!(ran.err.contains(name), "{bindings:?}: {}", ran.err);
        }
        let after: Vec<_> = dir.all().into_iter().filter(|(name, _)| !name.contains("ck/")).collect();
        let before: Vec<_> = before.into_iter().collect();
        assert_eq!(after, before, "{bindings:?}: nothing was touched");
    }
}

fn places_apart() {
    for (graph, bindings) in [
        ("ev", &["--source", "in=csv:s.csv", "--sink", "out=csv:o.csv"][..]),
        ("ev", &["--source", "in=csv:d/a.csv", "--sink", "out=csv:d/new/", "--checkpoint", "d/ck"]),
        ("ev", &["--source", "in=parquet:p/*.parquet", "--sink", "out=parquet:p/out"]),
        // Links that no pattern means, to all that is here and to a directory of it.
        ("ev", &["--source", "in=csv:s*.csv", "--sink", "out=json:new.jsonl"]),
        ("ev", &["--source", "in=csv:s*.csv", "--sink", "out=json:d/new.jsonl", "--checkpoint", "d/ck"]),
        ("ev", &["--source", "in=csv:q/*.csv", "--sink", "out=json:new.jsonl"]),
        ("ev", &["--source", "in=csv:w/{b,x}/c.csv", "--sink", "out=json:new.jsonl"]),
        ("ev_quarantine", &["--source", "in=csv:s.csv", "--sink", "out=csv:o.csv", "--sink", "bad=json:o.jsonl"]),
        ("ev_quarantine", &["--source", "in=csv:s.csv", "--sink", "out=csv:-", "--sink", "bad=json:bad.jsonl"]),
        ("lookup", &["--source", "in=csv:s.csv", "--source", "cats=csv:c.csv", "--sink", "out=csv:o.csv"]),
    ] {
        let dir = inputs();
        dir.write("c.csv", "id,name\n1,one\n");
        let ran = dir.run(graph, &[&["run", "-q"], bindings].concat());
        assert_eq!(ran.code, Some(0), "{bindings:?}: {}", ran.err);
    }
}

fn no_checkpoints_there() {
    let dir = inputs();
    for sink in ["out=csv:c/", "out=json:j/", "out=json:one.jsonl"] {
        let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:s.csv", "--sink", sink]);
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
    }
    let before = dir.all();
    for (place, words) in [
        ("lg", "it is a log"),
        ("lg/ck", "it lies in a log"),
        ("p", "it holds data"),
        ("c", "it is the output of a job"),
        ("j/ck", "it lies in the output of a job"),
        ("one.jsonl", "it is a file"),
        ("d", "it holds data"),
    ] {
        for sink in ["out=csv:-", "out=csv:new/", "out=log:new"] {
            let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:s.csv", "--sink", sink, "--checkpoint", place]);
            assert_eq!(ran.code, Some(2), "{place}, {sink}: {ran:?}");
            assert!(ran.err.contains(&format!("checkpoints {place}: {words}")), "{place}, {sink}: {}", ran.err);
            assert_eq!(dir.all(), before, "{place}, {sink}: nothing was touched");
        }
    }
}

#[cfg(unix)]
fn links() {
    for (sink, link, target) in [
        ("out=parquet:o", "o/.staging/x", "../../house"),
        ("out=parquet:o", "o/.staging", "../house"),
        ("out=csv:o/", "o/.staging", "../house"),
        ("out=json:o/", "o/.staging/b0.g0.1.x.part", "../../house/x.csv"),
        ("out=csv:o.csv", ".o.csv.staging", "house"),
        ("out=csv:o.csv", "o.csv", "nowhere.csv"),
        ("out=json:o.jsonl", "o.jsonl", "house/x.csv"),
        ("out=log:lg2", "lg2/p0000", "../house"),
    ] {
        for checkpoints in [&[][..], &["--checkpoint", "ck"]] {
            let dir = inputs();
            std::fs::create_dir_all(dir.path(link).parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, dir.path(link)).unwrap();
            let before = dir.all();
            let ran =
                dir.run("ev", &[&["run", "-q", "--source", "in=csv:s.csv", "--sink", sink], checkpoints].concat());
            assert_eq!(ran.code, Some(2), "{sink}, {link}: {}", ran.err);
            assert!(ran.err.contains(link) && ran.err.contains("is a symbolic link"), "{sink}, {link}: {}", ran.err);
            for (name, content) in before {
                assert_eq!(dir.all().get(&name), Some(&content), "{sink}, {link}: {name}");
            }
        }
    }
}

/// Each file that a stopped job has left, as a pipe: nobody who opens it waits for who writes to it.
#[cfg(unix)]
fn pipes() {
    let made = || {
        let dir = inputs();
        let words =
            ["run", "-q", "--source", "in=csv:s.csv?follow=true", "--sink", "out=log:o", "--sink", "late=csv:l/"];
        let words = [&words[..], &["--checkpoint", "ck", "--every", "20ms"]].concat();
        let run = Started::new(dir.command("hours", &words)).has_read(&dir, "ck", 1);
        assert_eq!(run.stopped().code, Some(4));
        (dir, words)
    };
    let (dir, _) = made();
    let left = dir.all().into_keys().filter(|name| ["ck/", "o/", "l/"].iter().any(|ours| name.starts_with(ours)));
    let left: Vec<_> = left.collect();
    assert!(left.len() > 5, "{left:?}");
    for name in left {
        let (dir, words) = made();
        // What is called after the start that wrote it has another name each time.
        if !dir.path(&name).exists() {
            continue;
        }
        std::fs::remove_file(dir.path(&name)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(dir.path(&name)).status().unwrap().success());
        let mut all: Vec<_> = ["ls", "show", "verify"].map(|verb| dir.dualgauge(&["checkpoint", verb, "ck"])).into();
        all.extend(["inspect", "verify", "tail"].map(|verb| dir.dualgauge(&["log", verb, "o"])));
        all.push(dir.run("hours", &[&words[..], &["--until", "2024-01-01T00:00:00Z"]].concat()));
        for ran in all {
            assert!(matches!(ran.code, Some(0..=2)), "{name}: {ran:?}");
        }
    }
}

fn deleted_checkpoints() {
    let dir = inputs();
    for sink in ["out=csv:c/", "out=json:j.jsonl", "out=parquet:p2"] {
        let run = || dir.run("ev", &["run", "-q", "--source", "in=csv:s.csv", "--sink", sink, "--checkpoint", "ck"]);
        let first = run();
        assert_eq!(first.code, Some(0), "{sink}: {}", first.err);
        let before = dir.all();
        std::fs::remove_dir_all(dir.path("ck")).unwrap();
        let again = run();
        assert_eq!(again.code, Some(2), "{sink}: {}", again.err);
        for part in ["the checkpoints were deleted", "ck knows nothing of that job any more", "overwrite=true"] {
            assert!(again.err.contains(part), "{sink}: `{part}` is not in {}", again.err);
        }
        std::fs::remove_dir_all(dir.path("ck")).unwrap();
        let output = |all: std::collections::BTreeMap<String, Vec<u8>>| {
            all.into_iter().filter(|(name, _)| !name.starts_with("ck/")).collect::<Vec<_>>()
        };
        assert_eq!(output(dir.all()), output(before), "{sink}");
    }
}
