//! Every sink through the contract of sinks: crashes between any two verbs, with what was not synced lost, repeated commits,
//! generations that wake, and runs without a row.
//!
//! Would catch: a sink that publishes twice or not at all after a crash, one whose elder generation spoils what its successor
//! stages, and an output that is not there when nothing was written.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dualgauge_connectors::log::{Log, LogSink, ReadOptions};
use dualgauge_connectors::{binding, csv, json, memory, parquet};
use dualgauge_engine::fs::{FaultFs, Fs, Kind};
use dualgauge_engine::testing::{Item, SinkPlace, sink_contract};
use dualgauge_engine::{
    Durations, Epoch, Error, Event, Firings, Next, PartitionReader, Record, Result, Scan, Sink, Source,
};

/// Makes a sink on a disk.
type Make = fn(Arc<dyn Fs>) -> Box<dyn Sink>;

/// Every sink of files, with the binding by which it is read.
const ON_DISK: &[(&str, &str, Make)] = &[
    ("parquet, short spans", "parquet:DIR/out/", |fs| {
        Box::new(parquet::write("/out").span(20.seconds()).buckets(1).on(fs))
    }),
    ("parquet, long spans", "parquet:DIR/out/", |fs| {
        Box::new(parquet::write("/out").span(1.hours()).buckets(2).on(fs))
    }),
    ("csv, short spans", "csv:DIR/out/", |fs| Box::new(csv::write("/out/").span(20.seconds()).on(fs))),
    ("csv, long spans", "csv:DIR/out/", |fs| Box::new(csv::write("/out/").span(1.hours()).buckets(2).on(fs))),
    ("csv, one file", "csv:DIR/out/one.csv", |fs| Box::new(csv::write("/out/one.csv").on(fs))),
    ("json, short spans", "json:DIR/out/", |fs| Box::new(json::write("/out/").span(20.seconds()).on(fs))),
    ("json, one file", "json:DIR/out/one.json", |fs| Box::new(json::write("/out/one.json").on(fs))),
    ("log", "log:DIR/out", |fs| Box::new(LogSink::new_on(fs, "/out", 2))),
    ("log, not sealed", "log:DIR/out", |fs| Box::new(LogSink::new_on(fs, "/out", 1).seal(false))),
    ("log, all firings", "log:DIR/out", |fs| Box::new(LogSink::new_on(fs, "/out", 1).firings(Firings::All))),
];

/// What was read of each output that was seen; most of them are seen again and again.
type Known = Arc<Mutex<HashMap<BTreeMap<PathBuf, Vec<u8>>, Vec<Vec<Item>>>>>;

/// A disk that loses what was not synced.
struct Disk {
    fs: FaultFs,
    binding: &'static str,
    make: Make,
    known: Known,
}

impl SinkPlace for Disk {
    fn sink(&self) -> Box<dyn Sink> {
        (self.make)(Arc::new(self.fs.clone()))
    }

    fn seen(&self) -> Result<Vec<Vec<Item>>> {
        if self.binding.starts_with("log:") {
            return seen_in_log(&self.fs);
        }
        let mut files = BTreeMap::new();
        visible(&self.fs, Path::new("/out"), &mut files);
        if let Some(rows) = self.known.lock().unwrap().get(&files) {
            return Ok(rows.clone());
        }
        let here = tempfile::tempdir().unwrap();
        for (path, bytes) in &files {
            let copy = here.path().join(path.strip_prefix("/").unwrap());
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::write(copy, bytes).unwrap();
        }
        let rows = read(&*binding::source(&self.binding.replace("DIR", &here.path().display().to_string()))?)?;
        self.known.lock().unwrap().insert(files, rows.clone());
        Ok(rows)
    }

    fn crash(&self) {
        self.fs.crash(0);
    }
}

/// The files that a person sees, with what is in them.
fn visible(fs: &FaultFs, path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    match fs.kind(path).unwrap() {
        Some(Kind::Dir) => {
            let names = fs.list(path).unwrap();
            names.iter().filter(|name| !name.starts_with('.')).for_each(|name| visible(fs, &path.join(name), found));
        }
        Some(_) => drop(found.insert(path.to_path_buf(), fs.read(path).unwrap())),
        None => {}
    }
}

/// The rows of each partition of the log.
fn seen_in_log(fs: &FaultFs) -> Result<Vec<Vec<Item>>> {
    let log = Log::open_on(Arc::new(fs.clone()), "/out")?;
    let partition = |number| rows(&mut log.reader(number, None, ReadOptions::default())?);
    (0..log.partitions()).map(partition).collect()
}

/// The rows that a source reads, partition by partition.
fn read(source: &dyn Source) -> Result<Vec<Vec<Item>>> {
    let scan = Scan { schema: Item::wanted(), event_time: "time".to_string(), from: None, to: None, batch_rows: 100 };
    let partitions = source.partitions(&scan)?.partitions;
    partitions.iter().map(|partition| rows(&mut *source.open(partition, None, &scan)?)).collect()
}

/// All rows that there are at this moment.
fn rows(reader: &mut dyn PartitionReader) -> Result<Vec<Item>> {
    let mut rows = Vec::<Event<Item>>::new();
    loop {
        match reader.next()? {
            Next::Batch(batch) => {
                Item::decode(&batch.rows, &mut rows).map_err(|error| Error::data(error.to_string()))?
            }
            Next::Mixed(_, bad) => return Err(Error::data(bad[0].reason().to_string())),
            Next::Pending | Next::End => return Ok(rows.into_iter().map(|row| row.data).collect()),
        }
    }
}

#[test]
fn every_sink_of_files_keeps_the_contract_of_sinks() {
    for (name, binding, make) in ON_DISK {
        let known = Known::default();
        let disk = || {
            let fs = FaultFs::new();
            fs.create_dirs(Path::new("/out")).and_then(|()| fs.sync_dir(Path::new("/"))).unwrap();
            Disk { fs, binding, make: *make, known: known.clone() }
        };
        sink_contract(disk).unwrap_or_else(|breach| panic!("{name}: {breach}"));
    }
}

/// Rows that the program has.
struct InMemory(memory::Collect<Item>);

impl SinkPlace for InMemory {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.0.clone())
    }

    fn seen(&self) -> Result<Vec<Vec<Item>>> {
        Ok(vec![self.0.rows()])
    }
}

#[test]
fn the_sink_in_memory_keeps_the_contract_of_sinks() {
    sink_contract(|| InMemory(memory::collect())).unwrap();
    sink_contract(|| InMemory(memory::collect().at_once())).unwrap();
}

/// A program that keeps what it is handed by its epoch, over all its starts.
#[derive(Default)]
struct Program {
    starts: Mutex<Vec<memory::Receiver<Item>>>,
    kept: Mutex<BTreeMap<Epoch, Vec<Item>>>,
}

impl SinkPlace for Program {
    fn sink(&self) -> Box<dyn Sink> {
        let (sink, receiver) = memory::hand_over(usize::MAX);
        self.starts.lock().unwrap().push(receiver);
        Box::new(sink)
    }

    fn seen(&self) -> Result<Vec<Vec<Item>>> {
        let mut kept = self.kept.lock().unwrap();
        for start in &*self.starts.lock().unwrap() {
            std::iter::from_fn(|| start.try_recv()).for_each(|handed| {
                kept.entry(handed.epoch).or_insert(handed.rows);
            });
        }
        Ok(kept.values().cloned().collect())
    }
}

#[test]
fn a_program_that_keeps_the_epoch_of_what_it_is_handed_has_each_row_once() {
    sink_contract(Program::default).unwrap();
}
