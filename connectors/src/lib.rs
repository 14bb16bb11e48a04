//! The connectors: one connector, one folder.

pub mod parquet;
