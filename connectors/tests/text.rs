//! CSV and JSON lines, read and written.
//!
//! Would catch: a row that depends on how the input was cut into blocks, a half line that is read, a bad record that
//! takes good ones with it or is met twice, an offset that repeats or skips, output that is seen before its commit or
//! half, and bytes that differ between two writings of the same rows.

#[path = "text/sinks.rs"]
mod sinks;
mod values;

use dualgauge_engine::sink::{Prepared, Writing};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dualgauge_connectors::{csv, json};
use dualgauge_engine::{
    Durations, Epoch, ErrorKind, EventTime, Next, Offset, PartitionReader, Scan, Sink, SinkWriter, Source,
};
use tempfile::{TempDir, tempdir};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("name", DataType::Utf8, false),
        Field::new("count", DataType::Int64, true),
    ]))
}

fn scan() -> Scan {
    Scan { schema: schema(), event_time: "time".to_string(), from: None, to: None, batch_rows: 1024 }
}

/// A row as a test writes it: microseconds, name, count.
type Row = (i64, String, Option<i64>);

fn row(time: i64, name: &str, count: impl Into<Option<i64>>) -> Row {
    (time, name.to_string(), count.into())
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>();
    let names = batch.column_by_name("name").unwrap().as_string::<i32>();
    let counts = batch.column_by_name("count").unwrap().as_primitive::<Int64Type>();
    let count = |at| counts.is_valid(at).then(|| counts.value(at));
    (0..batch.num_rows()).map(|at| row(times.value(at), names.value(at), count(at))).collect()
}

fn batch_of(rows: &[Row]) -> (Vec<EventTime>, RecordBatch) {
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.0)).with_timezone("UTC");
    let names = StringArray::from_iter_values(rows.iter().map(|row| &row.1));
    let counts = Int64Array::from_iter(rows.iter().map(|row| row.2));
    let batch = RecordBatch::try_new(schema(), vec![Arc::new(times), Arc::new(names), Arc::new(counts)]);
    (rows.iter().map(|row| EventTime::from_micros(row.0)).collect(), batch.unwrap())
}

/// What a reader gives until it has nothing: rows or what is wrong with one, in order, and the
/// offset after each batch and each bad record.
fn drain(reader: &mut dyn PartitionReader) -> (Vec<Result<Row, String>>, Vec<u64>) {
    let (mut seen, mut offsets) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok(Next::Batch(batch)) => {
                seen.extend(rows_of(&batch.rows).into_iter().map(Ok));
                offsets.push(batch.offset_after.position);
            }
            Ok(Next::Pending | Next::End) => return (seen, offsets),
            Ok(Next::Mixed(batch, bad)) => {
                let rows = rows_of(&batch.rows);
                let mut given = 0;
                for record in bad {
                    seen.extend(rows[given..record.before].iter().cloned().map(Ok));
                    seen.push(Err(record.reason()));
                    given = record.before;
                }
                seen.extend(rows[given..].iter().cloned().map(Ok));
                offsets.push(batch.offset_after.position);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn open(source: &dyn Source, offset: u64) -> Box<dyn PartitionReader> {
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    source.open(&partition, Some(&Offset::at(offset)), &scan()).unwrap()
}

fn good(seen: Vec<Result<Row, String>>) -> Vec<Row> {
    seen.into_iter().map(|row| row.unwrap()).collect()
}

fn errors(seen: &[Result<Row, String>]) -> Vec<&str> {
    seen.iter().filter_map(|row| row.as_ref().err().map(String::as_str)).collect()
}

fn file(text: &str, name: &str) -> (TempDir, std::path::PathBuf) {
    let directory = tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    (directory, path)
}

const CSV: &str = "count,more,time,name\r\n\
    1,x,1970-01-01T00:00:00.000001Z,a\r\n\
    \r\n\
    ,\"y,\n\"\"z\"\"\",1970-01-01T00:00:00.000002Z,\"b\n\"\"c\"\", d\"\n\
    3,5\" disk,1970-01-01T01:00:00.000003+01:00,Grüße 🚋\n\
    -4,,1969-12-31T23:59:59.999999Z,\n";

const JSON: &str = "{\"count\":1,\"more\":{\"x\":[1]},\"time\":\"1970-01-01T00:00:00.000001Z\",\"name\":\"a\"}\r\n\
    \n  \n\
    {\"time\":\"1970-01-01T00:00:00.000002Z\",\"name\":\"b\\n\\\"c\\\", d\",\"count\":null}\n\
    {\"time\":\"1970-01-01T01:00:00.000003+01:00\",\"name\":\"Gr\\u00fc\u{df}e \u{1f68b}\",\"count\":3}\n\
    {\"time\":\"1969-12-31T23:59:59.999999Z\",\"name\":\"\",\"count\":-4}";

fn expected() -> Vec<Row> {
    vec![row(1, "a", 1), row(2, "b\n\"c\", d", None), row(3, "Grüße 🚋", 3), row(-1, "", -4)]
}

#[test]
fn every_cut_into_blocks_gives_the_same_rows_and_every_offset_the_rest() {
    let (_csv, csv_path) = file(CSV, "a.csv");
    let (_json, json_path) = file(JSON, "a.jsonl");
    for block in (1..40).chain([64, 1000, 1 << 20]) {
        let sources: [Box<dyn Source>; 2] =
            [Box::new(csv::read(&csv_path).block_bytes(block)), Box::new(json::read(&json_path).block_bytes(block))];
        for source in sources {
            let (seen, offsets) = drain(&mut *open(&*source, 0));
            assert_eq!(good(seen), expected(), "{} in blocks of {block}", source.describe());
            if block == 1 {
                assert_eq!(offsets.len(), 4);
                for (rows_before, offset) in offsets.iter().enumerate() {
                    let (rest, _) = drain(&mut *open(&*source, *offset));
                    assert_eq!(good(rest), expected()[rows_before + 1..], "{} from {offset}", source.describe());
                }
            }
        }
    }
    assert_eq!(drain(&mut *open(&json::read(&json_path), 0)).1, [JSON.len() as u64]);
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_record() {
    let (_directory, path) = file(&format!("\u{feff}{CSV}"), "a.csv");
    assert_eq!(good(drain(&mut *open(&csv::read(&path).block_bytes(2), 0)).0), expected());
    let (_directory, path) = file(&format!("\u{feff}{JSON}"), "a.json");
    assert_eq!(good(drain(&mut *open(&json::read(&path), 0)).0), expected());
}

#[test]
fn a_file_that_is_cut_off_between_two_lines_while_it_is_read_is_an_error_and_one_that_grows_is_not() {
    for (text, name) in [(CSV, "a.csv"), (JSON, "a.jsonl")] {
        let (_directory, path) = file(text, name);
        let cut = text.trim_end().rfind('\n').unwrap() as u64 + 1;
        let all = expected();
        for length in [cut, text.len() as u64 + 1] {
            fs::write(&path, text).unwrap();
            let mut reader = match name {
                "a.csv" => open(&csv::read(&path).block_bytes(16), 0),
                _ => open(&json::read(&path).block_bytes(16), 0),
            };
            assert!(matches!(reader.next().unwrap(), Next::Batch(_) | Next::Pending | Next::Mixed(..)));
            if length < text.len() as u64 {
                fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
                let error = (0..all.len() + 99).find_map(|_| match reader.next() {
                    Err(error) => Some(error),
                    Ok(Next::End) => panic!("{name}: it has ended as if nothing were missing"),
                    Ok(_) => None,
                });
                let told = format!("ends at byte {cut}, and had {} when it was opened", text.len());
                assert!(error.unwrap().to_string().contains(&told));
            } else {
                fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\n").unwrap();
                while !matches!(reader.next().unwrap(), Next::End) {}
            }
        }
    }
}

#[test]
fn a_followed_file_gives_whole_lines_only_as_it_grows() {
    let (_directory, path) = file("", "a.csv");
    let source = csv::read(&path).follow(true);
    assert!(!source.bounded() && source.partitions(&scan()).unwrap().partitions[0].followed);
    let mut reader = open(&source, 0);
    let mut writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let mut seen = Vec::new();
    for piece in CSV.as_bytes().chunks(7) {
        writer.write_all(piece).unwrap();
        let whole_lines = writer.metadata().unwrap().len();
        let (rows, offsets) = drain(&mut *reader);
        assert!(offsets.iter().all(|offset| *offset <= whole_lines && CSV.as_bytes()[*offset as usize - 1] == b'\n'));
        seen.extend(good(rows));
    }
    assert_eq!(seen, expected());
    writer.write_all(b"9,,1970-01-01T00:00:00Z,torn").unwrap();
    assert!(matches!(reader.next().unwrap(), Next::Pending));
    writer.write_all(b" no more\n").unwrap();
    assert_eq!(good(drain(&mut *reader).0), [row(0, "torn no more", 9)]);
    writer.set_len(3).unwrap();
    let error = reader.next().unwrap_err();
    assert!(error.to_string().contains("replaced or cut off"), "{error}");
}

#[test]
fn the_last_line_of_a_bounded_file_needs_no_newline_but_must_be_whole() {
    let (_directory, path) = file("{\"time\":\"1970-01-01T00:00:00Z\",\"name\":\"a\"}\n{\"time\":\"19", "a.json");
    let source = json::read(&path);
    let (seen, offsets) = drain(&mut *open(&source, 0));
    assert_eq!(seen[0], Ok(row(0, "a", None)));
    let text = errors(&seen)[0];
    assert!(text.contains("line 2 (byte 43)") && text.contains("a torn line"), "{text}");
    assert_eq!(*offsets.last().unwrap(), fs::metadata(&path).unwrap().len());
}

#[test]
fn a_bad_line_is_named_and_takes_no_good_one_with_it() {
    let text = "time,name,count\n\
        1970-01-01T00:00:00Z,a,1\n\
        1970-01-01T00:00:00Z,\"two\nlines\",2\n\
        1970-01-01T00:00:00Z,c,many\n\
        noon,d,4\n\
        1970-01-01T00:00:00Z,e,5,6\n\
        1970-01-01T00:00:00Z,f,6\n\
        1970-01-01T00:00:00Z,\"g,7\n";
    let (_directory, path) = file(text, "a.csv");
    for block in [1, 5, 30, 1 << 20] {
        let source = csv::read(&path).block_bytes(block);
        let (seen, offsets) = drain(&mut *open(&source, 0));
        let names: Vec<_> = seen.iter().map(|row| row.as_ref().map_or("!", |row| row.1.as_str())).collect();
        assert_eq!(names, ["a", "two\nlines", "!", "!", "!", "f", "!"]);
        let found = errors(&seen);
        let place = format!(
            "file {}: line 5 (byte 76): column `count`: found \"many\", expected a whole number",
            path.display()
        );
        assert!(found[0].starts_with(&place), "{}", found[0]);
        assert!(found[1].contains("line 6") && found[1].contains("column `time`: found \"noon\""), "{}", found[1]);
        assert!(
            found[2].contains("line 7") && found[2].contains("found 4 fields, expected one record of 3"),
            "{}",
            found[2]
        );
        assert!(found[3].contains("line 9") && found[3].contains("found a quote that is not closed"), "{}", found[3]);
        // Whoever drops bad lines and resumes from any offset meets each at most once, under the same line number.
        for offset in offsets {
            let rest = drain(&mut *open(&source, offset)).0;
            assert_eq!(rest, seen[seen.len() - rest.len()..], "from {offset}");
        }
    }
}

#[test]
fn a_bad_json_line_is_named_by_what_is_wrong_with_it() {
    let line = |name: &str| format!("{{\"time\":\"1970-01-01T00:00:00Z\",\"name\":{name}}}\n");
    for (bad, why) in [
        ("[1]\n".to_string(), "found an array"),
        ("{\"time\":\"1970-01-01T00:00:00Z\"}\n".to_string(), "column `name`: found nothing, expected text"),
        (line("1}{\"a\":1"), "text that is not JSON"),
        (line("\"a\",\"count\":\"x\""), "column `count`: found \"x\""),
        (line("\"a\",\"count\":1.5"), "column `count`: found \"1.5\", expected a whole number"),
        (line("\"a\",\"count\":9223372036854775808"), "column `count`: found \"9223372036854775808\""),
    ] {
        let (_directory, path) = file(&format!("{}{bad}{}", line("\"a\""), line("\"b\"")), "a.json");
        let seen = drain(&mut *open(&json::read(&path), 0)).0;
        assert_eq!((&seen[0], &seen[2]), (&Ok(row(0, "a", None)), &Ok(row(0, "b", None))), "{bad}");
        assert!(errors(&seen)[0].contains(why) && errors(&seen)[0].contains("line 2"), "{}", errors(&seen)[0]);
    }
}

#[test]
fn a_line_that_is_too_long_is_passed_over_wherever_blocks_are_cut() {
    let line = |name: &str| format!("{{\"time\":\"1970-01-01T00:00:00Z\",\"name\":\"{name}\"}}\n");
    let (just_fits, too_long) = (line(&"x".repeat(63)), line(&"x".repeat(64)));
    let text = format!("{}{too_long}{just_fits}", line("a"));
    let (_directory, path) = file(&text, "a.json");
    for block in [1, 7, 64, 1 << 20] {
        let source = json::read(&path).block_bytes(block).line_bytes_max(just_fits.len() - 1);
        let (seen, offsets) = drain(&mut *open(&source, 0));
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(errors(&seen)[0].contains("line 2 (byte 43)") && errors(&seen)[0].contains("longer than"), "{seen:?}");
        assert_eq!(seen[2], Ok(row(0, &"x".repeat(63), None)));
        assert_eq!(offsets.last(), Some(&(text.len() as u64)));
    }
}

#[test]
fn an_empty_file_has_no_rows_and_ends() {
    let (_directory, path) = file("", "a.csv");
    assert!(matches!(open(&csv::read(&path), 0).next().unwrap(), Next::End));
    assert!(matches!(open(&json::read(&path), 0).next().unwrap(), Next::End));
}

#[test]
fn a_header_that_lacks_a_column_names_the_nearest_one() {
    let (_directory, path) = file("time,nmae,count\n1970-01-01T00:00:00Z,a,1\n", "a.csv");
    let error = open(&csv::read(&path), 0).next().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let text = error.to_string();
    assert!(text.contains("no column `name` (did you mean `nmae`?); it has: time, nmae, count"), "{text}");
}

#[test]
fn without_a_header_columns_are_those_of_the_record() {
    let (_directory, path) = file("1970-01-01T00:00:00Z;a,b;1\n", "a.csv");
    let source = csv::read(&path).header(false).delimiter(b';');
    assert_eq!(good(drain(&mut *open(&source, 0)).0), [row(0, "a,b", 1)]);
}

#[test]
fn a_directory_is_one_partition_a_file_in_the_order_of_names() {
    let directory = tempdir().unwrap();
    for name in ["b.ndjson", "a.jsonl", "c.json", ".d.json", "_e.json", "f.csv"] {
        fs::write(directory.path().join(name), JSON).unwrap();
    }
    let source = json::read(directory.path());
    let listing = source.partitions(&scan()).unwrap();
    let names: Vec<_> = listing.partitions.iter().map(|partition| partition.id.0.as_str()).collect();
    assert_eq!(names, ["a.jsonl", "b.ndjson", "c.json"]);
    assert_eq!(listing.notes.len(), 1);
    assert_eq!(listing.partitions[0].bytes, Some(JSON.len() as u64));
    for partition in &listing.partitions {
        assert_eq!(good(drain(&mut *source.open(partition, None, &scan()).unwrap()).0), expected());
    }
    let empty = tempdir().unwrap();
    assert!(csv::read(empty.path()).partitions(&scan()).unwrap_err().to_string().contains("has no file *.csv"));
}

#[test]
fn an_event_time_that_stands_in_the_path_prunes_whole_files() {
    let day = |text: &str| format!("{text}T00:00:00Z").parse::<EventTime>().unwrap();
    for format in ["csv", "json"] {
        let dir = tempdir().unwrap();
        for (number, name) in ["2026-01-03", "2026-01-01", "2026-01-02"].iter().enumerate() {
            let sub = dir.path().join(format!("time={name}"));
            fs::create_dir(&sub).unwrap();
            let text = match format {
                "csv" => format!("name,count\na,{number}\n"),
                _ => format!("{{\"name\":\"a\",\"count\":{number}}}\n"),
            };
            fs::write(sub.join(format!("a.{format}")), text).unwrap();
        }
        let source: Box<dyn Source> = match format {
            "csv" => Box::new(csv::read(dir.path()).hive(true)),
            _ => Box::new(json::read(dir.path()).hive(true)),
        };
        assert_eq!(source.partitions(&scan()).unwrap().partitions.len(), 3, "{format}");
        let scan = Scan { from: Some(day("2026-01-02")), to: Some(day("2026-01-03")), ..scan() };
        let listing = source.partitions(&scan).unwrap();
        assert_eq!((listing.partitions.len(), listing.pruned.len()), (1, 2), "{format}");
        let mut reader = source.open(&listing.partitions[0], None, &scan).unwrap();
        let (seen, _) = drain(reader.as_mut());
        assert_eq!(seen, [Ok(row(day("2026-01-02").as_micros(), "a", 2))], "{format}");
    }
}
