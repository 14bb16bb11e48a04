//! One dataflow graph over historical Parquet files and live event streams.

// So that `#[record]` finds this crate under the same name within it as in those that use it.
extern crate self as dualgauge;

#[doc(hidden)]
pub use dualgauge_engine::__private;
pub use dualgauge_engine::{Record, record};
