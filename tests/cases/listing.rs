//! Inputs that change while a job is down: what was listed and is gone, what has come, and what was edited.

use crate::Case;
use crate::support::{Dir, Ran, Started, read_so_far};

pub const CASES: &[Case] = &[
    ("a_file_that_is_gone_before_it_was_read_is_a_gap", gone),
    ("a_file_that_has_come_is_late_behind_the_watermark_or_refused_by_a_setting", come),
    ("text_that_was_read_and_is_another_now_is_found_wherever_it_was_edited", edited),
    ("a_bounded_job_that_has_ended_says_that_it_does_not_read_new_files", ended_before),
];

/// Rows a minute apart, the first at this minute.
fn rows(key: &str, minutes: std::ops::Range<u64>) -> String {
    let row = |minute: u64| {
        format!("{key},1,2024-01-{:02}T{:02}:{:02}:00Z\n", 1 + minute / 1440, minute / 60 % 24, minute % 60)
    };
    format!("key,value,ts\n{}", minutes.map(row).collect::<String>())
}

fn words<'a>(source: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["run", "--source", source, "--sink", "out=csv:out/", "--sink", "late=csv:late.csv"];
    [&words[..], &["--checkpoint", "ck", "--every", "20ms"], more].concat()
}

/// A followed directory of which all was read, and the job was stopped.
fn stopped(files: &[(&str, String)]) -> Dir {
    let dir = Dir::new();
    files.iter().for_each(|(name, text)| dir.write(&format!("d/{name}"), text));
    let all: usize = files.iter().map(|(_, text)| text.lines().count() - 1).sum();
    let run = Started::new(dir.command("hours", &words("in=csv:d?follow=true", &[])));
    let ran = run.has_read(&dir, "ck", all as u64).stopped();
    assert_eq!(ran.code, Some(4), "{ran:?}");
    dir
}

fn gap(ran: &Ran, name: &str) {
    assert!(ran.code == Some(1) || ran.code == Some(2), "{ran:?}");
    assert!(ran.err.contains("E-SOURCE-GAP") && ran.err.contains(name), "{ran:?}");
}

fn gone() {
    let files = [("a.csv", rows("a", 0..300)), ("b.csv", rows("b", 300..600))];
    for (name, _) in &files {
        let dir = stopped(&files);
        std::fs::rename(dir.path(&format!("d/{name}")), dir.path("elsewhere")).unwrap();
        let before = dir.list("out");
        gap(&dir.run("hours", &words("in=csv:d?follow=true", &["--until", "2024-01-01T09:59:00Z"])), name);
        assert_eq!(dir.list("out"), before);
        std::fs::rename(dir.path("elsewhere"), dir.path(&format!("d/{name}"))).unwrap();
        dir.write("d/a.csv", dir.read("d/a.csv") + "a,1,2024-01-01T09:59:00Z\n");
        let ran = dir.run("hours", &words("in=csv:d?follow=true", &["--until", "2024-01-01T09:59:00Z"]));
        assert_eq!(ran.code, Some(0), "put back, it goes on: {ran:?}");
    }
}

/// How many rows count in the output, of this key.
fn counted(dir: &Dir, key: &str) -> u64 {
    let files = dir.list("out").into_iter().filter(|name| !name.starts_with('.'));
    let lines: Vec<String> =
        files.flat_map(|name| dir.read(&format!("out/{name}")).lines().map(String::from).collect::<Vec<_>>()).collect();
    let counts = lines
        .iter()
        .filter(|line| line.starts_with(&format!("{key},")))
        .map(|line| line.split(',').nth(3).unwrap().parse::<u64>().unwrap());
    counts.sum()
}

fn come() {
    let files = [("a.csv", rows("a", 0..300))];
    let until = ["--until", "2024-01-01T09:59:00Z"];
    // Of windows that the watermark has closed, which stands at the last row; of later ones; and of both.
    for (minutes, late) in [(0..60, 60), (300..360, 0), (210..270, 30)] {
        let dir = stopped(&files);
        dir.write("d/b.csv", rows("b", minutes.clone()));
        dir.write("d/a.csv", dir.read("d/a.csv") + "a,1,2024-01-01T09:59:00Z\n");
        dir.write("d/b.csv", dir.read("d/b.csv") + "b,1,2024-01-01T09:59:00Z\n");
        let ran = dir.run("hours", &words("in=csv:d?follow=true", &until));
        assert_eq!(ran.code, Some(0), "{minutes:?}: {ran:?}");
        assert!(ran.err.contains("b.csv has come since the checkpoint"), "{minutes:?}: {ran:?}");
        let late_rows = if dir.path("late.csv").exists() { dir.read("late.csv") } else { String::new() };
        let in_late = late_rows.lines().filter(|line| line.starts_with("b,")).count() as u64;
        assert_eq!(counted(&dir, "b") + in_late, 60, "{minutes:?}: each row counts or is late: {ran:?}");
        assert_eq!(in_late, late, "{minutes:?}: {ran:?}");
        assert_eq!(counted(&dir, "a"), 300, "{minutes:?}");

        let dir = stopped(&files);
        dir.write("d/b.csv", rows("b", minutes.clone()));
        let ran = dir.run("hours", &words("in=csv:d?follow=true&new_files=fail", &until));
        assert!(ran.code == Some(1) || ran.code == Some(2), "{minutes:?}: {ran:?}");
        assert!(ran.err.contains("E-SOURCE-NEW") && ran.err.contains("b.csv"), "{minutes:?}: {ran:?}");
    }
}

fn edited() {
    let text = rows("a", 0..3_000);
    // At the front, far from the offset, and just before it.
    for at in [20, 4_000, text.len() / 2, text.len() - 5_000, text.len() - 4] {
        let dir = stopped(&[("a.csv", text.clone())]);
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        dir.write("d/a.csv", [&bytes[..], b"a,1,2024-01-05T00:00:00Z\n"].concat());
        gap(&dir.run("hours", &words("in=csv:d?follow=true", &["--until", "2024-01-05"])), "a.csv");
    }
}

fn ended_before() {
    let dir = Dir::new();
    dir.write("d/a.csv", rows("a", 0..300));
    assert_eq!(dir.run("hours", &words("in=csv:d", &[])).code, Some(0));
    assert_eq!(read_so_far(&dir, "ck"), 300);
    let before = dir.list("out");
    dir.write("d/b.csv", rows("b", 0..300));
    let ran = dir.run("hours", &words("in=csv:d", &[]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("b.csv has come since the checkpoint, and is not read: the input had ended"), "{ran:?}");
    assert_eq!((dir.list("out"), counted(&dir, "b")), (before, 0));
}
