//! The embedded event log: an append-only, partitioned log of Arrow batches in a directory.
//!
//! [`Log`] creates and opens it. One [`LogWriter`] per partition appends; many [`LogReader`]s, also in other processes,
//! follow. [`LogSource`] and [`LogSink`] are the log as a connector. Durable on acknowledgement: what a commit returned for
//! survives a power loss, and so does everything a reader has seen. The bytes are drawn at the head of `format.rs`.

mod back;
mod claim;
mod directory;
mod identity;

mod format;
mod index;
mod message;

mod follow;
mod pooled;
mod reader;
mod recovery;
mod segment;
mod writer;

mod inspect;
mod repair;
mod retention;

mod sink;
mod source;
mod staged;

mod files;

pub use directory::Log;
pub use identity::Layout;
pub use inspect::{Inspection, PartitionInspection, Verification, inspect, verify, verify_on};
pub use reader::{LogReader, ReadOptions};
pub use recovery::Recovery;
pub use repair::{Repair, repair, repair_on};
pub use retention::Retention;
pub use sink::LogSink;
pub use source::LogSource;
pub use writer::{LogWriter, WriteOptions};
