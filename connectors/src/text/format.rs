//! How one record looks: everything in which CSV and JSON lines differ.

use std::fmt::Debug;
use std::rc::Rc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use dualgauge_engine::{Basis, Result};

pub use super::records::Record;

/// A text format whose records end with a line: [`Csv`](crate::csv::Csv) or [`Json`](crate::json::Json), and no other.
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

    /// The format as the first line of a file describes it, if it does so and is not a record: `sep=;`.
    fn told_by(&self, first: &[u8]) -> Option<Self>;

    /// Whether a line holds no record at all.
    fn is_blank(&self, line: &[u8]) -> bool;

    /// What turns the records of one file into columns of `wanted`. `header` is the first record, if it is a header.
    fn decoder(&self, header: Option<&[u8]>, wanted: &SchemaRef) -> Result<Rc<dyn Decode>>;

    /// Refuses columns that the format cannot hold.
    fn check(&self, schema: &Schema) -> Result<()>;

    /// What a written file begins with.
    fn encode_header(&self, schema: &SchemaRef) -> Vec<u8>;

    /// The rows as text, one record after the other.
    fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError>;
}

/// Turns records into columns.
pub trait Decode {
    /// The wanted columns of the good records of the text, and which records are bad: nothing is done twice for the
    /// sake of a bad one. Records that are not sound are bad.
    fn decode(&self, text: &[u8], records: &[Record]) -> Result<Decoded>;

    /// Whether text is unlikely to be a good record by chance.
    fn is_choosy(&self) -> bool;

    /// What is wrong with a bad record, which has no line end.
    fn explain(&self, record: &[u8]) -> BadRecord;
}

/// What records were decoded into.
pub struct Decoded {
    /// The good ones, in order.
    pub rows: RecordBatch,
    /// The places of the bad ones among the records, in ascending order.
    pub bad: Vec<usize>,
}

/// What is wrong with a record.
#[derive(Debug)]
pub struct BadRecord {
    /// The column at fault, if it is one.
    pub column: Option<String>,
    /// What the data has.
    pub found: String,
    /// What was needed.
    pub expected: String,
    /// What probably went wrong.
    pub mistake: &'static str,
}

impl BadRecord {
    /// The whole sentence, which names the place.
    pub(super) fn at(self, place: &str, line: u64, byte: u64) -> String {
        let column = self.column.map(|name| format!("column `{name}`: ")).unwrap_or_default();
        format!(
            "{place}: line {line} (byte {byte}): {column}found {}, expected {}; likely mistake: {}",
            self.found, self.expected, self.mistake
        )
    }
}
