//! Floats: read from columns of their own width, and from others where each value is the same number.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_schema::DataType;

use super::integer::{Numbers, NumbersBuilder, widened};
use super::unpack::{unpack, wrong_type};
use super::{DecodeError, Element, Field, Live, Present, Said};

impl Field for f32 {
    type Column = Numbers<f32>;
    type Builder = NumbersBuilder<Float32Type>;

    fn data_type() -> DataType {
        Float32Type::DATA_TYPE
    }
    fn open(array: &ArrayRef, live: &Live, _: Said<'_>) -> Result<Numbers<f32>, DecodeError> {
        let array = unpack::<f32>(array);
        live.refuse_nulls(&array)?;
        if let Some(same) = array.as_primitive_opt::<Float32Type>() {
            return Ok(Numbers(same.values().clone()));
        }
        if let Some(wide) = array.as_primitive_opt::<Float64Type>() {
            let narrow = |wide: f64| Some(wide as f32).filter(|near| f64::from(*near) == wide || wide.is_nan());
            return Ok(Numbers(live.convert(wide.values(), &exactly("f32"), narrow)?.into()));
        }
        let whole = |wide: i128| Some(wide as f32).filter(|near| *near as i128 == wide);
        match widened(&array, live, &exactly("f32"), whole) {
            Some(converted) => Ok(Numbers(converted?.into())),
            None => Err(wrong_type(&array, "a column of type Float32, or of Float64 or integers with values that fit")),
        }
    }
}

impl Field for f64 {
    type Column = Numbers<f64>;
    type Builder = NumbersBuilder<Float64Type>;

    fn data_type() -> DataType {
        Float64Type::DATA_TYPE
    }
    fn open(array: &ArrayRef, live: &Live, _: Said<'_>) -> Result<Numbers<f64>, DecodeError> {
        let array = unpack::<f64>(array);
        live.refuse_nulls(&array)?;
        if let Some(same) = array.as_primitive_opt::<Float64Type>() {
            return Ok(Numbers(same.values().clone()));
        }
        if let Some(narrow) = array.as_primitive_opt::<Float32Type>() {
            return Ok(Numbers(narrow.values().iter().map(|&value| value.into()).collect()));
        }
        let whole = |wide: i128| Some(wide as f64).filter(|near| *near as i128 == wide);
        match widened(&array, live, &exactly("f64"), whole) {
            Some(converted) => Ok(Numbers(converted?.into())),
            None => Err(wrong_type(&array, "a column of type Float64 or Float32, or of integers with values that fit")),
        }
    }
}

/// What is expected of a number that would have to be rounded.
fn exactly(float: &str) -> String {
    format!("a number that `{float}` has exactly")
}

impl Element for f32 {}
impl Element for f64 {}
impl Present for f32 {}
impl Present for f64 {}
