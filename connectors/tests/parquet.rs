//! The Parquet connector from the outside: what is listed, what is read and what is refused.

#[path = "parquet/support.rs"]
mod support;

#[path = "parquet/source.rs"]
mod source;

#[path = "parquet/sink.rs"]
mod sink;

#[path = "parquet/fixtures.rs"]
mod fixtures;

#[path = "parquet/damage.rs"]
mod damage;

#[path = "parquet/large.rs"]
mod large;

#[path = "parquet/names.rs"]
mod names;

#[path = "parquet/others.rs"]
mod others;
