//! Bad records: lines that cannot be read, rows that a record cannot take, event times that cannot be.
//!
//! Would catch: a dead letter that is lost, doubled, or changed by a crash, by how the input was cut or by who read it; a
//! good row that a bad one takes with it; damage that is taken for a bad record and asked for again for ever.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use dualgauge_connectors::{binding, csv, json, log, memory};
use dualgauge_engine::flow::{BadRecord, BadRecords, SourceOptions};
use dualgauge_engine::fs::{FaultFs, Fs};
use dualgauge_engine::testing::{Item, survive_on};
use dualgauge_engine::{
    Durations, Error, ErrorKind, EventTime, Flow, Job, Limits, Listing, Next, Offset, Partition, PartitionReader,
    Record, Result, Scan, Source, SourceBatch, VirtualClock, record,
};
use tempfile::tempdir;

fn at(seconds: i64) -> EventTime {
    EventTime::default() + seconds.seconds()
}

fn graph(flow: &Flow<'_>) {
    flow.source::<Item>("items").disorder(4.seconds()).quarantine("bad_items").sink("copies");
}

/// A number that looks drawn, by a seed and its place.
fn drawn(seed: u64, place: u64, below: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ place.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % below
}

/// A file of 40 lines, about a fourth of them bad, and what is to come of it: times and keys of good rows; times,
/// offsets, line numbers and texts of bad ones.
#[derive(Default)]
struct Written {
    text: String,
    good: Vec<(EventTime, String)>,
    bad: Vec<(EventTime, u64, usize, String)>,
}

fn written(seed: u64, json: bool) -> Written {
    let mut file = Written::default();
    let mut largest = None;
    if !json {
        file.text.push_str("time,key,value\n");
    }
    for line in 0..40 {
        let time = at(100 + line * 2 - drawn(seed, line as u64, 5) as i64);
        let key = format!("k{seed}-{line}");
        let good = match json {
            true => format!("{{\"time\":\"{time}\",\"key\":\"{key}\",\"value\":{line}}}"),
            false => format!("{time},{key},{line}"),
        };
        let bad = match (drawn(seed, 1_000 + line as u64, 16), json) {
            (0, true) => good.replace("\"value\":", "\"value\":1."),
            (0, false) => good + ".5",
            (1, true) => good[..good.len() / 2].to_string(),
            (1, false) => good + ",7",
            (2, true) => good.replace(&time.to_string(), "noon"),
            (2, false) => good.replace(&time.to_string(), "noon"),
            (3, _) => "\u{1F600} neither".to_string(),
            _ => {
                largest = largest.max(Some(time));
                file.good.push((time, key));
                file.text.push_str(&good);
                file.text.push('\n');
                continue;
            }
        };
        let number = file.text.matches('\n').count() + 1;
        file.bad.push((largest.unwrap_or_default(), file.text.len() as u64, number, bad.clone()));
        file.text.push_str(&bad);
        file.text.push('\n');
    }
    file
}

/// The lines of all visible files below a directory, sorted.
fn lines(fs: &FaultFs, dir: &str) -> Vec<String> {
    let names = fs.list(Path::new(dir)).unwrap().into_iter().filter(|name| !name.starts_with('.'));
    let text = names.map(|name| String::from_utf8(fs.read(&Path::new(dir).join(name)).unwrap()).unwrap());
    let mut lines: Vec<_> = text.flat_map(|text| text.lines().map(str::to_string).collect::<Vec<_>>()).collect();
    lines.sort();
    lines
}

/// What a job over `items` writes through crashes that `seed` draws: copies and bad records, as lines of JSON.
fn through_crashes(seed: u64, items: impl Fn() -> Arc<dyn Source>) -> (Vec<String>, Vec<String>, u32) {
    let fs = FaultFs::new();
    let sink = |dir: &str| json::write(dir).span(10.seconds()).on(Arc::new(fs.clone()));
    let survived = survive_on(&fs, seed, || {
        let job = Job::new(graph).source_with("items", items(), SourceOptions::default());
        job.sink("copies", sink("/copies")).sink("bad_items", sink("/bad"))
    });
    (lines(&fs, "/copies"), lines(&fs, "/bad"), survived.kills + survived.power_losses)
}

/// Rows as the sink above writes them.
fn as_lines(rows: &[BadRecord]) -> Vec<String> {
    let fs = FaultFs::new();
    let flow = |flow: &Flow<'_>| flow.source::<BadRecord>("rows").sink("out");
    let job = Job::new(flow).source("rows", memory::rows(rows.to_vec()));
    job.sink("out", json::write("/out").span(10.seconds()).on(Arc::new(fs.clone()))).run().unwrap();
    lines(&fs, "/out")
}

#[test]
fn bad_lines_are_dead_letters_exactly_once_through_crashes() {
    let mut crashes = 0;
    for (json, seed) in (0..6).flat_map(|seed| [(false, seed), (true, seed)]) {
        let files: Vec<_> = (0..3).map(|number| written(seed * 10 + number, json)).collect();
        let dir = tempdir().unwrap();
        for (number, file) in files.iter().enumerate() {
            let name = format!("p{number}.{}", if json { "json" } else { "csv" });
            fs::write(dir.path().join(name), &file.text).unwrap();
        }
        let items = || match json {
            true => Arc::new(json::read(dir.path()).block_bytes(60)) as Arc<dyn Source>,
            false => Arc::new(csv::read(dir.path()).block_bytes(60)),
        };
        let (bad, copies) = (memory::collect::<BadRecord>(), memory::collect::<Item>());
        let job = Job::new(graph).source_with("items", items(), SourceOptions::default());
        let outcome = job.sink("bad_items", bad.clone()).sink("copies", copies.clone()).run().unwrap();

        let mut good: Vec<_> = files.iter().flat_map(|file| file.good.clone()).collect();
        good.sort();
        let mut read: Vec<_> = copies.rows().into_iter().map(|item| (item.time, item.key)).collect();
        read.sort();
        assert_eq!(read, good, "seed {seed}");
        let expected =
            files.iter().enumerate().flat_map(|(number, file)| file.bad.iter().map(move |bad| (number, bad)));
        let mut rows = bad.rows();
        assert_eq!(outcome.metrics.source("items").bad, rows.len() as u64);
        for (number, (time, offset, line, text)) in expected {
            let found =
                rows.iter().position(|row| row.partition.contains(&format!("p{number}.")) && row.offset == *offset);
            let row = rows.remove(found.unwrap_or_else(|| panic!("seed {seed}: line {line} of p{number} is lost")));
            assert_eq!((row.source.as_str(), row.time, row.bytes), ("items", *time, text.clone().into_bytes()));
            let place = format!("line {line} (byte {offset}): ");
            assert!(row.reason.contains(&place) && row.reason.contains("expected "), "{}", row.reason);
        }
        assert_eq!(rows, [], "seed {seed}");

        let (copied, quarantined, crashed) = through_crashes(seed, items);
        assert_eq!(quarantined, as_lines(&bad.rows()), "seed {seed}");
        assert_eq!(copied.len(), good.len(), "seed {seed}");
        crashes += crashed;
    }
    assert!(crashes > 20, "{crashes} crashes say little");
}

/// Rows of which every third value is missing and every fifth event time is far ahead.
#[derive(Clone)]
struct Rows {
    count: i64,
    batch: usize,
    /// Whether the partition knows the least event time still to come.
    promised: bool,
    /// Whether what lies behind the rows is damaged.
    damaged: bool,
}

struct RowsReader(Rows, i64, usize);

fn rows() -> Rows {
    Rows { count: 30, batch: 4, promised: false, damaged: false }
}

fn time_of(row: i64) -> EventTime {
    if row % 5 == 4 { at(row) + 36_500_000.days() } else { at(row) }
}

impl Source for Rows {
    fn describe(&self) -> String {
        "rows".to_string()
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let bound = self.promised.then_some(EventTime::default());
        let partition = Partition { bound, followed: !self.promised, ..Partition::new("p0") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }

    fn open(&self, _: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let start = offset.map_or(0, |offset| offset.position as i64);
        Ok(Box::new(RowsReader(self.clone(), start, self.batch.min(scan.batch_rows))))
    }
}

impl PartitionReader for RowsReader {
    fn next(&mut self) -> Result<Next> {
        let RowsReader(rows, next, batch) = self;
        let end = (*next + *batch as i64).min(rows.count);
        if *next == end {
            return if rows.damaged { Err(Error::data("the page is damaged")) } else { Ok(Next::End) };
        }
        let item = |row| Item { time: time_of(row), key: "k".to_string(), value: row };
        let good = Item::encode((*next..end).map(item).collect::<Vec<_>>().iter());
        let values = Int64Array::from_iter((*next..end).map(|row| (row % 3 != 2).then_some(row)));
        let mut columns = good.columns().to_vec();
        columns[2] = Arc::new(values) as ArrayRef;
        let mut fields: Vec<_> = good.schema().fields().iter().cloned().collect();
        fields[2] = Arc::new(Field::new("value", DataType::Int64, true));
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        *next = end;
        let bound_after = Some(at(end)).filter(|_| self.0.promised);
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(end as u64), bound_after }))
    }
}

fn dead_letters(rows: Rows, limits: Limits) -> Vec<BadRecord> {
    let (bad, copies) = (memory::collect::<BadRecord>(), memory::collect::<Item>());
    let job = Job::new(graph).source_with("items", Arc::new(rows), SourceOptions::default().max_ahead(1.days()));
    let job = job.sink("bad_items", bad.clone()).sink("copies", copies.clone()).limits(limits);
    let outcome = job.clock(Arc::new(VirtualClock::at(at(0)))).run().unwrap();
    let good: Vec<_> = (0..30).filter(|row| row % 3 != 2 && row % 5 != 4).collect();
    assert_eq!(copies.rows().iter().map(|item| item.value).collect::<Vec<_>>(), good);
    assert_eq!(outcome.metrics.source("items").bad, 30 - good.len() as u64);
    bad.rows()
}

#[test]
fn rows_that_the_record_cannot_take_are_dead_letters_however_they_are_cut() {
    let expected: Vec<_> = (0..30).filter(|row| row % 3 == 2 || row % 5 == 4).collect();
    for promised in [false, true] {
        for batch in [1, 2, 3, 7, 30] {
            let letters =
                dead_letters(Rows { batch, promised, ..rows() }, Limits { epoch_rows: 3, ..Limits::default() });
            assert_eq!(letters.iter().map(|letter| letter.offset as i64).collect::<Vec<_>>(), expected, "by {batch}");
            for letter in letters {
                let row = letter.offset as i64;
                let before = (0..row).rev().find(|row| row % 3 != 2 && row % 5 != 4);
                assert_eq!(letter.time, before.map_or(EventTime::default(), at), "row {row}, by {batch}");
                let value = if row % 3 == 2 { "null".to_string() } else { row.to_string() };
                let bytes = format!("\"key\":\"k\",\"value\":{value}}}");
                assert!(String::from_utf8_lossy(&letter.bytes).ends_with(&bytes), "{letter:?}");
                let reason = match row % 3 {
                    2 => format!("column `value`, row {row}: found "),
                    _ => format!("row {row} has event time {}, more than 1d ahead of the clock", time_of(row)),
                };
                assert!(letter.reason.starts_with(&reason), "{letter:?}");
            }
        }
    }
}

#[test]
fn such_rows_survive_crashes_too() {
    for promised in [false, true] {
        let plain: Vec<_> = as_lines(&dead_letters(Rows { promised, ..rows() }, Limits::default()));
        for seed in 0..20 {
            // The guard of followed sources is on by default; history has to ask for it.
            let items = Rows { batch: 1 + seed as usize % 5, promised, ..rows() };
            let fs = FaultFs::new();
            let sink = |dir: &str| json::write(dir).span(10.seconds()).on(Arc::new(fs.clone()));
            survive_on(&fs, seed, || {
                let options = SourceOptions::default().max_ahead(1.days());
                let job = Job::new(graph).source_with("items", Arc::new(items.clone()), options);
                job.sink("copies", sink("/copies")).sink("bad_items", sink("/bad"))
            });
            assert_eq!(lines(&fs, "/bad"), plain, "seed {seed}");
        }
    }
}

#[test]
fn damage_is_no_bad_record_and_ends_the_job_in_any_case() {
    for policy in [BadRecords::Fail, BadRecords::Drop, BadRecords::Quarantine] {
        let rows = Rows { count: 2, damaged: true, ..rows() };
        let job = Job::new(graph).source_with("items", Arc::new(rows), SourceOptions::default().on_bad_records(policy));
        let job = job.sink("bad_items", memory::collect::<BadRecord>()).sink("copies", memory::collect::<Item>());
        let error = job.run().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Data, "source items: p0: the page is damaged")
        );
    }
}

#[test]
fn a_binding_chooses_what_becomes_of_bad_lines() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("items.csv");
    fs::write(
        &path,
        "time,key,value\n1970-01-01T00:00:01Z,a,1\n1970-01-01T00:00:02Z,b,two\n1970-01-01T00:00:03Z,c,3\n",
    )
    .unwrap();
    let run = |policy: &str| {
        let text = format!("csv:{}?bad={policy}", path.display());
        let (items, options) = (binding::source(&text).unwrap(), binding::source_options(&text).unwrap());
        let (bad, copies) = (memory::collect::<BadRecord>(), memory::collect::<Item>());
        let job = Job::new(graph).source_with("items", items.into(), options);
        let outcome = job.sink("bad_items", bad.clone()).sink("copies", copies.clone()).run();
        outcome.map(|outcome| (copies.rows().len(), bad.rows().len(), outcome.metrics.source("items").bad))
    };
    assert_eq!(run("drop").unwrap(), (2, 0, 1));
    assert_eq!(run("quarantine").unwrap(), (2, 1, 1));
    let error = run("fail").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let error = error.to_string();
    assert!(error.starts_with("source items: ") && error.contains("items.csv"), "{error}");
    assert!(error.contains("line 3 (byte 40): column `value`: found \"two\", expected a whole number"), "{error}");
}

#[test]
fn quarantine_wants_a_sink_that_the_graph_names() {
    let plain = |flow: &Flow<'_>| flow.source::<Item>("items").sink("copies");
    let to = |options| {
        let job = Job::new(plain).source_with("items", Arc::new(rows()), options);
        job.sink("copies", memory::collect::<Item>()).run().unwrap_err()
    };
    let error = to(SourceOptions::default().on_bad_records(BadRecords::Quarantine));
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.to_string().contains("say `.quarantine(\"bad_items\")` right behind `flow.source(\"items\")`"),
        "{error}"
    );
    let error = to(SourceOptions::default().quarantine("elsewhere"));
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");

    let job = Job::new(graph).source("items", rows()).sink("copies", memory::collect::<Item>());
    let bound = job.clone().sink("bad_items", memory::collect::<BadRecord>());
    let listing = bound.plan().unwrap().graph.to_string();
    assert_eq!(listing, "  0  source items\n  1  bad <- 0\n  2  sink bad_items <- 1\n  3  sink copies <- 0\n");
    let error = job.run().unwrap_err();
    assert!(error.to_string().contains("nothing is bound to sink bad_items"), "{error}");
}

#[test]
fn the_first_bad_row_is_found_whichever_column_is_looked_at_first() {
    // The key of the second row is missing, and the value of the first: columns are looked at in the record's order.
    let good = Item::encode([1, 2, 3].map(|row| Item { time: at(row), key: "k".into(), value: row }).iter());
    let keys = Arc::new(arrow_array::StringArray::from(vec![Some("a"), None, Some("c")])) as ArrayRef;
    let values = Arc::new(Int64Array::from(vec![None, Some(2), Some(3)])) as ArrayRef;
    let columns = [("time", good.column(0).clone(), false), ("key", keys, true), ("value", values, true)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let (bad, copies) = (memory::collect::<BadRecord>(), memory::collect::<Item>());
    let job = Job::new(graph).source("items", Once(batch));
    job.sink("bad_items", bad.clone()).sink("copies", copies.clone()).run().unwrap();
    assert_eq!(copies.rows().len(), 1);
    let columns = bad.rows().into_iter().map(|letter| letter.reason.split(':').next().unwrap().to_string());
    assert_eq!(columns.collect::<Vec<_>>(), ["column `value`, row 0", "column `key`, row 1"]);
}

/// One batch, once.
struct Once(RecordBatch);

impl Source for Once {
    fn describe(&self) -> String {
        "once".to_string()
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        Ok(Listing { partitions: vec![Partition::new("p0")], ..Listing::default() })
    }

    fn open(&self, _: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        Ok(Box::new(OnceReader(Some(self.0.clone()))))
    }
}

struct OnceReader(Option<RecordBatch>);

impl PartitionReader for OnceReader {
    fn next(&mut self) -> Result<Next> {
        let Some(rows) = self.0.take() else { return Ok(Next::End) };
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(3), bound_after: None }))
    }
}

/// A time and a number.
#[record]
struct Ends {
    #[event_time]
    time: EventTime,
    n: i64,
}

/// Rows at both ends of time among others, by every kind of source that can say such a time: as text it has no words.
fn at_the_ends(dir: &Path) -> Vec<Arc<dyn Source>> {
    let times = [EventTime::FIRST, EventTime::MIN, at(0), EventTime::MAX, EventTime::LAST];
    let rows = || times.into_iter().zip(0..).map(|(time, n)| Ends { time, n }).collect::<Vec<_>>();
    let batch = Ends::encode(rows().iter());
    let file = fs::File::create(dir.join("a.parquet")).unwrap();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let log = log::Log::create(dir.join("log"), &batch.schema(), 1).unwrap();
    let mut writer = log.writer(0).unwrap();
    writer.append(&batch).unwrap();
    writer.commit().unwrap();
    let bound = |scheme: &str, path: &str| -> Arc<dyn Source> {
        let text = format!("{scheme}:{}{path}", dir.display());
        binding::source(&text).unwrap_or_else(|error| panic!("{error}")).into()
    };
    vec![Arc::new(memory::rows(rows())), bound("parquet", "/a.parquet"), bound("log", "/log?follow=false")]
}

#[test]
fn an_event_at_an_end_of_time_is_a_bad_record_of_every_source_that_can_say_it() {
    let dir = tempdir().unwrap();
    for items in at_the_ends(dir.path()) {
        let name = items.describe();
        let (good, bad) = (memory::collect::<Ends>(), memory::collect::<BadRecord>());
        let job = Job::new(|flow| flow.source::<Ends>("items").quarantine("bad").sink("good"));
        let job = job.sink("good", good.clone()).sink("bad", bad.clone());
        let fails = SourceOptions::default().on_bad_records(BadRecords::Fail);
        let error = job.clone().source_with("items", Arc::clone(&items), fails).run().unwrap_err();
        let said = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Data, "{name}: {said}");
        assert!(said.contains("row 1 has event time -9223372036854775808us, an end of time"), "{name}: {said}");
        assert!(said.contains("it stands for before every event"), "{name}: {said}");
        job.source_with("items", items, SourceOptions::default()).run().unwrap();
        assert_eq!(good.rows().iter().map(|row| row.n).collect::<Vec<_>>(), [0, 2, 4], "{name}");
        let reasons: Vec<_> = bad.rows().iter().map(|letter| letter.reason.clone()).collect();
        assert!(reasons.len() == 2 && reasons[1].contains("it stands for after every event"), "{name}: {reasons:?}");
    }
}
