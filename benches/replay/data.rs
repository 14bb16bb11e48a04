//! The bids that are replayed: made once, kept under `target/`.

use std::path::PathBuf;

use dualgauge_nexmark::{Options, Table};

/// Bids a second of event time: ten seconds hold about 92,000.
const RATE: u64 = 10_000;

/// The directory with this many bids as Parquet, in the usual shape with all columns.
pub fn bids(count: u64) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{count}"));
    let done = root.join("done");
    if !done.exists() {
        eprintln!("making {count} bids in {} (once)", root.display());
        let _ = std::fs::remove_dir_all(&root);
        let events = Table::Bids.event(count - 1) + 1;
        let options = Options { events, rate: RATE, tables: vec![Table::Bids], ..Options::new(&root) };
        let summary = dualgauge_nexmark::generate(&options).expect("a disk with room");
        eprint!("{summary}");
        std::fs::write(done, "").expect("a disk with room");
    }
    root.join("bids")
}
