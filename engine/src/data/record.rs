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
///
/// It implements [`Record`], `Clone`, `Debug`, serde's `Serialize` and `Deserialize`, and `PartialEq`, `Eq`,
/// `PartialOrd`, `Ord` and `Hash` by one total order: field by field, floats by `total_cmp` (so `-0.0` and `0.0` differ,
/// and a NaN equals one of the same bits). Other traits can be derived beside it, such as `Copy` and `Default`.
///
/// # Fields
///
/// | field | column written | columns read |
/// |---|---|---|
/// | `i8` to `i64`, `u8` to `u64` | the same | integers of any width and sign and decimals, each value checked |
/// | `f32`, `f64` | the same | floats of either width and integers, each value only where the field has it exactly |
/// | [`Decimal<S>`](crate::Decimal) | Decimal128(38, S) | decimals of any width, precision and scale, integers and text, each value exactly |
/// | `bool` | Boolean | Boolean |
/// | `String`, `Text` | Utf8 | Utf8, LargeUtf8, Utf8View |
/// | `Vec<u8>` | Binary | Binary, LargeBinary, BinaryView, FixedSizeBinary |
/// | [`EventTime`] | Timestamp(µs, UTC) | timestamps of any unit and zone (without one: UTC), Date32, Date64, text such as `2026-01-01T12:00:00Z` |
/// | [`Duration`](crate::Duration) | Duration(µs) | durations of any unit |
/// | `Vec<T>` | List | List, LargeList, and Map as a list of its entries |
/// | another record | Struct | Struct, its columns found by name |
/// | `Option<T>` | that of `T`, nullable | that of `T`, and a column of nothing but nulls |
///
/// Each is also read from a dictionary of what is accepted. Nanoseconds are floored, also below zero; coarser units that
/// leave the range of microseconds are an error. A null is an error unless the field is an `Option`; what stands under a
/// null struct or list is not looked at. A record that is nested in another has no `#[event_time]` field.
///
/// # Attributes of fields
///
/// - `#[event_time]`: when it happened, for one field of type [`EventTime`].
/// - `#[column(name = "dateTime")]`: the name of the column; without it, that of the field.
/// - `#[column(default)]` or `#[column(default = 100)]`: what the field is where the data has no such column (or a JSON
///   object no such key). A column that is there but null is not missing: that takes an `Option`. The column of an
///   `Option` without a default must be there too: a misspelt name would go unnoticed.
/// - `#[column(unit = "ms")]`: for times and durations, what a plain number counts (`s`, `ms`, `us` or `ns`), in columns of
///   integers, in JSON and in CSV. It is written as a time all the same, and timestamps are read by their own unit.
/// - `#[column(scale = 2)]`: for integers, how many of their digits stand after the point: the column is one of decimals, `12.34`
///   for 1234; a value with more digits is an error, and none is rounded.
/// - `#[column(format = "%d.%m.%Y %H:%M")]`: for times, how they are written as text, in the words of `strptime`
///   ([`Instants`](crate::columns::Instants)). RFC 3339 is read beside it, and written.
///
/// Every connector is told what stands here ([`Record::wanted`]).
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{Int64Array, RecordBatch, StringArray};
/// use dualgauge_engine::{EventTime, Record, record};
///
/// #[record]
/// struct Click {
///     page: String,
///     #[column(default = 1)]
///     weight: u32,
///     #[event_time]
///     #[column(name = "clickedAt", unit = "ms")]
///     time: EventTime,
/// }
///
/// let batch = RecordBatch::try_from_iter([
///     ("page", Arc::new(StringArray::from(vec!["/"])) as _),
///     ("clickedAt", Arc::new(Int64Array::from(vec![1_500])) as _),
/// ]);
/// let mut rows = Vec::new();
/// Click::decode(&batch.unwrap(), &mut rows).unwrap();
/// assert_eq!(rows[0].data, Click { page: "/".into(), weight: 1, time: EventTime::from_millis(1_500) });
/// ```
///
/// # What is refused
///
/// Enums, tuple structs, structs with parameters and structs without fields. A type that no column can hold is refused
/// at its field:
///
/// ```compile_fail,E0277
/// # use dualgauge_engine::record;
/// #[record]
/// struct Big { number: u128 }
/// ```
///
/// So is a record that has an event time of its own:
///
/// ```compile_fail,E0277
/// # use dualgauge_engine::{EventTime, record};
/// #[record]
/// struct Bid { auction: u64, #[event_time] time: EventTime }
/// #[record]
/// struct Won { bid: Bid }
/// ```
///
/// And an `#[event_time]` on a field that is no event time, or a unit on one that has none:
///
/// ```compile_fail,E0277
/// # use dualgauge_engine::record;
/// #[record]
/// struct Bid { auction: u64, #[event_time] time: i64 }
/// ```
///
/// ```compile_fail,E0277
/// # use dualgauge_engine::record;
/// #[record]
/// struct Bid { #[column(unit = "ms")] auction: u64 }
/// ```
///
/// # Where the engine is
///
/// What `#[record]` writes refers to `dualgauge` or `dualgauge-engine`, whichever the crate depends on, under the name
/// that it has there. A crate that reaches it in another way says how: `#[record(crate = some_crate::dualgauge)]`.
pub use dualgauge_derive::record;

/// A struct that can be read from and written to Arrow: what `#[record]` derives.
///
/// - **Schema.** [`Record::schema`] names the columns that are read and written, in the order of the fields; a column
///   that the struct does not name is never read.
/// - **Total order.** The order compares field by field, floats by `total_cmp`; it decides between records of equal event
///   time, so that no answer depends on arrival.
/// - **Event time.** [`Record::event_time`] is the field marked `#[event_time]`; a record without one can be written to
///   a sink and read as a table, but not from a source.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record, and only records are read from sources and written to sinks",
    label = "no struct that is marked `#[record]`",
    note = "what comes out of a window is a `Pane`: make a record of it by `.rows(|key, window, value| Row {{ … }})` before `.sink(…)`",
    note = "of anything else `.map(|…| Row {{ … }})` makes one; mark the struct `#[record]`"
)]
pub trait Record: Data + Ord + fmt::Debug {
    /// The columns, in the order of the fields.
    fn schema() -> SchemaRef;

    /// The columns as a connector is asked for them: those of [`Record::schema`], each with what is said about it.
    ///
    /// What `#[column(…)]` says stands in the metadata of the column's field, at every depth: under `dualgauge.unit`
    /// what a plain number counts (`s`, `ms`, `us` or `ns`), under `dualgauge.format` how a time is written, under
    /// `dualgauge.default` the value for what the data does not have, as JSON. The keys are in
    /// [`columns`](crate::columns).
    fn wanted() -> SchemaRef {
        Self::schema()
    }

    /// The column that holds the event time, if one is marked.
    fn event_time_column() -> Option<&'static str>;

    /// When this happened; `None` where no field is marked.
    fn event_time(&self) -> Option<EventTime>;

    /// How many bytes of texts, bytes and lists the row has: what batches are cut by. A record of fixed width has none.
    fn weight(&self) -> usize {
        0
    }

    /// Appends the rows of `batch` to `rows`, each with its event time.
    ///
    /// Columns are found by name, one downcast each per batch. On an error nothing is appended.
    ///
    /// # Errors
    /// A missing column, a type that cannot be converted, a null in a field that is not optional, or a number that does
    /// not fit; the error names the row within `batch` where it is one row's fault.
    ///
    /// Where no field is marked `#[event_time]`, each row stands at the least event time; only tables are read this
    /// way.
    fn decode(batch: &RecordBatch, rows: &mut Vec<Event<Self>>) -> Result<(), DecodeError>;

    /// The rows as columns of [`Record::schema`].
    ///
    /// # Panics
    /// When the text or bytes of one column exceed 2 GiB, or its lists 2^31 - 1 elements: that is too much for one
    /// batch. Sources and sinks cut their batches before that, by [`Record::weight`].
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

    /// The error for a name that two of the `fields` have.
    pub(crate) fn twice(column: &str, fields: &Fields) -> DecodeError {
        let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
        let found = format!("two columns of this name; there are {}", names.join(", "));
        let expected = "one: which of them is meant cannot be known; rename one where the data is written".into();
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
