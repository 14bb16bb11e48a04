//! The living half of checkpoints: who decides that one is due, what each worker owes to it, and how it is stored.
//!
//! What lies at rest is [`crate::checkpoint`]. Here one checkpoint goes from the [`Desk`] of each worker, where its
//! drivers leave what they saved, through the thread that stores it, to worker 0, whose manifest is the commit.

mod back;
mod control;
mod coordinator;
mod dataflow;
mod desk;
mod generation;
mod holding;
mod joined;
mod keeping;
mod state_bytes;
mod storing;
mod upgrade;

pub(crate) use back::Back;
pub(crate) use control::{Control, ControlDataflow, Report, State};
pub(crate) use dataflow::CheckpointDataflow;
pub(crate) use desk::{Contribution, Desk, Output, Passage};
pub(crate) use generation::Checkpointing;
pub(crate) use holding::Holding;
pub(crate) use joined::{Joined, Told, others};
pub(crate) use keeping::Keeping;
pub(crate) use upgrade::Upgrade;
