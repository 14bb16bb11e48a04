//! Flow: one graph, and the drivers that stand between it and timely.
//!
//! A user's function builds the graph with [`Flow::source`], the operators' methods on [`Stream`], and
//! [`Stream::sink`]. Each stateful step is a plain [`Step`]; its driver holds the capability, follows the frontier and
//! closes the epochs, so that no operator and no connector handles a clock or a barrier.

mod bad_record;
mod checkpoints;
mod context;
mod control;
mod coordinator;
mod desk;
mod drive;
mod exchange;
mod firings;
mod graph;
mod keeping;
mod layout;
mod made_time;
mod options;
mod read;
mod settle;
mod state_bytes;
mod step;
mod storing;
mod stream;
mod svg;
mod table;
mod unsettled;
mod watermark;
mod write;

pub use bad_record::BadRecord;
pub(crate) use checkpoints::CheckpointDataflow;
pub use context::Flow;
pub(crate) use context::{Context, Mode, SinkDeclaration, SourceDeclaration};
pub(crate) use control::{Control, ControlDataflow};
pub(crate) use desk::Desk;
pub use firings::Firings;
pub use graph::{Graph, Node, NodeId, NodeSpec, Windows};
pub(crate) use keeping::Keeping;
pub use made_time::{MadeTime, SourceOf};
pub use options::{AllIdle, BadRecords, NewFiles, SourceOptions, source};
pub use step::{Emitter, Outputs, Step, TwoInputStep};
pub(crate) use step::{last_read, running};
pub(crate) use storing::again;
pub use stream::{NoLate, Stream};
pub use table::Table;
pub(crate) use table::{LoadedTable, TableDeclaration};
