//! The connectors: one connector, one folder.

pub mod log;
pub mod parquet;
