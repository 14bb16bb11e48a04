//! Truth values.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer};
use arrow_schema::DataType;

use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present, Said};

impl Field for bool {
    type Column = Bits;
    type Builder = BitsBuilder;

    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn open(array: &ArrayRef, live: &Live, _: Said<'_>) -> Result<Bits, DecodeError> {
        let array = unpack::<bool>(array);
        live.refuse_nulls(&array)?;
        match array.as_boolean_opt() {
            Some(same) => Ok(Bits(same.values().clone())),
            None => Err(wrong_type(&array, "a column of type Boolean")),
        }
    }
}

impl Element for bool {}
impl Present for bool {}

/// Truth values, a bit each.
#[derive(Debug)]
pub struct Bits(BooleanBuffer);

impl Column for Bits {
    type Value = bool;

    #[inline]
    fn get(&self, row: usize) -> bool {
        self.0.value(row)
    }
}

/// Truth values in the making.
#[derive(Debug)]
pub struct BitsBuilder(BooleanBufferBuilder);

impl ColumnBuilder for BitsBuilder {
    type Value = bool;

    fn with_capacity(rows: usize) -> BitsBuilder {
        BitsBuilder(BooleanBufferBuilder::new(rows))
    }
    #[inline]
    fn push(&mut self, value: &bool) {
        self.0.append(*value);
    }
    fn push_placeholder(&mut self) {
        self.0.append(false);
    }
    fn finish(mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(BooleanArray::new(self.0.finish(), nulls))
    }
}
