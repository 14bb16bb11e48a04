//! How a source wakes the worker that reads it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes the worker that reads a partition, from any thread: what a socket's or a channel's thread calls when something has come.
///
/// Calls are cheap: until the worker has come to it, all after the first do nothing.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::sync::Arc;
///
/// use dualgauge_engine::Waker;
///
/// let woken = Arc::new(AtomicUsize::new(0));
/// let waker = Waker::new({
///     let woken = woken.clone();
///     move || drop(woken.fetch_add(1, Ordering::SeqCst))
/// });
/// let other = waker.clone();
/// std::thread::spawn(move || other.wake()).join().unwrap();
/// waker.wake();
/// assert_eq!(woken.load(Ordering::SeqCst), 1);
/// ```
#[doc(alias = "notify")]
#[derive(Clone)]
pub struct Waker(Arc<Called>);

struct Called {
    called: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// A waker that calls `wake`; the engine makes those of its workers.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Waker {
        Waker(Arc::new(Called { called: AtomicBool::new(false), wake: Box::new(wake) }))
    }

    /// Something has come: the worker asks the reader soon.
    pub fn wake(&self) {
        if !self.0.called.swap(true, Ordering::SeqCst) {
            (self.0.wake)();
        }
    }

    /// Whether it was called since it was last [taken note of](Waker::begin).
    pub(crate) fn is_called(&self) -> bool {
        self.0.called.load(Ordering::SeqCst)
    }

    /// The reader is about to be asked: what comes from now on makes a new call.
    pub(crate) fn begin(&self) {
        self.0.called.store(false, Ordering::SeqCst);
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
