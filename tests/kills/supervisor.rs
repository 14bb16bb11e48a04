//! Starts the child, follows its lines, ends or stops it, and looks at what it has written.
//!
//! Progress is counted in the lines that the child prints, one a passage of a failpoint; nothing here waits for a time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

use dualgauge::checkpoint::{CommitKind, Entry, LocalStore, ManifestLog};
use dualgauge::connectors::log::LogSource;
use dualgauge::fs::RealFs;
use dualgauge::nexmark::{self, FeedOptions, LiveFeed, Options, Table};
use dualgauge::prelude::*;

use crate::child::Answer;

const EVENTS: u64 = 3_000;
const RATE: u64 = 50;

/// How many bids are appended to the live log for each line that the child prints.
const FED_PER_LINE: u64 = 12;

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
        nexmark::generate(&Options { file_rows: 900, row_group_rows: 250, disorder: 1.seconds(), ..history }).unwrap();
        Ground(dir)
    }
}

/// How a job is run: from where, to where, by how many workers.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub from: &'static str,
    pub to: &'static str,
    pub workers: usize,
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

    /// Starts the job; `plan` is what the failpoints do.
    pub fn start(&self, plan: &str) -> Process<'_> {
        self.start_on(self.way.workers, plan)
    }

    /// The same, on another number of workers.
    pub fn start_on(&self, workers: usize, plan: &str) -> Process<'_> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(CHILD, "yes").env(FAILPOINT, plan).env_remove("RUST_BACKTRACE");
        command.arg(&self.dir).args([self.way.from, self.way.to, &workers.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { run: self, child, lines, seen: Vec::new() }
    }

    /// Starts the job again, and lets it come to its end.
    pub fn finish(&self, workers: usize) {
        let ended = self.start_on(workers, "trace").wait();
        assert!(ended.status.success(), "{:?}: {}", self.way, ended.said);
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
                    true if file == ".job" => {}
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
    let copy = |flow: &Flow<'_>| flow.source::<Answer>(source("rows").disorder(Duration::MAX)).sink("out");
    Job::new(copy).source("rows", log).sink("out", out.clone()).run().unwrap();
    let mut rows: Vec<_> = out.rows().iter().map(|row| format!("{} {} {}\n", row.time, row.key, row.value)).collect();
    rows.sort();
    rows.concat().into_bytes()
}

/// A start of the job that runs.
pub struct Process<'r> {
    run: &'r Run,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Every line so far.
    pub seen: Vec<String>,
}

/// How a start of the job ended.
pub struct Ended {
    pub status: ExitStatus,
    /// What it said of an error.
    pub said: String,
    /// Every line that it printed.
    pub lines: Vec<String>,
}

impl Ended {
    /// Whether it ended where the plan said.
    pub fn reached(&self) -> bool {
        self.lines.iter().any(|line| line.starts_with("reached"))
    }

    /// Whether it was still recovering: of a job that goes on, no checkpoint had begun.
    pub fn while_recovering(&self) -> bool {
        !self.lines.iter().any(|line| line.ends_with("before-pick"))
    }

    /// How often each point was passed.
    pub fn passages(&self) -> BTreeMap<String, u64> {
        let mut passages = BTreeMap::new();
        for line in &self.lines {
            *passages.entry(line.split(' ').nth(1).unwrap_or_default().to_string()).or_default() += 1;
        }
        passages
    }
}

impl Process<'_> {
    /// The next line; `None` at the end.
    pub fn line(&mut self) -> Option<&str> {
        let line = self.lines.next()?.unwrap();
        self.run.feed();
        self.seen.push(line);
        self.seen.last().map(String::as_str)
    }

    /// Reads on until there are so many lines, or the end.
    pub fn lines(&mut self, count: usize) {
        while self.seen.len() < count && self.line().is_some() {}
    }

    /// Ends it from outside, wherever it is by now.
    pub fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Waits until its plan has stopped it.
    pub fn wait_until_stopped(&mut self) {
        while !self.line().expect("the point is reached").starts_with("reached") {}
        let stat = format!("/proc/{}/stat", self.child.id());
        let is_stopped = || fs::read_to_string(&stat).unwrap().rsplit_once(") ").unwrap().1.starts_with('T');
        while !is_stopped() {
            std::thread::yield_now();
        }
    }

    /// Stops it from outside, or lets it go on.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Reads on to its end.
    pub fn wait(mut self) -> Ended {
        while self.line().is_some() {}
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        Ended { status, said, lines: std::mem::take(&mut self.seen) }
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        // Ended long ago, but where a check has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
