//! Remedies: what a person can do about an error, as data.
//!
//! The engine does not know how it was called: what a program asks for by a call, somebody at a command line asks for
//! by an option. So an error names the remedy, and whoever shows it puts it into words. `Display` gives the call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What mends an error if the job is called differently. `Display` of an [`Error`](crate::Error) ends with it, as a
/// call; the command line names the option instead.
///
/// ```
/// use dualgauge_engine::{Error, Remedy};
///
/// let error = Error::usage("there is a checkpoint already").with_remedy(Remedy::LeaveOutFresh);
/// assert_eq!(error.remedy(), Some(&Remedy::LeaveOutFresh));
/// assert_eq!(error.without_remedy(), "there is a checkpoint already");
/// let text = "there is a checkpoint already; leave out `Checkpoints::fresh` to go on from it, or use an empty place";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Remedy {
    /// Give the job a place for checkpoints, or do not ask for restarts, which need one.
    TakeCheckpoints,
    /// Do not ask for restarts.
    LeaveOutRestart,
    /// Do not ask for a fresh start.
    LeaveOutFresh,
    /// Resume from an older checkpoint, where the file of this one cannot be brought back.
    OlderCheckpoint,
    /// Resume from the newest checkpoint, or let what was published since be replaced.
    ReplaceOutput,
    /// Forget what a step kept.
    DropState(String),
    /// Look at a checkpoint by its epoch.
    LookAtEpoch,
    /// Say at which event time history ends and live begins.
    Seam,
}

impl Remedy {
    /// One of each, for a caller that must word all of them.
    pub fn examples() -> Vec<Remedy> {
        vec![
            Remedy::TakeCheckpoints,
            Remedy::LeaveOutRestart,
            Remedy::LeaveOutFresh,
            Remedy::OlderCheckpoint,
            Remedy::ReplaceOutput,
            Remedy::DropState("totals".to_string()),
            Remedy::LookAtEpoch,
            Remedy::Seam,
        ]
    }

    /// The call that does it, or that is to be left out.
    pub fn call(&self) -> String {
        match self {
            Remedy::TakeCheckpoints => "Job::checkpoints".to_string(),
            Remedy::LeaveOutRestart => "Job::restart".to_string(),
            Remedy::LeaveOutFresh => "Checkpoints::fresh".to_string(),
            Remedy::OlderCheckpoint => "Checkpoints::from".to_string(),
            Remedy::ReplaceOutput => "Checkpoints::replace_output".to_string(),
            Remedy::DropState(step) => format!("Checkpoints::drop_state({step:?})"),
            Remedy::LookAtEpoch => "look_at".to_string(),
            Remedy::Seam => "Hybrid::cut_at".to_string(),
        }
    }

    /// The advice around `way`, which is the call or the option.
    pub fn advice(&self, way: &str) -> String {
        match self {
            Remedy::TakeCheckpoints => {
                format!("give it a place for checkpoints with {way}, or do not ask for restarts")
            }
            Remedy::LeaveOutRestart => format!("leave out {way}"),
            Remedy::LeaveOutFresh => format!("leave out {way} to go on from it, or use an empty place"),
            Remedy::OlderCheckpoint => {
                format!("bring the file back from a copy, or resume from an older checkpoint with {way}")
            }
            Remedy::ReplaceOutput => format!(
                "resume from the newest checkpoint, or say {way}: what was published since is replaced, and nothing else"
            ),
            Remedy::DropState(_) => format!("to forget what it kept, say {way}"),
            Remedy::LookAtEpoch => format!("look at another checkpoint, by its epoch, with {way}"),
            Remedy::Seam => format!("give the seam as an event time, with {way}"),
        }
    }
}

/// The advice, with the call.
impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.advice(&format!("`{}`", self.call())))
    }
}
