//! The present: a table as it is appended to an event log, and the history that an archiver would have made of it.

use std::ops::Range;
use std::path::Path;
use std::thread;

use dualgauge_connectors::log::{Layout, Log, LogWriter};
use dualgauge_connectors::parquet::{COVERS, Covered};

use super::files::{FileLayout, TableSummary, write_table};
use super::generator::{Generator, Table};
use super::order::Arrivals;
use dualgauge_engine::{Clock, Duration, Durations, Error, EventTime, Result, SystemClock};

/// What a [`LiveFeed`] appends.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// The table whose rows are appended.
    pub table: Table,
    /// How many events happen, of all tables together; 46 of 50 are bids.
    pub events: u64,
    /// Events a second of event time.
    pub rate: u64,
    /// Another seed is another auction house.
    pub seed: u64,
    /// How far, in event time, a row may lie behind one that happened later.
    pub disorder: Duration,
    /// How many partitions the log has.
    pub partitions: u32,
    /// How many rows are appended to a partition at once, and acknowledged together.
    pub batch_rows: u64,
}

impl Default for FeedOptions {
    /// The bids of a million events at 10,000 a second, a second out of order at most, in two partitions.
    fn default() -> FeedOptions {
        let (table, events, rate, seed) = (Table::Bids, 1_000_000, 10_000, 42);
        FeedOptions { table, events, rate, seed, disorder: 1.seconds(), partitions: 2, batch_rows: 4096 }
    }
}

/// Appends a table to an event log as its rows arrive, a bounded time out of order, until it seals the log.
///
/// Batches go to the partitions in turn. The rows are those of [`generate`](super::generate) with the same seed and
/// rate, whatever the disorder and the partitions.
///
/// ```
/// use dualgauge_nexmark::{FeedOptions, LiveFeed};
///
/// let dir = tempfile::tempdir().unwrap();
/// let mut feed = LiveFeed::create(dir.path().join("bids"), FeedOptions { events: 1_000, ..Default::default() }).unwrap();
/// assert_eq!(feed.append(100).unwrap(), 100);
/// assert_eq!(feed.run().unwrap(), 820); // the rest of 46 in 50
/// ```
pub struct LiveFeed {
    generator: Generator,
    options: FeedOptions,
    log: Log,
    writers: Vec<LogWriter>,
    arrivals: Arrivals,
    /// How many rows were appended.
    appended: u64,
}

impl LiveFeed {
    /// A feed into a new log in `dir`. Nothing is appended yet.
    ///
    /// # Errors
    /// Options that ask for nothing (a rate or batches of zero), a log that exists already, or a disk that refuses.
    pub fn create(dir: impl AsRef<Path>, options: FeedOptions) -> Result<LiveFeed> {
        if options.rate == 0 || options.batch_rows == 0 {
            return Err(Error::usage("the rate of events and the rows of a batch are above zero"));
        }
        let layout = Layout::partitions(options.partitions).event_time("date_time");
        let log = Log::create(dir, &options.table.schema(), layout)?;
        let writers = (0..options.partitions).map(|partition| log.writer(partition)).collect::<Result<_>>()?;
        let generator = Generator::new(options.seed, options.rate);
        let arrivals = generator.arrivals(options.table, 0..options.events, options.disorder);
        Ok(LiveFeed { generator, options, log, writers, arrivals, appended: 0 })
    }

    /// The log that is fed.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How many rows have been appended so far.
    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// Appends the next `rows` rows, or those that are left. Returns how many; they are then durable.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn append(&mut self, rows: u64) -> Result<u64> {
        let before = self.appended;
        while self.appended < before.saturating_add(rows) {
            let (partition, batch) = self.place(self.appended);
            let count = (batch.end - self.appended).min(before + rows - self.appended);
            let numbers: Vec<u64> = self.arrivals.by_ref().take(count as usize).collect();
            if numbers.is_empty() {
                break;
            }
            let writer = &mut self.writers[partition as usize];
            writer.append(&self.generator.batch(self.options.table, &numbers))?;
            writer.commit()?;
            self.appended += numbers.len() as u64;
        }
        Ok(self.appended - before)
    }

    /// Appends what is left, as fast as it can, and seals the log. Returns how many rows that was.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn run(&mut self) -> Result<u64> {
        let appended = self.append(self.arrivals.len() as u64)?;
        self.seal()?;
        Ok(appended)
    }

    /// Appends what is left, at most `rows_per_second` by the wall clock, and seals the log. Returns how many.
    ///
    /// # Errors
    /// A rate of zero, or a disk that refuses.
    pub fn run_at(&mut self, rows_per_second: u64) -> Result<u64> {
        if rows_per_second == 0 {
            return Err(Error::usage("rows are appended at some rate, not at 0 a second"));
        }
        let (clock, mut appended) = (SystemClock::new(), 0);
        while self.arrivals.len() > 0 {
            appended += self.append(self.options.batch_rows.min(rows_per_second.div_ceil(10)))?;
            let due = std::time::Duration::from_micros(appended.saturating_mul(1_000_000) / rows_per_second);
            thread::sleep(due.saturating_sub(clock.elapsed().to_std()));
        }
        self.seal()?;
        Ok(appended)
    }

    /// Ends every partition, so that followers of the log get to its end.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn seal(&mut self) -> Result<()> {
        self.writers.iter_mut().try_for_each(|writer| writer.seal().map(drop))
    }

    /// Writes the rows that were appended so far as history into `dir`: Parquet files whose footers say which offsets
    /// of the log they hold, so that a job can read them first and continue in the log without a gap and without a
    /// repeat. A file has at most `file_rows` rows.
    ///
    /// # Errors
    /// Files without rows, a directory that is not empty, or a disk that refuses.
    pub fn archive(&self, dir: impl AsRef<Path>, file_rows: usize) -> Result<TableSummary> {
        if file_rows == 0 {
            return Err(Error::usage("the rows of a file are above zero"));
        }
        let FeedOptions { table, events, disorder, partitions, .. } = self.options;
        let arrivals = self.generator.arrivals(table, 0..events, disorder).take(self.appended as usize);
        let covered =
            |partition| Covered { log: self.log.id(), partition, from: 0, to: 0, watermark_max_time: EventTime::MIN };
        let mut covers: Vec<Covered> = (0..partitions).map(covered).collect();
        let mut at = 0;
        let footer = |numbers: &[u64]| {
            covers.iter_mut().for_each(|part| part.from = part.to);
            for &number in numbers {
                let part = &mut covers[self.place(at).0 as usize];
                part.to += 1;
                part.watermark_max_time = part.watermark_max_time.max(self.generator.time(number));
                at += 1;
            }
            let held: Vec<&Covered> = covers.iter().filter(|part| part.from < part.to).collect();
            vec![(COVERS.to_owned(), serde_json::to_string(&held).expect("numbers and text become JSON"))]
        };
        let layout = FileLayout { rows: file_rows, row_group_rows: 1 << 16 };
        write_table(&self.generator, table, arrivals, dir.as_ref(), layout, footer)
    }

    /// The partition of arrival number `arrival`, and the arrivals in its batch.
    fn place(&self, arrival: u64) -> (u32, Range<u64>) {
        let batch = arrival / self.options.batch_rows;
        let partition = batch % u64::from(self.options.partitions);
        (partition as u32, batch * self.options.batch_rows..(batch + 1) * self.options.batch_rows)
    }
}
