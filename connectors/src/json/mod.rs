//! JSON lines: one object a line.
//!
//! Fields are found by name and read with the types of the record; others are ignored. Times are RFC 3339 text. A field
//! that is absent is missing, and so is `null`. JSON has no numbers for floats that are not finite: they are the texts
//! `"NaN"`, `"Infinity"` and `"-Infinity"`. A number where text is wanted is read as its digits; one with a fraction where
//! a whole number is wanted is bad.
//!
//! ```
//! use dualgauge_connectors::json;
//! use dualgauge_engine::Source;
//!
//! let bids = json::read("data/bids/");
//! assert_eq!(bids.describe(), "json:data/bids/");
//! assert!(bids.bounded());
//! ```

mod encode;
mod format;

use std::path::PathBuf;

pub use format::Json;

use crate::text::{TextSink, TextSource};

/// Reads a file of JSON lines, the `*.jsonl`, `*.ndjson` and `*.json` files in and below a directory, the files that
/// match a pattern such as `data/**/*.jsonl`, or standard input (`-`).
pub fn read(path: impl Into<PathBuf>) -> TextSource<Json> {
    TextSource::new(Json, path)
}

/// Writes JSON lines into a directory, into one file (a path with an extension), or to standard output (`-`).
pub fn write(path: impl Into<PathBuf>) -> TextSink<Json> {
    TextSink::new(Json, path)
}
