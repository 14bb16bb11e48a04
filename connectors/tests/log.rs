//! The event log against its promises: what was acknowledged is there, in order, once; what is damaged is named; and what
//! a reader has seen stays, whatever the disk and the power do.
//!
//! Faults come from `FaultFs`, a disk in memory, because no real one fails at every operation on request.

use dualgauge_engine::sink::{Prepared, Writing};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dualgauge_connectors::log::{
    Layout, Log, LogReader, LogSink, LogSource, ReadOptions, Retention, WriteOptions, repair_on, verify_on,
};
use dualgauge_engine::fs::{Fault, FaultFs, Fs};
use dualgauge_engine::{
    DecodeError, Durations, Epoch, ErrorKind, Event, EventTime, Next, Offset, Partition, PartitionReader, Record,
    Result, Scan, Sink, Source, VirtualClock,
};

const DIR: &str = "/log";

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

/// Rows that count on from `first`.
fn rows(first: i64, count: i64) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(first..first + count);
    RecordBatch::try_new(schema(), vec![Arc::new(numbers)]).unwrap()
}

fn create(fs: &FaultFs) -> Log {
    Log::create_on(Arc::new(fs.clone()), DIR, &schema(), 1).unwrap()
}

fn open(fs: &FaultFs) -> Result<Log> {
    Log::open_on(Arc::new(fs.clone()), DIR)
}

fn numbers(batch: &RecordBatch) -> Vec<i64> {
    batch.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// Everything that is committed after `from`, and whether the partition has ended.
fn drain(reader: &mut LogReader) -> Result<(Vec<i64>, bool)> {
    let mut read = Vec::new();
    loop {
        match reader.next()? {
            Next::Batch(batch) => read.extend(numbers(&batch.rows)),
            Next::Mixed(_, bad) => panic!("{}", bad[0].reason()),
            Next::Pending => return Ok((read, false)),
            Next::End => return Ok((read, true)),
        }
    }
}

fn read_all(log: &Log) -> Result<(Vec<i64>, bool)> {
    drain(&mut log.reader(0, None, ReadOptions::default())?)
}

fn segment(first: u64) -> PathBuf {
    Path::new(DIR).join(format!("p0000/{first:020}.arrows"))
}

fn index(first: u64) -> PathBuf {
    Path::new(DIR).join(format!("p0000/{first:020}.index"))
}

#[test]
fn what_was_committed_is_read_and_what_was_only_appended_is_not() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer(0).unwrap();
    writer.append(&rows(0, 3)).unwrap();
    assert_eq!(read_all(&log).unwrap(), (vec![], false));
    writer.append(&rows(3, 2)).unwrap();
    assert_eq!(writer.commit().unwrap().position, 5);
    assert_eq!(read_all(&log).unwrap(), ((0..5).collect(), false));
}

#[test]
fn segments_roll_and_a_reader_goes_through_them_and_ends_at_the_seal() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer_with(0, WriteOptions { segment_bytes: 1, ..WriteOptions::default() }).unwrap();
    let mut reader = log.reader(0, None, ReadOptions::default()).unwrap();
    for n in 0..4 {
        writer.append(&rows(n, 1)).unwrap();
        writer.commit().unwrap();
        assert_eq!(drain(&mut reader).unwrap(), (vec![n], false));
    }
    writer.seal().unwrap();
    assert_eq!(drain(&mut reader).unwrap(), (vec![], true));
    assert_eq!(read_all(&log).unwrap(), ((0..4).collect(), true));
    drop(writer);
    let mut writer = log.writer(0).unwrap();
    assert!(writer.is_sealed());
    let error = writer.append(&rows(4, 1)).unwrap_err();
    assert!(error.to_string().contains("sealed at offset 4"), "{error}");
}

#[test]
fn a_reader_follows_while_the_writer_writes() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log"), &schema(), 1).unwrap();
    let options = WriteOptions { segment_bytes: 2_000, durable: false, ..WriteOptions::default() };
    let mut writer = log.writer_with(0, options).unwrap();
    let (committed, commits) = std::sync::mpsc::channel();
    let following = thread::spawn({
        let log = Log::open(log.path()).unwrap();
        move || {
            let mut reader = log.reader(0, None, ReadOptions::default()).unwrap();
            let mut read = Vec::new();
            for end in commits {
                // What the writer has reported is there; more may be.
                let (more, _) = drain(&mut reader).unwrap();
                read.extend(more);
                assert!(read.len() as u64 >= end, "{} rows of {end} were seen", read.len());
            }
            let (more, ended) = drain(&mut reader).unwrap();
            read.extend(more);
            (read, ended)
        }
    });
    for commit in 0..50 {
        writer.append(&rows(commit * 20, 15)).unwrap();
        writer.append(&rows(commit * 20 + 15, 5)).unwrap();
        committed.send(writer.commit().unwrap().position).unwrap();
    }
    writer.seal().unwrap();
    drop(committed);
    assert_eq!(following.join().unwrap(), ((0..1_000).collect(), true));
}

#[test]
fn a_commit_of_more_batches_than_one_look_reads_is_seen_whole() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer(0).unwrap();
    let mut reader = log.reader(0, None, ReadOptions::default()).unwrap();
    for n in 0..1_300 {
        writer.append(&rows(n, 1)).unwrap();
    }
    assert_eq!(drain(&mut reader).unwrap().0, Vec::<i64>::new());
    writer.commit().unwrap();
    assert_eq!(drain(&mut reader).unwrap().0, (0..1_300).collect::<Vec<_>>());
}

/// A record as `#[record]` would derive it, for as much as appending needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
struct Number {
    n: i64,
}

impl Record for Number {
    fn schema() -> SchemaRef {
        schema()
    }
    fn event_time_column() -> Option<&'static str> {
        None
    }
    fn event_time(&self) -> Option<EventTime> {
        None
    }
    fn decode(_: &RecordBatch, _: &mut Vec<Event<Number>>) -> Result<(), DecodeError> {
        panic!("a record without an event time is not read from a source")
    }
    fn encode<'a>(rows: impl Iterator<Item = &'a Number> + Clone) -> RecordBatch {
        let numbers = Int64Array::from_iter_values(rows.map(|row| row.n));
        RecordBatch::try_new(schema(), vec![Arc::new(numbers)]).unwrap()
    }
}

#[test]
fn records_are_appended_as_one_batch() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer(0).unwrap();
    writer.append_rows::<Number>(&[]).unwrap();
    writer.append_rows(&[Number { n: 5 }, Number { n: 3 }]).unwrap();
    assert_eq!(writer.commit().unwrap().position, 2);
    assert_eq!(read_all(&log).unwrap().0, [5, 3]);
}

/// Three rows in one commit and two in another, on a disk of its own.
fn two_commits() -> FaultFs {
    let fs = FaultFs::new();
    let mut writer = create(&fs).writer(0).unwrap();
    writer.append(&rows(0, 3)).unwrap();
    writer.commit().unwrap();
    writer.append(&rows(3, 2)).unwrap();
    writer.commit().unwrap();
    fs
}

fn cut(fs: &FaultFs, path: &Path, length: u64) {
    fs.append(path).unwrap().truncate(length).unwrap();
}

fn length(fs: &FaultFs, path: &Path) -> u64 {
    fs.open(path).unwrap().length().unwrap()
}

const HEADER: u64 = 96;
const ENTRY: u64 = 112;

#[test]
fn an_index_torn_at_any_byte_of_its_last_commit_loses_only_that_and_says_so() {
    let whole = two_commits();
    for torn in HEADER + 2 * ENTRY..HEADER + 4 * ENTRY {
        let fs = whole.fork();
        cut(&fs, &index(0), torn);
        let log = open(&fs).unwrap();
        assert_eq!(read_all(&log).unwrap().0, [0, 1, 2], "torn at {torn}");
        let mut writer = log.writer(0).unwrap();
        let recovery = writer.recovery();
        if torn >= HEADER + 3 * ENTRY {
            // The batch and its entry are whole: it is completed.
            assert_eq!((recovery.completed_rows, recovery.cut_segment_bytes), (2, 0), "torn at {torn}");
        } else {
            assert_eq!((recovery.completed_rows, recovery.cut_segment_bytes > 0), (0, true), "torn at {torn}");
            writer.append(&rows(3, 2)).unwrap();
            writer.commit().unwrap();
        }
        assert_eq!(read_all(&log).unwrap().0, [0, 1, 2, 3, 4], "torn at {torn}");
        assert!(verify_on(Arc::new(fs), DIR).unwrap().unfinished.is_empty());
    }
}

#[test]
fn a_segment_torn_at_any_byte_of_an_uncommitted_batch_is_cut_at_the_last_good_one() {
    let whole = two_commits();
    let end = length(&whole, &segment(0));
    cut(&whole, &index(0), HEADER + 3 * ENTRY); // the batch's entry is there, its commit is not
    for torn in end - 256..end {
        let fs = whole.fork();
        cut(&fs, &segment(0), torn);
        let log = open(&fs).unwrap();
        let writer = log.writer(0).unwrap();
        let recovery = writer.recovery();
        assert_eq!((recovery.completed_rows, recovery.cut_index_bytes, recovery.offset), (0, ENTRY, 3), "at {torn}");
        assert_eq!(recovery.cut_segment_bytes, torn - (end - 256), "at {torn}");
        assert_eq!(read_all(&log).unwrap().0, [0, 1, 2]);
    }
}

#[test]
fn a_segment_that_has_lost_committed_bytes_is_an_error() {
    let fs = two_commits();
    cut(&fs, &segment(0), length(&fs, &segment(0)) - 1);
    let log = open(&fs).unwrap();
    let error = log.writer(0).unwrap_err().to_string();
    assert!(error.contains("00000000000000000000.arrows") && error.contains("up to offset 5"), "{error}");
    let error = read_all(&log).unwrap_err().to_string();
    assert!(error.contains("offset 0") || error.contains("offset 3"), "{error}");
}

/// Two segments of two batches each, with an end.
fn two_segments() -> FaultFs {
    let fs = FaultFs::new();
    let mut writer = create(&fs).writer_with(0, WriteOptions { segment_bytes: 600, ..Default::default() }).unwrap();
    for n in 0..4 {
        writer.append(&rows(n * 2, 2)).unwrap();
        writer.commit().unwrap();
    }
    writer.seal().unwrap();
    drop(writer);
    assert_eq!(fs.list(Path::new("/log/p0000")).unwrap().len(), 4);
    fs
}

#[test]
fn a_flipped_bit_anywhere_is_detected_or_harmless_and_never_wrong_data() {
    let whole = two_segments();
    let right: Vec<i64> = (0..8).collect();
    let files = [segment(0), index(0), segment(4), index(4), Path::new(DIR).join("log.json")];
    for path in files {
        for position in 0..length(&whole, &path) as usize {
            for mask in [1, 0x80] {
                let fs = whole.fork();
                fs.flip(&path, position, mask);
                let at = format!("{} byte {position} mask {mask}", path.display());
                let Ok(log) = open(&fs) else {
                    assert!(path.ends_with("log.json"), "{at}");
                    continue;
                };
                if let Ok((read, _)) = read_all(&log) {
                    assert_eq!(read, right, "{at}");
                }
                let found = verify_on(Arc::new(fs.clone()), DIR).unwrap();
                let silent = found.is_sound() && found.unfinished.is_empty();
                assert!(!silent || path.ends_with("log.json"), "{at} was not found");
                if log.writer(0).is_ok()
                    && let Ok((read, _)) = read_all(&log)
                {
                    assert_eq!(read, right, "{at}: after the writer came");
                }
            }
        }
    }
}

#[test]
fn a_damaged_batch_is_named_with_its_segment_and_offset() {
    let fs = two_segments();
    fs.flip(&segment(0), length(&fs, &segment(0)) as usize - 100, 1);
    let error = read_all(&open(&fs).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let error = error.to_string();
    assert!(error.contains("00000000000000000000.arrows: the batch at offset 2 "), "{error}");
}

#[test]
fn a_missing_index_is_refused_and_a_repair_rebuilds_it_with_the_same_proofs() {
    for (lost, sealed) in [(index(0), true), (index(4), false)] {
        let fs = two_segments();
        let log = open(&fs).unwrap();
        let saved = {
            let mut reader = log.reader(0, None, ReadOptions::default().batch_rows(1)).unwrap();
            let offsets = std::iter::from_fn(|| match reader.next().unwrap() {
                Next::Batch(batch) => Some(batch.offset_after),
                _ => None,
            });
            offsets.collect::<Vec<_>>()
        };
        fs.remove(&lost).unwrap();
        for error in [read_all(&log).unwrap_err(), log.inspect().unwrap_err()] {
            assert!(error.to_string().contains("dualgauge log repair"), "{error}");
        }
        if !sealed {
            assert!(log.writer(0).unwrap_err().to_string().contains("dualgauge log repair"));
        }
        let report = repair_on(Arc::new(fs.clone()), DIR).unwrap();
        assert_eq!(report.rebuilt, [lost]);
        assert_eq!(read_all(&log).unwrap(), ((0..8).collect(), sealed));
        let found = verify_on(Arc::new(fs.clone()), DIR).unwrap();
        assert!(found.is_sound() && found.unverified == 1, "{found}");
        for offset in saved {
            let mut reader = log.reader(0, Some(&offset), ReadOptions::default()).unwrap();
            assert_eq!(drain(&mut reader).unwrap().0, (offset.position as i64..8).collect::<Vec<_>>());
        }
        assert!(log.inspect().unwrap().to_string().contains("1 unverified"));
        assert_eq!(repair_on(Arc::new(fs), DIR).unwrap().rebuilt, Vec::<PathBuf>::new());
    }
}

#[test]
fn a_repair_does_not_vouch_for_a_segment_that_does_not_lead_to_the_next() {
    let fs = two_segments();
    fs.remove(&index(0)).unwrap();
    fs.flip(&segment(0), length(&fs, &segment(0)) as usize - 60, 1);
    let error = repair_on(Arc::new(fs), DIR).unwrap_err().to_string();
    assert!(error.contains("do not lead to the segment that follows"), "{error}");
}

#[test]
fn a_full_disk_refuses_the_commit_loses_nothing_and_goes_on_when_there_is_room() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let mut writer = log.writer(0).unwrap();
    writer.append(&rows(0, 3)).unwrap();
    writer.commit().unwrap();
    let used = length(&fs, &segment(0)) + length(&fs, &index(0)) + length(&fs, &Path::new(DIR).join("log.json"));
    // Every amount of room short of what a commit of one batch takes.
    writer.append(&rows(3, 2)).unwrap();
    for room in 0..256 + 2 * ENTRY {
        fs.set_space(Some(used + room));
        let error = writer.commit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(error.to_string().contains("no space left"), "{error}");
        assert_eq!(read_all(&log).unwrap().0, [0, 1, 2]);
    }
    fs.set_space(Some(used + 256 + 2 * ENTRY));
    assert_eq!(writer.commit().unwrap().position, 5);
    fs.crash(0);
    open(&fs).unwrap().writer(0).unwrap();
    assert_eq!(read_all(&open(&fs).unwrap()).unwrap().0, [0, 1, 2, 3, 4]);
}

#[test]
fn a_failed_sync_ends_the_writer_and_the_next_one_starts_from_what_is_durable() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let mut writer = log.writer(0).unwrap();
    writer.append(&rows(0, 3)).unwrap();
    writer.commit().unwrap();
    writer.append(&rows(3, 2)).unwrap();
    // A commit appends to the segment, appends to the index, and then syncs the segment.
    fs.fail_at(fs.operations() + 2, Fault::FailedSync);
    assert!(writer.commit().is_err());
    for error in [writer.commit().unwrap_err(), writer.append(&rows(3, 2)).unwrap_err(), writer.seal().unwrap_err()] {
        assert!(error.to_string().contains("the writer has ended, because a sync failed"), "{error}");
    }
    drop(writer);
    let mut writer = log.writer(0).unwrap();
    assert_eq!(writer.offset().position, 3);
    writer.append(&rows(3, 2)).unwrap();
    writer.commit().unwrap();
    fs.crash(0);
    let log = open(&fs).unwrap();
    log.writer(0).unwrap();
    assert_eq!(read_all(&log).unwrap().0, [0, 1, 2, 3, 4]);
}

/// What a run has promised before it failed.
#[derive(Default)]
struct Promised {
    acknowledged: i64,
    seen: i64,
}

const TOTAL: i64 = 12;

/// Appends the numbers that are missing up to `TOTAL`, two to a batch, with a reader at its heels, and seals.
fn play(fs: &FaultFs, promised: &mut Promised) -> Result<()> {
    let log = open(fs)?;
    let mut writer = log.writer_with(0, WriteOptions { segment_bytes: 600, ..Default::default() })?;
    let mut reader = log.reader(0, None, ReadOptions::default())?;
    let mut next = writer.offset().position as i64;
    while next < TOTAL {
        let step = (TOTAL - next).min(2);
        writer.append(&rows(next, step))?;
        let committed = writer.commit();
        // A reader can see the rows of a commit that was cut short before it was acknowledged.
        promised.seen += drain(&mut reader)?.0.len() as i64;
        promised.acknowledged = committed?.position as i64;
        next += step;
    }
    writer.seal().map(|_| ())
}

/// After a crash, what was promised is there, and the run can be finished.
fn check_and_finish(fs: &FaultFs, promised: &Promised, at: &str) {
    let log = open(fs).unwrap();
    let writer = log.writer(0).unwrap_or_else(|error| panic!("{at}: {error}"));
    let (read, _) = read_all(&log).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(read, (0..read.len() as i64).collect::<Vec<_>>(), "{at}: a prefix");
    assert!(read.len() as i64 >= promised.acknowledged, "{at}: acknowledged {}", promised.acknowledged);
    assert!(read.len() as i64 >= promised.seen, "{at}: a reader saw {}", promised.seen);
    drop(writer);
    play(fs, &mut Promised::default()).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(read_all(&log).unwrap(), ((0..TOTAL).collect(), true), "{at}");
    let found = verify_on(Arc::new(fs.clone()), DIR).unwrap();
    assert!(found.is_sound() && found.unfinished.is_empty(), "{at}: {found}");
}

/// How many operations `play` takes on a new log.
fn operations_of_play(fs: &FaultFs) -> u64 {
    let fs = fs.fork();
    play(&fs, &mut Promised::default()).unwrap();
    fs.operations()
}

#[test]
fn after_a_crash_at_any_operation_everything_acknowledged_or_seen_is_there() {
    // Nothing a reader of a log has seen can be lost.
    let fresh = FaultFs::new();
    create(&fresh);
    for operation in 0..operations_of_play(&fresh) {
        for seed in 0..16 {
            let fs = fresh.fork();
            fs.fail_at(operation, Fault::PowerLoss);
            let mut promised = Promised::default();
            assert!(play(&fs, &mut promised).is_err() || operation + 1 >= fs.operations());
            fs.crash(seed);
            check_and_finish(&fs, &promised, &format!("operation {operation} seed {seed}"));
        }
    }
}

#[test]
fn after_a_crash_in_the_recovery_from_a_crash_everything_is_still_there() {
    let fresh = FaultFs::new();
    create(&fresh);
    for operation in 0..operations_of_play(&fresh) {
        for again in 0..14 {
            let fs = fresh.fork();
            fs.fail_at(operation, Fault::PowerLoss);
            let mut promised = Promised::default();
            let _ = play(&fs, &mut promised);
            fs.crash(operation * 31 + again);
            fs.fail_at(fs.operations() + again, Fault::PowerLoss);
            let _ = open(&fs).and_then(|log| log.writer(0));
            fs.crash(again % 3);
            check_and_finish(&fs, &promised, &format!("operation {operation}, then {again}"));
        }
    }
}

#[test]
fn after_any_failed_operation_a_new_writer_goes_on_and_nothing_acknowledged_is_lost() {
    let fresh = FaultFs::new();
    create(&fresh);
    for fault in [Fault::NoSpace, Fault::Io, Fault::ShortWrite, Fault::FailedSync] {
        for operation in 0..operations_of_play(&fresh) {
            for power in [false, true] {
                let fs = fresh.fork();
                fs.fail_at(operation, fault);
                let mut promised = Promised::default();
                let _ = play(&fs, &mut promised);
                if power {
                    // The next writer comes, works, and only then the power goes.
                    let writer = open(&fs).and_then(|log| log.writer(0));
                    writer.unwrap_or_else(|error| panic!("{fault:?} at {operation}: {error}"));
                    fs.crash(0);
                }
                check_and_finish(&fs, &promised, &format!("{fault:?} at operation {operation}, power {power}"));
            }
        }
    }
}

#[test]
fn a_crash_while_a_log_is_created_leaves_a_log_or_none() {
    let fs = FaultFs::new();
    create(&fs);
    for operation in 0..fs.operations() {
        for seed in 0..16 {
            let fs = FaultFs::new();
            fs.fail_at(operation, Fault::PowerLoss);
            let _ = Log::create_on(Arc::new(fs.clone()), DIR, &schema(), 1);
            fs.crash(seed);
            if open(&fs).is_err() {
                create(&fs);
            }
            play(&fs, &mut Promised::default()).unwrap();
        }
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log"), &schema(), 2).unwrap();
    let first = log.writer(0).unwrap();
    let error = Log::open(log.path()).unwrap().writer(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.to_string().contains("partition 0 has a writer already"), "{error}");
    log.writer(1).unwrap();
    drop(first);
    log.writer(0).unwrap();
}

#[test]
fn another_schema_is_refused_by_the_name_of_its_column() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer(0).unwrap();
    let text = Arc::new(Schema::new(vec![Field::new("n", DataType::Utf8, false)]));
    let text = RecordBatch::try_new(text, vec![Arc::new(StringArray::from(vec!["1"]))]).unwrap();
    let error = writer.append(&text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("column `n`: the log has Int64 here"), "{error}");

    let nullable = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let null = RecordBatch::try_new(nullable.clone(), vec![Arc::new(Int64Array::from(vec![None]))]).unwrap();
    assert!(writer.append(&null).unwrap_err().to_string().contains("column `n`: the log allows no nulls"));
    let value = RecordBatch::try_new(nullable, vec![Arc::new(Int64Array::from(vec![7]))]).unwrap();
    writer.append(&value).unwrap();
    writer.append(&RecordBatch::new_empty(schema())).unwrap();
    assert_eq!(writer.commit().unwrap().position, 1);

    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let dictionary = Arc::new(Schema::new(vec![Field::new("d", dictionary, false)]));
    let error = Log::create_on(Arc::new(FaultFs::new()), DIR, &dictionary, 1).unwrap_err();
    assert!(error.to_string().contains("column `d` is dictionary-encoded"), "{error}");
}

#[test]
fn a_segment_is_a_plain_arrow_stream() {
    let fs = two_commits();
    let bytes = fs.read(&segment(0)).unwrap();
    let stream = arrow_ipc::reader::StreamReader::try_new(&bytes[..], None).unwrap();
    let read: Vec<i64> = stream.flat_map(|batch| numbers(&batch.unwrap())).collect();
    assert_eq!(read, [0, 1, 2, 3, 4]);
}

#[test]
fn an_offset_that_is_not_there_is_refused_by_name() {
    let fs = two_commits();
    let log = open(&fs).unwrap();
    let open_at = |offset: &Offset| log.reader(0, Some(offset), ReadOptions::default());
    let error = open_at(&Offset::at(6)).unwrap_err().to_string();
    assert!(error.contains("offset 6 is wanted, and the log ends at 5"), "{error}");

    let end = log.writer(0).unwrap().offset();
    open_at(&end).unwrap();
    for position in [0, 2, 3, 5] {
        let elsewhere = Offset { position, proof: Some([7; 32]) };
        let error = open_at(&elsewhere).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains(&format!("offset {position} was read from a log with another history")));
    }
    let empty = create(&FaultFs::new());
    assert!(empty.reader(0, Some(&end), ReadOptions::default()).is_err());
    assert!(empty.reader(0, Some(&Offset { position: 0, proof: Some([7; 32]) }), ReadOptions::default()).is_err());
    assert!(log.reader(1, None, ReadOptions::default()).unwrap_err().to_string().contains("no partition 1"));
}

#[test]
fn reading_goes_on_at_any_offset_also_inside_a_batch() {
    let log = open(&two_segments()).unwrap();
    for start in 0..=8 {
        let mut reader = log.reader(0, Some(&Offset::at(start)), ReadOptions::default()).unwrap();
        assert_eq!(drain(&mut reader).unwrap(), ((start as i64..8).collect(), true));
    }
}

#[test]
fn a_bounded_reader_ends_at_what_was_committed_when_it_was_opened() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let mut writer = log.writer(0).unwrap();
    let mut empty = log.reader(0, None, ReadOptions::default().bounded(true)).unwrap();
    writer.append(&rows(0, 3)).unwrap();
    writer.commit().unwrap();
    let mut reader = log.reader(0, None, ReadOptions::default().bounded(true)).unwrap();
    writer.append(&rows(3, 3)).unwrap();
    writer.commit().unwrap();
    assert_eq!(drain(&mut reader).unwrap(), ((0..3).collect(), true));
    assert_eq!(drain(&mut empty).unwrap(), (vec![], true));
}

#[test]
fn small_batches_are_put_together_and_their_offsets_stay_right() {
    let log = create(&FaultFs::new());
    let mut writer = log.writer(0).unwrap();
    for n in 0..10 {
        writer.append(&rows(n * 3, 3)).unwrap();
    }
    let end = writer.commit().unwrap();
    let mut reader = log.reader(0, None, ReadOptions::default().batch_rows(10)).unwrap();
    let mut sizes = Vec::new();
    while let Next::Batch(batch) = reader.next().unwrap() {
        sizes.push(batch.rows.num_rows());
        let mut rest = log.reader(0, Some(&batch.offset_after), ReadOptions::default()).unwrap();
        let after = batch.offset_after.position as i64;
        assert_eq!(drain(&mut rest).unwrap().0, (after..30).collect::<Vec<_>>());
        if after == 30 {
            assert_eq!(batch.offset_after, end);
        }
    }
    assert_eq!(sizes, [9, 9, 9, 3]);
}

#[test]
fn retention_forgets_whole_segments_and_a_reader_behind_is_told_both_offsets() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::at(EventTime::from_millis(0)));
    let log = create(&fs).clock(clock.clone());
    let mut writer = log.writer_with(0, WriteOptions { segment_age: 1.hours(), ..Default::default() }).unwrap();
    let mut behind = log.reader(0, None, ReadOptions::default()).unwrap();
    for n in 0..5 {
        writer.append(&rows(n * 10, 10)).unwrap();
        writer.commit().unwrap();
        if n == 0 {
            assert_eq!(drain(&mut behind).unwrap().0.len(), 10);
        }
        clock.advance(1.hours());
    }
    let week = Retention::default().age(7.days());
    assert_eq!(log.retain(0, &week).unwrap(), 0);
    // The third segment, of offsets 20 to 30, was appended three hours ago.
    let hours = Retention::default().age(3.hours());
    assert_eq!(log.retain(0, &hours.archived(15)).unwrap(), 10);
    assert_eq!(log.retain(0, &hours).unwrap(), 20);
    let error = log.reader(0, Some(&Offset::at(5)), ReadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("offset 5 is wanted, and the log starts at 20"), "{error}");
    let error = drain(&mut behind).unwrap_err();
    assert!(error.to_string().contains("offset 10 is wanted, and the log starts at 20"), "{error}");
    assert_eq!(read_all(&log).unwrap().0, (20..50).collect::<Vec<_>>());
    assert_eq!(log.retain(0, &Retention::default().bytes(1)).unwrap(), 40, "the last segment stays");
    drop(writer);
    let mut writer = log.writer(0).unwrap();
    writer.append(&rows(50, 1)).unwrap();
    writer.commit().unwrap();
    assert_eq!(read_all(&log).unwrap().0, (40..51).collect::<Vec<_>>());
    assert!(verify_on(Arc::new(fs), DIR).unwrap().is_sound());
}

#[test]
fn a_crash_during_retention_leaves_a_log_that_is_read_from_its_new_front() {
    let whole = two_segments();
    let retention = Retention::default().archived(4);
    for operation in 0..4 {
        for seed in 0..8 {
            let fs = whole.fork();
            fs.fail_at(operation, Fault::PowerLoss);
            let _ = open(&fs).unwrap().retain(0, &retention);
            fs.crash(seed);
            let log = open(&fs).unwrap();
            let (read, ended) = read_all(&log).unwrap_or_else(|error| panic!("{operation} {seed}: {error}"));
            assert!(ended && (read == [4, 5, 6, 7] || read.len() == 8), "{operation} {seed}: {read:?}");
            log.retain(0, &retention).unwrap();
            assert_eq!(read_all(&log).unwrap().0, [4, 5, 6, 7]);
        }
    }
}

fn bids() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("auction", DataType::Int64, false),
        Field::new("bidder", DataType::Utf8, true),
        Field::new("date_time", time, false),
    ]))
}

fn bid(auction: i64, seconds: i64) -> RecordBatch {
    let times = TimestampMicrosecondArray::from(vec![seconds * 1_000_000]).with_timezone("UTC");
    let columns: Vec<arrow_array::ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![auction])), Arc::new(StringArray::from(vec![Some("b")])), Arc::new(times)];
    RecordBatch::try_new(bids(), columns).unwrap()
}

#[test]
fn the_largest_event_time_is_kept_and_the_inspection_shows_it() {
    let layout = Layout::partitions(2).event_time("date_time");
    let clock = Arc::new(VirtualClock::at(EventTime::from_millis(60_000)));
    let log = Log::create_on(Arc::new(FaultFs::new()), DIR, &bids(), layout).unwrap().clock(clock);
    let mut writer = log.writer(1).unwrap();
    for (auction, seconds) in [(1, 5), (2, 9), (3, 7)] {
        writer.append(&bid(auction, seconds)).unwrap();
        writer.commit().unwrap();
    }
    writer.seal().unwrap();
    assert_eq!(writer.max_event_time(), Some(EventTime::from_millis(9_000)));
    let mut reader = log.reader(1, None, ReadOptions::default()).unwrap();
    reader.next().unwrap();
    assert_eq!(reader.max_event_time(), Some(EventTime::from_millis(9_000)));
    let table = log.inspect().unwrap().to_string();
    let expected = "\
log /log
columns  auction: Int64, bidder: Utf8, date_time: Timestamp(µs, \"UTC\")
partition  segments  offsets  rows  bytes  event times up to     last append           state
0          0         0..0     0     0      -                     -                     open
1          1         0..3     3     BYTES  1970-01-01T00:00:09Z  1970-01-01T00:01:00Z  sealed";
    let bytes = log.inspect().unwrap().partitions[1].bytes.to_string();
    assert_eq!(table, expected.replace("BYTES", &format!("{bytes:<5}")));
    let error = Log::create_on(Arc::new(FaultFs::new()), DIR, &bids(), Layout::partitions(1).event_time("time"));
    assert!(error.unwrap_err().to_string().contains("auction, bidder, date_time"));
}

fn scan(columns: &[usize]) -> Scan {
    let schema = Arc::new(bids().project(columns).unwrap());
    Scan { schema, event_time: "date_time".into(), from: None, to: None, batch_rows: 100 }
}

#[test]
fn as_a_source_it_lists_its_partitions_and_reads_only_the_wanted_columns() {
    let fs = FaultFs::new();
    let log = Log::create_on(Arc::new(fs), DIR, &bids(), 3).unwrap();
    let mut writer = log.writer(2).unwrap();
    writer.append(&bid(1, 5)).unwrap();
    let end = writer.commit().unwrap();
    let source = LogSource::of(log);
    assert!(!Source::bounded(&source));
    let partitions = source.partitions(&scan(&[0, 2])).unwrap().partitions;
    let ids: Vec<_> = partitions.iter().map(|partition| partition.id.0.as_str()).collect();
    assert_eq!(ids, ["partition 0", "partition 1", "partition 2"]);
    assert!(partitions.iter().all(|partition| partition.followed && partition.bound.is_none()));

    let mut reader = source.open(&partitions[2], None, &scan(&[2, 0])).unwrap();
    let Next::Batch(batch) = reader.next().unwrap() else { panic!("a row was committed") };
    let names: Vec<_> = batch.rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["date_time", "auction"]);
    assert_eq!((batch.offset_after.clone(), batch.bound_after), (end.clone(), None));
    assert!(matches!(reader.next().unwrap(), Next::Pending));

    let seam = Partition { start: Some(end), ..partitions[2].clone() };
    assert!(matches!(source.open(&seam, None, &scan(&[0])).unwrap().next().unwrap(), Next::Pending));

    let bounded = source.bounded(true);
    assert!(Source::bounded(&bounded));
    let partitions = bounded.partitions(&scan(&[0])).unwrap().partitions;
    assert!(!partitions[0].followed);
    assert!(matches!(bounded.open(&partitions[0], None, &scan(&[0])).unwrap().next().unwrap(), Next::End));

    let mut other = scan(&[0]);
    other.schema = Arc::new(Schema::new(vec![Field::new("price", DataType::Int64, false)]));
    let error = bounded.open(&partitions[0], None, &other).err().unwrap().to_string();
    assert!(error.contains("column `price` is wanted, and the log has: auction, bidder, date_time"), "{error}");
}

#[test]
fn a_sink_publishes_an_epoch_once_however_often_and_by_whom_it_is_committed() {
    let fs = FaultFs::new();
    let sink = LogSink::new_on(Arc::new(fs.clone()), DIR, 1);
    sink.check(&schema(), &Writing::default()).unwrap();
    let _claim = sink.claim(&schema(), &Writing::default()).unwrap();
    let mut writer = sink.open(0, &schema(), &Writing::default()).unwrap();
    let mut zombie = sink.open(0, &schema(), &Writing::default()).unwrap();
    let mut prepared = Vec::new();
    for epoch in 1..=3 {
        writer.write(&[], &rows(epoch * 10, 2)).unwrap();
        writer.write(&[], &rows(epoch * 10 + 2, 2)).unwrap();
        prepared.push(writer.prepare(Epoch(epoch as u64), EventTime::MIN).unwrap());
    }
    let log = open(&fs).unwrap();
    assert_eq!(read_all(&log).unwrap().0, Vec::<i64>::new());
    for round in 0..2 {
        for (epoch, bytes) in (1..).zip(&prepared) {
            writer.commit(Epoch(epoch), bytes).unwrap();
            zombie.commit(Epoch(epoch), bytes).unwrap();
        }
        let all = (1..).zip(&prepared).map(|(epoch, bytes)| Prepared { epoch: Epoch(epoch), bytes: bytes.to_vec() });
        let mut writing = Writing::default();
        writing.generation = 1;
        sink.open(0, &schema(), &writing).unwrap().recover(&all.collect::<Vec<_>>()).unwrap();
        let right = [10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33];
        assert_eq!(read_all(&log).unwrap(), (right.to_vec(), false), "round {round}");
    }
    assert!(writer.prepare(Epoch(4), EventTime::MAX).unwrap().is_empty());
    writer.commit(Epoch(4), &[]).unwrap();
    sink.finish(&schema(), &Writing::default(), &[]).unwrap();
    sink.finish(&schema(), &Writing::default(), &[]).unwrap();
    writer.commit(Epoch(3), &prepared[2]).unwrap();
    assert!(read_all(&log).unwrap().1, "sealed");
    assert!(writer.write(&[], &rows(0, 1)).unwrap_err().to_string().contains("sealed"));
}

#[test]
fn a_sink_that_crashes_anywhere_publishes_what_the_manifest_names_once_and_nothing_else() {
    let script = |fs: &FaultFs, manifest: &mut Vec<(Epoch, Vec<u8>)>, from: i64| -> Result<()> {
        let sink = LogSink::new_on(Arc::new(fs.clone()), DIR, 1).seal(false);
        let writing = Writing::of("job", 0);
        let _claim = sink.claim(&schema(), &writing)?;
        let mut writer = sink.open(0, &schema(), &writing)?;
        let prepared = manifest.iter().map(|(epoch, bytes)| Prepared { epoch: *epoch, bytes: bytes.clone() });
        writer.recover(&prepared.collect::<Vec<_>>())?;
        for n in from..from + 3 {
            let epoch = Epoch(n as u64);
            writer.write(&[], &rows(n, 1))?;
            let bytes = writer.prepare(epoch, EventTime::MIN)?;
            manifest.push((epoch, bytes.clone()));
            writer.commit(epoch, &bytes)?;
        }
        Ok(())
    };
    let whole = FaultFs::new();
    script(&whole, &mut Vec::new(), 0).unwrap();
    for operation in 0..whole.operations() {
        for seed in 0..6 {
            let (fs, mut manifest) = (FaultFs::new(), Vec::new());
            fs.fail_at(operation, Fault::PowerLoss);
            let _ = script(&fs, &mut manifest, 0);
            fs.crash(seed);
            let from = manifest.len() as i64;
            script(&fs, &mut manifest, from).unwrap_or_else(|error| panic!("{operation} {seed}: {error}"));
            let log = open(&fs).unwrap();
            assert_eq!(read_all(&log).unwrap().0, (0..from + 3).collect::<Vec<_>>(), "{operation} {seed}");
            assert_eq!(fs.list(Path::new("/log/p0000/stage")).unwrap(), Vec::<String>::new(), "{operation} {seed}");
        }
    }
}

#[test]
fn a_sink_refuses_a_log_of_another_shape_before_the_run() {
    let fs = FaultFs::new();
    create(&fs);
    let sink = |partitions: u32| LogSink::new_on(Arc::new(fs.clone()), DIR, partitions);
    sink(1).check(&schema(), &Writing::default()).unwrap();
    assert!(sink(1).check(&bids(), &Writing::default()).unwrap_err().to_string().contains("column `n`"));
    assert!(
        sink(2)
            .check(&schema(), &Writing::default())
            .unwrap_err()
            .to_string()
            .contains("it has 1 partitions, and 2 were asked for")
    );
    assert!(Log::create_on(Arc::new(fs.clone()), DIR, &schema(), 1).unwrap_err().to_string().contains("a log already"));
}
