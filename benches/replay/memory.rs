//! The peak memory of a replay, each in a process of its own.

use dualgauge::connectors::parquet;
use dualgauge::prelude::*;

use crate::data;
use crate::graphs::hot_items;

/// The argument by which the bench calls itself.
pub const CHILD: &str = "memory-child";

pub fn run() {
    let peak = |bids: u64| {
        data::bids(bids);
        let this = std::env::current_exe().expect("this program");
        let child =
            std::process::Command::new(this).args([CHILD, &bids.to_string()]).output().expect("this program runs");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        String::from_utf8_lossy(&child.stdout).trim().parse::<f64>().expect("megabytes")
    };
    let (ten, fifty) = (peak(10_000_000), peak(50_000_000));
    println!("peak resident memory of hot_items from Parquet to Parquet, one worker, MB");
    println!("  10 M bids                    {ten:>7.1}  (limit 300)");
    println!("  50 M bids, the same rate     {fifty:>7.1}  ({:+.1} %, limit +10 %)", (fifty / ten - 1.0) * 100.0);
}

/// Runs the job and prints the most memory that the process ever had.
pub fn run_child(bids: u64) {
    let bids = data::bids(bids);
    let out = bids.parent().expect("a directory").join("out");
    let _ = std::fs::remove_dir_all(&out);
    let job = Job::new(hot_items).source("bids", parquet::read(bids)).sink("hot_items", parquet::write(&out));
    job.run().expect("the job runs");
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux machine");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel says");
    let kilobytes: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    println!("{}", kilobytes / 1e3);
}
