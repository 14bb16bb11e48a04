//! The connectors: one connector, one folder.
//!
//! [`memory`] is the one to read first: rows that a program already has, and results that it wants back. [`csv`] and
//! [`json`] read and write text, by file, directory, standard input and standard output; what they share is in
//! [`text`]. A [`binding`] names any of them as text.

pub mod binding;
pub mod csv;
pub mod json;
pub mod memory;
mod suggest;
pub mod text;
