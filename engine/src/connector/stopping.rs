//! How a sink that waits for somebody sees that the job is to stop.

use std::fmt;
use std::sync::Arc;

/// Whether the job is asked to stop, or has failed. By itself (`default`) it never is.
///
/// A job gives its own to every sink, in [`Writing`](crate::sink::Writing). A call that waits for others than a machine, such as a
/// reader that is behind, waits in short turns and asks between them: a job that is to stop has a second to end in.
///
/// ```
/// use dualgauge_engine::sink::Stopping;
///
/// assert!(!Stopping::default().asked());
/// assert!(Stopping::new(|| true).asked());
/// ```
#[derive(Clone, Default)]
pub struct Stopping(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stopping {
    /// Asks `asked` each time.
    pub fn new(asked: impl Fn() -> bool + Send + Sync + 'static) -> Stopping {
        Stopping(Some(Arc::new(asked)))
    }

    /// Whether the job is to stop.
    pub fn asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked())
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.asked() { "Stopping(asked)" } else { "Stopping" })
    }
}
