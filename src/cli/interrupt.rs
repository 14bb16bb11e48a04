//! Requests to stop or to take a savepoint: Ctrl-C and SIGUSR1, or a host that calls [`Interrupt`]'s methods.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::job::StopHandle;

/// A request to stop, which may come at any time, even before there is a job to stop. Clones share it.
#[derive(Clone, Default)]
pub struct Interrupt {
    state: Arc<Mutex<State>>,
    /// Set by a signal, and checked by the run.
    savepoint: Arc<AtomicBool>,
    /// Set by a service manager's signal to end.
    terminated: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    raised: bool,
    running: Option<StopHandle>,
}

impl Interrupt {
    /// Requests the stop. Returns whether it was the first time.
    pub fn raise(&self) -> bool {
        let mut state = self.state.lock().expect("no panic holds it");
        if let Some(running) = &state.running {
            running.stop();
        }
        !std::mem::replace(&mut state.raised, true)
    }

    /// Whether the stop was requested.
    pub(super) fn is_raised(&self) -> bool {
        self.state.lock().expect("no panic holds it").raised
    }

    /// Asks a run with checkpoints for one that is kept for ever. The run goes on.
    pub fn savepoint(&self) {
        self.savepoint.store(true, Ordering::SeqCst);
    }

    /// For signal handlers, which may do no more than set a flag.
    #[cfg(unix)]
    pub(super) fn savepoint_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.savepoint)
    }

    /// SIGTERM has come.
    #[cfg(unix)]
    pub(super) fn terminated(&self) {
        self.terminated.store(true, Ordering::SeqCst);
    }

    /// Whether SIGTERM has come: whoever sends it counts an orderly stop as a success.
    pub(super) fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }

    /// Whether a savepoint was requested since this was last called.
    pub(super) fn takes_savepoint(&self) -> bool {
        self.savepoint.swap(false, Ordering::SeqCst)
    }

    /// From here on a request to stop goes to this job; one that came earlier is passed on at once.
    pub(super) fn arm(&self, running: StopHandle) {
        let mut state = self.state.lock().expect("no panic holds it");
        if state.raised {
            running.stop();
        }
        state.running = Some(running);
    }
}
