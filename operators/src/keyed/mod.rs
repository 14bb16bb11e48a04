//! Keyed state: whatever the program wants to remember per key.
//!
//! [`Process`] is the general form: state, timers, any number of outputs. [`Fold`] and [`Reduce`] are running totals on
//! top of it, and [`Neighbours`] shows each event with those before it. All see each key's events in event-time order.

mod fold;
mod over;
mod process;
mod reduce;
mod timers;

pub use fold::Fold;
pub use over::{Frame, Neighbours, Over, rows_before, time_before};
pub(crate) use process::ordered_step;
pub use process::{KeyState, Process, ProcessContext, ProcessWith};

/// [`ProcessContext`] by its short name, which the prelude leaves free.
pub type Context<'a, K, O> = ProcessContext<'a, K, O>;
pub use reduce::Reduce;
