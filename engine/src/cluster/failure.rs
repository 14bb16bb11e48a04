//! An error on its way to another process.

use serde::{Deserialize, Serialize};

use crate::{Code, Error, ErrorKind, Remedy};

/// Everything about it that whoever starts the job again has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// Its place in [`KINDS`].
    kind: u8,
    code: Option<Code>,
    remedy: Option<Remedy>,
    message: String,
    /// Whether starting again cannot help, wherever that is decided.
    for_good: bool,
}

const KINDS: [ErrorKind; 5] =
    [ErrorKind::Usage, ErrorKind::Data, ErrorKind::Environment, ErrorKind::Panic, ErrorKind::Stopped];

impl Failure {
    pub(super) fn of(error: &Error) -> Failure {
        let kind = KINDS.iter().position(|one| *one == error.kind()).expect("every kind has a number");
        let (code, remedy) = (error.code(), error.remedy().cloned());
        Failure { kind: kind as u8, code, remedy, message: error.without_remedy(), for_good: error.is_for_good() }
    }

    pub(super) fn into_error(self) -> Error {
        let kind = KINDS.get(self.kind as usize).copied().unwrap_or(ErrorKind::Environment);
        let error = Error::new(kind, self.message).with_code(self.code);
        let error = self.remedy.into_iter().fold(error, Error::with_remedy);
        if self.for_good { error.for_good() } else { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_same_in_another_process() {
        for code in Code::ALL {
            let error = code.error("it is so").at("here").caused_by(std::io::Error::other("that")).with_note("a note");
            let there = Failure::of(&error).into_error();
            assert_eq!(there.to_string(), error.to_string());
            assert_eq!((there.code(), there.kind()), (Some(*code), error.kind()));
            assert!(!there.is_for_good() && Failure::of(&error.for_good()).into_error().is_for_good());
        }
        for remedy in Remedy::examples() {
            let error = Error::usage("it is so").with_remedy(remedy.clone());
            let error = Error::environment("it ended").caused_by(error);
            let there = Failure::of(&error).into_error();
            assert_eq!((there.to_string(), there.remedy()), (error.to_string(), Some(&remedy)));
        }
    }
}
