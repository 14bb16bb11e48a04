//! What becomes of a job whose handle is dropped: it is stopped in order, and what does not end is left to a thread.
//!
//! The worker threads belong to the handle, and dropping them would wait for them: for ever, if a closure or a read
//! does not return. So they are handed to a thread of their own, under a name that shows in every debugger.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::end::End;
use super::running::Present;
use crate::{Error, Result};

/// How long a dropped job has to end in order, with a last checkpoint if it takes them; then it must end at once.
const IN_ORDER: Duration = Duration::from_millis(800);

/// How long it has after that.
const AT_ONCE: Duration = Duration::from_millis(150);

/// Asks the job to stop, and waits for its end, at most a second.
pub(super) fn stop(present: &Arc<Present>, end: End) {
    present.stop();
    let (sender, ended) = channel();
    let wait = move || {
        let _ = end.join(); // nobody is left to hear how it ended
        let _ = sender.send(());
    };
    if spawn(wait).is_err() {
        // The closure is gone with what it held: the threads of the job were joined right here.
        return;
    }
    if ended.recv_timeout(IN_ORDER) == Err(RecvTimeoutError::Timeout) {
        present.stop();
        let _ = ended.recv_timeout(AT_ONCE);
    }
}

/// Lets the job run on, with a thread that waits for its end.
pub(super) fn leave(end: End) -> Result<()> {
    let waiting = spawn(move || drop(end.join()));
    waiting.map(|_| ()).map_err(|cause| Error::io("a thread that waits for a detached job", cause))
}

fn spawn(wait: impl FnOnce() + Send + 'static) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("dualgauge-dropped".to_string()).spawn(wait)
}
