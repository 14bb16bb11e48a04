//! Parquet files with many row groups and no page index, against a plain read of the same file with the parquet crate.
//!
//! A group of ten rows is mostly overhead on both sides. The plain read reads the footer and decodes the three columns,
//! row group after row group, and does nothing with them; the job also puts the groups in the order of their times.
//! Limit: 1.5 times, at each number of groups. As a partition of its own, a group cost eight times a plain read: it was
//! opened, scheduled and closed for ten rows. Now those that follow each other are read in runs, from a footer of which
//! only the wanted parts are decoded, and by position instead of through a seek for each page.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow_array::{RecordBatch, TimestampMicrosecondArray, UInt64Array};
use dualgauge::connectors::parquet;
use dualgauge::prelude::*;

use crate::graphs::{Bid, Counted};
use crate::spread;

const GROUPS: [usize; 4] = [1_000, 4_000, 20_000, 100_000];
const ROWS: usize = 10;
/// A file has 32,767 at most.
const OF_A_FILE: usize = 25_000;
const ROUNDS: usize = 5;

fn copied(flow: &Flow) {
    flow.source::<Bid>("bids").sink("bids_out");
}

pub fn run() {
    println!("files of row groups of {ROWS} rows, no page index, one worker; {ROUNDS} alternating runs, seconds");
    for groups in GROUPS {
        let dir = files(groups);
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let times = (plain(&dir, groups), replay(&dir, groups));
            if round > 0 {
                bare.push(times.0);
                ours.push(times.1);
            }
        }
        let (bare, ours) = (spread(bare).0, spread(ours).0);
        println!("  {groups:>7} groups  plain {bare:>7.3}  job {ours:>7.3}  {:>5.2} times  (limit 1.5)", ours / bare);
    }
}

fn plain(dir: &Path, groups: usize) -> f64 {
    let start = Instant::now();
    let mut rows = 0;
    for file in std::fs::read_dir(dir).expect("the files") {
        let file = File::open(file.expect("a file").path()).expect("a file");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let reader = builder.with_batch_size(8192).build().expect("Parquet");
        rows += reader.map(|batch| batch.expect("Parquet").num_rows()).sum::<usize>();
    }
    assert_eq!(rows, groups * ROWS);
    start.elapsed().as_secs_f64()
}

fn replay(dir: &Path, groups: usize) -> f64 {
    let counted = Counted::default();
    let job = Job::new(copied).source("bids", parquet::read(dir)).sink("bids_out", counted.clone()).workers(1);
    let start = Instant::now();
    job.run().expect("the job runs");
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(counted.rows(), (groups * ROWS) as u64);
    seconds
}

/// The files, made once.
fn files(groups: usize) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("row-groups-{groups}"));
    if !dir.exists() {
        let made = dir.with_extension("new");
        let _ = std::fs::remove_dir_all(&made);
        std::fs::create_dir_all(&made).expect("a disk");
        for first in (0..groups).step_by(OF_A_FILE) {
            write(&made.join(format!("{first:06}.parquet")), first, OF_A_FILE.min(groups - first));
        }
        std::fs::rename(made, &dir).expect("it is there");
    }
    dir
}

fn write(path: &Path, first: usize, groups: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();
    let rows = (first * ROWS) as i64..((first + groups) * ROWS) as i64;
    let times = TimestampMicrosecondArray::from_iter_values(rows.clone().map(|row| row * 1_000)).with_timezone("UTC");
    let columns = [
        ("auction", Arc::new(rows.clone().map(|row| Some(row as u64 % 1_000)).collect::<UInt64Array>()) as _),
        ("price", Arc::new(rows.map(|row| Some(row as u64 % 9_973)).collect::<UInt64Array>()) as _),
        ("date_time", Arc::new(times) as _),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("a disk"), batch.schema(), Some(properties)).expect("Parquet");
    writer.write(&batch).expect("a disk with room");
    writer.close().expect("a disk with room");
}
