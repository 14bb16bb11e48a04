//! Sources that have changed under a job while it was down.
//!
//! Would catch: a job that goes on as if nothing had happened, over rows that are gone, other rows, or half a file of each;
//! and an error that does not say what was lost.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use dualgauge::checkpoint::{Commit, Entry, LocalStore, ManifestLog};
use dualgauge::connectors::log::{self, Layout, Log, LogSource, WriteOptions};
use dualgauge::connectors::parquet::{FileOptions, write_file};
use dualgauge::connectors::{csv, json, parquet};
use dualgauge::flow::SourceOptions;
use dualgauge::fs::FaultFs;
use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Lines};
use dualgauge::{ErrorKind, Result, Source};

use crate::common::{at, checkpoints, disk, limits};

/// How many rows there are; a quarter of them in a row group, a segment or a commit.
const ROWS: i64 = 400;

fn items(from: i64, to: i64) -> Vec<Item> {
    (from..to).map(|row| Item { time: at(row), key: "k".to_string(), value: row }).collect()
}

fn batch(from: i64, to: i64) -> RecordBatch {
    Item::encode(items(from, to).iter())
}

/// Where the rows lie.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Parquet,
    Log,
    Csv,
    Json,
}

impl Kind {
    /// Writes the rows `from..to` into an empty directory.
    fn write(self, dir: &Path, from: i64, to: i64) {
        match self {
            Kind::Parquet => parquet_file(&dir.join("rows/a.parquet"), from, to),
            Kind::Log => {
                let log = Log::create(dir.join("rows"), &Item::schema(), Layout::partitions(1)).unwrap();
                append(&log, from, to);
            }
            Kind::Csv => text_file(&dir.join("rows/a.csv"), &csv_text(from, to)),
            Kind::Json => text_file(&dir.join("rows/a.json"), &json_text(from, to)),
        }
    }

    fn open(self, dir: &Path) -> Result<Arc<dyn Source>> {
        let rows = dir.join("rows");
        Ok(match self {
            Kind::Parquet => Arc::new(parquet::read(rows)),
            Kind::Log => Arc::new(LogSource::open(rows)?),
            Kind::Csv => Arc::new(csv::read(rows).block_bytes(512)),
            Kind::Json => Arc::new(json::read(rows).block_bytes(512)),
        })
    }
}

fn parquet_file(path: &Path, from: i64, to: i64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = FileOptions { row_group_rows: 100, page_rows: 10, ..FileOptions::default() };
    write_file(path, &Item::schema(), [batch(from, to)], &options).unwrap();
}

/// Small segments, a commit of 25 rows each.
fn append(log: &Log, from: i64, to: i64) {
    let options = WriteOptions { segment_bytes: 4_096, ..WriteOptions::default() };
    let mut writer = log.writer_with(0, options).unwrap();
    for start in (from..to).step_by(25) {
        writer.append(&batch(start, (start + 25).min(to))).unwrap();
        writer.commit().unwrap();
    }
}

fn text_file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn csv_text(from: i64, to: i64) -> String {
    let rows = items(from, to).into_iter().map(|item| format!("{},{},{}\n", item.time, item.key, item.value));
    format!("time,key,value\n{}", rows.collect::<String>())
}

fn json_text(from: i64, to: i64) -> String {
    let row =
        |item: Item| format!("{{\"time\":\"{}\",\"key\":\"{}\",\"value\":{}}}\n", item.time, item.key, item.value);
    items(from, to).into_iter().map(row).collect()
}

fn graph(flow: &Flow<'_>) {
    let items = flow.source::<Item>("rows").key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    let sums = items.aggregate("sums", agg::sum(|item: &Item| item.value));
    sums.map(|pane| dualgauge::testing::Line { time: pane.time, text: pane.value.to_string() }).sink("sums");
}

fn job(source: Arc<dyn Source>, fs: &FaultFs, turns: Baton) -> Result<Job> {
    let job = Job::new(graph).source_with("rows", source, SourceOptions::default()).sink("sums", Lines::default());
    let limits = dualgauge::Limits { batch_rows: 10, ..limits(20) };
    Ok(job.limits(limits).turns(Arc::new(turns)).checkpoints(checkpoints(fs)?))
}

/// Runs the job until it has read so many rows and told a checkpoint of it, and kills it.
fn interrupted(kind: Kind, dir: &Path, rows: u64) -> FaultFs {
    for turn in (20..4_000).step_by(4) {
        let fs = disk();
        let killed = job(kind.open(dir).unwrap(), &fs, Baton::new(1, 1).kill_at(turn)).unwrap().run();
        assert_eq!(killed.unwrap_err().kind(), ErrorKind::Stopped, "{kind:?}: it was killed before it was done");
        let store = LocalStore::open(Arc::new(fs.clone()), "/job").unwrap();
        let last = ManifestLog::read(&store).unwrap().pop();
        if let Some((_, Entry::Commit(commit))) = last
            && read(&commit) >= rows
        {
            return fs;
        }
    }
    panic!("{kind:?}: no checkpoint tells of {rows} rows")
}

fn read(commit: &Commit) -> u64 {
    commit.sources["rows"].partitions.values().map(|cut| cut.rows).sum()
}

/// Goes on over what is there now.
fn go_on(kind: Kind, dir: &Path, fs: &FaultFs) -> Result<()> {
    // A log that is followed has no end: whatever is found, is found by then.
    // A log is opened before there is a job, as the command line does it.
    let source = kind.open(dir).map_err(|error| checkpoints(fs).unwrap().told_of_gap("rows", error))?;
    resume(source, fs)
}

fn resume(source: Arc<dyn Source>, fs: &FaultFs) -> Result<()> {
    job(source, fs, Baton::new(1, 1).kill_at(1_500))?.run().map(drop)
}

type Damage = fn(&Path);

const GAP: &str = "E-SOURCE-GAP";

fn replace(kind: Kind, dir: &Path, from: i64, to: i64) {
    fs::remove_dir_all(dir.join("rows")).unwrap();
    kind.write(dir, from, to);
}

fn cut(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// The files of the log's partition whose names end so.
fn of_log(dir: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(dir.join("rows/p0000")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    files
}

/// What happens while the job is down, and what the error has to say. In the first half of the rows each job has read.
fn cases() -> Vec<(Kind, &'static str, &'static str, Damage)> {
    use Kind::*;
    vec![
        (Parquet, "the file is gone", GAP, |dir| fs::remove_file(dir.join("rows/a.parquet")).unwrap()),
        (Parquet, "the file has another name", GAP, |dir| {
            fs::rename(dir.join("rows/a.parquet"), dir.join("rows/b.parquet")).unwrap()
        }),
        (Parquet, "other rows", GAP, |dir| replace(Parquet, dir, 1, ROWS + 1)),
        (Parquet, "fewer rows", GAP, |dir| replace(Parquet, dir, 0, 250)),
        (Parquet, "more rows", GAP, |dir| replace(Parquet, dir, 0, 600)),
        (Parquet, "fewer row groups than were read", GAP, |dir| replace(Parquet, dir, 0, 100)),
        (Parquet, "larger row groups", GAP, |dir| {
            let options = FileOptions { row_group_rows: 200, ..FileOptions::default() };
            write_file(dir.join("rows/a.parquet"), &Item::schema(), [batch(0, ROWS)], &options).unwrap();
        }),
        (Parquet, "the file is cut off", "a.parquet", |dir| cut(&dir.join("rows/a.parquet"), 900)),
        (Parquet, "the file is empty", "a.parquet", |dir| cut(&dir.join("rows/a.parquet"), 0)),
        (Parquet, "the directory is gone", GAP, |dir| fs::remove_dir_all(dir.join("rows")).unwrap()),
        (Log, "the directory is gone", GAP, |dir| fs::remove_dir_all(dir.join("rows")).unwrap()),
        (Log, "a new log without rows", GAP, |dir| replace(Log, dir, 0, 0)),
        (Log, "a new log with the same rows", GAP, |dir| replace(Log, dir, 0, ROWS)),
        (Log, "a new log with more rows", GAP, |dir| replace(Log, dir, 0, 2 * ROWS)),
        (Log, "a new log with fewer rows", GAP, |dir| replace(Log, dir, 0, 25)),
        (Log, "the tail is gone", GAP, |dir| {
            let segments = of_log(dir, ".arrows").into_iter().chain(of_log(dir, ".index"));
            let late = |path: &std::path::PathBuf| !path.to_string_lossy().contains("/00000000000000000000.");
            segments.filter(late).for_each(|path| fs::remove_file(path).unwrap());
        }),
        (Log, "the head is gone, and more", GAP, |dir| {
            let log = log::Log::open(dir.join("rows")).unwrap();
            append(&log, ROWS, 2 * ROWS);
            assert!(log.retain(0, &log::Retention::default().bytes(1)).unwrap() > ROWS as u64 / 2);
        }),
        (Log, "the partition is gone", "p0000: No such file", |dir| {
            fs::remove_dir_all(dir.join("rows/p0000")).unwrap()
        }),
        (Log, "an index is gone", "the index of this segment is missing", |dir| {
            fs::remove_file(of_log(dir, ".index").pop().unwrap()).unwrap()
        }),
        (Log, "all indexes are gone", "the index of this segment is missing", |dir| {
            of_log(dir, ".index").iter().for_each(|path| fs::remove_file(path).unwrap())
        }),
        (Log, "a segment is cut off before what was read", "the batch at offset", |dir| {
            of_log(dir, ".arrows").iter().for_each(|path| cut(path, 300))
        }),
        (Csv, "the file is gone", GAP, |dir| fs::remove_file(dir.join("rows/a.csv")).unwrap()),
        (Csv, "the file is cut off before what was read", GAP, |dir| cut(&dir.join("rows/a.csv"), 200)),
        (Csv, "the file is empty", GAP, |dir| cut(&dir.join("rows/a.csv"), 0)),
        (Csv, "other rows", GAP, |dir| replace(Csv, dir, 1, ROWS + 1)),
        (Csv, "other rows of the same length", GAP, |dir| {
            let text = csv_text(0, ROWS).replace(",k,", ",j,");
            text_file(&dir.join("rows/a.csv"), &text)
        }),
        (Csv, "the file has another name", GAP, |dir| {
            fs::rename(dir.join("rows/a.csv"), dir.join("rows/b.csv")).unwrap()
        }),
        (Json, "the file is cut off before what was read", GAP, |dir| cut(&dir.join("rows/a.json"), 200)),
        (Json, "other rows", GAP, |dir| replace(Json, dir, 1, ROWS + 1)),
        (Json, "the file has another name", GAP, |dir| {
            fs::rename(dir.join("rows/a.json"), dir.join("rows/b.json")).unwrap()
        }),
    ]
}

#[test]
fn whatever_a_source_has_lost_or_changed_is_named() {
    let cases = cases();
    assert_eq!(cases.len(), 30);
    let mut gaps = 0;
    for kind in [Kind::Parquet, Kind::Log, Kind::Csv, Kind::Json] {
        let whole = tempfile::tempdir().unwrap();
        kind.write(whole.path(), 0, ROWS);
        let fs = interrupted(kind, whole.path(), 150);
        for (_, what, said, damage) in cases.iter().filter(|(of, ..)| *of == kind) {
            let dir = tempfile::tempdir().unwrap();
            copy(whole.path(), dir.path());
            damage(dir.path());
            let error = go_on(kind, dir.path(), &fs.fork()).expect_err(what);
            assert_ne!(error.kind(), ErrorKind::Stopped, "{kind:?}, {what}: nothing was noticed");
            let error = error.to_string();
            assert!(error.contains(said), "{kind:?}, {what}: {error}");
            gaps += usize::from(error.contains(GAP));
        }
    }
    println!("30 cases, 30 named errors, {gaps} of them {GAP}");
}

/// What is done to the input of a kind at a place.
type Change = fn(&Path, Kind);

/// What becomes of a directory of two files while the job is down.
const CHANGES: &[(&str, Change)] = &[
    ("emptied", |rows, _| remove(rows, &["a", "b"])),
    ("removed", |rows, _| fs::remove_dir_all(rows).unwrap()),
    ("the first gone", |rows, _| remove(rows, &["a"])),
    ("the second gone", |rows, _| remove(rows, &["b"])),
    ("all replaced by others", |rows, kind| {
        remove(rows, &["a", "b"]);
        two(rows, kind, ["c", "d"], 0);
    }),
    ("other rows under the same names", |rows, kind| two(rows, kind, ["a", "b"], 1)),
    ("each under the name of the other", |rows, kind| two(rows, kind, ["b", "a"], 0)),
];

/// Removes files, whatever their endings are.
fn remove(rows: &Path, names: &[&str]) {
    for entry in fs::read_dir(rows).unwrap() {
        let path = entry.unwrap().path();
        if names.iter().any(|name| path.file_stem().unwrap() == *name) {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Two files, each with half of the rows; those are counted from `first`.
fn two(rows: &Path, kind: Kind, names: [&str; 2], first: i64) {
    for (name, from) in names.into_iter().zip([first, first + ROWS / 2]) {
        let (to, path) = (from + ROWS / 2, rows.join(name));
        match kind {
            Kind::Parquet => parquet_file(&path.with_extension("parquet"), from, to),
            Kind::Csv => text_file(&path.with_extension("csv"), &csv_text(from, to)),
            Kind::Json => text_file(&path.with_extension("json"), &json_text(from, to)),
            Kind::Log => unreachable!("a log has one directory"),
        }
    }
}

#[test]
fn whatever_has_become_of_a_directory_is_a_gap_for_every_source_of_files() {
    for kind in [Kind::Parquet, Kind::Csv, Kind::Json] {
        let whole = tempfile::tempdir().unwrap();
        two(&whole.path().join("rows"), kind, ["a", "b"], 0);
        let fs = interrupted(kind, whole.path(), 150);
        let endings = [("parquet", Kind::Parquet), ("csv", Kind::Csv), ("json", Kind::Json)];
        let ending = endings.iter().find(|(_, of)| *of == kind).unwrap().0;
        for (what, change) in CHANGES {
            for path in ["rows".to_string(), format!("rows/*.{ending}"), format!("r*/?.{ending}")] {
                let dir = tempfile::tempdir().unwrap();
                copy(whole.path(), dir.path());
                change(&dir.path().join("rows"), kind);
                let path = dir.path().join(path);
                let source: Arc<dyn Source> = match kind {
                    Kind::Parquet => Arc::new(parquet::read(path)),
                    Kind::Csv => Arc::new(csv::read(path).block_bytes(512)),
                    _ => Arc::new(json::read(path).block_bytes(512)),
                };
                let (place, error) = (source.describe(), resume(source, &fs.fork()).expect_err(what));
                assert_eq!(error.kind(), ErrorKind::Data, "{place}: {what}: {error}");
                assert!(error.to_string().contains(GAP), "{place}: {what}: {error}");
            }
        }
    }
}

/// What has not changed is gone on from: the cases above fail for their damage, and not for being copies.
#[test]
fn a_source_that_is_as_it_was_or_has_grown_is_gone_on_from() {
    for kind in [Kind::Parquet, Kind::Log, Kind::Csv, Kind::Json] {
        let dir = tempfile::tempdir().unwrap();
        kind.write(dir.path(), 0, ROWS);
        let fs = interrupted(kind, dir.path(), 150);
        if kind == Kind::Log {
            append(&Log::open(dir.path().join("rows")).unwrap(), ROWS, ROWS + 50);
        }
        match go_on(kind, dir.path(), &fs) {
            Ok(()) => assert_ne!(kind, Kind::Log),
            Err(error) => assert_eq!((kind, error.kind()), (Kind::Log, ErrorKind::Stopped), "{error}"),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}
