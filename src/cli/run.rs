//! `run`: from a bound job to its end, telling of it meanwhile.

use std::sync::mpsc::{RecvTimeoutError, channel};

use super::Console;
use super::figures::plural;
use super::progress::{Progress, summary};
use super::settings::Settings;
use crate::job::{Metrics, StopHandle};
use crate::{Clock, Epoch, ErrorKind, Job, Result, SystemClock};

/// How often the progress is looked at.
const TICK: std::time::Duration = std::time::Duration::from_millis(100);

/// Runs the job to its end; `quiet` says nothing.
pub(super) fn run(job: Job, settings: &Settings, quiet: bool, console: &mut Console<'_>) -> Result<()> {
    let plan = job.plan()?;
    let clock = SystemClock::new();
    let running = job.start()?;
    console.interrupt.arm(running.stop_handle());
    let (metrics, stop) = (running.metrics(), running.stop_handle());
    if !quiet {
        for note in plan.sources.iter().flat_map(|source| &source.listing.notes).chain(running.notes()) {
            let _ = writeln!(console.err, "note: {note}");
        }
    }
    // Waits beside the progress, so that a short run ends when it ends and not at the next tick.
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(running.join()));
    let mut progress = Progress::new(&plan, (settings.from, settings.to), console.terminal && !quiet);
    let mut events =
        Events { checkpointed: settings.checkpoints.checkpoint.is_some(), savepoint: None, restarts: 0, retries: 0 };
    let outcome = loop {
        let outcome = ended.recv_timeout(TICK);
        events.tell(&metrics, &stop, console, quiet);
        match outcome {
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

/// What happens now and then in a run, told once each.
struct Events {
    checkpointed: bool,
    savepoint: Option<Epoch>,
    restarts: u64,
    retries: u64,
}

impl Events {
    fn tell(&mut self, metrics: &Metrics, stop: &StopHandle, console: &mut Console<'_>, quiet: bool) {
        let mut words = Vec::new();
        if console.interrupt.takes_savepoint() {
            match self.checkpointed {
                true => stop.savepoint(),
                false => words.push("note: a savepoint was asked for, and this run has no --checkpoint".to_string()),
            }
        }
        let savepoint = metrics.savepoint();
        if let Some(epoch) = savepoint.filter(|_| savepoint != self.savepoint) {
            words.push(format!("savepoint of epoch {epoch}: it is kept; --from-checkpoint {epoch} goes on from it"));
            self.savepoint = savepoint;
        }
        let restarts = metrics.restarts();
        if restarts.count > self.restarts {
            words.push(format!("restart {}, after: {}", restarts.count, restarts.last));
            self.restarts = restarts.count;
        }
        let retries = metrics.retries();
        if retries.count > self.retries {
            let times = plural(retries.count, "time");
            words.push(format!("the job stands still and tries again (refused {times}): {}", retries.last));
            self.retries = retries.count;
        }
        for line in words.iter().filter(|_| !quiet) {
            let _ = writeln!(console.err, "{line}"); // whoever closed it does not want to read it
        }
    }
}
