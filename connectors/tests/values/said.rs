//! What a record says of its columns reaches every connector, at every depth: units and defaults.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields};
use dualgauge_engine::{Duration, EventTime, record};

use super::*;

const INSTANT: &str = "2024-01-01T00:00:00Z";
const SECONDS: i64 = 1_704_067_200;

#[record]
struct Flat {
    #[event_time]
    #[column(unit = "ms")]
    ts: EventTime,
    #[column(unit = "s")]
    s: EventTime,
    #[column(unit = "us")]
    us: Option<EventTime>,
    #[column(unit = "ns")]
    ns: EventTime,
    #[column(default = 7)]
    number: i64,
    #[column(default = Some("x".into()))]
    text: Option<String>,
}

#[record]
struct Inner {
    #[column(unit = "s")]
    at: EventTime,
    #[column(unit = "ns")]
    many: Vec<EventTime>,
    #[column(unit = "ms")]
    took: Option<Duration>,
    #[column(default = vec![1, 2])]
    numbers: Vec<i64>,
}

#[record]
struct Deep {
    #[event_time]
    #[column(unit = "ms")]
    ts: EventTime,
    inner: Inner,
    list: Vec<Inner>,
    #[column(default = Inner { at: EventTime::MAX, many: vec![], took: None, numbers: vec![] })]
    other: Inner,
}

fn instant() -> EventTime {
    INSTANT.parse().unwrap()
}

fn flat() -> Flat {
    let at = instant();
    Flat { ts: at, s: at, us: Some(at), ns: at, number: 7, text: Some("x".into()) }
}

fn inner() -> Inner {
    Inner { at: instant(), many: vec![instant()], took: Some(Duration::from_micros(1_500_000)), numbers: vec![1, 2] }
}

fn deep() -> Deep {
    let other = Inner { at: EventTime::MAX, many: vec![], took: None, numbers: vec![] };
    Deep { ts: instant(), inner: inner(), list: vec![inner()], other }
}

fn numbers(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn flat_columns() -> RecordBatch {
    let columns = [("ts", 1_000), ("s", 1), ("us", 1_000_000), ("ns", 1_000_000_000)];
    RecordBatch::try_from_iter(columns.map(|(name, of)| (name, numbers(SECONDS * of)))).unwrap()
}

fn deep_columns() -> RecordBatch {
    let mut many = ListBuilder::new(Int64Builder::new());
    many.append_value([Some(SECONDS * 1_000_000_000)]);
    let columns: Vec<(&str, ArrayRef)> =
        vec![("at", numbers(SECONDS)), ("many", Arc::new(many.finish())), ("took", numbers(1_500))];
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let fields: Fields = fields.collect();
    let inner = StructArray::new(fields.clone(), columns.into_iter().map(|(_, column)| column).collect(), None);
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields), true));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([1]), Arc::new(inner.clone()), None);
    let columns: [(&str, ArrayRef); 3] =
        [("ts", numbers(SECONDS * 1_000)), ("inner", Arc::new(inner)), ("list", Arc::new(list))];
    RecordBatch::try_from_iter(columns).unwrap()
}

const FLAT_JSON: &str = r#"{"ts":1704067200000,"s":1704067200,"us":1704067200000000,"ns":1704067200000000000}"#;

#[test]
fn units_and_defaults_of_a_record_reach_every_connector() {
    let csv = "ts,s,us,ns\n1704067200000,1704067200,1704067200000000,1704067200000000000\n";
    let columns = flat_columns();
    for (_dir, source) in [csv_of(csv), json_of(FLAT_JSON), parquet_of(&columns), log_of(&columns)] {
        assert_eq!(read::<Flat>(&*source).unwrap(), [flat()], "{}", source.describe());
    }
}

#[test]
fn units_and_defaults_within_structs_and_lists_reach_every_connector() {
    let inner = r#"{"at":1704067200,"many":[1704067200000000000],"took":1500}"#;
    let json = format!(r#"{{"ts":1704067200000,"inner":{inner},"list":[{inner}]}}"#);
    let columns = deep_columns();
    for (_dir, source) in [json_of(&json), parquet_of(&columns), log_of(&columns)] {
        assert_eq!(read::<Deep>(&*source).unwrap(), [deep()], "{}", source.describe());
    }
}

#[test]
fn a_misspelt_name_is_no_missing_column_with_a_default() {
    let csv = "ts,s,us,ns,Number\n1704067200000,1704067200,,1704067200000000000,3\n";
    let json = FLAT_JSON.replace('}', r#","NUMBER":3}"#);
    let rows = flat_columns();
    let named = |(name, column): (&str, ArrayRef)| (name.to_string(), column);
    let names = ["ts", "s", "us", "ns"].into_iter().zip(rows.columns().iter().cloned()).map(named);
    let rows = RecordBatch::try_from_iter(names.chain([("nuMber".to_string(), numbers(3))])).unwrap();
    for (_dir, source) in [csv_of(csv), json_of(&json), parquet_of(&rows), log_of(&rows)] {
        let error = read::<Flat>(&*source).unwrap_err();
        let said = error.contains("umber") || error.contains("NUMBER") || error.contains("differs by case");
        assert!(said, "{}: {error}", source.describe());
    }
    // Nor is it a missing value of a field that may have none.
    for json in [FLAT_JSON.replace("\"us\"", "\"US\""), FLAT_JSON.replace('}', r#","Text":"y"}"#)] {
        let error = read::<Flat>(&*json_of(&json).1).unwrap_err();
        assert!(error.contains("differs by case"), "{json}: {error}");
    }
    // Beside the right one it is another column.
    let json = FLAT_JSON.replace('}', r#","NUMBER":3,"number":7}"#);
    assert_eq!(read::<Flat>(&*json_of(&json).1).unwrap(), [flat()]);
}

#[test]
fn the_unit_of_a_record_prunes_row_groups_and_moves_their_bounds() {
    let ts: ArrayRef = Arc::new(Int64Array::from(vec![SECONDS * 1_000, SECONDS * 1_000 + 1, SECONDS * 1_000 + 5]));
    #[record]
    struct Only {
        #[event_time]
        #[column(unit = "ms")]
        ts: EventTime,
    }
    let (_dir, source) = parquet_of(&RecordBatch::try_from_iter([("ts", ts)]).unwrap());
    let from = EventTime::from_millis(SECONDS * 1_000 + 1);
    let listing = source.partitions(&Scan { from: Some(from), ..scan::<Only>() }).unwrap();
    let bounds: Vec<_> = listing.partitions.iter().map(|partition| partition.bound.unwrap()).collect();
    assert_eq!(bounds, [from, EventTime::from_millis(SECONDS * 1_000 + 5)]);
    assert_eq!((listing.pruned.len(), listing.notes), (1, vec![]));
}

#[test]
fn a_number_without_a_unit_is_refused_with_its_three_readings() {
    #[record]
    struct Bare {
        #[event_time]
        ts: EventTime,
        inner: Vec<Part>,
    }
    #[record]
    struct Part {
        at: Option<EventTime>,
    }
    for (json, column) in [
        (r#"{"ts":1704067200,"inner":[]}"#.to_string(), "ts"),
        (format!(r#"{{"ts":"{INSTANT}","inner":[{{"at":null}},{{"at":1704067200}}]}}"#), "inner[1].at"),
    ] {
        let error = read::<Bare>(&*json_of(&json).1).unwrap_err();
        let readings =
            ["2024-01-01T00:00:00Z as `s`", "1970-01-20T17:21:07.2Z as `ms`", "1970-01-01T00:28:24.0672Z as `us`"];
        for said in readings.into_iter().chain([column]) {
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}

#[record]
struct Scaled {
    #[event_time]
    ts: EventTime,
    #[column(scale = 2)]
    price: i64,
    #[column(scale = 3, default = Some(-5))]
    tax: Option<i16>,
}

#[test]
fn an_integer_with_a_scale_is_read_and_written_as_the_number_that_it_stands_for() {
    use arrow_array::{Decimal128Array, StringArray, TimestampMicrosecondArray};
    let row = |price, tax| Scaled { ts: instant(), price, tax };
    let ts: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![instant().as_micros()]).with_timezone("UTC"));
    let of = |price: ArrayRef, tax: ArrayRef| {
        RecordBatch::try_from_iter([("ts", ts.clone()), ("price", price), ("tax", tax)]).unwrap()
    };
    let decimal = |units: i128, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![units]).with_precision_and_scale(38, scale).unwrap())
    };
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    for (batch, expected) in [
        (of(decimal(123_400, 4), decimal(7, 3)), row(1_234, Some(7))),
        (of(decimal(12, 0), decimal(-1, 1)), row(1_200, Some(-100))),
        (of(text("12.34"), text("-.005")), row(1_234, Some(-5))),
        (of(numbers(-3), numbers(0)), row(-300, Some(0))),
    ] {
        for (_dir, source) in [parquet_of(&batch), log_of(&batch)] {
            assert_eq!(read::<Scaled>(&*source).unwrap(), std::slice::from_ref(&expected));
        }
    }
    for (text, expected) in [
        (r#""price":12.34,"tax":0.007"#, row(1_234, Some(7))),
        (r#""price":"12.340","tax":null"#, row(1_234, None)),
        (r#""price":-1e1"#, row(-1_000, Some(-5))),
    ] {
        let line = format!("{{\"ts\":\"{INSTANT}\",{text}}}\n");
        assert_eq!(read::<Scaled>(&*json_of(&line).1).unwrap(), [expected], "{line}");
    }
    let csv = format!("ts,price,tax\n{INSTANT},12.34,\n");
    assert_eq!(read::<Scaled>(&*csv_of(&csv).1).unwrap(), [row(1_234, None)]);

    let dir = tempfile::tempdir().unwrap();
    for (sink, source) in text_files(dir.path(), false) {
        write_rows(&*sink, &[row(1_234, Some(7)), row(-5, None)]).unwrap(); // sorted by their text
        assert_eq!(read::<Scaled>(&*source).unwrap(), [row(-5, None), row(1_234, Some(7))], "{}", source.describe());
    }
    let written = fs::read_to_string(dir.path().join("a.jsonl")).unwrap();
    assert!(
        written.contains(r#""price":12.34,"tax":0.007"#) && written.contains(r#""price":-0.05,"tax":null"#),
        "{written}"
    );
    let written = fs::read_to_string(dir.path().join("b.csv")).unwrap();
    assert!(written.contains(",12.34,0.007\n") && written.contains(",-0.05,\n"), "{written}");
    let columns = Scaled::encode([row(1, None)].iter());
    assert_eq!(columns.column(1).data_type(), &DataType::Decimal128(19, 2));
}
