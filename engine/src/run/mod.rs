//! What all threads of a running job share: limits, counts, whose turn it is, what is retried, and how it ends.

mod backoff;
mod counts;
mod end;
mod limits;
mod metrics;
mod panic;
mod pulse;
mod shared;
mod snapshot;
mod standstill;
mod tries;
mod turns;

pub use backoff::{Decision, InARow, Restart, SAME_MAX};
pub use counts::Counter;
pub(crate) use counts::{Position, SinkCounts, SourceCounts, StepCounts};
pub use limits::Limits;
pub(crate) use metrics::LOGGED;
pub use metrics::{LastCheckpoint, Metrics, Restarts, Retries};
pub(crate) use panic::message_of;
pub use pulse::Pulse;
pub(crate) use shared::Shared;
pub use snapshot::{
    CheckpointMetrics, SinkMetrics, Snapshot, SourceMetrics, StepMetrics, WatermarkHolder, WorkerMetrics,
};
pub(crate) use standstill::TOLD_AFTER;
pub use standstill::{Limit, Standstill};
pub(crate) use tries::Whose;
pub(crate) use turns::count_moves;
pub use turns::{AnyOrder, Turns};
