//! Values that may be null.

use arrow_array::{Array, ArrayRef};
use arrow_buffer::{NullBuffer, NullBufferBuilder};
use arrow_schema::{DataType, Field as ArrowField};

use super::unpack::unpack;
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Said};

impl<T: Present> Field for Option<T> {
    type Column = Optional<T::Column>;
    type Builder = OptionalBuilder<T::Builder>;

    const NULLABLE: bool = true;

    fn data_type() -> DataType {
        T::data_type()
    }
    fn wanted(name: &str, said: Said<'_>) -> ArrowField {
        T::wanted(name, said).with_nullable(true)
    }
    #[inline]
    fn weight(&self) -> usize {
        self.as_ref().map_or(0, T::weight)
    }
    fn open(array: &ArrayRef, live: &Live, said: Said<'_>) -> Result<Self::Column, DecodeError> {
        let array = unpack::<T>(array);
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let values = T::open(&array, &live.and(nulls.as_ref()), said)?;
        Ok(Optional { nulls, values })
    }
}

impl<T: Present> Element for Option<T> {}

/// A type that `Option` can be made of: every [`Field`] but `Option`, as a column knows only one kind of null.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be a field of a record",
    label = "no column can hold this",
    note = "fields are integers of 8 to 64 bits, f32, f64, bool, String, Text, Vec<u8>, EventTime, Duration, another struct \
            marked #[record] that has no #[event_time] field, Vec of these, and Option of all but Option"
)]
pub trait Present: Field {}

/// Values, some of which are null.
#[derive(Debug)]
pub struct Optional<C> {
    nulls: Option<NullBuffer>,
    values: C,
}

impl<C: Column> Column for Optional<C> {
    type Value = Option<C::Value>;

    #[inline]
    fn get(&self, row: usize) -> Option<C::Value> {
        match &self.nulls {
            Some(nulls) if nulls.is_null(row) => None,
            _ => Some(self.values.get(row)),
        }
    }
}

/// Values, some of which are null, in the making.
#[derive(Debug)]
pub struct OptionalBuilder<B> {
    nulls: NullBufferBuilder,
    values: B,
}

impl<B: ColumnBuilder> ColumnBuilder for OptionalBuilder<B> {
    type Value = Option<B::Value>;

    fn with_capacity(rows: usize) -> Self {
        OptionalBuilder { nulls: NullBufferBuilder::new(rows), values: B::with_capacity(rows) }
    }
    #[inline]
    fn push(&mut self, value: &Option<B::Value>) {
        self.nulls.append(value.is_some());
        match value {
            Some(value) => self.values.push(value),
            None => self.values.push_placeholder(),
        }
    }
    fn push_placeholder(&mut self) {
        self.push(&None);
    }
    fn finish(mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        // A placeholder is already a null here, so what hides it adds nothing.
        debug_assert!(nulls.is_none(), "an optional value within an optional value");
        self.values.finish(self.nulls.finish())
    }
}
