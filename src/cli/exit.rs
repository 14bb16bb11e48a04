//! How a run of the command line ends: the exit codes, and the last words on standard error.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done, also where whoever read standard output has seen enough; or stopped by SIGTERM after a last checkpoint, from which the next start resumes |
//! | 1 | an error, or stopped without a last checkpoint |
//! | 2 | called wrongly: nothing was read |
//! | 4 | stopped by Ctrl-C after a last checkpoint: the input had not ended, and the next start resumes |
//! | 70 | a closure of the graph panicked |
//! | 75 | to a supervisor: a failure that another start may mend, such as a lost process |
//! | 130 | ended at once by a second Ctrl-C |

use std::io::Write;
use std::process::ExitCode;

use super::words_of;
use crate::{Error, ErrorKind};

/// How it ended; turns into the process's [`ExitCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// The data, the machine or the user's request to stop ended it.
    Failed,
    /// The call was wrong.
    Usage,
    /// Stopped after a last checkpoint.
    Stopped,
    /// A closure of the graph panicked.
    Panicked,
    /// As `Failed`, for a supervisor: another start may succeed.
    Again,
}

impl Exit {
    /// The exit code of a process that is ended by a second Ctrl-C: 128 plus the number of the signal, as in shells.
    pub const INTERRUPTED: u8 = 130;

    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Stopped => 4,
            Exit::Panicked => 70,
            Exit::Again => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Exit {
        match error.kind() {
            ErrorKind::Stopped if error.is_resumable() => Exit::Stopped,
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Panic => Exit::Panicked,
            ErrorKind::Data | ErrorKind::Environment | ErrorKind::Stopped => Exit::Failed,
        }
    }
}

/// Whether whoever read standard output has seen enough, as `head` does.
pub fn is_enough(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    error.kind() == ErrorKind::Stopped && cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Reports the error, and returns how the program exits for it.
pub(super) fn told(error: &Error, err: &mut dyn Write) -> Exit {
    if is_enough(error) {
        return Exit::Done;
    }
    let words = words_of(error);
    // If standard error is closed, nobody is left to read this.
    let _ = match error.kind() {
        ErrorKind::Stopped => writeln!(err, "stopped: {words}"),
        ErrorKind::Panic if std::env::var_os("RUST_BACKTRACE").is_none() => {
            writeln!(err, "error: {words}\n(RUST_BACKTRACE=1 shows where)")
        }
        _ => writeln!(err, "error: {words}"),
    };
    error.into()
}
