//! The event log against its promises: what was acknowledged is there, in order, once; what is damaged is named; and what
//! a reader has seen stays, whatever the disk and the power do.
//!
//! Faults come from `FaultFs`, a disk in memory, because no real one fails at every operation on request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dualgauge_connectors::log::{Layout, Log, LogReader, LogSink, LogSource, ReadOptions, WriteOptions};
use dualgauge_engine::fs::{Fault, FaultFs, Fs};
use dualgauge_engine::{
    Epoch, ErrorKind, EventTime, Next, Offset, Partition, PartitionReader, Result, Scan, Sink, Source,
};

const DIR: &str = "/log";

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

/// Rows that count on from `first`.
fn rows(first: i64, count: i64) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(first..first + count);
    RecordBatch::try_new(schema(), vec![Arc::new(numbers)]).unwrap()
}

fn create(fs: &FaultFs) -> Log {
    Log::create_on(Arc::new(fs.clone()), DIR, &schema(), 1).unwrap()
}

fn open(fs: &FaultFs) -> Result<Log> {
    Log::open_on(Arc::new(fs.clone()), DIR)
}

fn numbers(batch: &RecordBatch) -> Vec<i64> {
    batch.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// Everything that is committed after `from`, and whether the partition has ended.
fn drain(reader: &mut LogReader) -> Result<(Vec<i64>, bool)> {
    let mut read = Vec::new();
    loop {
        match reader.next()? {
            Next::Batch(batch) => read.extend(numbers(&batch.rows)),
            Next::Pending => return Ok((read, false)),
            Next::End => return Ok((read, true)),
        }
    }
}

fn read_all(log: &Log) -> Result<(Vec<i64>, bool)> {
    drain(&mut log.reader(0, None, ReadOptions::default())?)
}

fn segment(first: u64) -> PathBuf {
    Path::new(DIR).join(format!("p0000/{first:020}.arrows"))
}

fn index(first: u64) -> PathBuf {
    Path::new(DIR).join(format!("p0000/{first:020}.index"))
}

#[test]
fn what_was_committed_is_read_and_what_was_only_appended_is_not() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer(0).unwrap();
    writer.append(&rows(0, 3)).unwrap();
    assert_eq!(read_all(&log).unwrap(), (vec![], false));
    writer.append(&rows(3, 2)).unwrap();
    assert_eq!(writer.commit().unwrap().position, 5);
    assert_eq!(read_all(&log).unwrap(), ((0..5).collect(), false));
}

#[test]
fn segments_roll_and_a_reader_goes_through_them_and_ends_at_the_seal() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer_with(0, WriteOptions { segment_bytes: 1, ..WriteOptions::default() }).unwrap();
    let mut reader = log.reader(0, None, ReadOptions::default()).unwrap();
    for n in 0..4 {
        writer.append(&rows(n, 1)).unwrap();
        writer.commit().unwrap();
        assert_eq!(drain(&mut reader).unwrap(), (vec![n], false));
    }
    writer.seal().unwrap();
    assert_eq!(drain(&mut reader).unwrap(), (vec![], true));
    assert_eq!(read_all(&log).unwrap(), ((0..4).collect(), true));
    drop(writer);
    let mut writer = log.writer(0).unwrap();
    assert!(writer.is_sealed());
    let error = writer.append(&rows(4, 1)).unwrap_err();
    assert!(error.to_string().contains("sealed at offset 4"), "{error}");
}
