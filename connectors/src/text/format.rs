//! How one record looks: all that tells CSV from JSON lines.

use std::fmt::Debug;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use dualgauge_engine::{Basis, Result};

/// A text format whose records end in a newline: [`Csv`](crate::csv::Csv) or [`Json`](crate::json::Json), and no other.
pub trait Format: Clone + Debug + Send + Sync + 'static {
    /// The name in a binding: `csv`.
    fn scheme(&self) -> &'static str;

    /// The extensions that a directory is searched for; the first is the one that is written.
    fn extensions(&self) -> &'static [&'static str];

    /// The byte between fields, where a field may hold newlines between double quotes.
    fn quoted_after(&self) -> Option<u8>;

    /// Whether the first record of a file names its columns.
    fn header(&self) -> bool;

    /// How a record looks, as options and values.
    fn basis(&self) -> Basis;

    /// Whether a line holds no record at all.
    fn is_blank(&self, line: &[u8]) -> bool;

    /// What turns the records of one file into columns of `wanted`. `header` is the first record, if it is a header.
    fn decoder(&self, header: Option<&[u8]>, wanted: &SchemaRef) -> Result<Box<dyn Decode>>;

    /// Refuses columns that the format cannot hold.
    fn check(&self, schema: &Schema) -> Result<()>;

    /// What a written file begins with.
    fn encode_header(&self, schema: &SchemaRef) -> Vec<u8>;

    /// The rows as text, one record after the other.
    fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError>;
}

/// Turns records into columns.
pub trait Decode {
    /// The wanted columns, by number, of `records` whole records. Fails when there are more or fewer.
    fn decode(&self, text: &[u8], records: usize, columns: &[usize]) -> Result<RecordBatch, ArrowError>;

    /// What is wrong with the record as a whole, whatever columns are wanted; `None` when nothing is.
    fn misshapen(&self, record: &[u8]) -> Option<BadRecord>;

    /// The text that the record has in a wanted column; `None` when it has none.
    fn found(&self, record: &[u8], column: usize) -> Option<String>;
}

/// What is wrong with a record.
#[derive(Debug)]
pub struct BadRecord {
    /// The column at fault, where it is one.
    pub column: Option<String>,
    /// What the data has.
    pub found: String,
    /// What was needed.
    pub expected: String,
    /// What has probably happened.
    pub mistake: &'static str,
}
