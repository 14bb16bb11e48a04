//! Whole rows: all columns of a record side by side.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field as ArrowField, SchemaRef};

use super::{Column, Columns, DecodeError, Field};
use crate::{Event, EventTime};

/// The fields of a record together; what `#[record]` writes for the record itself and for where it is nested.
pub trait Row: Sized {
    /// Its columns, opened.
    type Columns: Column<Value = Self>;

    /// Its columns in the making.
    type Builder: RowBuilder<Value = Self>;

    /// What the columns are.
    fn schema() -> SchemaRef;

    /// The same, with what is said about each.
    fn wanted() -> SchemaRef;

    /// Finds and opens each.
    fn open(columns: &Columns<'_>) -> Result<Self::Columns, DecodeError>;
}

/// The columns of a record in the making.
pub trait RowBuilder {
    /// The record.
    type Value;

    /// Empty columns with room for `rows` rows.
    fn with_capacity(rows: usize) -> Self;

    /// Appends a row.
    fn push(&mut self, row: &Self::Value);

    /// Appends rows, column by column.
    fn extend<'a>(&mut self, rows: impl Iterator<Item = &'a Self::Value> + Clone)
    where
        Self::Value: 'a;

    /// Appends something to stand under a null struct.
    fn push_placeholder(&mut self);

    /// The columns, in the order of the fields.
    fn finish(self) -> Vec<ArrayRef>;
}

/// What the schema says of a column of `T`.
pub fn arrow_field<T: Field>(name: &str) -> ArrowField {
    ArrowField::new(name, T::data_type(), T::NULLABLE)
}

/// Appends the rows of a batch, each at its event time. On an error nothing is appended.
#[inline]
pub fn decode<R: Row>(
    batch: &RecordBatch,
    rows: &mut Vec<Event<R>>,
    event_time: impl Fn(&R) -> EventTime,
) -> Result<(), DecodeError> {
    let columns = R::open(&Columns::of_batch(batch))?;
    let get = columns.getter(batch.num_rows());
    rows.extend((0..batch.num_rows()).map(|row| {
        let data = get(row);
        Event::new(event_time(&data), data)
    }));
    Ok(())
}

/// How many rows are processed at a time, once for each column: few enough to stay in the nearest cache.
const ROWS: usize = 256;

/// The rows as a batch.
pub fn encode<'a, R: Row + 'a>(mut rows: impl Iterator<Item = &'a R> + Clone) -> RecordBatch {
    let count = rows.clone().count();
    let mut builder = R::Builder::with_capacity(count);
    for _ in 0..count.div_ceil(ROWS) {
        builder.extend(rows.clone().take(ROWS));
        rows.by_ref().take(ROWS).for_each(drop);
    }
    RecordBatch::try_new(R::schema(), builder.finish()).expect("columns of one length, as the schema has them")
}
