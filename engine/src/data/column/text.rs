//! Text: read from columns of any string layout.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};

use super::binary::BytesBuilder;
use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present};

impl Field for String {
    type Column = Texts;
    type Builder = TextsBuilder;

    fn data_type() -> DataType {
        DataType::Utf8
    }
    fn open(array: &ArrayRef, live: &Live, _: Option<TimeUnit>) -> Result<Texts, DecodeError> {
        let array = unpack::<String>(array);
        live.refuse_nulls(&array)?;
        match array.data_type() {
            DataType::Utf8 => Ok(Texts::Utf8(array.as_string().clone())),
            DataType::LargeUtf8 => Ok(Texts::LargeUtf8(array.as_string().clone())),
            DataType::Utf8View => Ok(Texts::Utf8View(array.as_string_view().clone())),
            _ => Err(wrong_type(&array, "a column of type Utf8, LargeUtf8 or Utf8View")),
        }
    }
}

impl Element for String {}
impl Present for String {}

/// Texts, as Arrow has them.
#[derive(Debug)]
pub enum Texts {
    /// With offsets of 32 bits.
    Utf8(StringArray),
    /// With offsets of 64 bits.
    LargeUtf8(LargeStringArray),
    /// With views.
    Utf8View(StringViewArray),
}

impl Column for Texts {
    type Value = String;

    #[inline]
    fn get(&self, row: usize) -> String {
        let text = match self {
            Texts::Utf8(array) => array.value(row),
            Texts::LargeUtf8(array) => array.value(row),
            Texts::Utf8View(array) => array.value(row),
        };
        text.to_owned()
    }
}

/// Texts in the making.
#[derive(Debug)]
pub struct TextsBuilder(BytesBuilder);

impl ColumnBuilder for TextsBuilder {
    type Value = String;

    fn with_capacity(rows: usize) -> TextsBuilder {
        TextsBuilder(BytesBuilder::with_capacity(rows))
    }
    #[inline]
    fn push(&mut self, value: &String) {
        self.0.push_bytes(value.as_bytes());
    }
    fn push_placeholder(&mut self) {
        self.0.push_placeholder();
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let (offsets, bytes) = self.0.into_parts();
        Arc::new(StringArray::new(offsets, bytes, nulls))
    }
}
