//! The connectors: one connector, one folder.
//!
//! [`memory`] is the one to read first: rows that a program already has, and results that it wants back.

pub mod memory;
