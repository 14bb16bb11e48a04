//! Takes off what a column may be wrapped in, and refuses the types that are left over.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::{DecodeError, Field};

/// The column without a dictionary, and with the type of `T` where it has none because it is null throughout.
pub fn unpack<T: Field>(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            unpack::<T>(&take(dictionary.values(), dictionary.keys(), None).expect("keys that are in the dictionary"))
        }
        DataType::Null => new_null_array(&T::data_type(), array.len()),
        _ => array.clone(),
    }
}

/// The error for a type that cannot become what the field needs; `accepted` is what could.
pub fn wrong_type(array: &dyn Array, accepted: &str) -> DecodeError {
    DecodeError {
        column: String::new(),
        row: None,
        found: format!("a column of type {}", array.data_type()),
        expected: accepted.into(),
    }
}
