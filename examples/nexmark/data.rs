//! Where the tables are: in files that exist already, in files that are made once and kept, or in logs that are fed.

use std::path::{Path, PathBuf};

use dualgauge::{Error, Result};
use dualgauge_nexmark::{FeedOptions, LiveFeed, Options, Table, generate};

use crate::queries::DISORDER;

/// How many events there are, of all tables together, and how many happen in a second of event time.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub events: u64,
    pub rate: u64,
}

/// The directory with the tables of this size. It is under the build's directory, and made only once.
pub fn history(Size { events, rate }: Size) -> Result<PathBuf> {
    let root = kept(&format!("{events}-events-{rate}-a-second"))?;
    let done = root.join("done");
    if !done.exists() {
        eprintln!("making {events} events in {} (once)", root.display());
        let _ = std::fs::remove_dir_all(&root);
        eprint!("{}", generate(&Options { events, rate, ..Options::new(&root) })?);
        std::fs::write(&done, "").map_err(|cause| Error::io(done.display(), cause))?;
    }
    Ok(root)
}

/// The files of a table: `bids.parquet`, or all in `bids/`.
pub fn files(history: &Path, table: Table) -> Result<PathBuf> {
    let names = [format!("{}.parquet", table.name()), table.name().to_string()];
    let found = names.iter().map(|name| history.join(name)).find(|path| path.exists());
    found.ok_or_else(|| Error::usage(format!("{} has neither {} nor {}/", history.display(), names[0], names[1])))
}

/// Logs of some tables, to be fed with events. Each is a second out of order at most, in two partitions.
pub fn feeds(dir: &Path, tables: &[Table], size: Size) -> Result<Vec<(Table, LiveFeed)>> {
    let Size { events, rate } = size;
    let feed = |table: Table| {
        // A batch of each table spans about the same time, so that all of them are about equally far.
        let batch_rows = (8192 * table.rows(50) / Table::Bids.rows(50)).max(1);
        let options = FeedOptions { table, events, rate, disorder: DISORDER, batch_rows, ..FeedOptions::default() };
        Ok((table, LiveFeed::create(dir.join(table.name()), options)?))
    };
    tables.iter().copied().map(feed).collect()
}

/// A new directory beside the kept ones, which is removed when the returned value is dropped.
pub fn temporary() -> Result<tempfile::TempDir> {
    let parent = kept("")?;
    let refused = |cause| Error::io(parent.display(), cause);
    std::fs::create_dir_all(&parent).map_err(refused)?;
    tempfile::Builder::new().prefix("live-").tempdir_in(&parent).map_err(refused)
}

/// A path in `nexmark/` of the build's directory, in which this program is as `release/examples/nexmark`.
fn kept(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().map_err(|cause| Error::io("this program", cause))?;
    Ok(this.ancestors().nth(3).unwrap_or(Path::new(".")).join("nexmark").join(name))
}
