//! Sources that give again what they have given: while the job runs, and after a restart from before the saved offset.
//!
//! Would catch: a row that counts twice, or is sent to quarantine twice, because its source was asked or answered twice.

use std::sync::Arc;

use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Script};
use dualgauge::{
    ErrorKind, Listing, Next, Offset, Partition, PartitionReader, Result, Scan, Source, SourceBatch, Unreadable,
};

use crate::common::{Out, checkpoints, disk, drawn, limits, script, seeds};

/// A script that gives up to half of its batches again, and goes on from up to three batches before where it should.
struct Repeating {
    script: Script,
    seed: u64,
    /// Of a hundred batches so many are followed by one that was before.
    percent: u64,
}

impl Source for Repeating {
    fn describe(&self) -> String {
        self.script.describe()
    }

    fn bounded(&self) -> bool {
        self.script.bounded()
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        self.script.partitions(scan)
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let before = |offset: &Offset| Offset::at(offset.position.saturating_sub(drawn(self.seed, 5, 4)));
        let reader = self.script.open(partition, offset.map(before).as_ref(), scan)?;
        let (seed, percent) = (self.seed, self.percent);
        Ok(Box::new(RepeatingReader { reader, seed, percent, asked: 0, given: Vec::new() }))
    }
}

struct RepeatingReader {
    reader: Box<dyn PartitionReader>,
    seed: u64,
    percent: u64,
    asked: u64,
    given: Vec<(arrow_array::RecordBatch, Offset)>,
}

impl PartitionReader for RepeatingReader {
    fn next(&mut self) -> Result<Next> {
        self.asked += 1;
        let place = 100 + self.asked;
        if !self.given.is_empty() && drawn(self.seed, place, 100) < self.percent {
            let which = drawn(self.seed, place + 1, self.given.len() as u64) as usize;
            let (rows, offset_after) = self.given[which].clone();
            if drawn(self.seed, place + 2, 4) == 0 {
                let (position, reason) = (offset_after.position, "it cannot be read".to_string().into());
                let bad = Unreadable { bytes: b"?".to_vec(), position, before: 0, reason };
                let none = SourceBatch { rows: rows.slice(0, 0), offset_after, bound_after: None };
                return Ok(Next::Mixed(none, vec![bad]));
            }
            return Ok(Next::Batch(SourceBatch { rows, offset_after, bound_after: None }));
        }
        let next = self.reader.next()?;
        if let Next::Batch(batch) = &next {
            self.given.push((batch.rows.clone(), batch.offset_after.clone()));
        }
        Ok(next)
    }
}

#[test]
fn what_a_source_gives_again_is_dropped_and_counted() {
    let (mut repeated, mut killed) = (0, 0);
    for seed in seeds(200) {
        let (plain, out, fs) = (Out::default(), Out::default(), disk());
        let rows = plain.job(script(seed, 3, 12)).run().unwrap().metrics.snapshot().rows_read();
        let job = |workers: usize, baton: Baton| {
            let source = Repeating { script: script(seed, 3, 12), seed, percent: drawn(seed, 1, 51) };
            let job = Job::new(crate::common::sums).source("items", source).sink("sums", out.sums.clone());
            let job = job.sink("late", out.late.clone()).workers(workers).turns(Arc::new(baton)).limits(limits(5));
            job.checkpoints(checkpoints(&fs).unwrap())
        };
        let running = job(2, Baton::new(2, seed).kill_at(10 + drawn(seed, 2, 120))).start().unwrap();
        let before = running.metrics();
        if let Err(error) = running.join() {
            assert_eq!(error.kind(), ErrorKind::Stopped, "seed {seed}: {error}");
            fs.crash(seed);
            killed += 1;
            let workers = 1 + seed as usize % 3;
            let after = job(workers, Baton::new(workers, seed)).run().unwrap().metrics;
            assert_eq!(after.snapshot().bad(), 0, "seed {seed}: a repeat is not bad");
            repeated += after.snapshot().repeated();
        } else {
            assert_eq!(before.snapshot().rows_read(), rows, "seed {seed}: what is dropped is not counted as read");
        }
        repeated += before.snapshot().repeated();
        assert_eq!(before.snapshot().bad(), 0, "seed {seed}: a repeat is not bad");
        assert_eq!(out.text(), plain.text(), "seed {seed}");
    }
    let seeds = seeds(200).count();
    println!("{seeds} seeds, {killed} killed and resumed: {repeated} rows given again, and dropped");
    assert!(repeated > 5 * seeds as u64 && killed > seeds / 4, "{repeated} rows, {killed} kills");
}
