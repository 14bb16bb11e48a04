//! What a bad record costs beside a good one, in text of each format, on one worker.
//!
//! The same text, as it is and with every hundredth, or every other, of its lines changed into a bad one. The time that
//! a bad line costs beyond the good one in its place is compared with the time of a good one. And a second line that is
//! bad, under the policy that fails: what part of the time for the whole file goes by until the job ends?

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dualgauge::Job;
use dualgauge::connectors::{csv, json};
use dualgauge::prelude::*;

use crate::graphs::{Bid, Counted};
use crate::spread;

const LINES: u64 = 400_000;
const ROUNDS: usize = 5;

fn dropping(flow: &Flow) {
    flow.source::<Bid>("bids").on_bad_records(BadRecords::Drop).sink("bids_out");
}

fn failing(flow: &Flow) {
    flow.source::<Bid>("bids").sink("bids_out");
}

pub fn run() {
    println!("{LINES} lines of text on one worker, {ROUNDS} alternating runs, seconds");
    for csv in [true, false] {
        let files: Vec<PathBuf> = [0, 100, 2].map(|every| text(csv, every, "bad")).into();
        let mut times = vec![Vec::new(); files.len() + 1];
        for round in 0..=ROUNDS {
            let second = text(csv, 1 << 40, "second");
            let failed = Instant::now();
            job(failing, csv, &second).run().expect_err("the second line is bad");
            let failed = failed.elapsed().as_secs_f64();
            for (file, times) in files.iter().zip(&mut times).filter(|_| round > 0) {
                let start = Instant::now();
                job(dropping, csv, file).run().expect("bad records are dropped");
                times.push(start.elapsed().as_secs_f64());
            }
            if round > 0 {
                times[files.len()].push(failed);
            }
        }
        let times: Vec<f64> = times.into_iter().map(|times| spread(times).0).collect();
        let good = times[0] / LINES as f64;
        let cost = |every: u64, seconds: f64| (seconds - times[0]) / (LINES / every) as f64 / good + 1.0;
        println!("  {}", if csv { "CSV" } else { "JSON" });
        println!("    no bad line         {:>7.3}  {:.2} us a line", times[0], good * 1e6);
        println!(
            "    one of a hundred    {:>7.3}  a bad line {:.1} times a good one  (limit 20)",
            times[1],
            cost(100, times[1])
        );
        println!(
            "    every other one     {:>7.3}  a bad line {:.1} times a good one  (limit 20)",
            times[2],
            cost(2, times[2])
        );
        println!("    fails at the second {:>7.3}  {:.1} % of the whole", times[3], times[3] / times[0] * 100.0);
    }
}

fn job(graph: fn(&Flow), csv: bool, file: &Path) -> Job {
    let job = Job::new(graph);
    let job = if csv { job.source("bids", csv::read(file)) } else { job.source("bids", json::read(file)) };
    job.sink("bids_out", Counted::default()).workers(1)
}

/// A file of lines of which each `every`th, from the second, is bad, in one of three ways.
fn text(csv: bool, every: u64, name: &str) -> PathBuf {
    let mut text = if csv { "auction,price,date_time\n".to_string() } else { String::new() };
    for line in 0..LINES {
        let bad = every > 0 && line % every == 1;
        let price = match (bad, line / every.max(1) % 3) {
            (false, _) => (line % 9_973).to_string(),
            (true, 0) => "\"dear\"".to_string(),
            (true, 1) => "-1".to_string(),
            (true, _) => "99999999999999999999999".to_string(),
        };
        let (auction, second, micro) = (line % 1_000, line / 10_000 % 60, line % 10_000 * 100);
        let time = format!("2024-01-01T00:{:02}:{second:02}.{micro:06}Z", line / 600_000);
        match csv {
            true => writeln!(text, "{auction},{price},{time}"),
            false => writeln!(text, r#"{{"auction":{auction},"price":{price},"date_time":"{time}"}}"#),
        }
        .expect("text takes any line");
    }
    let kind = if csv { "csv" } else { "jsonl" };
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{every}.{kind}"));
    std::fs::write(&path, text).expect("a disk with room");
    path
}
