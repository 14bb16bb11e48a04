//! Files of other writers: the same ten rows by pyarrow, DuckDB and Polars, in every shape that matters; `fixtures/make.py` says
//! what is in them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use dualgauge_connectors::parquet;
use dualgauge_engine::columns::UNIT;
use dualgauge_engine::{EventTime, Offset, Scan, Source};

use crate::support::*;

const STEPS: [i64; 10] = [0, 3, 1, 2, -5, 20, 7, 8, 30, 29];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The event time `seconds` after the base of the fixtures.
fn second(seconds: i64) -> EventTime {
    at((1_767_225_600 + seconds) * 1_000_000)
}

/// A scan of all three columns.
fn scan_all() -> Scan {
    let time = Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let columns = vec![time, Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, true)];
    Scan { schema: Arc::new(Schema::new(columns)), ..scan() }
}

/// The ranges of the row groups in order of the file, in seconds after the base, and the notes.
fn ranges(name: &str, scan: &Scan) -> (Vec<(i64, i64)>, Vec<String>) {
    let mut listing = parquet::read(fixture(name)).partitions(scan).unwrap();
    listing.partitions.sort_by_key(|partition| partition.id.clone());
    let base = second(0).as_micros();
    let seconds = |time: Option<EventTime>| (time.unwrap().as_micros() - base) as f64 / 1e6;
    let whole = |time| {
        let seconds: f64 = seconds(time);
        assert_eq!(seconds.fract(), 0.0, "{name}");
        seconds as i64
    };
    let ranges = listing.partitions.iter().map(|partition| (whole(partition.bound), whole(partition.upper)));
    (ranges.collect(), listing.notes)
}

fn all_ids(name: &str, scan: &Scan) -> Vec<i64> {
    let source = parquet::read(fixture(name));
    let mut listing = source.partitions(scan).unwrap();
    listing.partitions.sort_by_key(|partition| partition.id.clone());
    listing.partitions.iter().flat_map(|partition| ids(&source, partition, None, scan)).collect()
}

#[test]
fn times_of_every_unit_are_microseconds() {
    for name in ["pyarrow-s.parquet", "pyarrow-ms.parquet", "pyarrow-us.parquet", "pyarrow-ns.parquet"] {
        assert_eq!(ranges(name, &scan()), (vec![(0, 3), (-5, 20), (29, 30)], vec![]), "{name}");
        assert_eq!(all_ids(name, &scan_all()), (0..10).collect::<Vec<_>>(), "{name}");
    }
    let day = 86_400;
    assert_eq!(ranges("pyarrow-days.parquet", &scan()), (vec![(-5 * day, 30 * day)], vec![]));
}

#[test]
fn integers_count_what_the_record_says() {
    let name = "pyarrow-integer-ms.parquet";
    let field = Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let saying = |unit: &str| {
        let field = field.clone().with_metadata([(UNIT.to_owned(), unit.to_owned())].into());
        Scan { schema: Arc::new(Schema::new(vec![field, Field::new("id", DataType::Int64, false)])), ..scan() }
    };
    assert_eq!(ranges(name, &saying("ms")), (vec![(0, 3), (-5, 20), (29, 30)], vec![]));
    let error = parquet::read(fixture(name)).partitions(&saying("hours")).unwrap_err().to_string();
    assert!(error.contains("`hours` is not a unit"), "{error}");

    // Without a word on the unit nothing may be left out.
    let silent = Scan { from: Some(second(1_000)), ..scan() };
    let listing = parquet::read(fixture(name)).partitions(&silent).unwrap();
    assert_eq!((listing.partitions.len(), listing.pruned.len()), (3, 0));
    assert!(listing.partitions.iter().all(|partition| partition.bound == Some(EventTime::MIN)));
    assert!(listing.notes[0].contains("nothing says what the integers of `time` count"), "{:?}", listing.notes);
}

#[test]
fn without_statistics_the_column_is_scanned_and_a_note_says_so() {
    for (name, groups) in [("pyarrow-no-statistics.parquet", 3), ("pyarrow-int96.parquet", 3)] {
        let (ranges, notes) = ranges(name, &scan());
        assert_eq!(ranges, [(0, 3), (-5, 20), (29, 30)], "{name}");
        assert_eq!(notes.len(), 1, "{name}");
        assert!(notes[0].contains(&format!("{groups} row groups have no statistics of `time`")), "{notes:?}");
    }
}

#[test]
fn every_shape_of_pages_and_columns_is_read() {
    for name in [
        "pyarrow-int96.parquet",
        "pyarrow-no-statistics.parquet",
        "pyarrow-page-index.parquet",
        "pyarrow-v2-zstd.parquet",
        "pyarrow-dictionary.parquet",
        "pyarrow-no-name.parquet",
        "pyarrow-other-order.parquet",
        "pyarrow-null-times.parquet",
        "duckdb-tz-snappy.parquet",
        "duckdb-tz-zstd.parquet",
        "duckdb-us-snappy.parquet",
        "duckdb-us-zstd.parquet",
        "polars-int128.parquet",
    ] {
        assert_eq!(all_ids(name, &scan_all()), (0..10).collect::<Vec<_>>(), "{name}");
        let source = parquet::read(fixture(name));
        let partition = source.partitions(&scan_all()).unwrap().partitions.remove(0);
        let rows = partition.rows.unwrap() as i64;
        let first = ids(&source, &partition, None, &scan_all())[0];
        for position in 0..=rows {
            let offset = Offset::at(position as u64);
            let expected: Vec<_> = (first + position..first + rows).collect();
            assert_eq!(ids(&source, &partition, Some(&offset), &scan_all()), expected, "{name} behind row {position}");
        }
    }
}

#[test]
fn the_page_index_of_another_writer_moves_the_bound() {
    let source = parquet::read(fixture("pyarrow-page-index.parquet"));
    let scan = Scan { batch_rows: 2, ..scan() };
    let partition = source.partitions(&scan).unwrap().partitions.remove(0);
    let bounds: Vec<_> =
        drain(source.open(&partition, None, &scan).unwrap().as_mut()).iter().map(|(_, _, bound)| *bound).collect();
    let after = |rows: usize| STEPS[rows..].iter().min().map_or(EventTime::MAX, |seconds| second(*seconds));
    assert_eq!(bounds, [2, 4, 6, 8, 10].map(after));

    // And it tells which rows of the group are worth decoding.
    let late = Scan { from: Some(second(25)), ..scan };
    assert_eq!(ids(&source, &partition, None, &late), [8, 9]);
}

#[test]
fn a_group_that_is_sorted_by_event_time_moves_the_bound_by_what_was_read() {
    let source = parquet::read(fixture("pyarrow-sorted.parquet"));
    let scan = Scan { batch_rows: 3, ..scan() };
    let partition = source.partitions(&scan).unwrap().partitions.remove(0);
    let batches = drain(source.open(&partition, None, &scan).unwrap().as_mut());
    let bounds: Vec<_> = batches.iter().map(|(_, _, bound)| *bound).collect();
    assert_eq!(bounds, [1, 7, 29, 30].map(second));
}

#[test]
fn files_without_rows_or_times_are_no_trouble() {
    let (ranges, notes) = ranges("pyarrow-empty.parquet", &scan());
    assert_eq!((ranges.len(), notes.len()), (0, 0));
    let source = parquet::read(fixture("pyarrow-null-times.parquet"));
    let listing = source.partitions(&Scan { from: Some(second(0)), ..scan() }).unwrap();
    assert_eq!(listing.partitions.len(), 1, "its rows are bad records, and not for the source to hide");
}

#[test]
fn files_of_different_schemas_are_one_source() {
    let source = parquet::read(fixture("pyarrow-*.parquet"));
    // A text may hold a time; a column that is not there in one of the files cannot be the event time of all.
    let error = source.partitions(&Scan { event_time: "name".to_owned(), ..scan() }).unwrap_err().to_string();
    assert!(error.contains("E-SCHEMA: there is no column `name`") && error.contains("the event time"), "{error}");
    let source = parquet::read(fixture("pyarrow-*.parquet"));
    let listing = source.partitions(&scan_all()).unwrap();
    let rows: usize = listing.partitions.iter().map(|partition| ids(&source, partition, None, &scan_all()).len()).sum();
    assert_eq!(rows, 15 * 10);
    assert!(listing.partitions.is_sorted_by_key(|partition| partition.bound));
}
