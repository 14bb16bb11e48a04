//! The embedded event log: an append-only, partitioned log of Arrow batches in a directory.
//!
//! [`Log`] opens writers and readers.

mod directory;
mod files;
mod format;
mod identity;
mod index;
mod message;
mod reader;
mod recovery;
mod sink;
mod source;
mod writer;

pub use directory::Log;
pub use identity::Layout;
pub use reader::{LogReader, ReadOptions};
pub use recovery::Recovery;
pub use sink::LogSink;
pub use source::LogSource;
pub use writer::{LogWriter, WriteOptions};
