//! Each number is checked at its own width, at every depth, by every connector: what does not fit is a bad record, and
//! what cannot be written is an error with its name; nothing is cut, wrapped or written as the text of an error.

use std::sync::Arc;

use ::parquet::data_type::{Int96, Int96Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampSecondArray, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{Field, Fields};
use dualgauge_engine::{Decimal, Duration, Durations, EventTime, record};

use super::*;

const TS: &str = "2024-01-01T00:00:00Z";

/// The places of a value in a record, in JSON, and the path by which an error names each.
const PLACES: [(&str, &str); 6] = [
    ("V", "v"),
    ("PART", "part.v"),
    ("LIST", "parts[1].v"),
    ("MAYBE", "maybe.v"),
    ("ITEM", "values[1]"),
    ("DEEP", "lists[0].deep.v"),
];

/// A line in which one place has one value, and the others another one.
fn line(place: &str, value: &str, good: &str) -> String {
    let line = r#"{"ts":"TS","v":<V>,"part":{"v":<PART>},"parts":[{"v":<V0>},{"v":<LIST>}],"maybe":{"v":<MAYBE>},"values":[null,<ITEM>],"lists":[{"deep":{"v":<DEEP>}}]}"#;
    let line = line.replace("TS", TS).replace(&format!("<{place}>"), value);
    PLACES.iter().fold(line.replace("<V0>", good), |line, (place, _)| line.replace(&format!("<{place}>"), good))
}

/// The same of columns: the second of two values stands in one place, the first one in the others.
fn rows(place: &str, values: &ArrayRef) -> RecordBatch {
    let (good, bad) = (values.slice(0, 1), values.slice(1, 1));
    let at = |here: &str| if here == place { bad.clone() } else { good.clone() };
    let of = |columns: Vec<(&str, ArrayRef)>| -> ArrayRef {
        let fields: Fields =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        Arc::new(StructArray::new(fields, columns.into_iter().map(|(_, column)| column).collect(), None))
    };
    let list = |items: ArrayRef| -> ArrayRef {
        let item = Arc::new(Field::new_list_field(items.data_type().clone(), true));
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([items.len()]), items, None))
    };
    let both = |place: &str| if at(place).to_data() == bad.to_data() { values.clone() } else { good.clone() };
    let ts: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_704_067_200]));
    let columns = vec![
        ("ts", ts),
        ("v", at("V")),
        ("part", of(vec![("v", at("PART"))])),
        ("parts", list(of(vec![("v", both("LIST"))]))),
        ("maybe", of(vec![("v", at("MAYBE"))])),
        ("values", list(both("ITEM"))),
        ("lists", list(of(vec![("deep", of(vec![("v", at("DEEP"))]))]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Reads wrong values of a type at every depth, and a good one.
macro_rules! at_every_depth {
    ($type:ty, $(#[$said:meta])? $good:literal, texts: [$($text:literal),*], columns: [$($column:expr),*]) => {{
        #[record]
        struct Part { $(#[$said])? v: $type }
        #[record]
        struct Deep { deep: Part }
        #[record]
        struct Row {
            #[event_time]
            ts: EventTime,
            $(#[$said])?
            v: $type,
            part: Part,
            parts: Vec<Part>,
            maybe: Option<Part>,
            $(#[$said])?
            values: Vec<Option<$type>>,
            lists: Vec<Deep>,
        }
        #[record]
        struct Flat {
            #[event_time]
            ts: EventTime,
            $(#[$said])?
            v: $type,
        }
        let name = stringify!($type);
        let good = line("", "", $good);
        assert_eq!(read::<Row>(&*json_of(&good).1).map(|rows| rows.len()), Ok(1), "{name}: {good}");
        for (place, path) in PLACES {
            for text in [$($text),*] {
                let error = read::<Row>(&*json_of(&line(place, text, $good)).1).expect_err(&format!("{name} {path} {text}"));
                assert!(error.contains(&format!("`{path}`")), "{name}, {path}, {text}: {error}");
            }
            let columns: Vec<ArrayRef> = vec![$(Arc::new($column)),*];
            for column in columns {
                let path = path.split('[').next().unwrap();
                for (_dir, source) in [parquet_of(&rows(place, &column)), log_of(&rows(place, &column))] {
                    let error = read::<Row>(&*source).expect_err(&format!("{name} {path} {column:?}"));
                    // A type that is wrong is so of every column, and the first is named.
                    let named = error.contains(&format!("`{path}")) || error.contains("found a column of type");
                    assert!(named, "{name}, {path}, {column:?}: {error}");
                }
            }
        }
        let csv = |text: &str| read::<Flat>(&*csv_of(&format!("ts,v\n{TS},{text}\n")).1);
        assert_eq!(csv($good).map(|rows| rows.len()), Ok(1), "{name}: {}", $good);
        for text in [$($text),*] {
            let error = csv(text).expect_err(&format!("{name} {text}"));
            assert!(error.contains("`v`"), "{name}, {text}: {error}");
        }
    }};
}

fn decimals(scale: i8, units: [i128; 2]) -> Decimal128Array {
    Decimal128Array::from(units.to_vec()).with_precision_and_scale(38, scale).unwrap()
}

#[test]
fn what_does_not_fit_is_refused_by_its_place_at_every_depth_of_every_format() {
    at_every_depth!(i64, "1", texts: ["1.5", "1e3", "9223372036854775808", "\"x\"", "true"],
        columns: [UInt64Array::from(vec![1, u64::MAX]), Float64Array::from(vec![1.0, 1.5]), StringArray::from(vec!["1", "x"])]);
    at_every_depth!(u8, "1", texts: ["256", "-1", "0.5"], columns: [Int64Array::from(vec![1, 256]), Int64Array::from(vec![1, -1])]);
    at_every_depth!(i32, "1", texts: ["2147483648"], columns: [Int64Array::from(vec![1, 1 << 31])]);
    at_every_depth!(f32, "1.5", texts: ["1e39", "-1e400", "\"x\""], columns: [Float64Array::from(vec![1.5, 1e39])]);
    at_every_depth!(f64, "1.5", texts: ["1e400", "-1e400", "\"1,5\""], columns: [Int64Array::from(vec![1, i64::MAX])]);
    at_every_depth!(bool, "true", texts: ["1", "\"yes\""], columns: [Int64Array::from(vec![1, 1])]);
    at_every_depth!(Decimal<2>, "1.50", texts: ["1.505", "1e40"], columns: [StringArray::from(vec!["1.5", "1.505"])]);
    at_every_depth!(i64, #[column(scale = 2)] "12.34",
        texts: ["12.345", "92233720368547758.08", "-92233720368547758.09", "1e-3", "1e30", "\"x\"", "true"],
        columns: [decimals(3, [12_340, 12_345]), decimals(0, [1, 1 << 62]), StringArray::from(vec!["12.34", "12.345"]),
            UInt64Array::from(vec![1, u64::MAX]), Float64Array::from(vec![12.5, 12.5])]);
    at_every_depth!(u8, #[column(scale = 1)] "25.5", texts: ["25.6", "-0.1", "0.25"],
        columns: [decimals(1, [255, 256]), decimals(1, [0, -1]), Int64Array::from(vec![25, 26])]);
    at_every_depth!(EventTime, "\"2024-01-01T00:00:00Z\"", texts: ["1704067200", "\"2024-13-01T00:00:00Z\"", "\"noon\""],
        columns: [TimestampSecondArray::from(vec![1, i64::MAX]), TimestampMillisecondArray::from(vec![1, i64::MIN]),
            Int64Array::from(vec![1, 1]), StringArray::from(vec!["2024-01-01", "noon"])]);
    at_every_depth!(EventTime, #[column(unit = "s")] "1704067200", texts: ["9223372036854775807", "1e3", "true"],
        columns: [Int64Array::from(vec![1, i64::MAX]), BooleanArray::from(vec![true, true])]);
    at_every_depth!(Duration, "\"PT1.5S\"", texts: ["1", "\"soon\"", "\"PT9223372036854775807S\""], columns: [Int64Array::from(vec![1, 1])]);
    at_every_depth!(Duration, #[column(unit = "ms")] "1500", texts: ["9223372036854775807", "1e3"],
        columns: [Int64Array::from(vec![1, i64::MAX])]);
}

#[test]
fn a_missing_value_is_refused_at_every_depth_where_it_may_not_be() {
    #[record]
    struct Part {
        v: i64,
    }
    #[record]
    struct Row {
        #[event_time]
        ts: EventTime,
        part: Part,
        parts: Vec<Part>,
        maybe: Option<Part>,
        values: Vec<i64>,
    }
    let good = format!(r#"{{"ts":"{TS}","part":{{"v":1}},"parts":[{{"v":1}}],"maybe":null,"values":[1]}}"#);
    assert_eq!(read::<Row>(&*json_of(&good).1).unwrap().len(), 1);
    for (from, to, path) in [
        (r#""part":{"v":1}"#, r#""part":{"v":null}"#, "part.v"),
        (r#""part":{"v":1}"#, r#""part":{}"#, "part.v"),
        (r#""part":{"v":1}"#, r#""part":null"#, "part"),
        (r#"[{"v":1}]"#, r#"[{"v":1},{"w":2}]"#, "parts[1].v"),
        (r#"[{"v":1}]"#, "[null]", "parts[0]"),
        (r#""maybe":null"#, r#""maybe":{}"#, "maybe.v"),
        ("[1]", "[1,null]", "values[1]"),
        ("[1]", "null", "values"),
    ] {
        let error = read::<Row>(&*json_of(&good.replace(from, to)).1).expect_err(to);
        assert!(error.contains(&format!("`{path}`")), "{to}: {error}");
    }
}

/// A file with a column of INT96, within a struct too: the days since 1970 of two rows, and microseconds.
fn int96(days: &[(i32, i64)]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let schema = "message m { required int96 ts; required int64 n; required group part { required int96 at; } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(fs::File::create(&path).unwrap(), schema, properties).unwrap();
    let times: Vec<Int96> = days
        .iter()
        .map(|(day, micros)| {
            let (mut time, nanos) = (Int96::new(), micros * 1_000);
            time.set_data(nanos as u32, (nanos >> 32) as u32, (day + 2_440_588) as u32);
            time
        })
        .collect();
    let mut group = writer.next_row_group().unwrap();
    let mut column = 0;
    while let Some(mut leaf) = group.next_column().unwrap() {
        if column == 1 {
            let numbers: Vec<i64> = (0..days.len() as i64).collect();
            leaf.typed::<::parquet::data_type::Int64Type>().write_batch(&numbers, None, None).unwrap();
        } else {
            leaf.typed::<Int96Type>().write_batch(&times, None, None).unwrap();
        }
        leaf.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
    (dir, path)
}

/// A struct with a time of INT96 in it.
#[record]
struct Part {
    at: EventTime,
}

#[test]
fn int96_is_read_as_the_time_that_it_is() {
    #[record]
    struct Row {
        #[event_time]
        ts: EventTime,
        n: i64,
        part: Part,
    }
    let times = ["9999-12-31T23:59:59.999999Z", "2024-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", "1677-01-01"];
    let times = times.map(|time| time.parse::<EventTime>().unwrap());
    let day = 86_400_000_000;
    let days = times.map(|time| (time.as_micros().div_euclid(day) as i32, time.as_micros().rem_euclid(day)));
    let (_dir, path) = int96(&days);
    let source = parquet::read(path);
    let listed = source.partitions(&scan::<Row>()).unwrap().partitions;
    assert_eq!((listed[0].bound, listed[0].upper), (Some(times[2]), Some(times[0])));
    let rows = read::<Row>(&source).unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.ts, row.n, row.part.at)).collect::<Vec<_>>(),
        [(times[0], 0, times[0]), (times[1], 1, times[1]), (times[2], 2, times[2]), (times[3], 3, times[3]),]
    );
}

#[test]
fn int96_that_no_microseconds_hold_is_an_error_and_no_other_time() {
    #[record]
    struct Row {
        #[event_time]
        ts: EventTime,
        part: Part,
    }
    #[record]
    struct Inner {
        part: Part,
    }
    for day in [200_000_000, -200_000_000] {
        let (_dir, path) = int96(&[(0, 0), (day, 0)]);
        let error = read::<Row>(&parquet::read(&path)).unwrap_err();
        assert!(error.contains("`ts` has a time of INT96"), "{error}");
        let error = read::<Inner>(&parquet::read(&path)).unwrap_err();
        assert!(error.contains("`part` has a time of INT96"), "{error}");
    }
}

#[test]
fn what_text_cannot_say_is_refused_by_column_row_and_value_and_nothing_is_written() {
    #[record]
    struct Part {
        at: Option<EventTime>,
    }
    #[record]
    struct Nested {
        #[event_time]
        ts: EventTime,
        part: Part,
        parts: Vec<Part>,
    }
    #[record]
    struct Flat {
        #[event_time]
        ts: EventTime,
        at: Option<EventTime>,
    }
    let good = TS.parse::<EventTime>().unwrap();
    let beyond = [
        EventTime::MAX,
        EventTime::MIN,
        "9999-12-30T22:00:00.999999Z".parse::<EventTime>().unwrap() + 2.days(),
        "0000-01-01".parse::<EventTime>().unwrap() - Duration::from_micros(1),
    ];
    let part = |at| Part { at };
    for time in beyond {
        let dir = tempfile::tempdir().unwrap();
        for (sink, _) in text_files(dir.path(), false) {
            for (row, column) in [(Flat { ts: time, at: None }, "`ts`"), (Flat { ts: good, at: Some(time) }, "`at`")] {
                let rows = [Flat { ts: good, at: Some(good) }, row];
                let error = write_rows(&*sink, &rows).unwrap_err().to_string();
                for said in [column, "row 1", time.to_string().as_str(), "cannot be written as text"] {
                    assert!(error.contains(said), "{}: {said}: {error}", sink.describe());
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        for (sink, _) in text_files(dir.path(), true) {
            for (row, column) in [
                (Nested { ts: good, part: part(Some(time)), parts: vec![] }, "`part.at`"),
                (Nested { ts: good, part: part(None), parts: vec![part(None), part(Some(time))] }, "`parts[1].at`"),
            ] {
                let error = write_rows(&*sink, &[row]).unwrap_err().to_string();
                assert!(error.contains(column) && error.contains("row 0"), "{error}");
            }
        }
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(
            left.iter().all(|name| !name.to_string_lossy().contains('.') || name.to_string_lossy().contains("staging")),
            "{left:?}"
        );
    }
    // What stands under a null is nobody's.
    let hidden = TimestampMicrosecondArray::new(vec![i64::MAX].into(), Some(vec![false].into())).with_timezone("UTC");
    let rows = RecordBatch::try_new(
        Flat::schema(),
        vec![Flat::encode([&Flat { ts: good, at: None }].into_iter()).column(0).clone(), Arc::new(hidden)],
    );
    let dir = tempfile::tempdir().unwrap();
    for (sink, _) in text_files(dir.path(), false) {
        let mut writer = sink.open(0, &Flat::schema(), &Writing::default()).unwrap();
        writer.write(&[good], rows.as_ref().unwrap()).unwrap();
    }
}
