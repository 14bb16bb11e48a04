//! Text: read from columns of any string layout.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::super::Text;
use super::binary::BytesBuilder;
use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present, Said};

/// [`Field`] for a type that holds text: it is made from a `&str` and seen as one.
macro_rules! text_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            type Column = TextColumn<$type>;
            type Builder = TextBuilder<$type>;

            fn data_type() -> DataType {
                DataType::Utf8
            }
            #[inline]
            fn weight(&self) -> usize {
                self.len()
            }
            fn open(array: &ArrayRef, live: &Live, _: Said<'_>) -> Result<TextColumn<$type>, DecodeError> {
                open(array, live).map(|texts| TextColumn { texts, held: PhantomData })
            }
        }

        impl Element for $type {}
        impl Present for $type {}
    )*};
}

text_field!(String, Text);

fn open(array: &ArrayRef, live: &Live) -> Result<Texts, DecodeError> {
    let array = unpack::<String>(array);
    live.refuse_nulls(&array)?;
    match array.data_type() {
        DataType::Utf8 => Ok(Texts::Utf8(array.as_string().clone())),
        DataType::LargeUtf8 => Ok(Texts::LargeUtf8(array.as_string().clone())),
        DataType::Utf8View => Ok(Texts::Utf8View(array.as_string_view().clone())),
        _ => Err(wrong_type(&array, "a column of type Utf8, LargeUtf8 or Utf8View")),
    }
}

/// The live texts of a column, each read as something else; `None` for a column of another type.
pub fn read_texts<T: Default>(
    array: &ArrayRef,
    live: &Live,
    expected: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Result<Vec<T>, DecodeError>> {
    let texts = match array.data_type() {
        DataType::Utf8 => Texts::Utf8(array.as_string().clone()),
        DataType::LargeUtf8 => Texts::LargeUtf8(array.as_string().clone()),
        DataType::Utf8View => Texts::Utf8View(array.as_string_view().clone()),
        _ => return None,
    };
    let value = |row: usize| {
        if !live.contains(row) {
            return Ok(T::default());
        }
        let text = texts.value(row);
        read(text).ok_or_else(|| DecodeError {
            column: String::new(),
            row: Some(row),
            found: format!("`{text}`"),
            expected: expected.into(),
        })
    };
    Some((0..array.len()).map(value).collect())
}

/// A column of texts, each of which becomes a `T`.
#[derive(Debug)]
pub struct TextColumn<T> {
    texts: Texts,
    held: PhantomData<T>,
}

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

impl Texts {
    #[inline]
    fn value(&self, row: usize) -> &str {
        match self {
            Texts::Utf8(array) => array.value(row),
            Texts::LargeUtf8(array) => array.value(row),
            Texts::Utf8View(array) => array.value(row),
        }
    }
}

impl<T: for<'a> From<&'a str>> Column for TextColumn<T> {
    type Value = T;

    #[inline]
    fn get(&self, row: usize) -> T {
        T::from(self.texts.value(row))
    }
}

/// Texts in the making.
#[derive(Debug)]
pub struct TextBuilder<T>(BytesBuilder, PhantomData<T>);

impl<T: AsRef<str>> ColumnBuilder for TextBuilder<T> {
    type Value = T;

    fn with_capacity(rows: usize) -> TextBuilder<T> {
        TextBuilder(BytesBuilder::with_capacity(rows), PhantomData)
    }
    #[inline]
    fn push(&mut self, value: &T) {
        self.0.push_bytes(value.as_ref().as_bytes());
    }
    fn push_placeholder(&mut self) {
        self.0.push_placeholder();
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let (offsets, bytes) = self.0.into_parts();
        Arc::new(StringArray::new(offsets, bytes, nulls))
    }
}
