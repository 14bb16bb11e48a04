//! The operators of dualgauge: one operator, one file.

pub mod aggregate;
