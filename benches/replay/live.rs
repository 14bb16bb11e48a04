//! A live run that follows a log while it is written: does it keep up, and how soon is a result out?
//!
//! The latency of a result counts from the moment at which the appender committed the first event that moved the
//! watermark past its window's end, to the moment at which the sink received the result. Commits are scheduled by the
//! clock and not by the job, so that a slow job cannot hide behind a slow appender.

use dualgauge::sink::{Prepared, Writing};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration as Wall, Instant};

use dualgauge::arrow::{RecordBatch, SchemaRef};
use dualgauge::connectors::log::{Layout, Log, LogSource, WriteOptions};
use dualgauge::prelude::*;
use dualgauge::{Epoch, Result, Sink, SinkWriter};

use crate::graphs::{Bid, hot_items_every};

/// How often the appender commits.
const COMMIT_EVERY: Wall = Wall::from_millis(5);

pub fn run() {
    let fast = follow(1_000_000, 10, 10.seconds());
    println!("live, one worker, the log followed while it is appended to");
    println!(
        "  1,000,000 events/s offered   {:>7.2} M events/s over {:.1} s  (limit 1.00)",
        fast.rate / 1e6,
        fast.seconds
    );
    let Followed { mut latencies, lag, .. } = follow(100_000, 20, 100.millis());
    latencies.sort();
    let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    println!("  100,000 events/s, {} windows of 100 ms; result after the commit that closes it, ms", latencies.len());
    println!("  p50 {:.1}  p90 {:.1}  p99 {:.1}  max {:.1}  (limit: p99 50)", at(0.5), at(0.9), at(0.99), at(1.0));
    println!("  the job ended {:.0} ms after the last commit", lag.as_secs_f64() * 1e3);
    histogram(&latencies);
}

fn histogram(latencies: &[Wall]) {
    let mut buckets: BTreeMap<u32, usize> = BTreeMap::new();
    for latency in latencies {
        // Powers of two, in quarter milliseconds.
        *buckets.entry((latency.as_micros() as u64 / 250).max(1).ilog2()).or_default() += 1;
    }
    let most = *buckets.values().max().expect("some latencies");
    for (bucket, count) in buckets {
        println!(
            "  up to {:>7.1} ms {:>6}  {}",
            0.5 * f64::from(1 << bucket),
            count,
            "#".repeat((count * 50).div_ceil(most))
        );
    }
}

/// What following an appender came to.
struct Followed {
    /// How long it took.
    seconds: f64,
    /// Events a second.
    rate: f64,
    /// For each window, how long its results took from the commit that closed it.
    latencies: Vec<Wall>,
    /// How long after the last commit the job ended.
    lag: Wall,
}

/// Follows an appender of `rate` events a second for some seconds, with windows in event time, which runs as fast as
/// the clock.
fn follow(rate: u64, seconds: u64, size: Duration) -> Followed {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("replay-live");
    let _ = std::fs::remove_dir_all(&dir);
    let schema = <Bid as Record>::schema();
    let log = Log::create(&dir, &schema, Layout::partitions(1)).expect("a log");
    let mut writer = log.writer_with(0, WriteOptions::default()).expect("its writer");
    let start = Instant::now();
    // For each commit: when it was durable, and the largest event time in it.
    let commits: Arc<Mutex<Vec<(EventTime, Instant)>>> = Arc::default();
    let noted = Arc::clone(&commits);
    let appender = std::thread::spawn(move || {
        let per_commit = rate * COMMIT_EVERY.as_micros() as u64 / 1_000_000;
        let total = rate * seconds;
        let mut next = 0;
        while next < total {
            let due = start + COMMIT_EVERY * (next / per_commit) as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let rows: Vec<Bid> = (next..(next + per_commit).min(total))
                .map(|number| Bid {
                    auction: number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52,
                    price: number,
                    date_time: EventTime::from_micros((number * 1_000_000 / rate) as i64),
                })
                .collect();
            next += rows.len() as u64;
            writer.append_rows(&rows).expect("a disk with room");
            writer.commit().expect("a disk with room");
            let last = rows.last().expect("a commit has rows").date_time;
            noted.lock().expect("no panic holds it").push((last, Instant::now()));
        }
        writer.seal().expect("a disk with room");
        Instant::now()
    });
    let received = Received::default();
    let job = Job::new(move |flow: &Flow| hot_items_every(flow, size))
        .source("bids", LogSource::of(log))
        .sink("hot_items", received.clone());
    let outcome = job.run().expect("the job runs");
    let seconds_taken = start.elapsed().as_secs_f64();
    let last_commit = appender.join().expect("the appender lives");
    let lag = last_commit.elapsed();
    assert_eq!(outcome.metrics.source("bids").rows, rate * seconds);
    let commits = commits.lock().expect("no panic holds it");
    let closing = |time: EventTime| commits.iter().find(|(last, _)| *last > time).map(|(_, at)| *at);
    let received = received.0.lock().expect("no panic holds it");
    let latencies =
        received.iter().filter_map(|(time, at)| Some(at.saturating_duration_since(closing(*time)?))).collect();
    Followed { seconds: seconds_taken, rate: (rate * seconds) as f64 / seconds_taken, latencies, lag }
}

/// When the results of each window were received, by their event time.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<BTreeMap<EventTime, Instant>>>);

impl Sink for Received {
    fn describe(&self) -> String {
        "received".to_string()
    }
    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }
    fn open(&self, _: usize, _: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for Received {
    fn write(&mut self, times: &[EventTime], _: &RecordBatch) -> Result<()> {
        let now = Instant::now();
        let mut received = self.0.lock().expect("no panic holds it");
        for time in times {
            received.insert(*time, now);
        }
        Ok(())
    }
    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn commit(&mut self, _: Epoch, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn recover(&mut self, _: &[Prepared]) -> Result<()> {
        Ok(())
    }
}
