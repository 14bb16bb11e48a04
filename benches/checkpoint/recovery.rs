//! A gigabyte of state, and how long it takes a job to resume with it.

use std::time::Instant;

use dualgauge::ErrorKind;
use dualgauge::prelude::*;

use crate::graphs::Counted;
use crate::{checkpoints, commits, fresh_dir};

/// Keys, and the bytes that each keeps.
const KEYS: u64 = 4_000_000;
const KEPT: usize = 250;

#[record]
struct Visit {
    user: u64,
    #[event_time]
    time: EventTime,
}

#[record]
struct Seen {
    user: u64,
    #[event_time]
    time: EventTime,
    bytes: u64,
}

/// Keeps some bytes of each user.
fn notes(flow: &Flow) {
    flow.source::<Visit>("visits")
        .key_by(|visit| visit.user)
        .fold("notes", |kept: &mut Vec<u8>, visit: Visit| {
            kept.resize(KEPT, visit.user as u8);
            Seen { user: visit.user, time: visit.time, bytes: kept.len() as u64 }
        })
        .sink("seen");
}

pub fn run() {
    let dir = fresh_dir("checkpoint-recovery");
    let (sender, visits) = memory::channel::<Visit>();
    let visit =
        |user: u64| Visit { user: user.wrapping_mul(0x9E37_79B9_7F4A_7C15), time: EventTime::from_micros(user as i64) };
    sender.send_all((0..KEYS).map(visit));
    let job = |workers: usize| {
        let job = Job::new(notes).source("visits", visits.clone()).sink("seen", Counted::default()).workers(workers);
        job.checkpoints(checkpoints(&dir).every(3600.seconds()))
    };
    let running = job(2).start().expect("the job starts");
    let (metrics, stop) = (running.metrics(), running.stop_handle());
    while metrics.sink("seen").rows + 1000 < KEYS {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stop.stop();
    assert_eq!(running.join().err().map(|error| error.kind()), Some(ErrorKind::Stopped));
    let bytes: u64 = commits(&dir).last().expect("a checkpoint").layers().map(|layer| layer.size).sum();
    println!("a job with {:.2} GB of state ({KEYS} keys)", bytes as f64 / 1e9);
    for workers in [1, 2] {
        let before = commits(&dir).len();
        let start = Instant::now();
        let running = job(workers).start().expect("the job starts");
        let (metrics, stop) = (running.metrics(), running.stop_handle());
        sender.send(visit(KEYS + workers as u64));
        // The first new row is read once the state is there, and the first checkpoint shows that everything is running
        // again.
        while metrics.source("visits").rows == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let back = start.elapsed().as_secs_f64();
        println!("  goes on with {workers} worker(s) after  {back:>6.2} s  (limit 10 s)");
        stop.stop();
        let _ = running.join();
        assert_eq!(commits(&dir).len(), before + 1);
    }
    drop(sender);
    fresh_dir("checkpoint-recovery");
}
