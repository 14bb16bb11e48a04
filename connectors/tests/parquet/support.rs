//! Rows, files and scans for the tests.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dualgauge_connectors::parquet::{FileOptions, write_file};
use dualgauge_engine::{EventTime, Next, Offset, Partition, PartitionReader, Scan, Source};

/// A time, and a number that tells rows apart.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("id", DataType::Int64, false),
    ]))
}

/// Rows of these times, numbered from `first_id`.
pub fn rows(times: impl IntoIterator<Item = i64>, first_id: i64) -> RecordBatch {
    let times: Vec<i64> = times.into_iter().collect();
    let ids: Int64Array = (first_id..first_id + times.len() as i64).collect();
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
    RecordBatch::try_new(schema(), vec![times, Arc::new(ids)]).unwrap()
}

/// Writes rows of these times, `group` of them in a row group and `page` in a page.
pub fn write(path: &Path, times: impl IntoIterator<Item = i64>, group: usize, page: usize) {
    let options = FileOptions { row_group_rows: group, page_rows: page, ..FileOptions::default() };
    let rows = rows(times, 0);
    write_file(path, &rows.schema(), [rows], &options).unwrap();
}

pub fn at(micros: i64) -> EventTime {
    EventTime::from_micros(micros)
}

/// A scan of both columns.
pub fn scan() -> Scan {
    Scan { schema: schema(), event_time: "time".to_owned(), from: None, to: None, batch_rows: 4 }
}

/// All batches of a reader: the rows, the offset behind them and the bound.
pub fn drain(reader: &mut dyn PartitionReader) -> Vec<(RecordBatch, Offset, EventTime)> {
    let mut batches = Vec::new();
    loop {
        match reader.next().unwrap() {
            Next::Batch(batch) => batches.push((batch.rows, batch.offset_after, batch.bound_after.unwrap())),
            Next::Mixed(_, bad) => panic!("{}", bad[0].reason()),
            Next::Pending => panic!("a file is never pending"),
            Next::End => return batches,
        }
    }
}

/// Reads a partition from its front, or from behind an offset, to its end: the ids.
pub fn ids(source: &dyn Source, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Vec<i64> {
    let batches = drain(source.open(partition, offset, scan).unwrap().as_mut());
    let ids = batches.iter().flat_map(|(rows, ..)| {
        let column = rows.column_by_name("id").unwrap().as_any().downcast_ref::<Int64Array>().unwrap();
        column.values().to_vec()
    });
    ids.collect()
}

/// The names of partitions.
pub fn names(partitions: &[Partition]) -> Vec<&str> {
    partitions.iter().map(|partition| partition.id.0.as_str()).collect()
}
