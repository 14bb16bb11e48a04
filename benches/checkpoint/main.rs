//! What does exactly-once cost, and how soon is a job back?
//!
//! `cargo bench --bench checkpoint` asks three questions:
//!
//! 1. What do checkpoints every second cost `hot_items`? On paper nothing but the panes of one open window, some ten
//!    thousand entries of 20 bytes, once a second. Limit: 5 % over a run without, on alternating runs over 50 M bids.
//! 2. What do they cost with 5 M keys of live state, of which 1 % change between two checkpoints? On paper 50,000
//!    entries are written down, at some 50 ns each. Limit: 10 % over a run without; and at most three times as many
//!    bytes as have changed.
//! 3. How long does it take to resume from 1 GB of state on a local disk? On paper: reading at a gigabyte a second, and
//!    100 ns to put an entry into its table. Limit: 10 s.
//!
//! Arguments pick questions: `cargo bench --bench checkpoint -- overhead keys recovery`.

#[path = "../replay/data.rs"]
mod data;
#[path = "../replay/graphs.rs"]
#[allow(dead_code)] // only one of its graphs is timed here
mod graphs;
mod keys;
mod overhead;
mod recovery;

use std::path::PathBuf;
use std::sync::Arc;

use dualgauge::Checkpoints;
use dualgauge::checkpoint::{Commit, Entry, LocalStore, ManifestLog};
use dualgauge::fs::RealFs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    if wants("overhead") {
        overhead::run();
    }
    if wants("keys") {
        keys::run();
    }
    if wants("recovery") {
        recovery::run();
    }
}

/// A directory for checkpoints, empty.
fn fresh_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a disk with room");
    dir
}

/// The store in a directory.
fn store(dir: &PathBuf) -> Arc<LocalStore> {
    Arc::new(LocalStore::open(Arc::new(RealFs), dir).expect("a directory"))
}

fn checkpoints(dir: &PathBuf) -> Checkpoints {
    Checkpoints::in_store(store(dir))
}

/// The commits in a store, oldest first.
fn commits(dir: &PathBuf) -> Vec<Commit> {
    let entries = ManifestLog::read(&*store(dir)).expect("a log that was just written");
    let commits = entries.into_iter().filter_map(|(_, entry)| match entry {
        Entry::Commit(commit) => Some(*commit),
        Entry::Fence(_) => None,
    });
    commits.collect()
}

/// The median of some times in seconds.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
