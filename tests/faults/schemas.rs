//! Columns of one type where a record wants another: what is widened, and what is refused before a row of it is read.
//!
//! Would catch: a value that changes on its way in, and a refusal that does not name the column.

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::*;
use dualgauge::connectors::parquet;
use dualgauge::connectors::parquet::{FileOptions, write_file};
use dualgauge::flow::SourceOptions;
use dualgauge::prelude::*;
use dualgauge::{ErrorKind, Record};

macro_rules! wanted {
    ($($record:ident: $type:ty,)*) => {
        $(
            #[record]
            struct $record {
                #[event_time]
                time: EventTime,
                v: $type,
            }
        )*
    };
}

wanted! {
    I32: i32, I64: i64, U64: u64, F32: f32, F64: f64, Words: String, Truth: bool, Time: EventTime, Long: Duration,
    MaybeI64: Option<i64>, Many: Vec<i64>,
}

/// Reads a file of one row; nothing if it is refused before a row is read, and then by this code and column.
fn read<D: Record>(path: &Path) -> Option<D> {
    let out = memory::collect::<D>();
    let copy = |flow: &Flow<'_>| flow.source::<D>("rows").sink("out");
    let source = Arc::new(parquet::read(path));
    match Job::new(copy).source_with("rows", source, SourceOptions::default()).sink("out", out.clone()).run() {
        Ok(_) => out.rows().pop(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            let error = error.to_string();
            assert!(error.contains("E-SCHEMA") && error.contains("column `v`"), "{error}");
            assert!(out.rows().is_empty());
            None
        }
    }
}

fn file(path: &Path, v: Option<ArrayRef>) {
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![7]).with_timezone("UTC"));
    let columns = [("time", time)].into_iter().chain(v.map(|v| ("v", v)));
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    write_file(path, &rows.schema(), [rows], &FileOptions::default()).unwrap();
}

#[test]
fn a_column_of_another_type_is_widened_or_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.parquet");
    let (mut accepted, mut refused) = (0, 0);
    macro_rules! row {
        ($found:expr => $wanted:ident, refused) => {
            file(&path, Some(Arc::new($found)));
            assert!(read::<$wanted>(&path).is_none(), "{} as {}", stringify!($found), stringify!($wanted));
            refused += 1;
        };
        ($found:expr => $wanted:ident, $value:expr) => {
            file(&path, Some(Arc::new($found)));
            let row = read::<$wanted>(&path);
            let what = format!("{} as {}", stringify!($found), stringify!($wanted));
            assert_eq!(row, Some($wanted { time: EventTime::from_micros(7), v: $value }), "{what}");
            accepted += 1;
        };
    }
    row!(Int8Array::from(vec![-5]) => I32, -5);
    row!(Int16Array::from(vec![-5]) => I64, -5);
    row!(Int32Array::from(vec![5]) => U64, 5);
    row!(Int64Array::from(vec![5]) => I32, 5);
    row!(Int64Array::from(vec![-5]) => I64, -5);
    row!(UInt8Array::from(vec![5]) => I32, 5);
    row!(UInt32Array::from(vec![5]) => I64, 5);
    row!(UInt64Array::from(vec![5]) => I64, 5);
    row!(UInt64Array::from(vec![u64::MAX]) => U64, u64::MAX);
    row!(Int64Array::from(vec![5]) => MaybeI64, Some(5));
    row!(Int64Array::from(vec![None]) => MaybeI64, None);
    row!(Float32Array::from(vec![0.5]) => F32, 0.5);
    row!(Float32Array::from(vec![0.5]) => F64, 0.5);
    row!(Float64Array::from(vec![0.5]) => F64, 0.5);
    row!(StringArray::from(vec!["a"]) => Words, "a".to_string());
    row!(LargeStringArray::from(vec!["a"]) => Words, "a".to_string());
    row!(BooleanArray::from(vec![true]) => Truth, true);
    row!(TimestampMillisecondArray::from(vec![5]) => Time, EventTime::from_micros(5_000));
    row!(TimestampNanosecondArray::from(vec![5_000]) => Time, EventTime::from_micros(5));
    row!(Date32Array::from(vec![1]) => Time, EventTime::from_micros(86_400_000_000));
    row!(DurationMillisecondArray::from(vec![5]) => Long, Duration::from_micros(5_000));
    row!(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), Some(2)])]) => Many, vec![1, 2]);
    row!(Float64Array::from(vec![0.5]) => F32, 0.5);
    row!(Int64Array::from(vec![5]) => F64, 5.0);
    row!(Float64Array::from(vec![5.0]) => I64, refused);
    row!(Int64Array::from(vec![5]) => Words, refused);
    row!(Int64Array::from(vec![1]) => Truth, refused);
    row!(Int64Array::from(vec![5]) => Time, refused);
    row!(Int64Array::from(vec![5]) => Long, refused);
    row!(Int64Array::from(vec![5]) => Many, refused);
    row!(StringArray::from(vec!["5"]) => I64, refused);
    row!(StringArray::from(vec!["0.5"]) => F64, refused);
    row!(StringArray::from(vec!["true"]) => Truth, refused);
    row!(StringArray::from(vec!["1970-01-01T00:00:05Z"]) => Time, EventTime::from_micros(5_000_000));
    row!(BinaryArray::from(vec![&b"a"[..]]) => Words, refused);
    row!(BooleanArray::from(vec![true]) => I64, refused);
    row!(TimestampMillisecondArray::from(vec![5]) => I64, refused);
    row!(TimestampMillisecondArray::from(vec![5]) => Words, refused);
    row!(DurationMillisecondArray::from(vec![5]) => Time, refused);
    row!(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]) => I64, refused);
    println!("{accepted} accepted, {refused} refused");
    assert_eq!(accepted + refused, 40);
    // A column that is not there is told the same way; an option without a default is no exception.
    file(&path, None);
    assert!(read::<I64>(&path).is_none() && read::<MaybeI64>(&path).is_none());
}
