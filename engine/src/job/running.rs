//! A running job: its counts, its end, and the ways to ask for one.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};

use super::dropped;
use super::end::End;
use crate::cluster::Member;
use crate::commit::Checkpointing;
use crate::flow::SinkDeclaration;
use crate::run::{LOGGED, Metrics, Pulse, Shared, Whose};
use crate::{Claim, Duration, Error, ErrorKind, Result, Sink};

/// The result of a job that ran to the end of its input.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was counted: rows read and written, late and bad records.
    pub metrics: Arc<Metrics>,
    /// How long it ran.
    pub elapsed: Duration,
}

/// A job whose workers run.
///
/// Dropped without [`Running::join`], it is asked to stop as by [`StopHandle::stop`], and has a second to end in order:
/// with checkpoints, after a last one. What has not ended by then (a closure or a read that does not return) is left to
/// a thread named `dualgauge-dropped`, which waits for it; dropping never blocks for longer. To let a job run on
/// without a handle, call [`Running::detach`].
#[must_use = "a job is stopped when its handle is dropped: join it, or detach it"]
pub struct Running {
    metrics: Arc<Metrics>,
    present: Arc<Present>,
    notes: Vec<String>,
    /// Gone once it is joined or detached.
    end: Option<End>,
}

/// One start of a job: its workers until they end.
pub(crate) struct Attempt {
    pub(super) shared: Arc<Shared>,
    /// None where the input had ended in an earlier run, and only publishing was left.
    pub(super) workers: Option<timely::communication::WorkerGuards<()>>,
    /// Of a job with checkpoints. It knows of savepoints, which stay when the sinks are finished.
    pub(super) checkpointing: Option<Arc<Checkpointing>>,
    pub(super) written: Vec<(SinkDeclaration, Arc<dyn Sink>)>,
    pub(super) started: Duration,
    /// What a person should know of how it starts.
    pub(super) notes: Vec<String>,
    /// The places of the sinks, released once nothing is written any more.
    pub(super) claims: Vec<Claim>,
    /// After the workers: dropped last.
    pub(super) member: Option<Member>,
}

impl Attempt {
    /// Waits for the end.
    pub(super) fn join(self) -> Result<Outcome> {
        let Attempt { shared, workers, written, started, claims: _claims, checkpointing, member, .. } = self;
        let finish_one = |(SinkDeclaration { name, schema, .. }, sink): &(SinkDeclaration, Arc<dyn Sink>)| {
            let kept = checkpointing.as_ref().map(|all| all.saved_of(name)).unwrap_or_default();
            let writing = checkpointing.as_ref().map(|all| all.writing(name)).unwrap_or_default();
            let done = shared.retry(Whose::Sink(name)).run(|| sink.finish(schema, &writing, &kept));
            done.map_err(|error| error.at(format_args!("sink {name}")))
        };
        let finish = || written.iter().try_for_each(finish_one);
        let stopped = || shared.stop_asked() && !shared.has_ended();
        let stopped = match member {
            Some(mut member) => {
                if let Some(workers) = workers {
                    member.await_workers(workers);
                }
                member.end(stopped(), finish)?
            }
            None => {
                for outcome in workers.into_iter().flat_map(|workers| workers.join()) {
                    if let Err(message) = outcome {
                        shared.fail(Error::new(ErrorKind::Panic, format!("a worker died: {message}")));
                    }
                }
                if let Some(error) = shared.failure() {
                    return Err(error);
                }
                if !stopped() {
                    finish()?;
                }
                stopped()
            }
        };
        if stopped {
            if let Some(reason) = shared.reason() {
                return Err(reason);
            }
            // Of several processes only one knows it.
            let here = shared.commits() > 0;
            let last = shared.metrics.checkpoint().filter(|_| here);
            let epoch = last.map(|last| format!(" of epoch {}", last.epoch)).unwrap_or_default();
            let words = format!(
                "a last checkpoint{epoch} was taken; started again with the same checkpoints, the job goes on from there{}",
                waiting(&shared.metrics)
            );
            return Err(Error::new(ErrorKind::Stopped, words).resumable());
        }
        Ok(Outcome { metrics: Arc::clone(&shared.metrics), elapsed: shared.clock.elapsed() - started })
    }
}

/// What waits at the sinks for the watermark, in words that follow those of a stop.
fn waiting(metrics: &Metrics) -> String {
    let waiting = metrics.waiting();
    let sinks: Vec<_> = waiting.iter().map(|(name, rows)| format!("{rows} at {name}")).collect();
    match waiting.values().sum() {
        0 => String::new(),
        1 => format!(". 1 row waits in it for the watermark ({})", sinks.join(", ")),
        rows => format!(". {rows} rows wait in it for the watermark ({})", sinks.join(", ")),
    }
}

/// The start of a job that is running now, for those who want to stop it.
pub(super) struct Present {
    state: Mutex<PresentState>,
    stop_asked: Condvar,
    checkpointed: bool,
}

struct PresentState {
    shared: Arc<Shared>,
    stopped: bool,
}

impl Present {
    pub(super) fn of(attempt: &Attempt) -> Arc<Present> {
        let state = Mutex::new(PresentState { shared: Arc::clone(&attempt.shared), stopped: false });
        Arc::new(Present { state, stop_asked: Condvar::new(), checkpointed: attempt.checkpointing.is_some() })
    }

    /// Waits before the next start; returns whether a stop was requested, before or meanwhile.
    pub(super) fn stopped_within(&self, wait: std::time::Duration) -> bool {
        let state = self.state.lock().expect("no panic holds it");
        let waited = self.stop_asked.wait_timeout_while(state, wait, |state| !state.stopped);
        waited.expect("no panic holds it").0.stopped
    }

    /// Another start runs from here on; what was asked of the one before is asked of it.
    pub(super) fn becomes(&self, attempt: &Attempt) {
        let mut state = self.state.lock().expect("no panic holds it");
        if state.shared.savepoint_asked() {
            attempt.shared.ask_savepoint();
        }
        state.shared = Arc::clone(&attempt.shared);
        if state.stopped {
            state.shared.stop();
        }
    }

    pub(super) fn stop(&self) {
        let mut state = self.state.lock().expect("no panic holds it");
        // Only a second request here means "at once": another process may have been asked before, by the same Ctrl-C.
        match std::mem::replace(&mut state.stopped, true) {
            true => state.shared.stop(),
            false if self.checkpointed => state.shared.ask_stop(),
            false => state.shared.rest(),
        }
        self.stop_asked.notify_all();
    }

    fn pulse(&self) -> Pulse {
        self.state.lock().expect("no panic holds it").shared.pulses.look()
    }

    fn savepoint(&self) {
        self.state.lock().expect("no panic holds it").shared.ask_savepoint();
    }
}

/// Stops a running job from elsewhere.
#[derive(Clone)]
pub struct StopHandle {
    present: Arc<Present>,
}

impl StopHandle {
    /// Asks the job to end. Windows that are half full do not fire.
    ///
    /// A job with checkpoints takes one more and then ends, to resume another time. One without reads nothing more, in
    /// any of its processes, writes every row that has come to a sink, including those that the watermark has not
    /// passed, and ends; it has a second for that. Asked again, either ends at once, and what is not published stays
    /// unpublished.
    pub fn stop(&self) {
        self.present.stop();
    }

    /// The workers' pulse, to find out whether one of them cannot see that the job is to stop.
    pub fn pulse(&self) -> Pulse {
        self.present.pulse()
    }

    /// Asks a job with checkpoints for one that is kept for ever; the job carries on.
    pub fn savepoint(&self) {
        self.present.savepoint();
    }
}

impl Running {
    pub(super) fn new(metrics: Arc<Metrics>, present: Arc<Present>, notes: Vec<String>, end: End) -> Running {
        notes.iter().for_each(|note| log::warn!(target: LOGGED, "{note}"));
        Running { metrics, present, notes, end: Some(end) }
    }

    /// The counts and watermarks while it runs. They continue over restarts; what is read again counts again.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// What a person should know of how the job starts, a sentence each: where it resumes, which sinks promise less.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A handle that stops the job; it then ends within a second, with an error of kind [`ErrorKind::Stopped`].
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { present: Arc::clone(&self.present) }
    }

    /// Whether every worker has ended, the sinks are finished and nothing will be started again, so that `join` would
    /// not wait.
    pub fn is_finished(&self) -> bool {
        self.end.as_ref().is_none_or(End::is_finished)
    }

    /// Waits for the end.
    pub fn join(mut self) -> Result<Outcome> {
        self.end.take().expect("a job is joined once").join()
    }

    /// Lets the job run on by itself, to its end or that of the process. Nobody learns how it ends.
    ///
    /// # Errors
    /// The machine has no room for the thread that waits for the end; the job is then asked to stop.
    pub fn detach(mut self) -> Result<()> {
        dropped::leave(self.end.take().expect("a job is detached once"))
    }
}

/// Awaited, a job returns how it ended, as [`Running::join`] does. It needs no particular executor. Dropped before
/// that, as a future that is given up is, it is stopped; `(&mut running).await` leaves the handle where it is.
///
/// ```
/// use dualgauge_engine::{Job, Result};
///
/// async fn rows_of(job: Job) -> Result<u64> {
///     let outcome = job.start()?.await?;
///     Ok(outcome.metrics.source("items").rows)
/// }
/// ```
impl Future for Running {
    type Output = Result<Outcome>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Outcome>> {
        End::poll(&mut self.end, context)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            dropped::stop(&self.present, end);
        }
    }
}
