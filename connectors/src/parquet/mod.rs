//! Parquet: history as a source, results as a sink.
//!
//! A source's partitions are the row groups of its files, or runs of small ones, read in the order of their event times. A
//! sink's files each hold one span of event time and one bucket, and appear whole or not at all.

mod chunks;
mod columns;
mod covers;
mod direct;
mod file;
mod footer;
mod guard;
mod index;
mod int96;
mod order;
mod page_header;
mod pages;
mod read_as;
mod reader;
mod runs;
mod sink;
mod source;
mod spans;
mod staged;
mod statistics;
mod thrift;
mod time_column;
mod tree;
mod writer;

pub use covers::{COVERS, Covered, covered};
pub use sink::{ParquetSink, write};
pub use source::{ParquetSource, read};
pub use writer::{FileOptions, write_file};
