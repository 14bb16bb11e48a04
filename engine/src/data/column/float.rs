//! Floats: read from columns of their own width, and the wider also from the narrower.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_schema::{DataType, TimeUnit};

use super::integer::{Numbers, NumbersBuilder};
use super::unpack::{unpack, wrong_type};
use super::{DecodeError, Element, Field, Live, Present};

impl Field for f32 {
    type Column = Numbers<f32>;
    type Builder = NumbersBuilder<Float32Type>;

    fn data_type() -> DataType {
        Float32Type::DATA_TYPE
    }
    fn open(array: &ArrayRef, live: &Live, _: Option<TimeUnit>) -> Result<Numbers<f32>, DecodeError> {
        let array = unpack::<f32>(array);
        live.refuse_nulls(&array)?;
        match array.as_primitive_opt::<Float32Type>() {
            Some(same) => Ok(Numbers(same.values().clone())),
            None => Err(wrong_type(&array, "a column of type Float32")),
        }
    }
}

impl Field for f64 {
    type Column = Numbers<f64>;
    type Builder = NumbersBuilder<Float64Type>;

    fn data_type() -> DataType {
        Float64Type::DATA_TYPE
    }
    fn open(array: &ArrayRef, live: &Live, _: Option<TimeUnit>) -> Result<Numbers<f64>, DecodeError> {
        let array = unpack::<f64>(array);
        live.refuse_nulls(&array)?;
        if let Some(same) = array.as_primitive_opt::<Float64Type>() {
            return Ok(Numbers(same.values().clone()));
        }
        match array.as_primitive_opt::<Float32Type>() {
            Some(narrow) => Ok(Numbers(narrow.values().iter().map(|&value| value.into()).collect())),
            None => Err(wrong_type(&array, "a column of type Float64 or Float32")),
        }
    }
}

impl Element for f32 {}
impl Element for f64 {}
impl Present for f32 {}
impl Present for f64 {}
