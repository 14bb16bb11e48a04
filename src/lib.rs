//! dualgauge: one dataflow graph over historical Parquet files and live event streams.

#![forbid(unsafe_code)]

// So that `#[record]` finds this crate under the same name within it as in the programs that use it.
extern crate self as dualgauge;

pub mod cli;

pub use cli::{main, main_of};
pub use dualgauge_connectors as connectors;
pub use dualgauge_engine::*;
pub use dualgauge_operators as operators;

/// Everything a program needs: `use dualgauge::prelude::*`.
pub mod prelude {
    pub use dualgauge_connectors::{csv, json, log, memory, parquet};
    pub use dualgauge_engine::Decimal;
    pub use dualgauge_engine::flow::{AllIdle, BadRecords, source};
    pub use dualgauge_engine::{Duration, Durations, EventTime, Flow, Job, Record, Stream, Text, record};
    pub use dualgauge_operators::aggregate::*;
    pub use dualgauge_operators::join::{AsOf, Broadcast, JoinInterval, JoinStrategy, between};
    pub use dualgauge_operators::keyed::*;
    pub use dualgauge_operators::window::{
        InWindow, Pane, Ranked, Rows, Window, WindowAll, counted, cumulate, days_in, months_in, session, sliding,
        tumbling, weeks_in, whole,
    };
    pub use dualgauge_operators::{Deduplicate, Lookup, first_within, last_within};
    pub use dualgauge_operators::{Either, Filter, FilterMap, FlatMap, Inspect, KeyBy, Map, Split, Union};
}

/// The pages and the README: their programs are tests.
#[cfg(doctest)]
mod docs;
