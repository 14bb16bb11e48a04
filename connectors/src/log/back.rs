//! Going back: which rows a job has appended since the commit from which it resumes, and cutting them off.
//!
//! The tag of a batch says for which epoch a job has appended it:
//!
//! ```text
//! epoch, 38 bits │ a check of the job and the epoch, 26 bits
//! ```
//!
//! - **Only what is proven.** Only the last batches of a partition are cut off, each of them the job's and of a later
//!   epoch. If somebody else's rows follow one of them, the job cannot go back.
//! - **From the end.** Whole segments go first, the last one before the others, and then the end of the one that stays:
//!   a crash leaves a log that is whole and ends somewhere in between.
//! - **A seal is the job's.** The ledger says who has sealed the log. If that job resumes, from an older checkpoint,
//!   the seal comes off before the first row.
//! - **It is said.** A ledger beside the partitions, `.published/b0`, notes to which epoch a job went back: its commits
//!   after that belong to a history that was abandoned.

use std::path::{Path, PathBuf};

use dualgauge_engine::fs::Fs;
use dualgauge_engine::sink::{After, Since, Writing};
use dualgauge_engine::{Code, Epoch, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::directory::Log;
use super::files::{list, on, remove, segments, synced};
use super::format::{ENTRY_LENGTH, Entry, HEADER_LENGTH, Kind, index_name, segment_name};
use super::index::Place;
use super::segment::mark;
use crate::staging::ledger::{self, By, Line, What};
use crate::staging::{ended_by, of_this_history};

const CHECK_BITS: u32 = 26;

/// The tag of what a job appends for an epoch; the same for each partition.
pub(super) fn tag_of(job: &str, epoch: Epoch) -> u64 {
    let check = xxh3_64(&[job.as_bytes(), &epoch.0.to_le_bytes()].concat()) >> (64 - CHECK_BITS);
    epoch.0 << CHECK_BITS | check.max(1)
}

/// The epoch of a tag, if it is one of the job's.
fn epoch_of(job: &str, tag: u64) -> Option<Epoch> {
    let epoch = Epoch(tag >> CHECK_BITS);
    (tag != 0 && tag_of(job, epoch) == tag).then_some(epoch)
}

/// What is to be cut off from a partition.
struct Later {
    /// The offset at which the partition is to end.
    offset: u64,
    rows: u64,
    upto: Option<Epoch>,
}

/// What the job has appended since the commit from which it resumes.
pub(super) fn published_since(log: &Log, writing: &Writing) -> Result<Since> {
    let Some((job, after)) = resuming(writing) else { return Ok(Since::Nothing) };
    let lines = ledger::lines(&*log.fs, &ledger_of(log))?;
    of_this_history(&lines, &ledger::job_name(job), after, &log.dir)?;
    let (mut rows, mut upto) = (0, None);
    for partition in 0..log.partitions() {
        let later = later(log, partition, job, after)?;
        (rows, upto) = (rows + later.rows, upto.max(later.upto));
    }
    let what = if rows == 1 { "1 row".to_string() } else { format!("{rows} rows") };
    Ok(upto.map_or(Since::Nothing, |upto| Since::Published { upto, what }))
}

/// Cuts it off each partition, and notes it.
pub(super) fn take_back(log: &Log, writing: &Writing) -> Result<()> {
    let Some((job, after)) = resuming(writing) else { return Ok(()) };
    for partition in 0..log.partitions() {
        // The lock is held meanwhile, and what the last writer had left unfinished is mended.
        let writer = log.writer(partition)?;
        let later = later(log, partition, job, after)?;
        cut(log, partition, later.offset)?;
        drop(writer);
    }
    let by = By { job: ledger::job_name(job), generation: writing.generation, epoch: after.epoch };
    ledger::go_back(&*log.fs, &ledger_of(log), &by, |line| !line.is_later(&by.job, after))
}

/// Notes that the job is about to seal the log.
pub(super) fn note_seal(log: &Log, writing: &Writing) -> Result<()> {
    let (fs, dir) = (&*log.fs, ledger_of(log));
    let Some(by) = ended_by(writing) else { return Ok(()) };
    match ledger::lines(fs, &dir)?.iter().any(|line| line.is_end_of(&by.job)) {
        true => Ok(()),
        false => ledger::add(fs, &dir, 0, &[Line { by: Some(by), what: What::Sealed }]),
    }
}

/// Takes off the seal that the job has set at an earlier end, since it has resumed.
pub(super) fn take_seal_off(log: &Log, writing: &Writing) -> Result<()> {
    let (Some(job), true) = (&writing.job, writing.resumes && !writing.ended) else { return Ok(()) };
    let (fs, dir, job) = (&*log.fs, ledger_of(log), ledger::job_name(job));
    if !ledger::lines(fs, &dir)?.iter().any(|line| line.is_end_of(&job)) {
        return Ok(());
    }
    for partition in 0..log.partitions() {
        let writer = log.writer(partition)?; // the lock
        cut(log, partition, u64::MAX)?;
        drop(writer);
    }
    ledger::rewrite(fs, &dir, None, |line| !line.is_end_of(&job))
}

fn ledger_of(log: &Log) -> PathBuf {
    log.dir.join(".published")
}

fn resuming(writing: &Writing) -> Option<(&str, After)> {
    Some((writing.job.as_deref()?, writing.after?))
}

/// The last batches of a partition that the job has appended for later epochs; an offset beyond all others if there are
/// none.
fn later(log: &Log, partition: u32, job: &str, after: After) -> Result<Later> {
    let dir = log.partition_dir(partition)?;
    let mut later: Option<Later> = None;
    for first in segments(&*log.fs, &dir)? {
        for entry in log.index(partition, &dir, first)?.run.committed {
            match (epoch_of(job, entry.tag).filter(|epoch| *epoch > after.epoch), &mut later) {
                (Some(epoch), Some(later)) => (later.rows, later.upto) = (later.rows + entry.rows, Some(epoch)),
                (Some(epoch), none) => *none = Some(Later { offset: entry.first, rows: entry.rows, upto: Some(epoch) }),
                (None, None) => {}
                (None, Some(later)) => {
                    return Err(Code::OutputAhead.error(format!(
                        "{}: partition {partition}: the job has appended rows from offset {} on for epochs \
                         after {}, and rows that are not of these follow at offset {}, so they cannot be cut off. Go on from the newest \
                         checkpoint; or write to a new log, from the beginning",
                        log.dir.display(),
                        later.offset,
                        after.epoch,
                        entry.first
                    )));
                }
            }
        }
    }
    Ok(later.unwrap_or(Later { offset: u64::MAX, rows: 0, upto: None }))
}

/// Ends a partition at an offset between two batches, or at its end, and takes its seal off: the job resumes. The
/// caller holds its lock.
fn cut(log: &Log, partition: u32, offset: u64) -> Result<()> {
    let (fs, dir) = (&*log.fs, log.own_partition_dir(partition)?);
    let firsts = segments(fs, &dir)?;
    // The first segment stays, whatever becomes of its rows: it says where the partition begins.
    let stays = |first: u64| Some(&first) == firsts.first() || first < offset;
    for &first in firsts.iter().rev().filter(|first| !stays(**first)) {
        remove_segment(fs, &dir, first)?;
    }
    // An index without a segment is what a crash has left of this.
    for name in list(fs, &dir)? {
        let first = name.strip_suffix(".index").and_then(|first| first.parse().ok());
        if first.is_some_and(|first: u64| !firsts.contains(&first)) {
            remove(fs, &dir.join(name))?;
        }
    }
    synced(&dir, fs.sync_names(&dir))?;
    match firsts.iter().rfind(|first| stays(**first)) {
        Some(last) => cut_segment(log, partition, &dir, *last, offset),
        None => Ok(()),
    }
}

/// The segment first, and durably, since one without an index asks for a repair.
fn remove_segment(fs: &dyn Fs, dir: &Path, first: u64) -> Result<()> {
    for name in [segment_name(first), index_name(first)] {
        remove(fs, &dir.join(name))?;
        synced(dir, fs.sync_names(dir))?;
    }
    Ok(())
}

/// Cuts the index of a segment, and only then its rows: those that no entry names are a torn tail.
fn cut_segment(log: &Log, partition: u32, dir: &Path, first: u64, offset: u64) -> Result<()> {
    let fs = &*log.fs;
    let (segment_path, index_path) = (dir.join(segment_name(first)), dir.join(index_name(first)));
    let index = log.index(partition, dir, first)?;
    let bytes = on(&index_path, fs.read(&index_path))?;
    let mut place = Place::front(&index.header, log.schema_length());
    let (slots, _) = bytes[HEADER_LENGTH as usize..].as_chunks::<{ ENTRY_LENGTH as usize }>();
    let (mut length, mut committed) = (HEADER_LENGTH, true);
    for entry in slots.iter().map_while(Entry::decode) {
        match entry.kind {
            Kind::Batch if entry.first >= offset => break,
            Kind::Seal | Kind::Roll => break,
            Kind::Commit => committed = true,
            Kind::Batch => {
                let position = entry.position + entry.length;
                place = Place { offset: entry.end(), position, chain: entry.chain, max_time: entry.max_time };
                committed = false;
            }
        }
        length += ENTRY_LENGTH;
    }
    let mut file = on(&index_path, fs.append(&index_path))?;
    on(&index_path, file.truncate(length))?;
    if !committed {
        on(&index_path, file.append(&mark(Kind::Commit, &place, log.clock.0.now()).encode()))?;
    }
    synced(&index_path, file.sync())?;
    let mut segment = on(&segment_path, fs.append(&segment_path))?;
    on(&segment_path, segment.truncate(place.position))?;
    synced(&segment_path, segment.sync())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};
    use arrow_schema::{DataType, Field, Schema};
    use dualgauge_engine::fs::{Fault, FaultFs};
    use dualgauge_engine::{Duration, Next, PartitionReader};

    use super::*;
    use crate::log::{ReadOptions, WriteOptions};

    #[test]
    fn a_tag_tells_its_epoch_to_its_own_job_alone() {
        for epoch in [0, 1, 17, (1 << 38) - 1].map(Epoch) {
            let tag = tag_of("mine", epoch);
            assert_eq!(epoch_of("mine", tag), Some(epoch));
            assert_eq!((epoch_of("yours", tag), epoch_of("mine", tag ^ 1)), (None, None));
        }
        assert_eq!(epoch_of("mine", 0), None);
    }

    fn batch(row: i64) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![row]))]).unwrap()
    }

    /// A sealed log of a row for each of nine epochs, with a segment for each, or all in one.
    fn log(fs: &FaultFs, segment_bytes: u64) -> Log {
        let log = Log::create_on(Arc::new(fs.clone()), "/log", &batch(0).schema(), 1).unwrap();
        let options = WriteOptions { segment_bytes, segment_age: Duration::MAX, ..WriteOptions::default() };
        let mut writer = log.writer_with(0, options).unwrap();
        for epoch in 1..=9 {
            writer.append_tagged(&batch(epoch), tag_of("mine", Epoch(epoch as u64))).unwrap();
            writer.commit().unwrap();
        }
        writer.seal().unwrap();
        drop(writer);
        log
    }

    fn from(epoch: u64) -> Writing {
        Writing::of("mine", 2).resuming(After { epoch: Epoch(epoch), generation: 1 })
    }

    fn rows(log: &Log) -> Vec<i64> {
        let mut reader = log.reader(0, None, ReadOptions::default()).unwrap();
        let mut rows = Vec::new();
        while let Next::Batch(batch) = reader.next().unwrap() {
            rows.extend(batch.rows.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values());
        }
        rows
    }

    #[test]
    fn a_log_of_one_segment_or_many_is_cut_where_an_epoch_ends_and_takes_rows_from_there() {
        for segment_bytes in [1, u64::MAX] {
            let fs = FaultFs::new();
            let log = log(&fs, segment_bytes);
            for epoch in [8, 6, 5, 2, 0] {
                take_back(&log, &from(epoch)).unwrap();
                assert_eq!(rows(&log), (1..=epoch as i64).collect::<Vec<_>>(), "back to {epoch}");
                let mut writer = Log::open_on(Arc::new(fs.fork()), "/log").unwrap().writer(0).unwrap();
                assert!(writer.recovery().is_clean(), "{}", writer.recovery());
                writer.append(&batch(100)).unwrap();
                writer.commit().unwrap();
            }
        }
    }

    #[test]
    fn a_crash_at_any_operation_of_a_cut_leaves_a_log_that_is_cut_by_the_next_try() {
        for segment_bytes in [1, u64::MAX] {
            let fs = FaultFs::new();
            log(&fs, segment_bytes);
            let whole = fs.fork();
            let open = |fs: &FaultFs| Log::open_on(Arc::new(fs.clone()), "/log").unwrap();
            take_back(&open(&whole), &from(4)).unwrap();
            for operation in 0..whole.operations() {
                let tried = fs.fork();
                tried.fail_at(operation, Fault::PowerLoss);
                assert!(take_back(&open(&tried), &from(4)).is_err(), "operation {operation}");
                for subset in 0..3 {
                    let left = tried.after_crash(subset);
                    take_back(&open(&left), &from(4)).unwrap();
                    assert_eq!(rows(&open(&left)), [1, 2, 3, 4], "operation {operation}, subset {subset}");
                    let mut writer = open(&left).writer(0).unwrap();
                    (5..9).for_each(|row| writer.append(&batch(row)).unwrap());
                    writer.commit().unwrap();
                    assert_eq!(rows(&open(&left)).len(), 8, "operation {operation}, subset {subset}");
                }
            }
        }
    }
}
