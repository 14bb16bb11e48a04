//! The peak memory of each query, over some number of bids and over five times as many, each in a process of its own.

use std::path::Path;

use crate::answer::Answer;
use crate::queries::Query;
use crate::{WORKERS, history, run};

/// The argument by which the bench calls itself.
pub const CHILD: &str = "memory-child";

pub fn run(queries: &[Query], bids: [u64; 2]) {
    println!("peak resident memory with {WORKERS} workers, MB (limit 300)");
    println!("{:<14} {:>12} {:>12}", "bids", bids[0], bids[1]);
    for query in queries {
        let [few, many] = bids.map(|bids| peak(query, &history(bids)));
        println!("{:<14} {few:>12.0} {many:>12.0}", query.name);
    }
}

fn peak(query: &Query, history: &Path) -> f64 {
    let this = std::env::current_exe().expect("this program");
    let child = std::process::Command::new(this).arg(CHILD).arg(query.name).arg(history).output();
    let child = child.expect("this program runs");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    String::from_utf8_lossy(&child.stdout).trim().parse().expect("megabytes")
}

/// Runs the query and prints the most memory that the process ever had.
pub fn run_child(query: &str, history: &str) {
    let query = Query::named(query).expect("a query of the example");
    run::over_history(&query, Path::new(history), WORKERS, &Answer::new(&query, false, None)).expect("the job runs");
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux machine");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel says");
    let kilobytes: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    println!("{}", kilobytes / 1e3);
}
