//! Which rows of a column will be read: those under which nothing is null.

use arrow_array::Array;
use arrow_buffer::NullBuffer;

use super::DecodeError;

/// The rows of a column that will be read.
///
/// What stands under a null struct or a null list may be anything, also a null or a number that does not fit, and is
/// no error. So whoever opens a column says which rows are live.
#[derive(Clone, Debug, Default)]
pub struct Live(Option<NullBuffer>);

impl Live {
    /// Every row is.
    pub const ALL: Live = Live(None);

    /// Those that `nulls` does not hide.
    pub fn under(nulls: Option<NullBuffer>) -> Live {
        Live(nulls.filter(|nulls| nulls.null_count() > 0))
    }

    /// Those of these that `nulls` does not hide either.
    pub fn and(&self, nulls: Option<&NullBuffer>) -> Live {
        Live::under(NullBuffer::union(self.0.as_ref(), nulls))
    }

    /// Those that are not, unless all are.
    pub fn hidden(&self) -> Option<&NullBuffer> {
        self.0.as_ref()
    }

    /// Whether this one is.
    pub fn contains(&self, row: usize) -> bool {
        self.0.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    /// Refuses a column that has a null in a live row.
    pub fn refuse_nulls(&self, array: &dyn Array) -> Result<(), DecodeError> {
        let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else { return Ok(()) };
        match (0..array.len()).find(|&row| nulls.is_null(row) && self.contains(row)) {
            Some(row) => Err(DecodeError {
                column: String::new(),
                row: Some(row),
                found: "null".into(),
                expected: "a value; make the field an `Option` if it may be null".into(),
            }),
            None => Ok(()),
        }
    }

    /// The live values, converted; what does not fit is an error that shows it and says what would have fitted.
    pub fn convert<S: Copy + std::fmt::Display, T: Default>(
        &self,
        values: &[S],
        expected: &str,
        convert: impl Fn(S) -> Option<T>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut converted = Vec::with_capacity(values.len());
        for (row, &value) in values.iter().enumerate() {
            converted.push(match convert(value) {
                Some(value) => value,
                None if !self.contains(row) => T::default(),
                None => {
                    let (column, found) = (String::new(), value.to_string());
                    return Err(DecodeError { column, row: Some(row), found, expected: expected.into() });
                }
            });
        }
        Ok(converted)
    }
}
