//! A job: a graph, what its names are bound to, and the workers that run it.

mod apart;
mod back;
mod bind;
mod checkpointing;
mod checks;
mod dropped;
mod limits;
mod metrics;
mod plan;
mod pulse;
mod restart;
mod run;
mod running;
mod shared;
mod standstill;
mod tries;
mod turns;
mod upgrade;
mod worker;

pub(crate) use bind::{BoundSink, BoundSource, BoundTable};
pub(crate) use checkpointing::Checkpointing;
pub use checkpointing::Checkpoints;
pub use limits::Limits;
pub use metrics::{Counter, Gauge, LastCheckpoint, Metrics, Restarts, Retries};
pub use plan::{OpenWindows, Plan, SourcePlan, TablePlan};
pub use pulse::Pulse;
use pulse::Pulses;
pub use restart::Restart;
pub use run::Job;
pub(crate) use running::Attempt;
pub use running::{Outcome, Running, StopHandle};
pub(crate) use shared::Shared;
pub(crate) use standstill::TOLD_AFTER;
pub use standstill::{Limit, Standstill};
pub use turns::{AnyOrder, Turns};
