//! A job: a graph, what its names are bound to, and the workers that run it.

mod apart;
mod bind;
mod bound;
mod checkpoints;
mod checks;
mod dropped;
mod end;
mod look;
mod plan;
mod restart;
mod resume;
mod run;
mod running;
mod start;
mod worker;

pub use crate::run::{
    AnyOrder, CheckpointMetrics, Counter, LastCheckpoint, Limit, Limits, Metrics, Pulse, Restart, Restarts, Retries,
    SinkMetrics, Snapshot, SourceMetrics, Standstill, StepMetrics, Turns, WatermarkHolder, WorkerMetrics,
};
/// When something is started again, for whoever supervises processes.
#[doc(hidden)]
pub use crate::run::{Decision, InARow};
pub use bound::Bound;
pub use checkpoints::Checkpoints;
pub use plan::{OpenWindows, Plan, SourcePlan, TablePlan};
pub use run::Job;
pub(crate) use running::Attempt;
pub use running::{Outcome, Running, StopHandle};
