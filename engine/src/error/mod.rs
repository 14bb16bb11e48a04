//! What can go wrong in the world, and what the caller must do about it.

mod code;
mod remedy;
mod retry;

use std::fmt;

pub use code::Code;
pub use remedy::Remedy;
pub use retry::Retry;

/// The result of everything that the world can make fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a job: where it happened, what happened, and by its [kind](Error::kind) who can mend it.
///
/// The message names the place from the outside in (`source bids: file a.parquet: row 17: …`), the cause, and the likely
/// mistake. What our own code got wrong is not an `Error`: it panics.
pub struct Error {
    kind: ErrorKind,
    code: Option<Code>,
    remedy: Option<Remedy>,
    message: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What was known about the circumstances, which may differ for the same error.
    note: Option<String>,
    /// Whether a restart cannot mend it.
    for_good: bool,
    /// Whether a last checkpoint was taken, for another start to resume from.
    resumable: bool,
    /// Whether what was to be read is not there.
    absent: bool,
}

/// What the caller must do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Call differently: an unknown name, a malformed option, a graph that cannot be run as it is bound.
    Usage,
    /// Fix the data: it is not what the graph expects, or is damaged.
    Data,
    /// Look at the machine: a file, a disk or the network refused.
    Environment,
    /// Fix the program: a closure of the graph panicked.
    Panic,
    /// Nothing: the job was asked to stop.
    Stopped,
}

impl Error {
    /// The program or command line must change.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    /// The data must change.
    pub fn data(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Data, message)
    }

    /// The machine must change.
    pub fn environment(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Environment, message)
    }

    /// An error of any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            code: None,
            remedy: None,
            message: message.into(),
            cause: None,
            note: None,
            for_good: false,
            resumable: false,
            absent: false,
        }
    }

    /// An I/O failure on something that has a name, usually a path.
    pub fn io(what: impl fmt::Display, cause: std::io::Error) -> Error {
        let (limit, is_full) = (limit(&cause), cause.kind() == std::io::ErrorKind::StorageFull);
        let error = Error::environment(what.to_string()).caused_by(cause);
        match limit {
            Some(limit) => error.with_note(limit).for_good(),
            None if is_full => error.with_note("the disk is full: free some space there and start the job again"),
            None => error,
        }
    }

    /// The error beneath this one; its text follows after a colon.
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.cause = Some(cause.into());
        self
    }

    /// Gives it a code, which stands in front of the message, unless it has that code already.
    pub fn coded(self, code: Code) -> Error {
        if self.code() == Some(code) { self } else { Error { code: Some(code), ..self.at(code) } }
    }

    /// Gives it a code that its message has already.
    pub(crate) fn with_code(self, code: Option<Code>) -> Error {
        Error { code, ..self }
    }

    /// Its code, if it has one; otherwise that of the error beneath it.
    pub fn code(&self) -> Option<Code> {
        self.code.or_else(|| self.beneath()?.code())
    }

    /// Says what a person can do about it; it stands at the end of the text.
    pub fn with_remedy(self, remedy: Remedy) -> Error {
        Error { remedy: Some(remedy), ..self }
    }

    /// What a person can do about it, if that is known; otherwise about the error beneath it.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.remedy.as_ref().or_else(|| self.beneath()?.remedy())
    }

    /// Its text without the [remedy](Error::remedy), for a caller that does not word that as a call.
    pub fn without_remedy(&self) -> String {
        let cause = match (self.beneath(), &self.cause) {
            (Some(error), _) => format!(": {}", error.without_remedy()),
            (None, Some(cause)) => format!(": {cause}"),
            (None, None) => String::new(),
        };
        let note = self.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}{cause}{note}", self.message)
    }

    /// The error beneath it, where that is one of ours.
    fn beneath(&self) -> Option<&Error> {
        self.cause.as_ref()?.downcast_ref::<Error>()
    }

    /// Puts the place in front of the message: `place: message`.
    pub fn at(mut self, place: impl fmt::Display) -> Error {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Adds what was known about the circumstances: it follows the message, and does not make it another error.
    pub fn with_note(mut self, note: impl Into<String>) -> Error {
        let note = note.into();
        self.note = Some(match self.note {
            Some(before) => format!("{before}; {note}"),
            None => note,
        });
        self
    }

    /// Marks what a restart cannot mend, although the machine is at fault: a failed sync, a younger generation.
    pub fn for_good(mut self) -> Error {
        self.for_good = true;
        self
    }

    /// Whether a job that ended with it may be restarted from its last checkpoint in the hope of a better end: the
    /// machine refused or a closure panicked, and not [for good](Error::for_good).
    ///
    /// ```
    /// use dualgauge_engine::Error;
    ///
    /// assert!(Error::environment("the disk is full").may_be_retried());
    /// assert!(!Error::environment("a sync failed").for_good().may_be_retried());
    /// assert!(!Error::data("row 7 has no price").may_be_retried());
    /// ```
    pub fn may_be_retried(&self) -> bool {
        matches!(self.kind, ErrorKind::Environment | ErrorKind::Panic) && !self.for_good
    }

    /// Marks that what a source was to read is not there: no file, no directory, none that matches. For a job that has
    /// read from it before, that is a gap and not a mistyped path.
    pub fn absent(mut self) -> Error {
        self.absent = true;
        self
    }

    /// Whether what a source was to read is not there.
    pub fn is_absent(&self) -> bool {
        self.absent
    }

    /// Marks a stop after a last checkpoint.
    pub(crate) fn resumable(mut self) -> Error {
        self.resumable = true;
        self
    }

    /// Whether the job was stopped after a last checkpoint, from which the next start resumes: nothing is lost, and
    /// what is missing will come.
    pub fn is_resumable(&self) -> bool {
        self.resumable
    }

    pub(crate) fn is_for_good(&self) -> bool {
        self.for_good
    }

    /// A copy of the error, with its cause and its note made part of the message.
    pub(crate) fn retold(&self) -> Error {
        Error {
            code: self.code(),
            remedy: self.remedy().cloned(),
            for_good: self.for_good,
            resumable: self.resumable,
            absent: self.absent,
            ..Error::new(self.kind, self.without_remedy())
        }
    }

    /// Whether it says the same as `other`, whatever the circumstances of the two.
    pub(crate) fn says_the_same_as(&self, other: &Error) -> bool {
        let said = |error: &Error| (error.kind, error.message.clone(), error.cause.as_ref().map(ToString::to_string));
        said(self) == said(other)
    }

    /// Who can mend it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// The limit of this process that an operation ran into, if any: waiting does not help, and a person must raise it.
pub(crate) fn limit(cause: &std::io::Error) -> Option<&'static str> {
    if cause.kind() == std::io::ErrorKind::FileTooLarge {
        return Some(
            "the file is larger than this process may make one (`ulimit -f`), or than its file system can hold",
        );
    }
    let is_reached = cause.raw_os_error().is_some_and(|code| Some(code) == TOO_MANY_OPEN);
    is_reached.then_some("this process may not open more files (`ulimit -n`): raise the limit and start the job again")
}

/// The system's error when the process has as many files open as it may; the standard library has no name for it.
#[cfg(unix)]
const TOO_MANY_OPEN: Option<i32> = Some(rustix::io::Errno::MFILE.raw_os_error());

#[cfg(not(unix))]
const TOO_MANY_OPEN: Option<i32> = None;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_remedy())?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// The text that a person reads: a `main` that returns the error prints it by `Debug`, and so does an `unwrap`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_prints_it_for_debugging_reads_what_a_person_reads() {
        let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::io("orders.csv", cause).at("source orders").with_note("was it moved?");
        let text = "source orders: orders.csv: entity not found (was it moved?)";
        assert_eq!(error.to_string(), text);
        assert_eq!(format!("{error:?}"), text);
        assert_eq!(format!("{:?}", Err::<(), _>(error)), format!("Err({text})"));
    }

    #[test]
    fn a_remedy_stands_at_the_end_once_whatever_is_around_it() {
        for remedy in Remedy::examples() {
            let error = Error::usage("it does not go").with_remedy(remedy.clone()).with_note("here").at("job");
            let around = Error::environment("it ended").caused_by(error).with_note("there");
            let text = "it ended: job: it does not go (here) (there)";
            for error in [around.retold(), around] {
                assert_eq!(error.remedy(), Some(&remedy));
                assert_eq!(error.without_remedy(), text);
                assert_eq!(error.to_string(), format!("{text}; {remedy}"));
            }
            assert!(remedy.to_string().contains(&format!("`{}`", remedy.call())), "{remedy}");
        }
    }
}
