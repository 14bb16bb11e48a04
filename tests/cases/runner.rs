//! Runs cases, as many at once as there are processors, and says of each how it went. When nothing has begun or ended for
//! a long time, it says which cases stand and ends: a process that one waits for may never end. A long form, which a variable
//! asks for, takes as long as it takes.

use std::collections::{BTreeSet, VecDeque};
use std::panic::catch_unwind;
use std::process::{ExitCode, exit};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{available_parallelism, scope, spawn};
use std::time::Duration;

use crate::Case;

/// Many times what the longest case takes on a slow machine.
const STANDSTILL: Duration = Duration::from_mins(15);

/// Runs the cases whose name contains a word of the command line, or all of them.
pub fn run(cases: &[Case]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if std::env::args().any(|word| word == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let wanted = |(name, _): &&Case| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let waiting: Mutex<VecDeque<Case>> = Mutex::new(cases.iter().filter(wanted).copied().collect());
    let failed = Mutex::new(Vec::new());
    let count = waiting.lock().unwrap().len();
    let (says, watched) = channel();
    let long = std::env::vars().any(|(name, _)| name.starts_with("DUALGAUGE_"));
    if !long {
        spawn(move || watch(&watched));
    }
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            let says = says.clone();
            let (waiting, failed) = (&waiting, &failed);
            scope.spawn(move || {
                while let Some((name, case)) = { waiting.lock().unwrap().pop_front() } {
                    let _ = says.send(name); // nobody listens to a long form
                    // The message of a panic is printed where it happens, under the name that follows.
                    let passed = catch_unwind(case).is_ok();
                    let _ = says.send(name); // nobody listens to a long form
                    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
                    if !passed {
                        failed.lock().unwrap().push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("\ntest result: {} passed; {} failed", count - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends the program when no case has begun or ended for a long time. Each case is named when it begins, and when it ends.
fn watch(cases: &Receiver<&'static str>) {
    let mut running = BTreeSet::new();
    loop {
        match cases.recv_timeout(STANDSTILL) {
            Ok(name) if running.remove(name) => {}
            Ok(name) => drop(running.insert(name)),
            Err(RecvTimeoutError::Timeout) if !running.is_empty() => {
                println!("nothing has begun or ended for {} minutes; running: {running:?}", STANDSTILL.as_secs() / 60);
                exit(1);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
