//! Columns by name: what is twice there, what differs by case only, and what is missing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use dualgauge_connectors::parquet;
use dualgauge_engine::{EventTime, Next, Record, Result, Source, record};

use crate::support::*;

#[record]
struct Plain {
    id: i64,
    #[event_time]
    time: EventTime,
}

#[record]
struct WithDefault {
    #[column(default = 7)]
    id: i64,
    #[event_time]
    time: EventTime,
}

/// A row with the time and columns of these names, the first with 0, the second with 1 and so on.
fn write_named(path: &Path, names: &[&str]) {
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5]).with_timezone("UTC"));
    let (mut fields, mut columns) = (vec![schema().field(0).clone()], vec![time]);
    for (number, name) in names.iter().enumerate() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![number as i64]));
        fields.push(Field::new(*name, column.data_type().clone(), false));
        columns.push(column);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The ids that a record reads, or why it does not.
fn read<D: Record>(path: &Path, id: impl Fn(&D) -> i64) -> Result<Vec<i64>, String> {
    let scan = dualgauge_engine::Scan { schema: D::schema(), ..scan() };
    let source = parquet::read(path);
    let partitions = source.partitions(&scan).map_err(|error| error.to_string())?.partitions;
    let mut rows = Vec::new();
    for partition in partitions {
        let mut reader = source.open(&partition, None, &scan).unwrap();
        while let Next::Batch(batch) = reader.next().unwrap() {
            D::decode(&batch.rows, &mut rows).map_err(|error| error.to_string())?;
        }
    }
    Ok(rows.iter().map(|row| id(&row.data)).collect())
}

#[test]
fn a_name_counts_as_it_is_written_and_none_is_chosen_of_two() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let hint = "did you mean `Id` (#[column(name = \"Id\")])?";
    for (names, plain, with_default) in [
        (&["id"][..], Ok(0), Ok(0)),
        (&["ID", "id", "Id"], Ok(1), Ok(1)),
        (&["other", "other", "id"], Ok(2), Ok(2)),
        (&["other"], Err("no such column"), Ok(7)),
        (&["Id"], Err(hint), Err(hint)),
        (&["id", "id"], Err("it has column `id` twice"), Err("it has column `id` twice")),
        (&["id", "x", "id"], Err("it has: time, id, x, id"), Err("it has column `id` twice")),
    ] {
        write_named(&path, names);
        let check = |read: Result<Vec<i64>, String>, expected: Result<i64, &str>| match (&read, expected) {
            (Ok(ids), Ok(id)) => assert_eq!(ids, &[id], "{names:?}"),
            (Err(error), Err(said)) => assert!(error.contains(said), "{names:?}: {error}"),
            _ => panic!("{names:?}: {read:?} instead of {expected:?}"),
        };
        check(read::<Plain>(&path, |row| row.id), plain);
        check(read::<WithDefault>(&path, |row| row.id), with_default);
    }
}

#[test]
fn the_name_of_a_missing_event_time_is_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, 0..3, 10, 10);
    let scan = dualgauge_engine::Scan { event_time: "Time".to_owned(), ..scan() };
    let error = parquet::read(&path).partitions(&scan).unwrap_err().to_string();
    assert!(error.contains("there is no column `Time` (did you mean `time`?)"), "{error}");
}
