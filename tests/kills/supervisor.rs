//! Starts the processes of a job, follows their lines, ends or stops them, and looks at what they have written.
//!
//! Progress is counted in the lines that the processes print, one a passage of a failpoint; nothing here waits for a time,
//! but that a job which says nothing for minutes hangs, and that is a failure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use dualgauge::checkpoint::{CommitKind, Entry, LocalStore, ManifestLog};
use dualgauge::connectors::log::LogSource;
use dualgauge::fs::RealFs;
use dualgauge::prelude::*;
use dualgauge::{Clock, SystemClock};
use dualgauge_nexmark::{FeedOptions, LiveFeed, Options, Table};

use crate::child::Answer;

const EVENTS: u64 = 3_000;
const RATE: u64 = 50;

/// How many bids are appended to the live log for each line that a process prints.
const FED_PER_LINE: u64 = 12;

/// No job is silent for so long, however busy the machine is, unless it hangs.
const HANGS: std::time::Duration = std::time::Duration::from_secs(180);

/// The variable that makes this program the child; and the one that says where it ends.
const CHILD: &str = "JOB_THAT_IS_KILLED";
const FAILPOINT: &str = "DUALGAUGE_FAILPOINT";

/// What a run has written: file names and bytes, of a log its rows.
pub type Output = BTreeMap<String, Vec<u8>>;

/// Whether this process is a child, and with which words.
pub fn words_of_child() -> Option<Vec<String>> {
    std::env::var_os(CHILD).map(|_| std::env::args().skip(1).collect())
}

/// A directory with the history, in which runs have their own.
pub struct Ground(tempfile::TempDir);

impl Ground {
    pub fn new() -> Ground {
        // A kill takes nothing from the page cache, so a disk in memory tells as much as a real one, and sooner.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let history = Options {
            events: EVENTS,
            rate: RATE,
            tables: vec![Table::Bids],
            ..Options::new(dir.path().join("history"))
        };
        dualgauge_nexmark::generate(&Options { file_rows: 900, row_group_rows: 250, disorder: 1.seconds(), ..history })
            .unwrap();
        Ground(dir)
    }

    /// Where the history and all runs are.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// How a job is run: from where, to where, by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub from: &'static str,
    pub to: &'static str,
    pub team: Team,
}

/// So many processes, of so many workers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Team {
    pub processes: usize,
    pub workers: usize,
}

/// One start of a job.
pub struct Call<'a> {
    pub team: Team,
    /// What the failpoints of one of the processes do; those of the others trace.
    pub plan: (usize, &'a str),
    /// The silence after which a process is lost, and how long they wait for each other at the start.
    pub deadline: Duration,
    pub bootstrap: Duration,
    /// By which address one process reaches another, which listens at this one.
    pub reach: &'a dyn Fn(usize, usize, SocketAddr) -> SocketAddr,
}

impl<'a> Call<'a> {
    /// A start in which nobody is lost for being slow.
    pub fn new(team: Team, process: usize, plan: &'a str) -> Call<'a> {
        let patience = 120.seconds();
        Call { team, plan: (process, plan), deadline: patience, bootstrap: patience, reach: &|_, _, address| address }
    }
}

/// One job, through all its starts.
pub struct Run {
    dir: PathBuf,
    way: Way,
    /// What is appended while the job runs; nothing of a history.
    feed: RefCell<Option<LiveFeed>>,
}

impl Run {
    pub fn new(ground: &Ground, name: &str, way: Way) -> Run {
        let dir = ground.0.path().join(name);
        fs::create_dir(&dir).unwrap();
        let live = || {
            let options = FeedOptions { events: EVENTS, rate: RATE, batch_rows: 64, ..FeedOptions::default() };
            LiveFeed::create(dir.join("live"), options).unwrap()
        };
        let feed = RefCell::new((way.from == "live").then(live));
        Run { dir, way, feed }
    }

    /// Starts the job; `plan` is what the failpoints of one of its processes do.
    pub fn start(&self, process: usize, plan: &str) -> Processes<'_> {
        self.call(&Call::new(self.way.team, process, plan))
    }

    /// Starts the job.
    pub fn call(&self, call: &Call<'_>) -> Processes<'_> {
        let Team { processes, workers } = call.team;
        let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let listening: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let (says, lines) = channel();
        let start = |(process, listener): (usize, TcpListener)| {
            let host = |(to, &at): (usize, &SocketAddr)| (call.reach)(process, to, at).to_string();
            let hosts: Vec<_> = listening.iter().enumerate().map(host).collect();
            let plan = if process == call.plan.0 { call.plan.1 } else { "trace" };
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.env(CHILD, "yes").env(FAILPOINT, plan).env_remove("RUST_BACKTRACE").arg(&self.dir);
            command.args([self.way.from, self.way.to, &workers.to_string(), &process.to_string(), &hosts.join(",")]);
            command.args([call.deadline, call.bootstrap].map(|patience| patience.as_micros().to_string()));
            // It listens at its standard input, so that nobody else can take the port before it does.
            command.stdin(OwnedFd::from(listener)).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let (mut read, says) = (BufReader::new(child.stdout.take().unwrap()).lines(), says.clone());
            thread::spawn(move || read.try_for_each(|line| says.send((process, line.unwrap()))));
            child
        };
        let children = listeners.into_iter().enumerate().map(start).collect();
        let (clock, first_commit) = (SystemClock::new(), None);
        Processes { run: self, children, lines, seen: Vec::new(), clock, first_commit }
    }

    /// Starts the job again, and lets it come to its end.
    pub fn finish(&self, team: Team) -> Ended {
        let ended = self.call(&Call::new(team, 0, "trace")).wait();
        assert!(ended.is_well(), "{:?}: {}", self.way, ended.said());
        ended
    }

    /// Whether a generation has committed the end of the input, so that those after it only publish.
    pub fn has_ended(&self) -> bool {
        let store = LocalStore::open(Arc::new(RealFs), self.dir.join("checkpoints")).unwrap();
        let newest = ManifestLog::read(&store).unwrap().pop();
        matches!(newest, Some((_, Entry::Commit(commit))) if commit.kind == CommitKind::Ended)
    }

    /// Gives the job something more to read, as it goes on.
    fn feed(&self) {
        let mut feed = self.feed.borrow_mut();
        if let Some(open) = feed.as_mut()
            && open.append(FED_PER_LINE).unwrap() == 0
        {
            open.seal().unwrap();
            *feed = None;
        }
    }

    /// What readers of the output see. Nothing else may be there.
    pub fn output(&self) -> Output {
        let (visible, left) = self.found();
        assert!(left.is_empty(), "{left:?} are left over");
        visible
    }

    /// What readers of the output see, whatever else is there.
    pub fn visible(&self) -> Output {
        self.found().0
    }

    /// What is visible, and what is hidden and not the name of the job.
    fn found(&self) -> (Output, Vec<PathBuf>) {
        let mut left = Vec::new();
        let (mut found, out) = (Output::new(), self.dir.join("out"));
        for entry in fs::read_dir(&out).unwrap() {
            let sink = entry.unwrap().path();
            let name = sink.file_name().unwrap().to_string_lossy().into_owned();
            if name == "dearest" {
                found.insert(name, rows(&sink));
                continue;
            }
            for entry in fs::read_dir(&sink).unwrap() {
                let path = entry.unwrap().path();
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                match file.starts_with('.') {
                    true if [".job", ".published"].contains(&file.as_str()) => {}
                    true => left.push(path),
                    false => drop(found.insert(format!("{name}/{file}"), fs::read(&path).unwrap())),
                }
            }
        }
        (found, left)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The rows of a log in the order of their times, as text; nothing staged is left beside it.
fn rows(dir: &Path) -> Vec<u8> {
    for partition in ["p0000/stage", "p0001/stage"] {
        let left: Vec<_> = fs::read_dir(dir.join(partition)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?} are left over");
    }
    let (out, log) = (memory::collect::<Answer>(), LogSource::open(dir).unwrap().bounded(true));
    let copy = |flow: &Flow<'_>| flow.source::<Answer>("rows").disorder(Duration::MAX).sink("out");
    Job::new(copy).source("rows", log).sink("out", out.clone()).run().unwrap();
    let mut rows: Vec<_> = out.rows().iter().map(|row| format!("{} {} {}\n", row.time, row.key, row.value)).collect();
    rows.sort();
    rows.concat().into_bytes()
}

/// A line, and the process that has printed it.
pub type Line = (usize, String);

/// A start of the job that runs.
pub struct Processes<'r> {
    run: &'r Run,
    children: Vec<Child>,
    lines: Receiver<Line>,
    /// Every line so far.
    pub seen: Vec<Line>,
    /// Runs since the start.
    pub clock: SystemClock,
    first_commit: Option<Duration>,
}

/// How a start of the job ended.
pub struct Ended {
    /// How each process ended.
    pub statuses: Vec<ExitStatus>,
    /// What each said of an error.
    pub errors: Vec<String>,
    /// Every line that they printed.
    pub lines: Vec<Line>,
    /// How long after the start the first commit was made.
    pub first_commit: Option<Duration>,
}

impl Ended {
    /// Whether all processes came to the end of the job.
    pub fn is_well(&self) -> bool {
        self.statuses.iter().all(ExitStatus::success)
    }

    /// What the processes said of errors.
    pub fn said(&self) -> String {
        let told =
            |(process, (status, error)): (usize, (&ExitStatus, &String))| format!("[{process}] {status}: {error}");
        self.statuses.iter().zip(&self.errors).enumerate().map(told).collect::<Vec<_>>().join("\n")
    }

    /// Whether one ended where the plan said.
    pub fn reached(&self) -> bool {
        self.lines.iter().any(|(_, line)| line.starts_with("reached"))
    }

    /// Whether it was still recovering: of a job that goes on, no checkpoint had begun.
    pub fn while_recovering(&self) -> bool {
        !self.lines.iter().any(|(_, line)| line.ends_with("before-pick"))
    }

    /// How often each process passed each point.
    pub fn passages(&self) -> Vec<BTreeMap<String, u64>> {
        let mut passages = vec![BTreeMap::new(); self.statuses.len()];
        for (process, line) in &self.lines {
            *passages[*process].entry(line.split(' ').nth(1).unwrap_or_default().to_string()).or_default() += 1;
        }
        passages
    }
}

impl Processes<'_> {
    /// The next line; `None` at the end of all processes.
    pub fn line(&mut self) -> Option<&Line> {
        let line = match self.lines.recv_timeout(HANGS) {
            Ok(line) => line,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("{:?} hangs", self.run.dir),
        };
        self.run.feed();
        // The fence is appended first.
        if self.first_commit.is_none()
            && line.1.ends_with("after-append")
            && self.seen.iter().any(|(_, line)| line.ends_with("after-fence"))
        {
            self.first_commit = Some(self.clock.elapsed());
        }
        self.seen.push(line);
        self.seen.last()
    }

    /// Reads on until there are so many lines, or the end.
    pub fn lines(&mut self, count: usize) {
        while self.seen.len() < count && self.line().is_some() {}
    }

    /// By which the system knows a process.
    pub fn id(&self, process: usize) -> u32 {
        self.children[process].id()
    }

    /// Ends a process from outside, wherever it is by now.
    pub fn kill(&mut self, process: usize) {
        self.children[process].kill().unwrap();
    }

    /// Waits until its plan has stopped a process.
    pub fn wait_until_stopped(&mut self) {
        assert!(self.is_stopped(), "the point is reached");
    }

    /// Waits until its plan has stopped a process, or all have ended.
    pub fn is_stopped(&mut self) -> bool {
        while let Some((process, line)) = self.line() {
            if !line.starts_with("reached") {
                continue;
            }
            let process = *process;
            let stat = format!("/proc/{}/stat", self.children[process].id());
            let state = || fs::read_to_string(&stat).unwrap().rsplit_once(") ").unwrap().1.to_string();
            while !state().starts_with('T') {
                thread::yield_now();
            }
            return true;
        }
        false
    }

    /// Waits until a process has ended.
    pub fn until_ended(&mut self, process: usize) {
        self.children[process].wait().unwrap();
    }

    /// Stops a process from outside, or lets it go on.
    pub fn signal(&self, process: usize, signal: &str) {
        let id = self.children[process].id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Reads on to the end of all processes.
    pub fn wait(mut self) -> Ended {
        while self.line().is_some() {}
        let (mut statuses, mut errors) = (Vec::new(), Vec::new());
        for child in &mut self.children {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            errors.push(said);
            statuses.push(child.wait().unwrap());
        }
        Ended { statuses, errors, lines: std::mem::take(&mut self.seen), first_commit: self.first_commit }
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        // Ended long ago, but where a check has failed.
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
