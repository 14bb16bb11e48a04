//! History: the tables as directories of Parquet files.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge_connectors::parquet::{FileOptions, write_file};

use super::generator::{Generator, Table};
use dualgauge_engine::arrow::RecordBatch;
use dualgauge_engine::{Duration, Error, Record, Result};

/// How many rows are made at once.
const BATCH_ROWS: usize = 8192;

/// What [`generate`] writes, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Each table becomes a directory in it: `out/bids/`.
    pub out: PathBuf,
    /// How many events, of all tables together.
    pub events: u64,
    /// Events a second of event time.
    pub rate: u64,
    /// Another seed is another auction house.
    pub seed: u64,
    /// How far, in event time, an event may lie behind one that happened later.
    pub disorder: Duration,
    /// The tables to write.
    pub tables: Vec<Table>,
    /// How many rows a file holds.
    pub file_rows: usize,
    /// How many rows a row group holds.
    pub row_group_rows: usize,
}

impl Options {
    /// A million events in order, at 10,000 a second: all three tables in `out`.
    pub fn new(out: impl Into<PathBuf>) -> Options {
        Options {
            out: out.into(),
            events: 1_000_000,
            rate: 10_000,
            seed: 42,
            disorder: Duration::ZERO,
            tables: Table::ALL.to_vec(),
            file_rows: 1 << 18,
            row_group_rows: 1 << 16,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// By table, in the order in which they were asked for.
    pub tables: Vec<TableSummary>,
}

/// What was written of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSummary {
    /// Which.
    pub table: Table,
    /// The directory of its files.
    pub dir: PathBuf,
    /// How many files.
    pub files: u64,
    /// How many rows in all of them.
    pub rows: u64,
    /// How many bytes in all of them.
    pub bytes: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for TableSummary { table, dir, files, rows, bytes } in &self.tables {
            let megabytes = *bytes as f64 / 1e6;
            let name = table.name();
            writeln!(f, "{name:<8}  {rows:>11} rows  {files:>4} files  {megabytes:>9.1} MB  {}", dir.display())?;
        }
        Ok(())
    }
}

/// Writes history: each table a directory of Parquet files, the same bytes for the same options.
///
/// ```
/// use dualgauge_nexmark::{Options, Table};
///
/// let dir = tempfile::tempdir().unwrap();
/// let options = Options { events: 1_000, tables: vec![Table::Bids], ..Options::new(dir.path()) };
/// let summary = dualgauge_nexmark::generate(&options).unwrap();
/// assert_eq!((summary.tables[0].rows, summary.tables[0].files), (920, 1));
/// assert!(dir.path().join("bids/bids-00000.parquet").exists());
/// ```
///
/// # Errors
/// Options that ask for nothing or for everything at once (a rate or a file size of zero), a table's directory that is
/// not empty, or a disk that refuses.
pub fn generate(options: &Options) -> Result<Summary> {
    if options.rate == 0 || options.file_rows == 0 {
        return Err(Error::usage("the rate of events and the rows of a file are above zero"));
    }
    let generator = Generator::new(options.seed, options.rate);
    let mut tables = Vec::new();
    for &table in &options.tables {
        let dir = options.out.join(table.name());
        let arrivals = generator.arrivals(table, 0..options.events, options.disorder);
        let layout = FileLayout { rows: options.file_rows, row_group_rows: options.row_group_rows };
        tables.push(write_table(&generator, table, arrivals, &dir, layout, |_| Vec::new())?);
    }
    Ok(Summary { tables })
}

/// How a table is cut into files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileLayout {
    pub(crate) rows: usize,
    pub(crate) row_group_rows: usize,
}

/// Writes events into new files in `dir`; `footer` gives the footer of the file with these events, and is called in
/// their order.
pub(crate) fn write_table(
    generator: &Generator,
    table: Table,
    arrivals: impl Iterator<Item = u64> + Send,
    dir: &Path,
    layout: FileLayout,
    footer: impl FnMut(&[u64]) -> Vec<(String, String)> + Send,
) -> Result<TableSummary> {
    make_empty(dir)?;
    let work = Mutex::new((0_u64, arrivals, footer));
    let take = || {
        let (count, arrivals, footer) = &mut *work.lock().expect("no panic holds it");
        let numbers: Vec<u64> = arrivals.by_ref().take(layout.rows).collect();
        if numbers.is_empty() {
            return None;
        }
        let key_values = footer(&numbers);
        *count += 1;
        Some((*count - 1, numbers, key_values))
    };
    let (rows, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let write_all = || -> Result<()> {
        while let Some((file, numbers, key_values)) = take() {
            let path = dir.join(format!("{}-{file:05}.parquet", table.name()));
            let row_group_rows = layout.row_group_rows;
            let options = FileOptions { row_group_rows, key_values, ..FileOptions::default() };
            let batches = numbers.chunks(BATCH_ROWS).map(|numbers| generator.batch(table, numbers));
            write_file(&path, &table.schema(), batches, &options)?;
            let written = fs::metadata(&path).map_err(|e| Error::io(path.display(), e))?;
            rows.fetch_add(numbers.len() as u64, Ordering::Relaxed);
            bytes.fetch_add(written.len(), Ordering::Relaxed);
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads).map(|_| scope.spawn(write_all)).collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })?;
    let files = work.into_inner().expect("no panic holds it").0;
    Ok(TableSummary { table, dir: dir.to_owned(), files, rows: rows.into_inner(), bytes: bytes.into_inner() })
}

impl Table {
    /// The columns of its files.
    pub(crate) fn schema(self) -> dualgauge_engine::arrow::SchemaRef {
        match self {
            Table::Persons => super::Person::schema(),
            Table::Auctions => super::Auction::schema(),
            Table::Bids => super::Bid::schema(),
        }
    }
}

impl Generator {
    /// The events with these numbers, all of one table, as columns.
    pub(crate) fn batch(&self, table: Table, numbers: &[u64]) -> RecordBatch {
        fn encode<D: Record>(numbers: &[u64], make: impl Fn(u64) -> D) -> RecordBatch {
            let rows: Vec<D> = numbers.iter().map(|&number| make(number)).collect();
            D::encode(rows.iter())
        }
        match table {
            Table::Persons => encode(numbers, |number| self.person(number)),
            Table::Auctions => encode(numbers, |number| self.auction(number)),
            Table::Bids => encode(numbers, |number| self.bid(number)),
        }
    }
}

/// Makes a directory, or takes one that is there and empty: other people's files are not to be mixed with these.
fn make_empty(dir: &Path) -> Result<()> {
    let refused = |e| Error::io(format!("cannot write to {}", dir.display()), e);
    fs::create_dir_all(dir).map_err(refused)?;
    if fs::read_dir(dir).map_err(refused)?.next().is_some() {
        return Err(Error::usage(format!("{} is not empty; remove it, or name another directory", dir.display())));
    }
    Ok(())
}
