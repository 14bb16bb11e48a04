//! Times, missing values and whole numbers as other people write them, said in the binding or in the record.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::Field;
use dualgauge_connectors::{Written, binding};
use dualgauge_engine::{EventTime, record};

use super::*;

#[record]
struct Flat {
    #[event_time]
    ts: EventTime,
    n: i64,
}

fn instant(text: &str) -> EventTime {
    text.parse().unwrap()
}

/// The file of a source under other words.
fn bound(dir: &TempDir, scheme: &str, options: &str) -> Result<Box<dyn Source>> {
    let name = match scheme {
        "csv" => "a.csv",
        "json" => "a.jsonl",
        "parquet" => "a.parquet",
        _ => "log?follow=false",
    };
    let joint = if scheme == "log" { '&' } else { '?' };
    binding::source(&format!("{scheme}:{}{joint}{options}", dir.path().join(name).display()))
}

/// The same text of a time, or number, in a file of each format.
fn of_each(text: &str, number: bool) -> Vec<(&'static str, Held)> {
    let json = if number { text.to_string() } else { format!("{text:?}") };
    let ts: ArrayRef = match text.parse::<i64>() {
        Ok(count) if number => Arc::new(Int64Array::from(vec![count])),
        _ => Arc::new(StringArray::from(vec![text])),
    };
    let columns =
        RecordBatch::try_from_iter([("ts", ts), ("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    vec![
        ("csv", csv_of(&format!("ts,n\n\"{text}\",1\n"))),
        ("json", json_of(&format!("{{\"ts\":{json},\"n\":1}}\n"))),
        ("parquet", parquet_of(&columns)),
        ("log", log_of(&columns)),
    ]
}

#[test]
fn a_time_is_read_as_the_binding_says_by_every_connector() {
    for (text, number, options, expected) in [
        ("02.01.2024 03:04:05", false, "format=%d.%m.%Y %H:%M:%S", Some("2024-01-02T03:04:05Z")),
        ("02.01.2024 03:04:05", false, "format.ts=%d.%m.%Y %H:%M:%S&zone=Europe/Berlin", Some("2024-01-02T02:04:05Z")),
        ("02/Jan/2024:03:04:05 +0100", false, "format=%d/%b/%Y:%H:%M:%S %z", Some("2024-01-02T02:04:05Z")),
        ("2024-01-02 03:04:05", false, "zone=-05:00", Some("2024-01-02T08:04:05Z")),
        ("20240102", true, "format=%Y%m%d", None), // in columns it is a number
        ("1704164645", true, "unit=s", Some("2024-01-02T03:04:05Z")),
        ("1704164645678", true, "unit.ts=ms", Some("2024-01-02T03:04:05.678Z")),
        ("2024-01-02T03:04:05+0100", false, "unit=ms", Some("2024-01-02T02:04:05Z")),
        ("2024-01-02 03:04:05+01:00", false, "", Some("2024-01-02T02:04:05Z")),
        ("2024-01-02T03:04:05+0100", false, "", Some("2024-01-02T02:04:05Z")),
        ("2024-03-31 02:30:00", false, "zone=Europe/Berlin", None), // no clock showed it
        ("02.13.2024", false, "format=%d.%m.%Y", None),
        ("noon", false, "format=%d.%m.%Y&unit=s", None),
    ] {
        for (scheme, (dir, _)) in of_each(text, number) {
            if number && options.starts_with("format") && ["csv", "json"].contains(&scheme) {
                continue;
            }
            let read = read::<Flat>(&*bound(&dir, scheme, options).unwrap());
            match (read, expected) {
                (Ok(rows), Some(expected)) => {
                    assert_eq!(rows, [Flat { ts: instant(expected), n: 1 }], "{scheme}: {text} {options}");
                }
                (Err(error), None) => assert!(error.contains("`ts`"), "{scheme}: {text} {options}: {error}"),
                (read, _) => panic!("{scheme}: {text} {options}: {read:?} instead of {expected:?}"),
            }
        }
    }
}

#[test]
fn a_text_is_the_same_time_to_every_connector() {
    for (text, options, expected) in [
        ("2024-01-02 03:04:05", "", Some("2024-01-02T03:04:05Z")),
        ("2024-01-02T03:04", "", Some("2024-01-02T03:04:00Z")),
        ("2024-01-02 03:04:05 +0100", "", Some("2024-01-02T02:04:05Z")),
        ("2024-01-02 03:04:05 -01:30", "zone=Europe/Berlin", Some("2024-01-02T04:34:05Z")),
        ("2024-01-02T03:04:05,25Z", "", Some("2024-01-02T03:04:05.25Z")),
        // A second that is put in is the last one of its minute.
        ("2016-12-31T23:59:60Z", "", Some("2016-12-31T23:59:59Z")),
        ("2016-12-31T23:59:60Z", "zone=Europe/Berlin", Some("2016-12-31T23:59:59Z")),
        // A zone that the text names goes before the one that is said.
        ("2024-01-02T03:04:05[Asia/Tokyo]", "", Some("2024-01-01T18:04:05Z")),
        ("2024-01-02T03:04:05[Asia/Tokyo]", "zone=Europe/Berlin", Some("2024-01-01T18:04:05Z")),
        ("2024-01-02T03:04:05[Asia/Tokio]", "zone=Europe/Berlin", None),
        ("9999-12-31T23:00:00-05:00", "zone=Europe/Berlin", Some("253402315200000000us")),
        ("253402315200000000us", "zone=Europe/Berlin", Some("253402315200000000us")),
        ("253402315200000000us", "format=%d.%m.%Y", Some("253402315200000000us")),
        // Digits are a number, also those that could be a date.
        ("20240102", "", None),
        ("20240102", "zone=Europe/Berlin", None),
        ("20240102", "format=%Y%m%d", Some("2024-01-02T00:00:00Z")),
        ("1704164645.5", "format=%s%.f", Some("2024-01-02T03:04:05.5Z")),
        ("-1.5", "format=%s%.f", Some("1969-12-31T23:59:58.5Z")),
    ] {
        for (scheme, (dir, _)) in of_each(text, false) {
            let read = read::<Flat>(&*bound(&dir, scheme, options).unwrap());
            match expected {
                Some(expected) => {
                    assert_eq!(read, Ok(vec![Flat { ts: instant(expected), n: 1 }]), "{scheme}: {text} {options}");
                }
                None => assert!(read.is_err_and(|error| error.contains("`ts`")), "{scheme}: {text} {options}"),
            }
        }
    }
}

#[test]
fn a_format_counts_at_every_depth_in_the_binding_and_in_the_record() {
    #[record]
    struct Said {
        #[column(format = "%d.%m.%Y")]
        day: EventTime,
        #[column(format = "%d.%m.%Y")]
        days: Vec<Option<EventTime>>,
    }
    #[record]
    struct Bare {
        day: EventTime,
        days: Vec<Option<EventTime>>,
    }
    #[record]
    struct OfSaid {
        #[event_time]
        ts: EventTime,
        part: Said,
    }
    #[record]
    struct OfBare {
        #[event_time]
        ts: EventTime,
        part: Bare,
    }
    let json = r#"{"ts":"2024-01-01T00:00:00Z","part":{"day":"02.01.2024","days":["03.01.2024",null]}}"#;
    let mut days = ListBuilder::new(StringBuilder::new());
    days.append_value([Some("03.01.2024"), None]);
    let days: ArrayRef = Arc::new(days.finish());
    let part = StructArray::from(vec![
        (
            Arc::new(Field::new("day", arrow_schema::DataType::Utf8, false)),
            Arc::new(StringArray::from(vec!["02.01.2024"])) as ArrayRef,
        ),
        (Arc::new(Field::new("days", days.data_type().clone(), false)), days),
    ]);
    let ts = TimestampMicrosecondArray::from(vec![instant("2024-01-01").as_micros()]).with_timezone("UTC");
    let columns =
        RecordBatch::try_from_iter([("ts", Arc::new(ts) as ArrayRef), ("part", Arc::new(part) as ArrayRef)]).unwrap();
    let (day, days) = (instant("2024-01-02"), vec![Some(instant("2024-01-03")), None]);
    for (scheme, (dir, source)) in
        [("json", json_of(json)), ("parquet", parquet_of(&columns)), ("log", log_of(&columns))]
    {
        let rows = read::<OfSaid>(&*source).unwrap();
        assert_eq!((rows[0].part.day, &rows[0].part.days), (day, &days), "{scheme}");
        assert!(read::<OfBare>(&*source).unwrap_err().contains("day"), "{scheme}");
        let source = bound(&dir, scheme, "format.part.day=%d.%m.%Y&format.part.days=%d.%m.%Y").unwrap();
        let rows = read::<OfBare>(&*source).unwrap();
        assert_eq!((rows[0].part.day, &rows[0].part.days), (day, &days), "{scheme}");
    }
}

#[test]
fn clocks_without_a_zone_are_in_the_zone_that_is_said() {
    let micros = |text: &str| instant(text).as_micros();
    let clocks = vec![micros("2024-07-01T02:00:00Z"), micros("2024-10-27T02:30:00Z")];
    let columns = |clocks: Vec<i64>| {
        let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..clocks.len() as i64));
        let ts: ArrayRef = Arc::new(TimestampMicrosecondArray::from(clocks));
        RecordBatch::try_from_iter([("ts", ts), ("n", n)]).unwrap()
    };
    let (good, never) = (columns(clocks), columns(vec![micros("2024-03-31T02:30:00Z")]));
    for (scheme, held, none) in
        [("parquet", parquet_of(&good), parquet_of(&never)), ("log", log_of(&good), log_of(&never))]
    {
        let rows = read::<Flat>(&*bound(&held.0, scheme, "zone=Europe/Berlin").unwrap()).unwrap();
        let mut times: Vec<_> = rows.iter().map(|row| row.ts.to_string()).collect();
        times.sort();
        assert_eq!(times, ["2024-07-01T00:00:00Z", "2024-10-27T00:30:00Z"], "{scheme}");
        let error = read::<Flat>(&*bound(&none.0, scheme, "zone=Europe/Berlin").unwrap()).unwrap_err();
        assert!(error.contains("`ts`") && error.contains("Europe/Berlin"), "{scheme}: {error}");
    }
}

#[test]
fn missing_values_and_whole_floats_are_read_as_the_binding_says() {
    #[record]
    struct Row {
        #[event_time]
        ts: EventTime,
        n: i64,
        maybe: Option<u8>,
        text: Option<String>,
        name: String,
    }
    let ts = "2024-01-01T00:00:00Z";
    let csv = |n: &str, maybe: &str, text: &str, name: &str| {
        csv_of(&format!("ts,n,maybe,text,name\n{ts},{n},{maybe},{text},{name}\n"))
    };
    let json = |n: &str, maybe: &str, text: &str, name: &str| {
        json_of(&format!("{{\"ts\":\"{ts}\",\"n\":{n},\"maybe\":{maybe},\"text\":{text},\"name\":{name}}}\n"))
    };
    let options = "null=NA,-&whole_floats=true";
    let row = |n, maybe, text: Option<&str>| Row {
        ts: instant(ts),
        n,
        maybe,
        text: text.map(str::to_string),
        name: "a".into(),
    };
    for (scheme, (dir, source), expected) in [
        ("csv", csv("1.0", "NA", "-", "a"), row(1, None, None)),
        ("csv", csv("1e3", "-", "\"NA\"", "a"), row(1_000, None, Some("NA"))),
        ("csv", csv("-0.00", "", "\"\"", "a"), row(0, None, Some(""))),
        ("json", json("1.0", "\"NA\"", "\"-\"", "\"a\""), row(1, None, None)),
        ("json", json("1e3", "3.0", "\"NAN\"", "\"a\""), row(1_000, Some(3), Some("NAN"))),
    ] {
        assert_eq!(read::<Row>(&*bound(&dir, scheme, options).unwrap()), Ok(vec![expected]), "{scheme}");
        let plain = read::<Row>(&*source);
        assert!(plain.is_err(), "{scheme}: it is an option: {plain:?}");
    }
    for (scheme, (dir, _), path) in [
        ("csv", csv("1.5", "", "", "a"), "`n`"),
        ("csv", csv("NA", "", "", "a"), "`n`"),
        ("csv", csv("1", "256.0", "", "a"), "`maybe`"),
        ("csv", csv("1", "", "", "NA"), "`name`"),
        ("json", json("9223372036854775808.0", "1", "null", "\"a\""), "`n`"),
        ("json", json("1", "1", "null", "\"-\""), "`name`"),
    ] {
        let error = read::<Row>(&*bound(&dir, scheme, options).unwrap()).unwrap_err();
        assert!(error.contains(path), "{scheme}: {error}");
    }
    // Columns of floats that a missing value made of whole numbers.
    let columns = |n: f64| {
        let ts: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![instant(ts).as_micros()]).with_timezone("UTC"));
        RecordBatch::try_from_iter([("ts", ts), ("n", Arc::new(Float64Array::from(vec![n])) as ArrayRef)]).unwrap()
    };
    for (n, expected) in [(3.0, Ok(3)), (3.5, Err("`n`")), (1e300, Err("`n`")), (f64::NAN, Err("`n`"))] {
        for (scheme, (dir, source)) in [("parquet", parquet_of(&columns(n))), ("log", log_of(&columns(n)))] {
            assert!(read::<Flat>(&*source).is_err(), "{scheme}: it is an option");
            match (read::<Flat>(&*bound(&dir, scheme, "whole_floats=true").unwrap()), expected) {
                (Ok(rows), Ok(expected)) => assert_eq!(rows[0].n, expected, "{scheme}"),
                (Err(error), Err(said)) => assert!(error.contains(said), "{scheme}: {error}"),
                (read, _) => panic!("{scheme}: {n}: {read:?}"),
            }
        }
    }
}

#[test]
fn what_cannot_be_said_of_a_column_is_refused_by_name() {
    let (dir, _) = csv_of("ts,n\n2024-01-01T00:00:00Z,1\n");
    for (options, said) in [
        ("unit=h", "option `unit`: `h` is not a unit of time"),
        ("format=%H", "option `format`: `%H` is no format of a time"),
        ("zone=Mars/Base", "option `zone`: `Mars/Base` is no time zone"),
        ("null.n=NA", "write null="),
        ("whole_floats=yes", "`yes` is not true or false"),
    ] {
        let error = bound(&dir, "csv", options).err().expect(options).to_string();
        assert!(error.contains(said), "{options}: {error}");
    }
    for (options, said) in [
        ("format.tss=%Y-%m-%d", "there is no such column (did you mean `ts`?); there are ts, n"),
        ("format.n=%Y-%m-%d", "`format.n`: nothing such can be said of a column of Int64"),
    ] {
        let error = bound(&dir, "csv", options).unwrap().partitions(&scan::<Flat>()).unwrap_err().to_string();
        assert!(error.contains(said), "{options}: {error}");
    }
    let written = Written::default().unit_of("ts", "ms").null("NA");
    assert_ne!(
        csv::read("a").written(written).basis(),
        csv::read("a").basis(),
        "a resume by other words is another one"
    );
}
