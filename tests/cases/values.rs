//! Values as other people's files have them: units, defaults, far times, lengths of time.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use dualgauge::connectors::parquet::{FileOptions, write_file};

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("the_unit_of_a_record_counts_in_every_format", units),
    ("a_default_of_a_record_counts_in_every_format", defaults),
    ("a_number_without_a_unit_is_refused_with_its_readings", no_unit),
    ("what_is_no_plain_number_or_line_is_told_as_what_it_is", floats_of_time),
    ("the_text_of_an_error_is_never_written", far_times),
    ("times_are_read_as_people_write_them", written),
    ("a_time_made_of_fields_is_late_or_bad_as_any", made),
    ("a_length_of_time_within_a_record_is_read_as_it_is_written", lengths),
];

const MILLIS: i64 = 1_704_067_200_000;
const LINE: &str = "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}\n";

fn parquet(dir: &Dir, name: &str, ts: ArrayRef) {
    let key: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let rows =
        RecordBatch::try_from_iter([("key", key), ("value", Arc::new(Int64Array::from(vec![1])) as _), ("ts", ts)]);
    let rows = rows.unwrap();
    write_file(dir.path(name), &rows.schema(), [rows], &FileOptions::default()).unwrap();
}

fn units() {
    let dir = Dir::new();
    dir.write("a.csv", format!("key,value,ts\na,1,{MILLIS}\n"));
    dir.write("a.jsonl", format!("{{\"key\":\"a\",\"value\":1,\"ts\":{MILLIS}}}\n"));
    parquet(&dir, "a.parquet", Arc::new(Int64Array::from(vec![MILLIS])));
    for source in ["in=csv:a.csv", "in=json:a.jsonl", "in=parquet:a.parquet"] {
        let ran = dir.run("ev_ms", &["run", "-q", "--source", source, "--sink", "out=json:-"]);
        assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (Some(0), "", LINE), "{source}");
    }
    let ran = dir.run("ev_ms", &["plan", "--source", "in=parquet:a.parquet", "--from", "2024-01-02"]);
    assert!(ran.code == Some(0) && !ran.out.contains("nothing says"), "{} {}", ran.out, ran.err);
}

fn defaults() {
    let dir = Dir::new();
    dir.write("a.csv", "key,ts\na,2024-01-01T00:00:00Z\n");
    dir.write("a.jsonl", "{\"key\":\"a\",\"ts\":\"2024-01-01T00:00:00Z\"}\n");
    for source in ["in=csv:a.csv", "in=json:a.jsonl"] {
        let ran = dir.run("ev_default", &["run", "-q", "--source", source, "--sink", "out=json:-"]);
        assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (Some(0), "", LINE), "{source}");
        let ran = dir.run("ev", &["run", "-q", "--source", source, "--sink", "out=json:-"]);
        assert!(ran.code == Some(1) && ran.err.contains("value"), "{source}: {}", ran.err);
    }
}

fn no_unit() {
    let dir = Dir::new();
    dir.write("a.csv", format!("key,value,ts\na,1,{MILLIS}\n"));
    dir.write("a.jsonl", format!("{{\"key\":\"a\",\"value\":1,\"ts\":{MILLIS}}}\n"));
    for source in ["in=csv:a.csv", "in=json:a.jsonl"] {
        let ran = dir.run("ev", &["run", "-q", "--source", source, "--sink", "out=json:-"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{source}");
        for said in ["2024-01-01T00:00:00Z as `ms`", "1970-01-20T17:21:07.2Z as `us`", "as `s`"] {
            assert!(ran.err.contains(said), "{source}: {said}: {}", ran.err);
        }
    }
}

fn floats_of_time() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1,1.7040672e+12\n");
    dir.write("a.jsonl", "{\"key\":\"a\",\"value\":1,\"ts\":1.7040672e+12}\n");
    for source in ["in=csv:a.csv", "in=json:a.jsonl"] {
        let ran = dir.run("ev_ms", &["run", "-q", "--source", source, "--sink", "out=json:-"]);
        assert!(ran.code == Some(1) && ran.err.contains("expected a number in plain digits"), "{source}: {}", ran.err);
    }
    dir.write("b.jsonl", "[\n{\"key\":\"a\"}\n]\n");
    let ran = dir.run("ev_ms", &["run", "-q", "--source", "in=json:b.jsonl", "--sink", "out=json:-"]);
    assert!(ran.code == Some(1) && ran.err.contains("the file is one JSON array"), "{}", ran.err);
}

fn far_times() {
    let dir = Dir::new();
    parquet(&dir, "a.parquet", Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX - 1])));
    for sink in ["out=json:out.jsonl", "out=csv:out.csv", "out=json:-", "out=csv:-"] {
        let ran = dir.run("ev", &["run", "-q", "--source", "in=parquet:a.parquet", "--sink", sink]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{sink}: {}", ran.err);
        for said in ["column `ts`", "9223372036854775806us"] {
            assert!(ran.err.contains(said), "{sink}: {said}: {}", ran.err);
        }
    }
    assert!(!dir.list("").iter().any(|name| name == "out.jsonl" || name == "out.csv"));
}

fn written() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1.0,01.01.2024 01:00:00\nNA,2,02.01.2024 00:00:00\n");
    let source = "in=csv:a.csv?format.ts=%d.%m.%Y %H:%M:%S&zone=Europe/Berlin&null=NA&whole_floats=true&bad=drop";
    let ran = dir.run("ev", &["run", "-q", "--source", source, "--sink", "out=json:-"]);
    assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (Some(0), "", LINE));
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv?format.tz=%d", "--sink", "out=json:-"]);
    assert!(ran.code == Some(2) && ran.err.contains("is no format of a time"), "{:?}: {}", ran.code, ran.err);
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv?format.tz=%Y-%m-%d", "--sink", "out=json:-"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean `ts`?"), "{:?}: {}", ran.code, ran.err);
}

fn made() {
    let run = |options: &str| {
        let dir = Dir::new();
        dir.write("a.csv", "key,day,second\na,2024-01-01,5\na,never,5\na,2024-01-01,7200\na,2024-01-01,6\n");
        let source = format!("in=csv:a.csv?{options}");
        let words = ["run", "-q", "--source", &source, "--sink", "out=csv:-", "--sink", "late=json:late.jsonl"];
        let ran = dir.run("made_hours", &words);
        let late = std::fs::read_to_string(dir.path("late.jsonl")).unwrap_or_default();
        (ran, late.lines().count())
    };
    let first = "a,2024-01-01T00:00:00Z,2024-01-01T01:00:00Z";
    let (ran, late) = run("bad=drop");
    assert!(ran.code == Some(0) && late == 0 && ran.out.contains(&format!("{first},2,")), "{} {}", ran.out, ran.err);
    let (ran, late) = run("bad=drop&disorder=0s");
    assert!(ran.code == Some(0) && late == 1 && ran.out.contains(&format!("{first},1,")), "{} {}", ran.out, ran.err);
    let (ran, _) = run("bad=fail");
    assert!(ran.code == Some(1) && ran.err.contains("row 1 has no event time: `never` is not a time"), "{}", ran.err);
}

fn lengths() {
    let dir = Dir::new();
    let line = "{\"inner\":{\"d\":\"PT1S\"},\"many\":[{\"d\":\"PT0.5S\"}],\"ts\":\"2024-01-01T00:00:00Z\"}\n";
    dir.write("a.jsonl", line);
    let ran = dir.run("lengths", &["run", "-q", "--source", "in=json:a.jsonl", "--sink", "out=json:-"]);
    assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (Some(0), "", line));
    for wrong in ["1.5", "1000000"] {
        dir.write("b.jsonl", line.replace("\"PT0.5S\"", wrong));
        let ran = dir.run("lengths", &["run", "-q", "--source", "in=json:b.jsonl", "--sink", "out=json:-"]);
        assert!(ran.code == Some(1) && ran.err.contains("many[0].d"), "{wrong}: {}", ran.err);
    }
}
