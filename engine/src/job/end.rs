//! The end of a running job: a thread waits for the workers, finishes the sinks, and wakes whoever awaits it.
//!
//! So outputs are finished, and what a job held is released, when it ends, not when somebody asks how it ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use super::Outcome;
use crate::{Error, Result};

/// How a job ends, once it has.
pub(super) struct End {
    thread: JoinHandle<Result<Outcome>>,
    done: Arc<Mutex<Done>>,
}

#[derive(Default)]
struct Done {
    done: bool,
    waker: Option<Waker>,
}

/// Marks the thread as done, even if it panics.
struct Says(Arc<Mutex<Done>>);

impl Drop for Says {
    fn drop(&mut self) {
        let waker = {
            let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            done.done = true;
            done.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl End {
    /// Runs `wait` on a thread of this name; the end is what it returns.
    pub(super) fn of(name: &str, wait: impl FnOnce() -> Result<Outcome> + Send + 'static) -> Result<End> {
        let done = Arc::<Mutex<Done>>::default();
        let says = Says(Arc::clone(&done));
        let run = move || {
            let _says = says;
            wait()
        };
        let thread = thread::Builder::new().name(name.to_string()).spawn(run);
        let thread = thread.map_err(|cause| {
            Error::io("the thread that waits for the end of the job does not start", cause).for_good()
        })?;
        Ok(End { thread, done })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn join(self) -> Result<Outcome> {
        match self.thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic), // our own fault
        }
    }

    /// How it ended, if it has; otherwise whoever asks is woken when it has.
    pub(super) fn poll(end: &mut Option<End>, context: &mut Context<'_>) -> Poll<Result<Outcome>> {
        {
            let mut done =
                end.as_ref().expect("a job is joined once").done.lock().unwrap_or_else(PoisonError::into_inner);
            if !done.done {
                done.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        Poll::Ready(end.take().expect("it was just seen").join())
    }
}
