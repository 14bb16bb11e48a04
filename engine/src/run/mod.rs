//! What all threads of a running job share: limits, counts, whose turn it is, what is tried again, and how it ends.

mod backoff;
mod end;
mod limits;
mod metrics;
mod panic;
mod pulse;
mod shared;
mod standstill;
mod tries;
mod turns;

pub use backoff::{Decision, InARow, Restart, SAME_MAX};
pub use limits::Limits;
pub use metrics::{Counter, Gauge, LastCheckpoint, Metrics, Restarts, Retries};
pub(crate) use panic::message_of;
pub use pulse::Pulse;
pub(crate) use shared::Shared;
pub(crate) use standstill::TOLD_AFTER;
pub use standstill::{Limit, Standstill};
pub(crate) use tries::Whose;
pub(crate) use turns::count_moves;
pub use turns::{AnyOrder, Turns};
