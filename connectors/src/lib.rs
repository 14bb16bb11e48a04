//! The connectors: one connector, one folder.
//!
//! [`memory`] is the one to read first: rows that a program already has, and results that it wants back. [`parquet`] is
//! history; [`log`] is the live log, with its own writer and commands. [`csv`] and [`json`] read and write text, by
//! file, directory, standard input and standard output; what they share is in [`text`]. [`hybrid`] joins history and
//! live. A [`binding`] names any of them as text, and [`Written`] says how values are written in other people's data.

#![forbid(unsafe_code)]

pub mod binding;
mod caught;
pub mod csv;
mod files;
mod handles;
pub mod hybrid;
pub mod json;
pub mod log;
pub mod memory;
pub mod parquet;
mod places;
mod staging;
mod suggest;
pub mod text;
mod written;

pub use written::Written;
