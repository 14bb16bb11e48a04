//! CSV, as RFC 4180 has it: fields between delimiters, quoted with `"` where they hold delimiters, quotes or newlines.
//!
//! Columns are found by the names in the header, and read with the types of the record: whole numbers, floats, `true`
//! and `false`, text, and times as RFC 3339. An empty field is a missing value; for a `String` it is the empty text,
//! and for an `Option<String>` a quoted empty field is. Every file that is written begins with a header.
//!
//! ```
//! use dualgauge_connectors::csv;
//! use dualgauge_engine::Source;
//!
//! let bids = csv::read("data/bids.csv").delimiter(b';').follow(true);
//! assert_eq!(bids.describe(), "csv:data/bids.csv");
//! assert!(!bids.bounded());
//! ```

mod decode;
mod encode;
mod format;

use std::path::PathBuf;

pub use format::Csv;

use crate::text::{TextSink, TextSource};

/// Reads a CSV file, the `*.csv` files in and below a directory, the files that match a pattern such as
/// `data/day=*/*.csv`, or standard input (`-`).
pub fn read(path: impl Into<PathBuf>) -> TextSource<Csv> {
    TextSource::new(Csv::default(), path)
}

/// Writes CSV into a directory, into one file (a path with an extension), or to standard output (`-`).
pub fn write(path: impl Into<PathBuf>) -> TextSink<Csv> {
    TextSink::new(Csv::default(), path)
}

impl TextSource<Csv> {
    /// Whether the first record of a file names its columns, as is the default. Without a header, the columns are those
    /// of the record, in its order, and no others.
    pub fn header(mut self, header: bool) -> TextSource<Csv> {
        self.format.header = header;
        self
    }

    /// The byte between fields; a comma by default.
    pub fn delimiter(mut self, delimiter: u8) -> TextSource<Csv> {
        self.format.delimiter = delimiter;
        self
    }
}

impl TextSink<Csv> {
    /// The byte between fields; a comma by default.
    pub fn delimiter(mut self, delimiter: u8) -> TextSink<Csv> {
        self.format.delimiter = delimiter;
        self
    }
}
