//! The errors that have a code: those that a supervisor, a script or a person looks up.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind};

/// What went wrong, for a program. The message of an error with a code has it in capitals: `E-SOURCE-GAP: …`.
///
/// ```
/// use dualgauge_engine::{Code, ErrorKind};
///
/// let error = Code::SourceGap.error("file a.csv is shorter than it was").at("source clicks");
/// assert_eq!(error.to_string(), "source clicks: E-SOURCE-GAP: file a.csv is shorter than it was");
/// assert_eq!((error.code(), error.kind()), (Some(Code::SourceGap), ErrorKind::Data));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Code {
    /// A file of a checkpoint is damaged or missing, and no older checkpoint may take its place.
    CheckpointCorrupt,
    /// A row's `#[event_time]` field says another time than the event time that the row has.
    EventTime,
    /// A younger start of the same job has taken over.
    Fenced,
    /// The job would resume with another graph, binding or option than at its checkpoint.
    OtherWords,
    /// The job would resume from a checkpoint behind what it has published.
    OutputAhead,
    /// A column is missing, is there twice, or has a type that the record's field does not take.
    Schema,
    /// What follows the saved offset of a source is gone, or what was read is no longer what it was.
    SourceGap,
    /// A source has a partition that was not there at the checkpoint, and new ones are refused.
    SourceNew,
    /// The state of the last checkpoint is larger than its limit.
    StateLimit,
    /// A table has other rows than when the job started.
    TableChanged,
}

impl Code {
    /// All of them.
    pub const ALL: &[Code] = &[
        Code::CheckpointCorrupt,
        Code::EventTime,
        Code::Fenced,
        Code::OtherWords,
        Code::OutputAhead,
        Code::Schema,
        Code::SourceGap,
        Code::SourceNew,
        Code::StateLimit,
        Code::TableChanged,
    ];

    /// An error with this code, of the kind that it usually is.
    pub fn error(self, message: impl Into<String>) -> Error {
        Error::new(self.kind(), message).coded(self)
    }

    fn kind(self) -> ErrorKind {
        match self {
            Code::EventTime | Code::OtherWords | Code::OutputAhead => ErrorKind::Usage,
            Code::Fenced | Code::StateLimit => ErrorKind::Environment,
            Code::CheckpointCorrupt | Code::Schema | Code::SourceGap | Code::SourceNew | Code::TableChanged => {
                ErrorKind::Data
            }
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::CheckpointCorrupt => "E-CHECKPOINT-CORRUPT",
            Code::EventTime => "E-EVENT-TIME",
            Code::Fenced => "E-FENCED",
            Code::OtherWords => "E-OTHER-WORDS",
            Code::OutputAhead => "E-OUTPUT-AHEAD",
            Code::Schema => "E-SCHEMA",
            Code::SourceGap => "E-SOURCE-GAP",
            Code::SourceNew => "E-SOURCE-NEW",
            Code::StateLimit => "E-STATE-LIMIT",
            Code::TableChanged => "E-TABLE-CHANGED",
        })
    }
}
