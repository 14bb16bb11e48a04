//! Values of every type, at every depth, through every connector.
//!
//! Would catch: a connector, or a depth within one, that reads a value otherwise than the others do: another unit, no
//! default, a number that is cut or wrapped, a missing value that becomes something; and a sink that writes what no source
//! reads as the same value again.

mod contract;
mod made_times;
mod ranges;
mod round_trip;
mod said;
mod truth;
mod written;

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use dualgauge_connectors::{csv, json, log, parquet};
use dualgauge_engine::sink::Writing;
use dualgauge_engine::{Epoch, EventTime, Next, Record, Result, Scan, Sink, Source};
use tempfile::TempDir;

/// A source, and the directory that its data is in.
pub type Held = (TempDir, Box<dyn Source>);

fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    (dir, path)
}

/// CSV of this text.
pub fn csv_of(text: &str) -> Held {
    let (dir, path) = file("a.csv", text);
    (dir, Box::new(csv::read(path)))
}

/// JSON lines of this text.
pub fn json_of(text: &str) -> Held {
    let (dir, path) = file("a.jsonl", text);
    (dir, Box::new(json::read(path)))
}

/// A Parquet file of these rows, a row group for each.
pub fn parquet_of(rows: &RecordBatch) -> Held {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let options = parquet::FileOptions { row_group_rows: 1, ..parquet::FileOptions::default() };
    parquet::write_file(&path, &rows.schema(), [rows.clone()], &options).unwrap();
    (dir, Box::new(parquet::read(path)))
}

/// A log of these rows.
pub fn log_of(rows: &RecordBatch) -> Held {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut writer = log::Log::create(&path, &rows.schema(), 1).unwrap().writer(0).unwrap();
    writer.append(rows).unwrap();
    writer.commit().unwrap();
    (dir, Box::new(log::LogSource::open(path).unwrap().bounded(true)))
}

/// Writes rows by a sink that makes one file.
pub fn write_rows<D: Record>(sink: &dyn Sink, rows: &[D]) -> Result<()> {
    let times: Vec<_> = rows.iter().map(|row| row.event_time().unwrap()).collect();
    let writing = Writing::default().saying(D::wanted());
    sink.check(&D::schema(), &writing)?;
    let mut writer = sink.open(0, &D::schema(), &writing)?;
    writer.write(&times, &D::encode(rows.iter()))?;
    let prepared = writer.prepare(Epoch(1), EventTime::MAX)?;
    writer.commit(Epoch(1), &prepared)
}

/// A sink and a source of one file, of each text format that holds more than plain columns, or of all.
pub fn text_files(dir: &Path, nested: bool) -> Vec<(Box<dyn Sink>, Box<dyn Source>)> {
    let (a, b) = (dir.join("a.jsonl"), dir.join("b.csv"));
    let mut files: Vec<(Box<dyn Sink>, Box<dyn Source>)> = vec![(Box::new(json::write(&a)), Box::new(json::read(&a)))];
    if !nested {
        files.push((Box::new(csv::write(&b)), Box::new(csv::read(&b))));
    }
    files
}

/// How a record is read.
pub fn scan<D: Record>() -> Scan {
    let event_time = D::event_time_column().unwrap_or_default().to_string();
    Scan { schema: D::wanted(), event_time, from: None, to: None, batch_rows: 100 }
}

/// All rows of a source, or what is wrong with the first that is bad.
pub fn read<D: Record>(source: &dyn Source) -> std::result::Result<Vec<D>, String> {
    let mut rows = Vec::new();
    let scan = scan::<D>();
    let said = |error: dualgauge_engine::Error| error.to_string();
    for partition in source.partitions(&scan).map_err(said)?.partitions {
        let mut reader = source.open(&partition, None, &scan).map_err(said)?;
        loop {
            match reader.next().map_err(said)? {
                Next::Batch(batch) => D::decode(&batch.rows, &mut rows).map_err(|error| error.to_string())?,
                Next::Mixed(_, bad) => return Err(bad[0].reason()),
                Next::Pending => panic!("what is whole is never pending"),
                Next::End => break,
            }
        }
    }
    Ok(rows.into_iter().map(|event| event.data).collect())
}
