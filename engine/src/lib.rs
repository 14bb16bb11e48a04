//! Time, records, state, flow and jobs: the ground floor of dualgauge.
//!
//! The engine knows no operator and no connector. It knows what time is ([`Stamp`]), what flows ([`Batch`]), where it
//! comes from and goes to ([`Source`], [`Sink`]), and drives the steps in between.

pub mod data;
mod error;
pub mod fs;
pub mod sink;
pub mod source;
pub mod time;

pub use data::{Batch, Data, DecodeError, Event, Key, KeyGroup, Record};
pub use error::{Error, ErrorKind, Result};
pub use sink::{Sink, SinkWriter};
pub use source::{Listing, Next, Offset, Partition, PartitionId, PartitionReader, Scan, Source, SourceBatch};
pub use time::{Clock, Duration, Durations, Epoch, EventTime, Frontier, Stamp, SystemClock, VirtualClock};
