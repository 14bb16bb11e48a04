//! Trying again what was refused: whether there is a next try is decided by whoever runs the job.

use std::fmt::{self, Display};
use std::sync::Arc;

use super::{Error, ErrorKind, Result};

/// What decides whether there is a next try: why the last one was refused, and how many there were.
type Decide = dyn Fn(&dyn Display, u32) -> bool + Send + Sync;

/// How often something that was refused is tried again, and with what waits between.
///
/// A job gives its own to every sink, in [`Writing`](crate::sink::Writing): each call is tried ten times, further and further
/// apart, ten seconds in all, while the sources wait. Each refusal counts as one of the sink's `retries` and is told in the
/// progress line. A job that fails, or is stopped a second time, tries nothing again; one that is stopped in order does, since its last
/// checkpoint and its output belong to the order, so that it may take ten seconds longer. By itself (`default`) nothing is tried again.
///
/// - **Only what may pass is tried again.** [`Retry::run`] tries again what the machine refused, unless that is
///   [for good](Error::for_good); [`Retry::run_if`] asks the caller.
/// - **What is tried again can be repeated.** After a refusal nobody may know whether it was done after all: look before
///   doing it once more.
/// - **The end says how often it was tried.**
///
/// [`Retry::on`] puts it below a file system, so that each operation of it is tried again.
///
/// ```
/// use dualgauge_engine::{Error, Retry};
///
/// let mut answers = vec![Ok("written"), Err(Error::environment("the server restarts")), Err(Error::environment("no route"))];
/// let retry = Retry::times(5);
/// assert_eq!(retry.run(|| answers.pop().unwrap()).unwrap(), "written");
///
/// let denied = retry.run(|| Err::<(), _>(Error::usage("no such table"))).unwrap_err();
/// assert_eq!(denied.to_string(), "no such table", "waiting does not mend that");
/// let down = retry.run(|| Err::<(), _>(Error::environment("no route"))).unwrap_err();
/// assert_eq!(down.to_string(), "after 5 tries: no route");
/// ```
#[derive(Clone, Default)]
pub struct Retry(Option<Arc<Decide>>);

impl Retry {
    /// Asks `again` after each refusal. It gets the reason and how often was tried; it waits, and says whether there is
    /// another try.
    pub fn new(again: impl Fn(&dyn Display, u32) -> bool + Send + Sync + 'static) -> Retry {
        Retry(Some(Arc::new(again)))
    }

    /// So many tries in all and no wait between them: for tests.
    pub fn times(tries: u32) -> Retry {
        Retry::new(move |_, tried| tried < tries)
    }

    /// Whether anything is tried again.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Whether there is another try after so many, the last of which was refused for this; it has waited then.
    pub fn again(&self, why: &dyn Display, tries: u32) -> bool {
        self.0.as_ref().is_some_and(|again| again(why, tries))
    }

    /// Does `work` until it is not refused, or there is no other try.
    ///
    /// # Errors
    /// The last refusal, with the number of tries where there were several.
    pub fn run<T>(&self, work: impl FnMut() -> Result<T>) -> Result<T> {
        self.run_if(|error: &Error| error.kind() == ErrorKind::Environment && error.may_be_retried(), work)
    }

    /// The same for errors of any type: those that `may_pass` are tried again.
    ///
    /// # Errors
    /// The last refusal, with the number of tries where there were several.
    pub fn run_if<T, E: Display + Into<Error>>(
        &self,
        may_pass: impl Fn(&E) -> bool,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match work() {
                Err(error) if may_pass(&error) && self.again(&error, tries) => tries += 1,
                Err(error) if tries > 1 => return Err(error.into().at(format_args!("after {tries} tries"))),
                done => return done.map_err(E::into),
            }
        }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_some() { "Retry" } else { "Retry(none)" })
    }
}
