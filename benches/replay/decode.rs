//! `hot_items` against the bare decode of its columns, on one worker and on two.

use std::path::Path;
use std::time::Instant;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use dualgauge::connectors::parquet;
use dualgauge::prelude::*;

use crate::graphs::{Counted, hot_items};
use crate::{data, spread};

const BIDS: u64 = 10_000_000;
const ROUNDS: usize = 7;

pub fn run() {
    let bids = data::bids(BIDS);
    let (mut bare, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0;
    // One unmeasured round, to have the files in the page cache.
    for round in 0..=ROUNDS {
        let times = (decode(&bids), replay(&bids, 1, &mut rows), replay(&bids, 2, &mut rows));
        if round > 0 {
            bare.push(times.0);
            one.push(times.1);
            two.push(times.2);
        }
    }
    println!("hot_items over {BIDS} bids of Parquet, {rows} results; {ROUNDS} alternating runs, seconds");
    let show = |name: &str, times: &[f64]| {
        let (median, least, greatest) = spread(times.to_vec());
        let rate = BIDS as f64 / median / 1e6;
        println!("  {name:<28} {median:>7.3}  ({least:.3} to {greatest:.3})  {rate:>6.1} M bids/s");
        median
    };
    let (bare, one, two) = (
        show("bare decode, one thread", &bare),
        show("hot_items, one worker", &one),
        show("hot_items, two workers", &two),
    );
    println!("  one worker / bare decode     {:>7.2}  (limit 2.0)", one / bare);
    println!("  one worker / two workers     {:>7.2}  (at least 1.5)", one / two);
}

/// Decodes the columns of the graph's record with the parquet crate, and does nothing with them.
fn decode(dir: &Path) -> f64 {
    let start = Instant::now();
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("the bids").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut rows = 0;
    for file in files {
        let file = std::fs::File::open(file).expect("a file of bids");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let columns = ProjectionMask::columns(builder.parquet_schema(), ["auction", "price", "date_time"]);
        let reader = builder.with_projection(columns).with_batch_size(8192).build().expect("Parquet");
        rows += reader.map(|batch| batch.expect("Parquet").num_rows()).sum::<usize>();
    }
    assert_eq!(rows as u64, BIDS);
    start.elapsed().as_secs_f64()
}

fn replay(dir: &Path, workers: usize, rows: &mut u64) -> f64 {
    let counted = Counted::default();
    let job =
        Job::new(hot_items).source("bids", parquet::read(dir)).sink("hot_items", counted.clone()).workers(workers);
    let start = Instant::now();
    job.run().expect("the job runs");
    let seconds = start.elapsed().as_secs_f64();
    assert!(*rows == 0 || *rows == counted.rows(), "every run gives the same number of results");
    *rows = counted.rows();
    seconds
}
