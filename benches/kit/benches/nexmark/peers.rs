//! The peers: a Python process each, which runs a query when a line asks for it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// By the names that `peers.py` knows.
pub const PEERS: [&str; 3] = ["duckdb", "datafusion", "polars"];

/// One peer, waiting for lines.
pub struct Peer {
    pub name: &'static str,
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The fastest formulation of each query.
    chosen: HashMap<String, usize>,
}

impl Peer {
    /// Starts a peer on the files in `history`.
    pub fn start(name: &'static str, history: &Path, threads: usize) -> Peer {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/nexmark");
        let mut child = Command::new(python())
            .arg(here.join("peers.py"))
            .args([name.as_ref(), history.as_os_str(), threads.to_string().as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a Python with the peers: run benches/kit/benches/nexmark/peers.sh first");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut peer = Peer { name, asks: child.stdin.take(), child, answers, chosen: HashMap::new() };
        assert_eq!(peer.line(), "ready", "{name}");
        peer
    }

    /// Tries the formulations of a query, each of which must give this many rows, and keeps the fastest.
    pub fn choose(&mut self, query: &str, rows: u64) {
        let count: usize = self.ask(&format!("formulations {query}")).parse().expect("a number");
        let mut times = Vec::new();
        for formulation in 0..count {
            for _ in 0..2 {
                let (seconds, found) = self.run_as(query, formulation);
                assert_eq!(
                    found, rows,
                    "{} gives another number of rows for {query}, formulation {formulation}",
                    self.name
                );
                times.push((seconds, formulation));
            }
        }
        let fastest = times.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("a formulation");
        self.chosen.insert(query.to_string(), fastest.1);
    }

    /// Runs a query in its fastest formulation: seconds and rows.
    pub fn run(&mut self, query: &str) -> (f64, u64) {
        self.run_as(query, self.chosen[query])
    }

    fn run_as(&mut self, query: &str, formulation: usize) -> (f64, u64) {
        let answer = self.ask(&format!("{query} {formulation}"));
        let (seconds, rows) = answer.split_once(' ').expect("seconds and rows");
        (seconds.parse().expect("seconds"), rows.parse().expect("rows"))
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.asks.as_mut().expect("only its end takes it"), "{line}").expect("the peer lives");
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer lives");
        assert!(!line.is_empty(), "{} has ended; what it said is above", self.name);
        line.trim().to_string()
    }
}

impl Drop for Peer {
    /// The process ends when there are no more lines.
    fn drop(&mut self) {
        drop(self.asks.take());
        let _ = self.child.wait();
    }
}

/// Where `peers.sh` puts it.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/nexmark-peers/bin/python")
}
