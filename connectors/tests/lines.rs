//! What ends a record and a field, and what a bad record takes with it.
//!
//! Would catch: a line end that is taken for text or the other way round, a stray quote that swallows the lines behind it,
//! bytes that are lost between two records, and an answer that depends on where blocks are cut. Each input is read in
//! blocks of every size, and again from every offset.

use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field, Schema};
use dualgauge_connectors::{csv, json};
use dualgauge_engine::{Next, Offset, Partition, Scan, Source};

/// A record by its name, or the bytes of one that is bad.
type Seen = Result<String, String>;

fn scan() -> Scan {
    let fields = [("name", DataType::Utf8), ("count", DataType::Int64)].map(|(name, of)| Field::new(name, of, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    Scan { schema, event_time: "count".to_string(), from: None, to: None, batch_rows: 3 }
}

/// What is read from an offset on, with the offset behind each batch and how many records came before it.
fn read(source: &dyn Source, name: &str, offset: Option<u64>) -> (Vec<Seen>, Vec<(u64, usize)>) {
    let offset = offset.map(Offset::at);
    let mut reader = source.open(&Partition::new(name), offset.as_ref(), &scan()).unwrap();
    let (mut seen, mut offsets) = (Vec::new(), Vec::new());
    loop {
        let (batch, bad) = match reader.next().unwrap() {
            Next::Batch(batch) => (batch, Vec::new()),
            Next::Mixed(batch, bad) => (batch, bad),
            Next::Pending => panic!("a bounded file is never pending"),
            Next::End => return (seen, offsets),
        };
        let names = batch.rows.column_by_name("name").unwrap().as_string::<i32>();
        let mut names = names.iter().map(|name| Ok(name.unwrap().to_string())).enumerate().peekable();
        for record in bad {
            while let Some((_, name)) = names.next_if(|(row, _)| *row < record.before) {
                seen.push(name);
            }
            assert!(record.reason().contains(&format!("(byte {})", record.position)), "{}", record.reason());
            seen.push(Err(String::from_utf8(record.bytes).unwrap()));
        }
        seen.extend(names.map(|(_, name)| name));
        offsets.push((batch.offset_after.position, seen.len()));
    }
}

fn check(file: &str, text: &str, expected: &[Seen]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(file);
    fs::write(&path, text).unwrap();
    for block in (1..=text.len().min(40)).chain([1 << 20]) {
        let source: Box<dyn Source> = match file.ends_with("csv") {
            true => Box::new(csv::read(&path).block_bytes(block)),
            false => Box::new(json::read(&path).block_bytes(block)),
        };
        let (seen, offsets) = read(&*source, file, None);
        assert_eq!(seen, expected, "{text:?} in blocks of {block}");
        for (offset, before) in offsets {
            let (rest, _) = read(&*source, file, Some(offset));
            assert_eq!(rest, expected[before..], "{text:?} in blocks of {block} from {offset}");
        }
    }
}

fn good(names: &str) -> Vec<Seen> {
    names.split_whitespace().map(|name| Ok(name.to_string())).collect()
}

#[test]
fn lines_end_at_newlines_carriage_returns_and_both() {
    for text in [
        "name,count\na,1\nb,2\nc,3\n",
        "name,count\na,1\nb,2\nc,3",
        "name,count\r\na,1\r\nb,2\r\nc,3\r\n",
        "name,count\ra,1\rb,2\rc,3\r",
        "name,count\ra,1\rb,2\rc,3",
        "name,count\ra,1\nb,2\nc,3\n",
        "name,count\na,1\rb,2\nc,3\n",
        "name,count\r\n\r\na,1\n\n\rb,2\r\n\n\rc,3\r\r",
        "\u{feff}name,count\ra,1\r\nb,2\nc,3\n",
        "\"name\",\"count\"\r\"a\",\"1\"\r\n\"b\",2\nc,\"3\"",
        "\u{feff}\"name\",count\na,1\nb,2\nc,3\n",
        "sep=;\r\nname;count\r\na;1\r\nb;2\r\nc;3\r\n",
        "sep=\t\nname\tcount\na\t1\nb\t2\nc\t3\n",
        "\u{feff}sep=;\rname;count\ra;1\rb;2\rc;3",
    ] {
        check("a.csv", text, &good("a b c"));
    }
    for end in ["\n", "\r", "\r\n", "\n\r\n"] {
        let lines = ["a", "b", "c"].map(|name| format!("{{\"name\":\"{name}\",\"count\":1}}"));
        check("a.json", &lines.join(end), &good("a b c"));
        check("a.json", &format!("\u{feff}{}{end}", lines.join(end)), &good("a b c"));
    }
}

#[test]
fn line_ends_between_quotes_are_text() {
    let text = "name,count\n\"a\r\nb\",1\n\"c\rd\",2\r\"e\nf\"\"\n\"\"\",3\n";
    let names = ["a\r\nb", "c\rd", "e\nf\"\n\""];
    check("a.csv", text, &names.map(|name| Ok(name.to_string())));
}

/// A stray quote costs its own line; what a bad record has taken is known to the byte.
#[test]
fn a_bad_record_ends_where_the_next_line_is_a_record() {
    let bad = |text: &str| Err(text.to_string());
    let a = || Ok("a".to_string());
    let z = || Ok("z".to_string());
    for (text, expected) in [
        // Nothing closes the quote.
        ("a,1\n\"b,2\nz,3\n", vec![a(), bad("\"b,2"), z()]),
        ("a,1\nb,\"2\nz,3", vec![a(), bad("b,\"2"), z()]),
        // The next quote closes it, and something follows that one.
        ("a,1\n\"b,2\nz,3\n\"a\",4\nz,5\n", vec![a(), bad("\"b,2"), z(), a(), z()]),
        // A second stray quote closes it, so that all between could be one field.
        ("a,1\n\"b,2\nz,3\nc\",4\na,5\n", vec![a(), bad("\"b,2"), z(), Ok("c\"".to_string()), a()]),
        // The record is one of several lines, none of which is a record by itself.
        ("a,1\n\"b\nc\",many\nz,3\n", vec![a(), bad("\"b\nc\",many"), z()]),
        ("a,1\n\"b\nc\"d\nz,3\n", vec![a(), bad("\"b\nc\"d"), z()]),
        // A field does not go on behind its closing quote.
        ("a,1\n\"b\"c,2\nz,3\n", vec![a(), bad("\"b\"c,2"), z()]),
        ("a,1\n\"b\" ,2\nz,3\n", vec![a(), bad("\"b\" ,2"), z()]),
        ("a,1\nb,\"2\"3\r\nz,3\n", vec![a(), bad("b,\"2\"3"), z()]),
        // A carriage return within a line makes two of it, and neither is lost.
        ("a,1\nb\rc,2,x\nz,3\n", vec![a(), bad("b"), bad("c,2,x"), z()]),
        // Bad, and of several lines, the last of which is torn.
        ("a,1\n\"b\nc", vec![a(), bad("\"b\nc")]),
    ] {
        check("a.csv", &format!("name,count\n{text}"), &expected);
    }
}

/// Every thousandth line of many has a stray quote: as many records are bad, and all others are read.
#[test]
fn stray_quotes_in_many_lines_cost_one_line_each() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    let line = |at: usize| match at % 1000 {
        7 => format!("\"n{at},{at}\n"),
        _ => format!("n{at},{at}\n"),
    };
    fs::write(&path, format!("name,count\n{}", (0..50_000).map(line).collect::<String>())).unwrap();
    let (seen, _) = read(&csv::read(&path), "a.csv", None);
    assert_eq!(seen.iter().filter(|record| record.is_err()).count(), 50);
    assert_eq!(seen.iter().filter(|record| record.is_ok()).count(), 49_950);
}
