//! Time, records, state, flow and jobs: the ground floor of dualgauge.
//!
//! The engine knows no operator and no connector. It knows what time is ([`Stamp`]), what flows ([`Batch`]), where it
//! comes from and goes to ([`Source`], [`Sink`]), and drives the steps in between.

#![forbid(unsafe_code)]

// So that `#[record]` finds this crate under the same name within it as in those that use it.
extern crate self as dualgauge_engine;

pub mod checkpoint;
pub mod cluster;
mod commit;
mod connector;
pub mod data;
mod error;
pub mod failpoint;
pub mod flow;
pub mod fs;
pub mod job;
mod run;
pub mod state;
pub mod testing;
pub mod time;

pub use connector::{
    After, Basis, Change, Claim, Delivery, Firings, Listing, Next, Offset, Partition, PartitionId, PartitionReader,
    Place, Prepared, Reason, Scan, Since, Sink, SinkWriter, Source, SourceBatch, Unreadable, Waker, Writing,
};
pub use connector::{sink, source};
pub use data::decimal_units;
pub use data::{Batch, Data, Decimal, DecodeError, Digest, Event, Key, KeyGroup, Record, Text, record};
pub use error::{Code, Error, ErrorKind, Remedy, Result, Retry};
pub use flow::{Flow, Graph, Step, Stream, TwoInputStep};
pub use job::{Checkpoints, Job, Limits, Outcome, Restart};
pub use time::{
    Clock, Duration, Durations, Epoch, EventTime, Frontier, IntoDuration, Stamp, SystemClock, VirtualClock,
};
/// How columns are found by name, for connectors.
pub mod names {
    pub use crate::data::column::{Twice, find, is_same_but_for_case, similar};
}
/// What a record says of its columns, for connectors: the keys of a field's metadata, and units by their names.
pub mod columns {
    pub use crate::data::column::{
        DEFAULT, FORMAT, INTEGER, Instants, NULL, Said, UNIT, WHOLE_FLOATS, ZONE, counted, is_number, nanoseconds_of,
        unit_name, unit_named, units_within,
    };
}
/// How batches of large rows are cut, for connectors.
pub mod cut {
    pub use crate::data::cut::{BATCH_BYTES, bytes_of, fitting, rows_within};
}
/// The floor below, for a dataflow that is written by hand. Every 0.x step of it breaks: pin what you build on it.
pub use timely;

/// The Arrow types that connectors and programs meet: of the release that this one is built on.
///
/// ```
/// use dualgauge_engine::arrow::{RecordBatch, SchemaRef};
/// use dualgauge_engine::{EventTime, Record, record};
///
/// #[record]
/// struct Trade {
///     #[event_time]
///     time: EventTime,
///     price: f64,
/// }
///
/// let batch: RecordBatch = Trade::encode([Trade { time: EventTime::default(), price: 1.5 }].iter());
/// let schema: SchemaRef = Trade::schema();
/// assert_eq!(batch.schema().fields().len(), schema.fields().len());
/// ```
pub mod arrow {
    pub use arrow_array::{Array, ArrayRef, RecordBatch};
    pub use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
}

/// What the code that `#[record]` writes refers to. No part of the interface: it may change with every version.
#[doc(hidden)]
pub mod __private {
    pub use arrow_array::{ArrayRef, RecordBatch};
    pub use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
    pub use serde;

    pub use crate::data::column::*;
    pub use crate::data::{DecodeError, Event, Record};
    pub use crate::time::EventTime;
}
