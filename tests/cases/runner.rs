//! Runs cases, as many at once as there are processors, and says of each how it went.

use std::collections::VecDeque;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread::{available_parallelism, scope};

use crate::Case;

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
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, case)) = { waiting.lock().unwrap().pop_front() } {
                    // The message of a panic is printed where it happens, under the name that follows.
                    let passed = catch_unwind(case).is_ok();
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
