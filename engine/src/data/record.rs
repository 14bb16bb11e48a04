//! Rows at the edge: how a struct of the user's becomes Arrow columns and back.

use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Fields, SchemaRef};

use super::column::similar;
use super::{Data, Event};
use crate::EventTime;

/// Makes a record of a struct: columns to read it from and write it to, a total order, and bytes for state.
///
/// ```
/// use dualgauge_engine::{EventTime, Record, record};
///
/// #[record]
/// struct Bid {
///     auction: u64,
///     price: u64,
///     #[event_time]
///     date_time: EventTime,
/// }
///
/// let bid = Bid { auction: 7, price: 100, date_time: EventTime::from_millis(1) };
/// let mut rows = Vec::new();
/// Bid::decode(&Bid::encode([&bid].into_iter()), &mut rows).unwrap();
/// assert_eq!((rows[0].time, &rows[0].data), (bid.date_time, &bid));
/// ```
pub use dualgauge_derive::record;

/// A struct that can be read from and written to Arrow: what `#[record]` derives.
///
/// - **Schema.** [`Record::schema`] names the columns that are read and written, in the order of the fields; a column
///   that the struct does not name is never read.
/// - **Total order.** The order compares field by field, floats by `total_cmp`; it decides between records of equal event
///   time, so that no answer depends on arrival.
/// - **Event time.** [`Record::event_time`] is the field marked `#[event_time]`; a record without one can be written to
///   a sink but not read from a source.
pub trait Record: Data + Ord + fmt::Debug {
    /// The columns, in the order of the fields.
    fn schema() -> SchemaRef;

    /// The column that holds the event time, if one is marked.
    fn event_time_column() -> Option<&'static str>;

    /// When this happened; `None` where no field is marked.
    fn event_time(&self) -> Option<EventTime>;

    /// Appends the rows of `batch` to `rows`, each with its event time.
    ///
    /// Columns are found by name, one downcast each per batch. On an error nothing is appended.
    ///
    /// # Errors
    /// A missing column, a type that cannot be converted, a null in a field that is not optional, or a number that does
    /// not fit; the error names the row within `batch` where it is one row's fault.
    ///
    /// # Panics
    /// When no field is marked `#[event_time]`; binding such a record to a source is refused before.
    fn decode(batch: &RecordBatch, rows: &mut Vec<Event<Self>>) -> Result<(), DecodeError>;

    /// The rows as columns of [`Record::schema`].
    fn encode<'a>(rows: impl Iterator<Item = &'a Self> + Clone) -> RecordBatch
    where
        Self: 'a;
}

/// Why a batch could not become rows. The caller adds the file or partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The column, by the name it has in the data; nested columns with dots.
    pub column: String,
    /// The row within the batch, where one row is at fault; `None` where the whole column is.
    pub row: Option<usize>,
    /// What the data has.
    pub found: String,
    /// What the record needs.
    pub expected: String,
}

impl DecodeError {
    /// The error for a column that is not there, among the `fields` that are; it names the one that is likely meant.
    pub fn missing(column: &str, expected: &DataType, fields: &Fields) -> DecodeError {
        let found = match similar(column, fields.iter().map(|field| field.name().as_str())) {
            Some(similar) => format!("no such column; did you mean `{similar}` (#[column(name = \"{similar}\")])?"),
            None => "no such column".into(),
        };
        let expected = format!("one of type {expected}; a field marked #[column(default)] may be missing");
        DecodeError { column: column.into(), row: None, found, expected }
    }

    /// The same, seen from the column that holds the one at fault.
    pub(crate) fn within(mut self, column: &str) -> DecodeError {
        match self.column.is_empty() {
            true => self.column = column.into(),
            false => self.column = format!("{column}.{}", self.column),
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column `{}`", self.column)?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        write!(f, ": found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for DecodeError {}
