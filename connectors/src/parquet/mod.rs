//! Parquet: history as a source, results as a sink.
//!
//! A source's partitions are the row groups of its files, read in the order of their event times.

mod chunks;
mod covers;
mod file;
mod files;
mod guard;
mod pages;
mod reader;
mod source;
mod statistics;
mod time_column;
mod writer;

pub use covers::{COVERS, Covered, covered};
pub use source::{ParquetSource, read};
pub use time_column::UNIT;
pub use writer::{FileOptions, write_file};
