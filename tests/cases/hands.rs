//! A run in somebody's hands: asked to stop wherever it stands, read by half, and fed with names that a terminal obeys.
//!
//! Nothing here says how long a thing may take: a run that does not end makes its case hang, which is how it was seen red.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::Case;
use crate::support::{Dir, Ran, ran};

pub const CASES: &[Case] = &[
    ("asked_to_stop_a_run_ends_whatever_it_waits_for", waiting),
    ("asked_to_stop_with_checkpoints_a_run_says_by_its_code_that_it_can_be_resumed", resumable),
    ("asked_by_a_service_manager_in_any_moment_of_the_start_it_says_that_it_ended_well", resumable_at_once),
    ("under_nohup_a_run_outlives_its_terminal", outlives),
    ("a_reader_that_has_seen_enough_ends_every_command_quietly", enough),
    ("control_characters_from_outside_reach_no_terminal", escapes),
    ("threads_that_do_not_start_end_a_run_by_name", no_threads),
    ("a_file_beyond_the_size_limit_is_named_and_not_tried_again", too_large),
];

fn start(mut command: Command) -> Child {
    command.spawn().unwrap()
}

/// The program, started by a shell with these words before it.
fn under(dir: &Dir, words: &str, program: &Command) -> Command {
    let mut shell = dir.shell(&format!("{words} \"$0\" \"$@\""));
    shell.arg(program.get_program()).args(program.get_args());
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn end(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn fifo(dir: &Dir, name: &str) {
    assert!(Command::new("mkfifo").arg(dir.path(name)).status().unwrap().success());
}

/// What may be waited for, and the words of a run that does.
const WAITING: &[(&str, &str, &str)] = &[
    ("a pipe that nobody writes to", "in=csv:pipe.csv", "out=csv:-"),
    ("the same as JSON", "in=json:pipe.jsonl", "out=csv:-"),
    ("the same among Parquet files", "in=parquet:pipes", "out=csv:-"),
    ("lines without an end", "in=csv:/dev/zero?header=false", "out=csv:-"),
    ("the same as JSON", "in=json:/dev/zero", "out=csv:-"),
    ("a silent standard input", "in=csv:-?follow=true", "out=csv:-"),
    ("a file that is followed", "in=csv:a.csv?follow=true", "out=csv:-"),
];

fn waiting() {
    for signal_name in ["-INT", "-TERM"] {
        for (what, source, sink) in WAITING {
            let dir = Dir::new();
            dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
            dir.write("pipes/readme", "");
            ["pipe.csv", "pipe.jsonl", "pipes/a.parquet"].iter().for_each(|name| fifo(&dir, name));
            let mut command = dir.command("ev", &["run", "--source", source, "--sink", sink]);
            command.stdin(Stdio::piped());
            let mut child = start(command);
            let input = child.stdin.take();
            until_it_handles(&child);
            signal(&child, signal_name);
            let ran = end(child);
            drop(input);
            // A pipe in a directory may as well be refused at once.
            assert!(matches!(ran.code, Some(1 | 2)), "{what}, {signal_name}: {ran:?}");
            assert!(ran.err.contains("stopped: ") || ran.err.contains("error: "), "{what}, {signal_name}: {ran:?}");
        }
    }
}

/// Waits until the process catches SIGTERM.
fn until_it_handles(child: &Child) {
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        if u64::from_str_radix(caught, 16).unwrap() & (1 << 14) != 0 {
            return;
        }
        std::thread::yield_now();
    }
}

fn resumable() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
    let words = ["run", "--source", "in=csv:a.csv?follow=true", "--sink", "out=parquet:out", "--checkpoint", "ck"];
    for (signal_name, code) in [("-INT", 4), ("-TERM", 0), ("-HUP", 4), ("-INT", 4)] {
        // Who runs the tests under `nohup` has it ignored, which a process hands on.
        let program = dir.command("ev", &words);
        let mut child = start(under(&dir, "exec env --default-signal=HUP", &program));
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("1 row  ") && !told.contains("goes on after epoch") {
            assert_ne!(err.read_line(&mut told).unwrap(), 0, "{told}");
        }
        signal(&child, signal_name);
        err.read_to_string(&mut told).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal_name}: {told}");
        assert!(told.contains("stopped: a last checkpoint of epoch "), "{told}");
    }
}

/// As service managers ask: in whatever moment SIGTERM comes from the first on in which it is caught.
fn resumable_at_once() {
    for _ in 0..20 {
        let dir = Dir::new();
        dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
        let words = ["run", "--source", "in=csv:a.csv?follow=true", "--sink", "out=parquet:out", "--checkpoint", "ck"];
        let child = start(dir.command("ev", &words));
        until_it_handles(&child);
        signal(&child, "-TERM");
        let ran = end(child);
        // Where the job had not started, there is no checkpoint from which it goes on.
        assert!(ran.code == Some(0) || ran.err.contains("had not started"), "{ran:?}");
    }
}

/// Under `nohup` the end of a terminal ends nothing, and another signal ends the run as ever.
fn outlives() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
    let words = ["run", "--source", "in=csv:a.csv?follow=true", "--sink", "out=csv:-", "--checkpoint", "ck"];
    let program = dir.command("ev", &words);
    let child = start(under(&dir, "trap '' HUP; exec", &program));
    until_it_handles(&child);
    signal(&child, "-HUP");
    let mut child = crate::support::Started::of(child).has_read(&dir, "ck", 1);
    dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\nb,1,2024-01-01T00:00:01Z\n");
    child = child.has_read(&dir, "ck", 2);
    assert_eq!(child.stopped().code, Some(4));
}

/// The command with a standard output that nobody reads.
fn unread(mut command: Command) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    ran(command)
}

fn enough() {
    let dir = Dir::new();
    let lines: String = (0..2000).map(|at| format!("k{at},{at},2024-01-01T00:00:00Z\n")).collect();
    dir.write("a.csv", format!("key,value,ts\n{lines}"));
    let words = ["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=log:lg", "--sink", "late=json:late.jsonl"];
    let ran = dir.run("hours", &[&words[..], &["--checkpoint", "ck"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let tools: &[&[&str]] = &[
        &["checkpoint", "ls", "ck"],
        &["checkpoint", "show", "ck"],
        &["checkpoint", "verify", "ck"],
        &["state", "get", "--checkpoint", "ck", "hours", "k1"],
        &["log", "inspect", "lg"],
        &["log", "verify", "lg"],
        &["log", "tail", "lg"],
        &["--help"],
        &["--version"],
    ];
    for words in tools {
        let (whole, cut) = (dir.dualgauge(words), unread(dir.dualgauge_command(words)));
        assert_ne!(whole.code, Some(2), "{words:?}: {whole:?}");
        assert_eq!((cut.code, &cut.err), (whole.code, &whole.err), "{words:?}");
    }
    let none = dir.dualgauge(&["log", "tail", "lg", "--partition", "4294967295"]);
    assert!(none.code == Some(2) && none.err.contains("there is no partition 4294967295"), "{none:?}");
    let source = ["--source", "in=csv:a.csv"];
    let of_graphs: &[&[&str]] =
        &[&["graph"], &["graph", "--format", "svg"], &["plan"], &["run", "--sink", "out=csv:-"]];
    for words in of_graphs {
        let words = if words[0] == "graph" { words.to_vec() } else { [words, &source[..]].concat() };
        let ran = unread(dir.command("ev", &words));
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
        assert!(!ran.err.contains("error") && !ran.err.contains("panicked"), "{words:?}: {ran:?}");
    }
}

fn escapes() {
    let evil = "\u{1b}]0;PWNED\u{7}\u{1b}[2J";
    let dir = Dir::new();
    dir.write("names.csv", format!("key{evil},value,ts\na,1,2024-01-01T00:00:00Z\n"));
    dir.write(&format!("n{evil}.csv"), "key,value,ts\na,x,2024-01-01T00:00:00Z\n");
    dir.write("values.csv", format!("key,value,ts\na,{evil},2024-01-01T00:00:00Z\n"));
    dir.write("values.jsonl", "{\"key\":\"a\",\"value\":\"\u{1b}[2J\",\"ts\":\"2024-01-01T00:00:00Z\"}\n");
    dir.write("job.toml", "[sources]\nin = \"csv:\\u001b[2J.csv\"\n");
    let sources = [
        "in=csv:names.csv".to_string(),
        format!("in=csv:n{evil}.csv"),
        format!("in=csv:{evil}"),
        format!("in=csv:values.csv?{evil}=1"),
        format!("{evil}=csv:values.csv"),
        format!("in={evil}:values.csv"),
        "in=csv:values.csv".to_string(),
        "in=json:values.jsonl".to_string(),
    ];
    let called = |words: &[&str]| dir.run("ev", words);
    let mut all: Vec<Ran> = Vec::new();
    for source in &sources {
        all.push(called(&["run", "--source", source, "--sink", "out=csv:-"]));
        all.push(called(&["plan", "--source", source]));
    }
    all.push(called(&["run", "--job", "job.toml", "--sink", "out=csv:-"]));
    all.push(called(&["run", "--source", "in=csv:names.csv", "--sink", &format!("out={evil}")]));
    all.push(called(&["run", "--from", evil]));
    all.push(dir.dualgauge(&["log", "inspect", evil]));
    all.push(dir.dualgauge(&["checkpoint", "show", evil]));
    all.push(called(&["run", evil]));
    all.push(called(&["run", "--source", "in=csv:names.csv", "--sink", "out=csv:-", "--drop-state", evil]));
    all.push(called(&[
        "run",
        "--source",
        "in=csv:names.csv",
        "--sink",
        "out=csv:-",
        "--checkpoint",
        evil,
        "--from-checkpoint",
        "9",
    ]));
    all.push(called(&["run", "--process", "0", "--hosts", evil, "--cluster-secret", evil]));
    all.push(called(&["run", "--processes", "2", "--source", &sources[0], "--sink", "out=csv:-"]));
    let (schema, option) = (format!("a{evil}:i64,b{evil}:nothing"), format!("--{evil}"));
    all.push(dir.dualgauge(&["log", "append", "lg", "--schema", &schema]));
    all.push(dir.dualgauge(&["log", "append", evil, "--schema", "a:i64"]));
    all.push(dir.dualgauge(&["log", &option]));
    all.push(dir.dualgauge(&[evil]));
    all.push(dir.dualgauge(&["state", "get", evil, evil, evil]));
    for ran in all {
        assert!(!ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'), "{ran:?}");
    }
}

/// However many threads there may be, a run comes to its end or names the thread that did not start; it panics nowhere.
fn no_threads() {
    let uid = ran(Dir::new().shell("id -u"));
    // The limit binds nobody who is root, so root is another user for it here, with no power over limits.
    let other = "setpriv --ruid 64999 --bounding-set -sys_resource,-sys_admin";
    let (become_one, mut ended, mut refused) = (if uid.out.trim() == "0" { other } else { "" }, 0, 0);
    for threads in 1..=16 {
        for checkpoints in [&[][..], &["--checkpoint", "ck"]] {
            let dir = Dir::new();
            dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
            let words = ["run", "-q", "--workers", "3", "--source", "in=csv:a.csv", "--sink", "out=csv:o/"];
            let program = dir.command("ev", &[&words[..], checkpoints].concat());
            let limit = format!("exec prlimit --nproc={threads}:{threads} {become_one}");
            let ran = ran(under(&dir, &limit, &program));
            match ran.code {
                Some(0) => ended += 1,
                Some(1) => refused += 1,
                _ => panic!("{threads} threads, {checkpoints:?}: {ran:?}"),
            }
            assert!(!ran.err.contains("panicked"), "{threads} threads, {checkpoints:?}: {ran:?}");
            assert!(
                ran.code == Some(0) || ran.err.contains("not start"),
                "{threads} threads, {checkpoints:?}: {ran:?}"
            );
        }
    }
    assert!(refused > 2 && (ended > 2 || uid.out.trim() != "0"), "{ended} have ended, {refused} were refused");
}

fn too_large() {
    let dir = Dir::new();
    let lines: String = (0..20_000).map(|at| format!("k{at},{at},2024-01-01T00:00:00Z\n")).collect();
    dir.write("a.csv", format!("key,value,ts\n{lines}"));
    for sink in ["out=csv:o.csv", "out=json:o.jsonl", "out=log:lg"] {
        let program = dir.command("ev", &["run", "--source", "in=csv:a.csv", "--sink", sink]);
        let ran = ran(under(&dir, "ulimit -f 64; exec", &program));
        assert_eq!(ran.code, Some(1), "{sink}: {ran:?}");
        assert!(ran.err.contains("ulimit -f") && !ran.err.contains("tries again"), "{sink}: {ran:?}");
    }
    // Nor are checkpoints, whose state is what grows too large here.
    let words = ["run", "--source", "in=csv:a.csv?follow=true", "--sink", "out=parquet:o", "--sink", "late=parquet:l"];
    let program = dir.command("hours", &[&words[..], &["--checkpoint", "ck", "--every", "20ms"]].concat());
    let ran = ran(under(&dir, "ulimit -f 64; exec", &program));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("ck/layers") && ran.err.contains("ulimit -f"), "{ran:?}");
    assert!(!ran.err.contains("tries again") && !ran.err.contains("tries:"), "{ran:?}");
}
