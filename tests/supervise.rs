//! Several real processes: started by a supervisor or by hand, killed, stopped, and left alone.
//!
//! Started with `COMMAND_LINE_OF_A_GRAPH`, this program is the command line of a graph, as a user writes it; else it
//! starts itself and looks at what becomes of it. Would catch: a lost process that the others wait for, output that is
//! lost or repeated by a kill, and processes that outlive their supervisor.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitCode, ExitStatus, Stdio};

use dualgauge::prelude::*;

#[record]
struct Bid {
    auction: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Count {
    auction: u64,
    bids: u64,
    #[event_time]
    time: EventTime,
}

/// The auction whose bids are told of.
const MARKED: u64 = 1;
/// The auction at which the graph panics.
const UNLUCKY: u64 = 13;

/// Counts bids by auction in windows of ten seconds.
fn counts(flow: &Flow<'_>) {
    let bids = flow.source::<Bid>("bids").inspect(|bid| match bid.data.auction {
        MARKED => eprintln!("marked at {}", bid.time),
        UNLUCKY => panic!("an unlucky auction"),
        _ => {}
    });
    let panes = bids.key_by(|bid| bid.auction).window(tumbling(10.seconds())).aggregate("bids", agg::count());
    panes.map(|pane| Count { auction: pane.key, bids: pane.value, time: pane.time }).sink("counts");
}

fn main() -> ExitCode {
    if std::env::var_os("COMMAND_LINE_OF_A_GRAPH").is_some() {
        return dualgauge::main(counts);
    }
    // Names are asked for by tools that list tests.
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let checks: [(&str, fn()); 9] = [
        ("two_processes_write_what_one_writes", two_processes_write_what_one_writes),
        (
            "processes_are_started_by_hand_with_a_secret_in_a_file",
            processes_are_started_by_hand_with_a_secret_in_a_file,
        ),
        ("a_panic_in_one_process_ends_all_with_70", a_panic_in_one_process_ends_all_with_70),
        ("a_panic_that_comes_again_and_again_is_given_up", a_panic_that_comes_again_and_again_is_given_up),
        ("a_killed_process_ends_all_and_is_named", a_killed_process_ends_all_and_is_named),
        (
            "with_checkpoints_a_killed_process_does_not_show_in_the_output",
            with_checkpoints_a_killed_process_does_not_show,
        ),
        ("a_process_that_stands_still_is_lost_and_all_are_started_again", a_process_that_stands_still_is_lost),
        ("ctrl_c_stops_all", ctrl_c_stops_all),
        ("processes_do_not_outlive_their_supervisor", processes_do_not_outlive_their_supervisor),
    ];
    for (name, check) in checks {
        check();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn graph(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("COMMAND_LINE_OF_A_GRAPH", "yes").env_remove("RUST_BACKTRACE").current_dir(dir).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Adds bids of these seconds to two files, of one auction after the other; the last in each file is marked.
fn add_bids(dir: &Path, seconds: std::ops::Range<i64>) {
    std::fs::create_dir_all(dir.join("in")).unwrap();
    for file in 0..2 {
        let path = dir.join(format!("in/bids-{file}.csv"));
        let mut text = if path.exists() { String::new() } else { "auction,date_time\n".to_string() };
        for second in seconds.clone() {
            for auction in
                (2..12).map(|auction| if second + 1 == seconds.end && auction == 11 { MARKED } else { auction })
            {
                text += &format!("{auction},{}\n", EventTime::default() + second.seconds());
            }
        }
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}

/// What a reader of a directory of output sees, by name.
fn output(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let visible = entries.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    visible
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read(path).unwrap()))
        .collect()
}

/// What one process makes of the bids before `to`.
fn expected(dir: &Path, to: &str) -> BTreeMap<String, Vec<u8>> {
    let words = ["run", "--source", "bids=csv:in/", "--sink", "counts=csv:alone?span=20s", "--to", to];
    let alone = graph(dir, &words).output().unwrap();
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    output(&dir.join("alone"))
}

/// A supervisor and what it says.
struct Supervisor {
    child: Child,
    says: BufReader<ChildStderr>,
    said: String,
}

impl Supervisor {
    fn start(dir: &Path, words: &[&str]) -> Supervisor {
        let mut child = graph(dir, words).spawn().unwrap();
        let says = BufReader::new(child.stderr.take().unwrap());
        Supervisor { child, says, said: String::new() }
    }

    /// Waits for a line that contains `what`.
    fn until(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.says.read_line(&mut line).unwrap(), 0, "it ended before it said `{what}`:\n{}", self.said);
            self.said += &line;
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Waits until it has started processes, and gives their numbers.
    fn processes(&mut self) -> Vec<String> {
        let line = self.until("processes: ");
        line.trim().split_once("processes: ").unwrap().1.split(' ').map(str::to_string).collect()
    }

    fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.says.read_to_string(&mut self.said).unwrap();
        (status, self.said)
    }
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().unwrap().success());
}

const LIVE: [&str; 7] =
    ["run", "--processes", "2", "--source", "bids=csv:in/?follow=true", "--sink", "counts=csv:out?span=20s"];

fn two_processes_write_what_one_writes() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..100);
    let words =
        ["run", "--processes", "2", "--workers", "2", "--source", "bids=csv:in/", "--sink", "counts=csv:out?span=20s"];
    let (status, said) = Supervisor::start(dir.path(), &words).end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("[0] done in ") && said.contains("[1] done in "), "{said}");
    assert!(output(&dir.path().join("out")) == expected(dir.path(), "2100-01-01"), "the same files");
}

fn processes_are_started_by_hand_with_a_secret_in_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..50);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Nobody connects to the last process, so its address need not be free.
    std::fs::write(dir.path().join("hosts"), format!("{}\n127.0.0.1:9\n", free.local_addr().unwrap())).unwrap();
    drop(free);
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "nobody knows this but the two\n").unwrap();
    let process = |number: &str| {
        let words = ["run", "--process", number, "--hosts", "hosts", "--cluster-secret", "secret"];
        let bound = ["--source", "bids=csv:in/", "--sink", "counts=csv:out?span=20s"];
        graph(dir.path(), &[&words[..], &bound[..]].concat()).spawn().unwrap()
    };
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = process("0").wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"));
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    for process in [process("1"), process("0")] {
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(output(&dir.path().join("out")) == expected(dir.path(), "2100-01-01"), "the same files");
}

fn a_panic_in_one_process_ends_all_with_70() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..20);
    std::fs::write(dir.path().join("in/bids-1.csv"), "auction,date_time\n13,1970-01-01T00:00:01Z\n").unwrap();
    let (status, said) = Supervisor::start(dir.path(), &LIVE).end();
    assert_eq!(status.code(), Some(70), "{said}");
    assert!(said.contains("[0] error: process 1: inspect at "), "{said}");
    assert!(said.contains("[1] error: inspect at "), "{said}");
    assert!(said.lines().last().unwrap().starts_with("error: process "), "{said}");
    assert!(!said.contains("started again"), "nothing to go on from: {said}");
    let shown =
        |entry: std::io::Result<std::fs::DirEntry>| !entry.unwrap().file_name().as_encoded_bytes().starts_with(b".");
    let out = std::fs::read_dir(dir.path().join("out"));
    assert!(!out.into_iter().flatten().any(shown), "nothing is published");
}

fn a_panic_that_comes_again_and_again_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..20);
    std::fs::write(dir.path().join("in/bids-1.csv"), "auction,date_time\n13,1970-01-01T00:00:01Z\n").unwrap();
    let checkpoints = ["--checkpoint", "checkpoints", "--every", "1d", "--fresh", "--restart", "9"];
    let (status, said) = Supervisor::start(dir.path(), &[&LIVE[..], &checkpoints[..]].concat()).end();
    assert_eq!(status.code(), Some(70), "{said}");
    assert_eq!(said.matches("all are started again").count(), 2, "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("has ended with exit code 70, the same three times in a row; mend the closure"), "{said}");
    assert!(last.contains("inspect at ") && last.contains("an unlucky auction"), "{said}");
}

fn a_killed_process_ends_all_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..5);
    let mut supervisor = Supervisor::start(dir.path(), &LIVE);
    let processes = supervisor.processes();
    supervisor.until("marked at");
    signal("-KILL", &processes[1]);
    let (status, said) = supervisor.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("[0] error: process 1 at 127.0.0.1:") && said.contains("was lost"), "{said}");
    assert!(said.lines().last().unwrap().starts_with("error: process "), "{said}");
    for noise in ["panicked", "timely", "poisoned"] {
        assert!(!said.contains(noise), "{said}");
    }
}

fn with_checkpoints_a_killed_process_does_not_show() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..50);
    let to = "1970-01-01T00:01:20Z";
    let checkpoints = ["--checkpoint", "checkpoints", "--every", "1d", "--fresh", "--until", to];
    let mut supervisor = Supervisor::start(dir.path(), &[&LIVE[..], &checkpoints[..]].concat());
    let processes = supervisor.processes();
    supervisor.until("marked at");
    supervisor.until("marked at");
    signal("-USR1", &supervisor.child.id().to_string());
    supervisor.until("[0] savepoint of epoch ");
    signal("-KILL", &processes[1]);
    supervisor.until("all are started again from the last checkpoint");
    supervisor.until("goes on after epoch ");
    add_bids(dir.path(), 50..100);
    let (status, said) = supervisor.end();
    assert_eq!(status.code(), Some(0), "{said}");
    let read_again = said.lines().filter(|line| line.ends_with("marked at 1970-01-01T00:00:49Z")).count();
    assert_eq!(read_again, 2, "what the savepoint has is not read again: {said}");
    assert!(output(&dir.path().join("out")) == expected(dir.path(), to), "the same files");
}

fn a_process_that_stands_still_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..50);
    let to = "1970-01-01T00:01:20Z";
    let checkpoints = ["--checkpoint", "checkpoints", "--every", "1d", "--fresh", "--until", to, "--lost-after", "4s"];
    let mut supervisor = Supervisor::start(dir.path(), &[&LIVE[..], &checkpoints[..]].concat());
    let processes = supervisor.processes();
    supervisor.until("marked at");
    supervisor.until("marked at");
    signal("-STOP", &processes[0]);
    // Nobody wakes it: it is ended by force, or the others could not start again.
    let lost = supervisor.until("was lost: ");
    assert!(lost.contains("error: process 0 at 127.0.0.1:") && lost.contains("was heard of it for 4s"), "{lost}");
    supervisor.until("all are started again from the last checkpoint");
    add_bids(dir.path(), 50..100);
    let (status, said) = supervisor.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(output(&dir.path().join("out")) == expected(dir.path(), to), "the same files");
}

fn ctrl_c_stops_all() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..5);
    let mut supervisor = Supervisor::start(dir.path(), &LIVE);
    supervisor.until("marked at");
    signal("-INT", &supervisor.child.id().to_string());
    let (status, said) = supervisor.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("[0] stopped: ") && said.contains("[1] stopped: "), "{said}");
}

fn processes_do_not_outlive_their_supervisor() {
    let dir = tempfile::tempdir().unwrap();
    add_bids(dir.path(), 0..5);
    let mut supervisor = Supervisor::start(dir.path(), &LIVE);
    let processes = supervisor.processes();
    supervisor.until("marked at");
    signal("-KILL", &supervisor.child.id().to_string());
    let _ = supervisor.end();
    // They are nobody's children now. They are gone when no signal reaches them, and zombies cannot stay where somebody
    // waits for all; what is looked at is whether they still run.
    for process in processes {
        let runs = || {
            let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z")
        };
        while runs() {
            std::thread::yield_now();
        }
    }
}
