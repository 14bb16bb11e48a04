//! What somebody has recorded of an earlier start, played to a later one. He does not know the secret.
//!
//! Would catch: a start that believes a recording, and ends since it does not fit, or gives its place to it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dualgauge_engine::testing::Lines;
use dualgauge_engine::{EventTime, Job};

use super::between::{Between, run_with, script, short_frame};
use super::{job, plan};

/// The hellos of an honest start.
fn recorded() -> Vec<Vec<u8>> {
    let between = Arc::new(Between::default());
    let (outcomes, _) = run_with(&between, false);
    drop(outcomes.map(Result::unwrap));
    let hellos = between.hellos.lock().unwrap().clone();
    assert!(hellos.len() >= 2, "for data and for control");
    hellos
}

type Change = fn(Job) -> Job;

const LATER: [(&str, Change); 3] = [
    ("the same words", |job| job),
    ("more workers", |job| job.workers(2)),
    ("another end", |job| job.to(EventTime::MAX)),
];

#[test]
fn a_recording_ends_no_later_start_and_takes_no_place_in_it() {
    let hellos = recorded();
    for (what, change) in LATER {
        let (plan, lines) = (plan(2), Lines::default());
        let first = change(job(&script(), &lines)).cluster(plan.process(0));
        let first = thread::spawn(move || first.run());
        let played: Vec<_> = hellos
            .iter()
            .map(|hello| {
                let mut stream = TcpStream::connect(plan.address(0)).unwrap();
                stream.write_all(hello).unwrap();
                short_frame(&mut stream).unwrap_or_else(|error| panic!("{what}: it is answered: {error}"));
                stream
            })
            .collect();
        let second = change(job(&script(), &lines)).cluster(plan.process(1)).run();
        second.unwrap_or_else(|error| panic!("{what}: process 1: {error}"));
        first.join().unwrap().unwrap_or_else(|error| panic!("{what}: process 0: {error}"));
        assert_eq!(lines.text().len(), 120, "{what}");
        drop(played);
    }
}

#[test]
fn a_flood_of_recordings_keeps_nobody_out() {
    let hellos = recorded();
    let (plan, lines) = (plan(2), Lines::default());
    let first = job(&script(), &lines).cluster(plan.process(0));
    let first = thread::spawn(move || first.run());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut held = std::collections::VecDeque::new();
                while !over.load(Ordering::SeqCst) {
                    for hello in &hellos {
                        // Nobody takes them once the start is over.
                        let within = std::time::Duration::from_millis(200);
                        let Ok(mut stream) = TcpStream::connect_timeout(&plan.address(0), within) else { continue };
                        let _ = stream.write_all(hello);
                        held.push_back(stream);
                    }
                    while held.len() > 100 {
                        held.pop_front();
                    }
                }
            });
        }
        let second = job(&script(), &lines).cluster(plan.process(1)).run();
        over.store(true, Ordering::SeqCst);
        second.unwrap();
    });
    first.join().unwrap().unwrap();
    assert_eq!(lines.text().len(), 120);
}
