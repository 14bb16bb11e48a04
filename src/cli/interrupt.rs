//! The wish to stop: Ctrl-C, or a host that calls [`Interrupt::raise`].

use std::sync::{Arc, Mutex};

use crate::job::StopHandle;

/// A wish to stop that may come at any time, also before there is a job to stop. Clones share it.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    raised: bool,
    running: Option<StopHandle>,
}

impl Interrupt {
    /// Asks for the stop. Whether it was the first time.
    pub fn raise(&self) -> bool {
        let mut state = self.0.lock().expect("no panic holds it");
        if let Some(running) = &state.running {
            running.stop();
        }
        !std::mem::replace(&mut state.raised, true)
    }

    /// Whether the stop was asked for.
    pub(super) fn is_raised(&self) -> bool {
        self.0.lock().expect("no panic holds it").raised
    }

    /// From here on a wish to stop goes to this job; one that came earlier goes at once.
    pub(super) fn arm(&self, running: StopHandle) {
        let mut state = self.0.lock().expect("no panic holds it");
        if state.raised {
            running.stop();
        }
        state.running = Some(running);
    }
}
