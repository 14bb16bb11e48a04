//! A job that is resumed under other words than it was started with: it goes on where that is right, else it is refused by
//! both words, nothing is touched, and under the old words it goes on as if nothing had been.

use crate::Case;
use crate::support::{Dir, Started};

pub const CASES: &[Case] = &[
    ("under_other_words_a_job_is_refused_by_both_and_resumes_under_the_old_ones", refused),
    ("words_on_which_nothing_stands_may_change", taken),
];

const SOURCE: &str = "in=csv:in.csv?follow=true";

/// The words of a run: its source, its sink, and more.
fn words<'a>(source: &'a str, sink: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["run", "-q", "--checkpoint", "ck", "--every", "20ms", "--source", source, "--sink", sink];
    [&words[..], more].concat()
}

/// A job that has staged rows and was stopped.
fn stopped(sink: &str) -> Dir {
    let dir = Dir::new();
    dir.write("in.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\nb,2,2024-01-01T00:00:01Z\nc,3,2024-01-01T00:00:02Z\n");
    let run = Started::new(dir.command("ev", &words(SOURCE, sink, &[]))).has_read(&dir, "ck", 3);
    assert_eq!(run.stopped().code, Some(4));
    dir
}

/// Adds a row and lets the job end there; what its output is.
fn ended(dir: &Dir, source: &str, sink: &str) -> Vec<u8> {
    dir.write("in.csv", dir.read("in.csv") + "d,4,2024-01-01T00:00:03Z\n");
    let ran = dir.run("ev", &words(source, sink, &["--until", "2024-01-01T00:00:03Z"]));
    assert_eq!(ran.code, Some(0), "{source}, {sink}: {ran:?}");
    let seen =
        |(name, _): &(String, Vec<u8>)| (name.starts_with("out") || name.starts_with("moved")) && !name.contains("/.");
    dir.all().into_iter().filter(seen).flat_map(|(_, bytes)| bytes).collect()
}

/// Sinks as they were, what is said now, and what both are called in the refusal.
const SINKS: &[(&str, &str, [&str; 2])] = &[
    ("out=csv:out/?span=30d", "out=json:out/?span=30d", ["csv", "json"]),
    ("out=json:out/?span=30d", "out=csv:out/?span=30d", ["json", "csv"]),
    ("out=csv:out/?span=30d", "out=parquet:out?span=30d", ["csv", "parquet"]),
    ("out=parquet:out?span=30d", "out=json:out/?span=30d", ["parquet", "json"]),
    ("out=csv:out/?span=30d", "out=csv:out/?span=30d&delimiter=;", ["`,`", "`;`"]),
    ("out=csv:out/?span=30d", "out=csv:out/?span=7d", ["span", "span"]),
    ("out=csv:out/?span=30d", "out=csv:out/?span=30d&buckets=2", ["`1`", "`2`"]),
    ("out=parquet:out?span=30d&buckets=1", "out=parquet:out?span=30d&buckets=3", ["`1`", "`3`"]),
    ("out=csv:out/?span=30d", "out=csv:other/?span=30d", ["out/", "other/"]),
    ("out=parquet:out?span=30d", "out=parquet:other?span=30d", ["out", "other"]),
    ("out=csv:out.csv", "out=csv:other.csv", ["out.csv", "other.csv"]),
    ("out=csv:out.csv", "out=json:out.csv", ["csv", "json"]),
];

/// What is said of the source now, and what both are called in the refusal.
const SOURCES: &[(&str, &[&str], [&str; 2])] = &[
    ("in=csv:in.csv?follow=true&delimiter=;", &[], ["`,`", "`;`"]),
    ("in=csv:in.csv?follow=true&header=false", &[], ["`true`", "`false`"]),
    ("in=json:in.csv?follow=true", &[], ["csv", "json"]),
    (SOURCE, &["--from", "2024-01-01T00:00:01Z"], ["`from` was `not set`", "2024-01-01T00:00:01Z"]),
    (SOURCE, &["--to", "2024-01-02"], ["`to` was `not set`", "2024-01-02"]),
];

fn refused() {
    let sources = SOURCES
        .iter()
        .map(|(source, more, told)| ("out=csv:out/?span=30d", *source, "out=csv:out/?span=30d", *more, told));
    let sinks = SINKS.iter().map(|(before, now, told)| (*before, SOURCE, *now, &[][..], told));
    for (before, source, sink, more, told) in sinks.chain(sources) {
        let dir = stopped(before);
        let kept: Vec<_> = dir.all().into_iter().filter(|(name, _)| !name.starts_with("ck")).collect();
        let ran = dir.run("ev", &words(source, sink, more));
        assert_eq!(ran.code, Some(2), "{before}, then {source}, {sink}, {more:?}: {ran:?}");
        for word in ["E-OTHER-WORDS"].iter().chain(told) {
            assert!(ran.err.contains(word), "{before}, then {source}, {sink}, {more:?}: {word}: {ran:?}");
        }
        let all: Vec<_> = dir.all().into_iter().filter(|(name, _)| !name.starts_with("ck")).collect();
        assert!(all == kept, "{before}, then {source}, {sink}, {more:?}: nothing is touched");
        let undisturbed = ended(&stopped(before), SOURCE, before);
        assert!(ended(&dir, SOURCE, before) == undisturbed, "{before}, then {source}, {sink}, {more:?}");
    }
}

fn taken() {
    for (before, now) in [
        ("out=parquet:out?span=30d", "out=parquet:out?span=30d&row_group_rows=7"),
        ("out=csv:out/?span=30d", "out=csv:./out/?span=30d"),
        ("out=csv:out.csv", "out=csv:./out.csv"),
    ] {
        let undisturbed = ended(&stopped(before), SOURCE, before);
        assert!(ended(&stopped(before), SOURCE, now) == undisturbed, "{before}, then {now}");
    }
    // Also where the whole output was moved while the job was down.
    let dir = stopped("out=csv:out/?span=30d");
    std::fs::rename(dir.path("out"), dir.path("moved")).unwrap();
    let undisturbed = ended(&stopped("out=csv:out/?span=30d"), SOURCE, "out=csv:out/?span=30d");
    assert!(ended(&dir, SOURCE, "out=csv:moved/?span=30d") == undisturbed);
}
