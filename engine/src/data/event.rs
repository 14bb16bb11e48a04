//! One thing that happened, and when.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::EventTime;

/// What may flow through a graph: owned, sendable, and able to become bytes (for other processes and for checkpoints).
///
/// Expands to `Clone + Send + Serialize + DeserializeOwned + 'static`; every such type has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow through a graph or be kept in its state",
    label = "it is sent to other workers and stored in checkpoints",
    note = "mark a struct `#[record]`, or give it `#[derive(Clone, serde::Serialize, serde::Deserialize)]`; there is no `Rc` and no reference in it"
)]
pub trait Data: Clone + Send + Serialize + DeserializeOwned + 'static {}

impl<T: Clone + Send + Serialize + DeserializeOwned + 'static> Data for T {}

/// One thing that happened, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Event<D> {
    /// When it happened.
    pub time: EventTime,
    /// What happened.
    pub data: D,
}

impl<D> Event<D> {
    /// An event of its two parts.
    pub const fn new(time: EventTime, data: D) -> Event<D> {
        Event { time, data }
    }
}
