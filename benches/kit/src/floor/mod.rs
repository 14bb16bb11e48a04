//! The floor: programs on timely, each written by hand for one question.
//!
//! They read by the same connectors and write to the same sinks as a job, so that only what lies between is compared.
//! They leave out what a job is for: epochs, and with them checkpoints and flow control; late records; output in order.
//! Their timestamp is the watermark alone, in microseconds. The program of this bench is in `join.rs`; the bench of
//! Nexmark has more.

mod join;
mod panes;
mod read;
mod write;

use std::sync::{Arc, Mutex};

pub use read::Sources;
pub use write::write;

pub(super) use join::join;

use dualgauge::timely::worker::Worker;
use dualgauge::timely::{Config, execute};
use dualgauge::{Error, ErrorKind, Result};

/// What went wrong first, on any worker.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    fn note(&self, error: Error) {
        self.0.lock().expect("no panic holds it").get_or_insert(error);
    }
}

/// Runs a program on this many workers, on each of which `build` makes its dataflow.
///
/// # Errors
/// What `build` or the dataflow says, or a panic.
pub fn run(workers: usize, build: impl Fn(&mut Worker, &Failure) -> Result<()> + Send + Sync + 'static) -> Result<()> {
    let failure = Failure::default();
    let noted = failure.clone();
    let config = if workers == 1 { Config::thread() } else { Config::process(workers) };
    let build = move |worker: &mut Worker| {
        if let Err(error) = build(worker, &noted) {
            noted.note(error);
        }
    };
    for worker in execute(config, build).map_err(Error::environment)?.join() {
        worker.map_err(|message| Error::new(ErrorKind::Panic, message))?;
    }
    let first = failure.0.lock().expect("no panic holds it").take();
    first.map_or(Ok(()), Err)
}
