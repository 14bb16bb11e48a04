//! `hot_items` with a checkpoint every second, and without.

use std::time::Instant;

use dualgauge::connectors::parquet;
use dualgauge::prelude::*;

use crate::graphs::{Counted, hot_items};
use crate::{checkpoints, commits, data, fresh_dir, median};

const BIDS: u64 = 50_000_000;
const ROUNDS: usize = 5;

pub fn run() {
    let bids = data::bids(BIDS);
    let dir = fresh_dir("checkpoint-overhead");
    for workers in [1, 2] {
        let time = |with: bool| {
            let job = Job::new(hot_items).source("bids", parquet::read(&bids)).sink("hot_items", Counted::default());
            let mut job = job.workers(workers);
            if with {
                fresh_dir("checkpoint-overhead");
                job = job.checkpoints(checkpoints(&dir).every(1.seconds()));
            }
            let start = Instant::now();
            job.run().expect("the job runs");
            start.elapsed().as_secs_f64()
        };
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (a, b) = (time(false), time(true));
            if round > 0 {
                without.push(a);
                with.push(b);
            }
        }
        let (without, with) = (median(without), median(with));
        println!("hot_items over {BIDS} bids, {workers} worker(s), seconds");
        println!("  without checkpoints          {without:>7.3}");
        println!("  a checkpoint every second    {with:>7.3}  {} commits", commits(&dir).len());
        println!("  cost                         {:>6.1} %  (limit 5 %)", (with / without - 1.0) * 100.0);
    }
}
