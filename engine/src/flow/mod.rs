//! Flow: one graph, and the drivers that stand between it and timely.
//!
//! A user's function builds the graph with [`Flow::source`], the operators' methods on [`Stream`], and
//! [`Stream::sink`]. Each stateful step is a plain [`Step`]; its driver holds the capability, follows the frontier and
//! closes the epochs, so that no operator and no connector handles a clock or a barrier.

mod bound;
mod context;
mod drive;
mod graph;
mod options;
mod read;
mod step;
mod stream;
mod table;
mod write;

pub(crate) use bound::{BoundSink, BoundSource, BoundTable};
pub use context::Flow;
pub(crate) use context::{Context, Mode, SinkDeclaration, SourceDeclaration};
pub use graph::{Graph, Node, NodeId, NodeSpec, Windows};
pub use options::{AllIdle, BadRecords, NewFiles, SourceOptions, source};
pub(crate) use read::row_texts;
pub use read::{BadRecord, MadeTime, SourceOf};
pub use step::{Emitter, Outputs, Step, TwoInputStep};
pub(crate) use step::{last_read, running};
pub use stream::{NoLate, Stream};
pub use table::Table;
pub(crate) use table::{LoadedTable, TableDeclaration};
pub(crate) use write::UNCOMMITTED;
