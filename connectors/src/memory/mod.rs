//! Rows that a program has, and results that it wants back: the connector to read first.
//!
//! [`rows`] is history: a source of rows in memory that ends. [`channel`] is live: what one thread sends, a graph reads.
//! [`collect`] is a sink that gives its rows back.

mod channel;
mod collect;
mod rows;

pub use channel::{Channel, Sender, channel};
pub use collect::{Collect, collect};
pub use rows::{Rows, rows};
