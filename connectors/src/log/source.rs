//! The log as a source: its partitions, followed as they grow.

use std::path::Path;

use arrow_schema::Field;
use dualgauge_engine::columns::DEFAULT;
use dualgauge_engine::fs::RealFs;
use dualgauge_engine::names::is_same_but_for_case;
use dualgauge_engine::{Basis, Change, Listing, Offset, Partition, PartitionReader, Place, Result, Scan, Source};

use super::directory::Log;
use super::reader::ReadOptions;
use crate::written::Written;

/// The log as a source of events.
///
/// Partitions are the log's, `partition 0` and so on; offsets count rows and carry the chain hash as their proof. A
/// partition ends where the log was sealed, and otherwise never, unless the source is [bounded](LogSource::bounded).
#[derive(Clone, Debug)]
pub struct LogSource {
    log: Log,
    bounded: bool,
    written: Written,
}

impl LogSource {
    /// The log in `dir`.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open(dir: impl AsRef<Path>) -> Result<LogSource> {
        Log::open(dir).map(LogSource::of)
    }

    /// A log that is open.
    pub fn of(log: Log) -> LogSource {
        LogSource { log, bounded: false, written: Written::default() }
    }

    /// Reads what is committed when a partition is opened, and does not follow.
    pub fn bounded(mut self, bounded: bool) -> LogSource {
        self.bounded = bounded;
        self
    }

    /// How values are written, where that differs from what the record says.
    pub fn written(mut self, written: Written) -> LogSource {
        self.written = written;
        self
    }
}

impl LogSource {
    /// The log that is read.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Which of the log's columns is read for a wanted one: none where it is missing and has a default; but one whose
    /// name differs only by case is given, and refused by whoever then misses the other.
    fn column(&self, wanted: &Field) -> Option<String> {
        let mut names = self.log.schema().fields().iter().map(|field| field.name());
        if !wanted.metadata().contains_key(DEFAULT) || names.clone().any(|name| name == wanted.name()) {
            return Some(wanted.name().clone());
        }
        names.find(|name| is_same_but_for_case(wanted.name(), name)).cloned()
    }
}

impl Source for LogSource {
    fn describe(&self) -> String {
        format!("log:{}", self.log.path().display())
    }

    fn places(&self) -> Vec<Place> {
        vec![Place::tree(&RealFs, self.log.path())]
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partitions = (0..self.log.partitions())
            .map(|number| Partition { followed: !self.bounded, ..Partition::new(format!("partition {number}")) })
            .collect();
        Ok(Listing { partitions, ..Listing::default() })
    }

    fn basis(&self) -> Basis {
        self.written.basis(Basis::new().with("format", "log").with("follow", !self.bounded))
    }

    /// A log that is no longer followed is read to its end; one that had an end is not read beyond it.
    fn takes(&self, change: &Change) -> bool {
        change.option == "follow" && self.bounded
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number = partition.id.0.strip_prefix("partition ").and_then(|number| number.parse().ok());
        let number: u32 =
            number.unwrap_or_else(|| panic!("`{}` is not a partition that this source listed", partition.id));
        let schema = self.written.on(&scan.schema).map_err(|error| error.at(self.describe()))?;
        let options = ReadOptions::default()
            .columns(schema.fields().iter().filter_map(|field| self.column(field)))
            .batch_rows(scan.batch_rows)
            .bounded(self.bounded);
        let reader = self.log.reader(number, offset.or(partition.start.as_ref()), options)?;
        Ok(self.written.said_by(Box::new(reader), &schema))
    }
}
