//! Every source that is here, under the source contract.
//!
//! Would catch: an offset behind which a source gives other rows, other offsets or another watermark than it gave the first
//! time; a row that is lost or read twice at the border of a batch, a block, a page, a segment or a seam.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use dualgauge_connectors::hybrid::Hybrid;
use dualgauge_connectors::log::{Layout, Log, LogSource, WriteOptions};
use dualgauge_connectors::{csv, json, memory, parquet};
use dualgauge_engine::testing::{Item, source_contract};
use dualgauge_engine::{Durations, EventTime, Record, Source};

/// What makes a source of the data in a directory.
type Make = fn(&Path) -> Box<dyn Source>;

/// What writes that data.
type Fill = fn(&Path);

/// A source: its name, what writes its data, what reads them, and how many rows a job gets.
type Case = (&'static str, Fill, Make, usize);

fn at(seconds: i64) -> EventTime {
    EventTime::default() + seconds.seconds()
}

/// So many rows, a second apart but for every fourth, which is behind. No two are equal.
fn items(first: i64, count: i64) -> Vec<Item> {
    let item = |n: i64| Item { time: at(if n % 4 == 3 { n - 2 } else { n }), key: format!("k{}", n % 3), value: n };
    (first..first + count).map(item).collect()
}

/// CSV with a header, a quoted line end, an empty line, and two records that are none.
fn csv_text(first: i64) -> String {
    let good = |n: i64| format!("{},\"k,{n}\n\",{n}\r\n", at(n));
    format!(
        "time,key,value\n{}{}\nnever,k,1\n{}\n{},k,a\n{}",
        good(first),
        good(first + 1),
        good(first - 2),
        at(first),
        good(first + 3),
    )
}

/// JSON with two records that are none.
fn json_text(first: i64) -> String {
    let good = |n: i64| format!("{{\"time\":\"{}\",\"key\":\"k\\n{n}\",\"value\":{n}}}\n", at(n));
    format!("{}{{\n{}\n{}{{\"key\":1}}\n{}", good(first), good(first + 1), good(first - 2), good(first + 3))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn parquet_file(path: PathBuf, rows: &[Item], group: usize, page: usize, sorted: bool) {
    let sorted_by = sorted.then(|| "time".to_string());
    let options =
        parquet::FileOptions { row_group_rows: group, page_rows: page, sorted_by, ..parquet::FileOptions::default() };
    parquet::write_file(path, &Item::schema(), [Item::encode(rows.iter())], &options).unwrap();
}

fn sorted(mut rows: Vec<Item>) -> Vec<Item> {
    rows.sort();
    rows
}

/// A log of two partitions, in small segments: batches of one row, two and three, and whether it is sealed.
fn log_of(dir: &Path, first: i64, sealed: bool) {
    let log = Log::create(dir, &Item::schema(), Layout::partitions(2).event_time("time")).unwrap();
    for partition in 0..2 {
        let options = WriteOptions { durable: false, segment_bytes: 2048, ..WriteOptions::default() };
        let mut writer = log.writer_with(partition, options).unwrap();
        let mut next = first + 100 * i64::from(partition);
        for count in [1, 2, 3, 1, 1] {
            writer.append_rows(&items(next, count)).unwrap();
            next += count;
            if count != 2 {
                writer.commit().unwrap();
            }
        }
        if sealed {
            writer.seal().unwrap();
        }
    }
}

/// A channel that a sender has filled and still holds.
fn open_channel() -> Box<dyn Source> {
    let (sender, channel) = memory::channel::<Item>();
    sender.send_all(items(0, 8));
    std::mem::forget(sender);
    Box::new(channel)
}

const NOTHING: Fill = |_| {};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("memory", NOTHING, |_| Box::new(memory::rows(items(0, 8)).partition(items(100, 3)).partition(Vec::new())), 11),
    ("memory, dealt", NOTHING, |_| Box::new(memory::rows(items(0, 8)).deal(3)), 8),
    ("memory, live", NOTHING, |_| Box::new(memory::rows(items(0, 8)).as_live()), 8),
    ("a channel that is sealed", NOTHING, |_| {
        let (sender, channel) = memory::channel::<Item>();
        sender.send_all(items(0, 8));
        Box::new(channel)
    }, 8),
    ("a channel that is open", NOTHING, |_| open_channel(), 8),
    ("CSV", |dir| text(dir, "a.csv", &csv_text(5)), |dir| Box::new(csv::read(dir.join("a.csv"))), 6),
    ("CSV in small blocks", |dir| text(dir, "a.csv", &csv_text(5)), |dir| Box::new(csv::read(dir.join("a.csv")).block_bytes(7)), 6),
    ("CSV of several files, packed ones among them", |dir| {
        text(dir, "a.csv", &csv_text(5));
        text(dir, "c/b.csv", &csv_text(50));
        fs::write(dir.join("d.csv.gz"), gzip(&csv_text(500))).unwrap();
    }, |dir| Box::new(csv::read(dir)), 18),
    ("CSV, followed", |dir| text(dir, "a.csv", &csv_text(5)), |dir| Box::new(csv::read(dir.join("a.csv")).follow(true)), 6),
    ("CSV, followed, in small blocks", |dir| text(dir, "a.csv", &csv_text(5)), |dir| {
        Box::new(csv::read(dir.join("a.csv")).follow(true).block_bytes(7))
    }, 6),
    ("CSV without rows", |dir| text(dir, "a.csv", "time,key,value\n"), |dir| Box::new(csv::read(dir)), 0),
    ("JSON", |dir| text(dir, "a.jsonl", &json_text(5)), |dir| Box::new(json::read(dir.join("a.jsonl"))), 6),
    ("JSON in small blocks", |dir| text(dir, "a.jsonl", &json_text(5)), |dir| Box::new(json::read(dir.join("a.jsonl")).block_bytes(7)), 6),
    ("JSON, packed", |dir| fs::write(dir.join("a.jsonl.gz"), gzip(&json_text(5))).unwrap(), |dir| Box::new(json::read(dir)), 6),
    ("JSON, followed", |dir| text(dir, "a.jsonl", &json_text(5)), |dir| Box::new(json::read(dir).follow(true)), 6),
    ("JSON with a column from the path", |dir| {
        text(dir, "key=a/a.jsonl", "{\"time\":\"1970-01-01T00:00:01Z\",\"value\":1}\n{\"time\":\"1970-01-01T00:00:02Z\",\"value\":2}\n");
    }, |dir| Box::new(json::read(dir).hive(true)), 2),
    ("Parquet", |dir| parquet_file(dir.join("a.parquet"), &items(0, 11), 100, 100, false), |dir| Box::new(parquet::read(dir)), 11),
    ("Parquet in pages", |dir| parquet_file(dir.join("a.parquet"), &items(0, 11), 100, 2, false), |dir| Box::new(parquet::read(dir)), 11),
    ("Parquet that is sorted", |dir| parquet_file(dir.join("a.parquet"), &sorted(items(0, 11)), 5, 2, true), |dir| Box::new(parquet::read(dir)), 11),
    ("Parquet that is sorted and not believed", |dir| parquet_file(dir.join("a.parquet"), &sorted(items(0, 11)), 5, 2, true), |dir| {
        Box::new(parquet::read(dir).sorted(false))
    }, 11),
    ("Parquet of several files and row groups", |dir| {
        parquet_file(dir.join("a.parquet"), &items(0, 11), 4, 2, false);
        parquet_file(dir.join("b.parquet"), &items(5, 3), 4, 2, false);
    }, |dir| Box::new(parquet::read(dir)), 14),
    ("Parquet with a column from the path", |dir| {
        fs::create_dir(dir.join("key=a")).unwrap();
        parquet_file(dir.join("key=a/a.parquet"), &items(0, 5), 3, 2, false);
    }, |dir| Box::new(parquet::read(dir).hive(true)), 5),
    ("a log", |dir| log_of(&dir.join("log"), 0, false), |dir| Box::new(LogSource::open(dir.join("log")).unwrap()), 16),
    ("a log that is sealed", |dir| log_of(&dir.join("log"), 0, true), |dir| Box::new(LogSource::open(dir.join("log")).unwrap()), 16),
    ("a log that is read to its end", |dir| log_of(&dir.join("log"), 0, false), |dir| {
        Box::new(LogSource::open(dir.join("log")).unwrap().bounded(true))
    }, 16),
    ("a log without rows", |dir| drop(Log::create(dir.join("log"), &Item::schema(), 2).unwrap()), |dir| {
        Box::new(LogSource::open(dir.join("log")).unwrap())
    }, 0),
    // Of the history 8 rows are before 7 s, and of the log all 16 but those before it.
    ("history and a log, cut at a time", |dir| {
        parquet_file(dir.join("a.parquet"), &items(0, 11), 4, 2, false);
        log_of(&dir.join("log"), 0, false);
    }, |dir| Box::new(Hybrid::cut_at(at(7), parquet::read(dir.join("a.parquet")), LogSource::open(dir.join("log")).unwrap())), 16),
    ("history and the log that it was archived from", |dir| {
        log_of(&dir.join("log"), 0, false);
        let id = Log::open(dir.join("log")).unwrap().id();
        let covered = |partition| parquet::Covered {
            log: id.clone(), partition, from: 0, to: 3, watermark_max_time: at(2 + 100 * i64::from(partition)),
        };
        for partition in 0..2 {
            let said = serde_json::to_string(&[covered(partition)]).unwrap();
            let options = parquet::FileOptions { key_values: vec![(parquet::COVERS.to_string(), said)], ..Default::default() };
            let rows = Item::encode(items(100 * i64::from(partition), 3).iter());
            parquet::write_file(dir.join(format!("{partition}.parquet")), &Item::schema(), [rows], &options).unwrap();
        }
    }, |dir| Box::new(Hybrid::archived(dir.join("*.parquet"), dir.join("log")).unwrap()), 16),
];

fn text(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn every_source_keeps_the_contract() {
    let mut failed = Vec::new();
    for (name, fill, make, rows) in CASES {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        match source_contract::<Item>(*rows, || make(dir.path())) {
            Ok(upheld) => assert!(upheld.partitions > 0, "{name}: {upheld:?}"),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
