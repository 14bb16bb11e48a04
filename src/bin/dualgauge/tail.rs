//! `dualgauge log tail`: the rows of a log on standard output.

use dualgauge::Writing;
use std::path::PathBuf;
use std::time::Duration;

use dualgauge::connectors::log::{Log, LogReader, ReadOptions};
use dualgauge::connectors::{csv, json};
use dualgauge::{Epoch, Error, EventTime, Next, Offset, PartitionReader, Result, Sink, SinkWriter};

use crate::log::Format;

/// How long to wait when no partition has anything new.
const PAUSE: Duration = Duration::from_millis(20);

/// What to print.
pub(crate) struct Tail {
    pub(crate) dir: PathBuf,
    pub(crate) partition: Option<u32>,
    pub(crate) format: Format,
    pub(crate) from: Option<u64>,
    pub(crate) follow: bool,
}

pub(crate) fn tail(tail: &Tail) -> Result<()> {
    let log = Log::open(&tail.dir)?;
    let sink: Box<dyn Sink> = match tail.format {
        Format::Csv => Box::new(csv::write("-")),
        Format::Json => Box::new(json::write("-")),
    };
    let mut printer = sink.open(0, log.schema(), &Writing::default())?;
    let partitions = tail.partition.map_or_else(|| (0..log.partitions()).collect(), |partition| vec![partition]);
    let readers = partitions.into_iter().map(|partition| reader(&log, partition, tail));
    let mut readers = readers.collect::<Result<Vec<_>>>()?;
    while !readers.is_empty() {
        let mut pending = 0;
        let mut open = Vec::new();
        for mut reader in readers {
            match reader.next()? {
                Next::Batch(batch) => print(printer.as_mut(), &batch.rows)?,
                Next::Mixed(_, bad) => return Err(Error::data(bad[0].reason())),
                Next::Pending => pending += 1,
                Next::End => continue,
            }
            open.push(reader);
        }
        readers = open;
        if !readers.is_empty() && pending == readers.len() {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

fn reader(log: &Log, partition: u32, tail: &Tail) -> Result<LogReader> {
    let from = tail.from.map(Offset::at);
    log.reader(partition, from.as_ref(), ReadOptions::default().bounded(!tail.follow))
}

fn print(printer: &mut dyn SinkWriter, rows: &arrow_array::RecordBatch) -> Result<()> {
    // Sinks sort by time, and a log's rows are to stay in their order, so their places serve as their times.
    let places: Vec<_> = (0..rows.num_rows() as i64).map(EventTime::from_micros).collect();
    printer.write(&places, rows)?;
    let text = printer.prepare(Epoch(0), EventTime::MAX)?;
    printer.commit(Epoch(0), &text)
}
