//! `run`: from a bound job to its end, telling of it meanwhile.

use std::sync::mpsc::{RecvTimeoutError, channel};

use super::Console;
use super::progress::{Progress, summary};
use super::settings::Settings;
use crate::{Clock, ErrorKind, Job, Result, SystemClock};

/// How often the progress is looked at.
const TICK: std::time::Duration = std::time::Duration::from_millis(100);

/// Runs the job to its end; `quiet` says nothing.
pub(super) fn run(job: Job, settings: &Settings, quiet: bool, console: &mut Console<'_>) -> Result<()> {
    let plan = job.plan()?;
    let clock = SystemClock::new();
    let running = job.start()?;
    console.interrupt.arm(running.stop_handle());
    let metrics = running.metrics();
    if !quiet {
        for note in plan.sources.iter().flat_map(|source| &source.listing.notes) {
            let _ = writeln!(console.err, "note: {note}");
        }
    }
    // Waits beside the progress, so that a short run ends when it ends and not at the next tick.
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(running.join()));
    let mut progress = Progress::new(&plan, (settings.from, settings.to), console.terminal && !quiet);
    let outcome = loop {
        match ended.recv_timeout(TICK) {
            Ok(outcome) => break outcome,
            Err(RecvTimeoutError::Timeout) if quiet => {}
            Err(RecvTimeoutError::Timeout) => progress.tick(&metrics, clock.elapsed(), clock.now(), console.err),
            Err(RecvTimeoutError::Disconnected) => panic!("the thread that waits for the job ended without a word"),
        }
    };
    progress.end();
    let in_order = match &outcome {
        Ok(_) => Some("done in"),
        Err(error) if error.kind() == ErrorKind::Stopped => Some("stopped after"),
        Err(_) => None,
    };
    if let Some(words) = in_order.filter(|_| !quiet) {
        let _ = write!(console.err, "{words} {}", summary(&plan, &metrics, clock.elapsed()));
    }
    outcome.map(|_| ())
}
