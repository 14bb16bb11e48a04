//! Records within records, which are structs to Arrow.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field as ArrowField};

use super::unpack::{unpack, wrong_type};
use super::{ColumnBuilder, Columns, DecodeError, Field, Live, Row, RowBuilder};

/// [`Field::data_type`] of a nested record.
pub fn nested_data_type<R: Row>() -> DataType {
    DataType::Struct(R::schema().fields().clone())
}

/// [`Field::wanted`] of a nested record.
pub fn nested_wanted<R: Row>(name: &str) -> ArrowField {
    ArrowField::new(name, DataType::Struct(R::wanted().fields().clone()), false)
}

/// [`Field::open`] of a nested record.
pub fn nested_open<R: Field + Row>(array: &ArrayRef, live: &Live) -> Result<R::Columns, DecodeError> {
    let array = unpack::<R>(array);
    live.refuse_nulls(&array)?;
    match array.as_struct_opt() {
        Some(fields) => <R as Row>::open(&Columns::of_struct(fields, live.clone())),
        None => Err(wrong_type(&array, "a column of type Struct")),
    }
}

/// A column of nested records in the making.
#[derive(Debug)]
pub struct NestedBuilder<R: Row>(R::Builder);

impl<R: Row> ColumnBuilder for NestedBuilder<R> {
    type Value = R;

    fn with_capacity(rows: usize) -> Self {
        NestedBuilder(R::Builder::with_capacity(rows))
    }
    #[inline]
    fn push(&mut self, value: &R) {
        self.0.push(value);
    }
    #[inline]
    fn extend<'a>(&mut self, values: impl Iterator<Item = &'a R> + Clone)
    where
        R: 'a,
    {
        self.0.extend(values);
    }
    fn push_placeholder(&mut self) {
        self.0.push_placeholder();
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(StructArray::new(R::schema().fields().clone(), self.0.finish(), nulls))
    }
}
