//! What is followed is followed by its path: renamed, removed, replaced, cut off, and what comes beside it.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("a_followed_file_that_is_rotated_is_read_on_in_its_successor", rotated),
    ("a_followed_file_that_cannot_be_read_on_ends_the_run_by_name", replaced),
    ("a_followed_log_that_is_gone_or_another_ends_the_run_by_name", logs),
    ("a_file_that_comes_into_a_followed_directory_is_named_as_not_read", appeared),
    ("a_file_that_is_rotated_into_the_pattern_of_its_source_ends_the_run_by_name", rotated_into_the_pattern),
    ("a_rotated_file_is_read_on_after_a_restart", restarted),
    ("a_file_that_was_rotated_while_the_job_was_down_is_read_on_under_its_new_name", rotated_while_down),
    ("what_cannot_be_proved_of_a_rotation_while_the_job_was_down_is_a_gap", unprovable_while_down),
    ("a_renamed_file_that_nothing_follows_is_given_up_and_read_on_when_there_is_one", given_up),
];

/// A row of a format; the value is its second, too.
fn row(scheme: &str, value: u32) -> String {
    match scheme {
        "csv" => format!("a,{value},2024-01-01T00:00:{value:02}Z\n"),
        _ => format!("{{\"key\":\"a\",\"value\":{value},\"ts\":\"2024-01-01T00:00:{value:02}Z\"}}\n"),
    }
}

/// What a file of a format begins with.
fn header(scheme: &str) -> &'static str {
    if scheme == "csv" { "key,value,ts\n" } else { "" }
}

/// Rows from the first value to the last.
fn rows(scheme: &str, values: std::ops::RangeInclusive<u32>) -> String {
    values.map(|value| row(scheme, value)).collect()
}

/// A run of the graph `ev` that follows.
struct Run {
    child: Child,
    /// The values that it prints.
    values: Receiver<u32>,
    /// The lines that it says.
    said: Receiver<String>,
}

impl Run {
    fn start(dir: &Dir, words: &[&str]) -> Run {
        let mut child = dir.command("ev", &[&["run"], words].concat()).spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let value = |line: String| line.split("\"value\":").nth(1)?.split(',').next()?.parse().ok();
        let values = lines(out, move |line| value(line).expect("a row of JSON"));
        Run { child, values, said: lines(err, |line| line) }
    }

    /// Waits until these values have come, in order.
    fn sees(&self, expected: std::ops::RangeInclusive<u32>) {
        for value in expected {
            assert_eq!(self.values.recv(), Ok(value), "{:?}", self.said.try_iter().collect::<Vec<_>>());
        }
    }

    /// Waits until it has said this.
    fn says(&self, words: &str) {
        let mut said = Vec::new();
        while let Ok(line) = self.said.recv() {
            if line.contains(words) {
                return;
            }
            said.push(line);
        }
        panic!("`{words}` was not said: {said:?}");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Lets the world change while it stands still.
    fn meanwhile(&self, script: &mut Command) {
        self.signal("-STOP");
        assert!(script.status().unwrap().success(), "{script:?}");
        self.signal("-CONT");
    }

    /// Waits until it has ended by itself: its exit code, and what it said.
    fn ends(mut self) -> (Option<i32>, String) {
        let said = self.said.iter().collect::<Vec<_>>().join("\n");
        (self.child.wait().unwrap().code(), said)
    }

    fn stop(self) {
        self.signal("-TERM");
        self.ends();
    }
}

/// What is made of the lines of a pipe, as they come.
fn lines<T: Send + 'static>(
    pipe: impl Read + Send + 'static,
    of: impl Fn(String) -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = sender.send(of(line));
        }
    });
    receiver
}

const SCHEMES: [&str; 2] = ["csv", "json"];

/// A file `in` of the rows 1 to 3, and a run that follows it; it has shown the first two, since a row is shown when a later
/// one has come.
fn followed(scheme: &str) -> (Dir, Run) {
    let dir = Dir::new();
    dir.write("in", format!("{}{}", header(scheme), rows(scheme, 1..=3)));
    let run = Run::start(&dir, &["--source", &format!("in={scheme}:in?follow=true"), "--sink", "out=json:-"]);
    run.sees(1..=2);
    (dir, run)
}

/// Adds text to a file, which is made where it is not there.
fn add(dir: &Dir, name: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(dir.path(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn rotated() {
    for scheme in SCHEMES {
        let (dir, run) = followed(scheme);
        for (round, first) in [4, 7].into_iter().enumerate() {
            std::fs::rename(dir.path("in"), dir.path(&format!("in.{round}"))).unwrap();
            // Who writes is still at the old file, also when the new one is there and has no row.
            add(&dir, &format!("in.{round}"), &row(scheme, first));
            run.sees(first - 1..=first - 1);
            add(&dir, "in", header(scheme));
            add(&dir, &format!("in.{round}"), &row(scheme, first + 1));
            run.sees(first..=first);
            add(&dir, "in", &row(scheme, first + 2));
            run.sees(first + 1..=first + 1);
        }
        // A copy with more at its end takes the place of the file.
        std::fs::copy(dir.path("in"), dir.path("copy")).unwrap();
        add(&dir, "copy", &row(scheme, 10));
        std::fs::rename(dir.path("copy"), dir.path("in")).unwrap();
        run.sees(9..=9);
        run.stop();
    }
}

/// A rotated file that the source would read by itself, at the next start, under its new name.
fn rotated_into_the_pattern() {
    for scheme in SCHEMES {
        let dir = Dir::new();
        dir.write(&format!("d/a.{scheme}"), format!("{}{}", header(scheme), rows(scheme, 1..=3)));
        for pattern in ["d", "d/a*"] {
            let source = format!("in={scheme}:{pattern}?follow=true");
            let run = Run::start(&dir, &["--source", &source, "--sink", "out=json:-"]);
            run.sees(1..=2);
            let (old, new) = (dir.path(&format!("d/a.{scheme}")), dir.path(&format!("d/a-1.{scheme}")));
            std::fs::rename(&old, &new).unwrap();
            dir.write(&format!("d/a.{scheme}"), format!("{}{}", header(scheme), rows(scheme, 4..=5)));
            let (code, said) = run.ends();
            assert_eq!(code, Some(1), "{pattern}: {said}");
            let words = format!("it was renamed to d/a-1.{scheme}, which the source reads by itself");
            assert!(said.contains("E-SOURCE-GAP") && said.contains(&words), "{pattern}: {said}");
            std::fs::rename(&new, &old).unwrap();
        }
    }
}

fn replaced() {
    for scheme in SCHEMES {
        let (head, later) = (header(scheme), rows(scheme, 4..=30));
        let again = format!("{head}{}", rows(scheme, 1..=3).replace("a", "b"));
        for (script, words) in [
            ("rm in", &["it was removed while it was followed"][..]),
            (": > in", &["has 0 bytes, but was read to byte"]),
            ("cp in in.1; cat later > in", &["is not what was read there; it was cut off or written anew"]),
            ("mv later in", &["it was replaced by another file, which does not begin with what was read"]),
            ("mv in in.bak; (cat in.bak; cat more) > x; sed -e '3s/2/7/' x > in", &["likely an edited copy"]),
            ("dd if=again of=in conv=notrunc 2>/dev/null; touch in", &["what was read of it has been written over"]),
            ("mv in in.old; mkdir in", &["it was replaced by something that is no file"]),
        ] {
            let (dir, run) = followed(scheme);
            dir.write("later", format!("{head}{later}"));
            dir.write("again", &again);
            dir.write("more", row(scheme, 4));
            run.meanwhile(&mut dir.shell(script));
            let (code, said) = run.ends();
            assert_eq!(code, Some(1), "{scheme}: {script}: {said}");
            assert!(said.contains("file in"), "{scheme}: {script}: {said}");
            for words in words {
                assert!(said.contains(words), "{scheme}: {script}: {said}");
            }
        }
        let (dir, run) = followed(scheme);
        std::fs::rename(dir.path("in"), dir.path("old")).unwrap();
        dir.write("in", format!("{head}{}", rows(scheme, 4..=5)));
        run.sees(3..=4);
        add(&dir, "old", &row(scheme, 6));
        let (code, said) = run.ends();
        assert!(
            code == Some(1) && said.contains("it was written to after its successor had begun"),
            "{scheme}: {said}"
        );
    }
}

/// Appends rows to a log, which is made where it is not there.
fn log(dir: &Dir, name: &str, values: std::ops::RangeInclusive<u32>) {
    dir.write("rows.csv", format!("{}{}", header("csv"), rows("csv", values)));
    let sink = format!("out=log:{name}?seal=false");
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:rows.csv", "--sink", &sink]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

fn logs() {
    for (script, words) in [
        ("mv lg old", "it was moved, removed or replaced while it was followed"),
        ("rm -r lg", "it was moved, removed or replaced while it was followed"),
        ("mv lg old; mv other lg", "it was moved, removed or replaced while it was followed"),
    ] {
        let dir = Dir::new();
        log(&dir, "lg", 1..=3);
        log(&dir, "other", 1..=9);
        let run = Run::start(&dir, &["--source", "in=log:lg", "--sink", "out=json:-"]);
        run.sees(1..=2);
        run.meanwhile(&mut dir.shell(script));
        let (code, said) = run.ends();
        assert_eq!(code, Some(1), "{script}: {said}");
        assert!(said.contains(words) && said.contains("log lg: partition 0"), "{script}: {said}");
    }
    // A copy has the same history, and is read on.
    let dir = Dir::new();
    log(&dir, "lg", 1..=3);
    let run = Run::start(&dir, &["--source", "in=log:lg", "--sink", "out=json:-"]);
    run.sees(1..=2);
    run.meanwhile(&mut dir.shell("cp -r lg copy; mv lg old; mv copy lg"));
    log(&dir, "lg", 4..=5);
    run.sees(3..=4);
    run.stop();
}

fn appeared() {
    for scheme in SCHEMES {
        let dir = Dir::new();
        let text = |values| format!("{}{}", header(scheme), rows(scheme, values));
        dir.write(&format!("d/a.{scheme}"), text(1..=3));
        for pattern in ["d", &format!("d/*.{scheme}")] {
            let source = format!("in={scheme}:{pattern}?follow=true");
            let run = Run::start(&dir, &["--source", &source, "--sink", "out=json:-"]);
            run.sees(1..=2);
            dir.write(&format!("d/b.{scheme}"), text(4..=5));
            run.says(&format!("note: source in: b.{scheme} has come since the start and is not read"));
            add(&dir, &format!("d/a.{scheme}"), &row(scheme, 6));
            run.sees(3..=3);
            run.stop();
            std::fs::remove_file(dir.path(&format!("d/b.{scheme}"))).unwrap();
            dir.write(&format!("d/a.{scheme}"), text(1..=3));
        }
    }
}

fn restarted() {
    for scheme in SCHEMES {
        let dir = Dir::new();
        dir.write("in", format!("{}{}", header(scheme), rows(scheme, 1..=3)));
        let source = format!("in={scheme}:in?follow=true");
        let words = ["--checkpoint", "ck", "--source", &source, "--sink", "out=json:o.jsonl"];
        let run = Run::start(&dir, &words);
        run.says("3 rows");
        std::fs::rename(dir.path("in"), dir.path("in.1")).unwrap();
        dir.write("in", format!("{}{}", header(scheme), rows(scheme, 4..=6)));
        run.says("6 rows");
        run.stop();
        add(&dir, "in", &rows(scheme, 7..=9));
        let ran = dir.run("ev", &[&["run", "-q", "--until", "2024-01-01T00:00:09Z"], &words[..]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}");
        let expected: String = (1..=8).map(|value| row("json", value)).collect();
        assert_eq!(dir.read("o.jsonl"), expected, "{scheme}");
    }
}

/// The words of a run with checkpoints that follows a file or files.
fn kept<'a>(source: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["run", "-q", "--checkpoint", "ck", "--source", source, "--sink", "out=json:o.jsonl"];
    [&words[..], more].concat()
}

/// A run that has read the file `in`, of the values 1 to 3, and was stopped.
fn stopped_behind_three(scheme: &str, source: &str, name: &str) -> Dir {
    let dir = Dir::new();
    dir.write(name, format!("{}{}", header(scheme), rows(scheme, 1..=3)));
    let words: Vec<_> = kept(source, &[]).into_iter().filter(|word| !["run", "-q"].contains(word)).collect();
    let run = Run::start(&dir, &words);
    run.says("3 rows");
    run.stop();
    dir
}

const UNTIL: [&str; 2] = ["--until", "2024-01-01T00:00:09Z"];

fn rotated_while_down() {
    for scheme in SCHEMES {
        let text = |values| format!("{}{}", header(scheme), rows(scheme, values));
        // What `logrotate`, a program itself and one that dates its files call it.
        for renamed in ["in.1", "in-20260101", "old"] {
            let source = format!("in={scheme}:in?follow=true");
            let dir = stopped_behind_three(scheme, &source, "in");
            // An older one lies there, too, and the file that was read had more.
            dir.write("in.0", text(20..=30));
            add(&dir, "in", &rows(scheme, 4..=5));
            std::fs::rename(dir.path("in"), dir.path(renamed)).unwrap();
            std::fs::File::open(dir.path("in.0")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            dir.write("in", text(6..=9));
            let ran = dir.run("ev", &kept(&source, &UNTIL));
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme} {renamed}");
            let expected: String = (1..=8).map(|value| row("json", value)).collect();
            assert_eq!(dir.read("o.jsonl"), expected, "{scheme} {renamed}");
        }
        // Twice, with a run between that has only begun the second.
        let source = format!("in={scheme}:in?follow=true");
        let dir = stopped_behind_three(scheme, &source, "in");
        std::fs::rename(dir.path("in"), dir.path("in.2")).unwrap();
        dir.write("in", text(4..=5));
        let words: Vec<_> = kept(&source, &[]).into_iter().filter(|word| !["run", "-q"].contains(word)).collect();
        let run = Run::start(&dir, &words);
        run.says("2 rows"); // of this start
        run.stop();
        add(&dir, "in", &row(scheme, 6));
        std::fs::rename(dir.path("in"), dir.path("in.1")).unwrap();
        dir.write("in", text(7..=9));
        let ran = dir.run("ev", &kept(&source, &UNTIL));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}");
        let expected: String = (1..=8).map(|value| row("json", value)).collect();
        assert_eq!(dir.read("o.jsonl"), expected, "{scheme}");
    }
}

fn unprovable_while_down() {
    for scheme in SCHEMES {
        let (alone, all) = (format!("in={scheme}:in?follow=true"), format!("in={scheme}:d/in*?follow=true"));
        for (source, script, words) in [
            (&alone, "cp in in.1; cat later > in", "is not what was read there"),
            (&alone, "cp in in.1; : > in", "has 0 bytes, but was read to byte"),
            (&alone, "rm in; cp later in", "is not what was read there"),
            (&alone, "mkdir away; mv in away/in.1; cp later in", "is not what was read there"),
            (
                &alone,
                "mv in in.1; echo x > in.1.new; cat in.1.new in.1 > y; cat y > in.1; rm in.1.new; cp later in",
                "is not what was read there",
            ),
            (
                &alone,
                "mv in in.2; cp later in.1; touch -d tomorrow in.1; cp later in",
                "it was renamed to ./in.2 while the job was down, and ./in.1 was written to later",
            ),
            (
                &alone,
                "mv in in.1; sed -e 's/x/x/' in.1 > in; cat more >> in; sed -i -e 's/,2,/,7,/; s/:2,/:7,/' in",
                "likely an edited copy",
            ),
            (&all, "mv d/in d/in.1; cp later d/in", "which the source reads by itself"),
        ] {
            let name = if *source == all { "d/in" } else { "in" };
            let dir = stopped_behind_three(scheme, source, name);
            dir.write("later", format!("{}{}", header(scheme), rows(scheme, 4..=30)));
            dir.write("more", row(scheme, 4));
            assert!(dir.shell(script).status().unwrap().success(), "{script}");
            let ran = dir.run("ev", &kept(source, &UNTIL));
            assert!(ran.code == Some(1), "{scheme}: {script}: {ran:?}");
            assert!(ran.err.contains("E-SOURCE-GAP") && ran.err.contains(words), "{scheme}: {script}: {ran:?}");
        }
    }
}

fn given_up() {
    let source = "in=csv:in?follow=true";
    let dir = stopped_behind_three("csv", source, "in");
    let words: Vec<_> = kept(source, &[]).into_iter().filter(|word| !["run", "-q"].contains(word)).collect();
    let run = Run::start(&dir, &words);
    run.says("source in");
    std::fs::rename(dir.path("in"), dir.path("in.1")).unwrap();
    let (code, said) = run.ends();
    assert_eq!(code, Some(1), "{said}");
    for words in ["E-SOURCE-GAP", "no file has come into its place", "Start the job again when one is there"] {
        assert!(said.contains(words), "{said}");
    }
    let ran = dir.run("ev", &kept(source, &UNTIL));
    assert!(ran.code == Some(1) && ran.err.contains("E-SOURCE-GAP"), "there is none yet: {ran:?}");
    add(&dir, "in.1", &row("csv", 4));
    dir.write("in", format!("{}{}", header("csv"), rows("csv", 5..=9)));
    let ran = dir.run("ev", &kept(source, &UNTIL));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(dir.read("o.jsonl"), (1..=8).map(|value| row("json", value)).collect::<String>());
}
