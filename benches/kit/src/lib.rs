//! The bench of window joins, as a library: your own program can run it on what you have written.
//!
//! `cargo bench --bench window_join` runs it, and so does `cargo run --release -p dualgauge-kit -- window-join`. It compares
//! [`contestants`] with each other, and with a strategy of your own:
//!
//! ```no_run
//! use dualgauge_kit::{Contestant, PaneJoin, Pairs, Row, contestants, window_join};
//!
//! #[derive(Default)]
//! struct Mine {
//!     left: Vec<Row>,
//!     right: Vec<Row>,
//! }
//!
//! impl PaneJoin for Mine {
//!     fn left(&mut self, row: Row, _: &mut Pairs<'_>) {
//!         self.left.push(row);
//!     }
//!     fn right(&mut self, row: Row, _: &mut Pairs<'_>) {
//!         self.right.push(row);
//!     }
//!     fn close(self, pairs: &mut Pairs<'_>) {
//!         for left in &self.left {
//!             self.right.iter().filter(|right| right.key == left.key).for_each(|right| pairs.pair(left, right));
//!         }
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let mut all = contestants();
//!     all.push(Contestant::strategy::<Mine>("mine", "every row with every row"));
//!     window_join(&all)
//! }
//! ```
//!
//! In reading order: [`Workload`] makes the two streams, a [`Contestant`] joins them, [`verify`] compares it with the
//! [nested loop](nested_loop), the sweep says what is varied, and each measurement is a process of its own.

mod command;
mod contestant;
mod csv;
mod feed;
#[doc(hidden)] // for the other benches
pub mod floor;
mod keys;
mod library;
mod measure;
mod oracle;
mod page;
mod plot;
mod records;
mod results;
mod run;
mod strategy;
mod sweep;
mod symmetric;
mod taken;
mod verify;
mod windows;
mod workload;

/// The page whose programs run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/window-joins.md")]
mod window_joins_page {}

pub use command::{ended, told, window_join, window_join_call, window_join_command, window_join_with};
pub use contestant::{Contestant, Ends, Feed, Setting, contestants};
pub use csv::CSV_HEADER;
pub use keys::Keys;
pub use oracle::nested_loop;
pub use records::{Joined, Row};
pub use strategy::{Pairs, PaneJoin};
pub use verify::verify;
pub use windows::Windows;
pub use workload::{Generator, Ratio, Side, Workload};
