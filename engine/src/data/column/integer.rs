//! Integers: read from integer columns of any width and sign, with a check where the type is another.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::super::decimal::rescale;
use super::decimal::rescaled;
use super::scaled::units;
use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present, Said};

/// Numbers side by side, as Arrow has them.
#[derive(Debug)]
pub struct Numbers<T: ArrowNativeType>(pub ScalarBuffer<T>);

impl<T: ArrowNativeType> Column for Numbers<T> {
    type Value = T;

    #[inline]
    fn get(&self, row: usize) -> T {
        self.0[row]
    }
    #[inline]
    fn getter(&self, rows: usize) -> impl Fn(usize) -> T {
        let values = &self.0[..rows];
        |row| values[row]
    }
}

/// Numbers in the making.
#[derive(Debug)]
pub struct NumbersBuilder<P: ArrowPrimitiveType>(pub Vec<P::Native>);

impl<P: ArrowPrimitiveType> ColumnBuilder for NumbersBuilder<P> {
    type Value = P::Native;

    fn with_capacity(rows: usize) -> Self {
        NumbersBuilder(Vec::with_capacity(rows))
    }
    #[inline]
    fn push(&mut self, value: &P::Native) {
        self.0.push(*value);
    }
    #[inline]
    fn extend<'a>(&mut self, values: impl Iterator<Item = &'a P::Native> + Clone) {
        self.0.extend(values);
    }
    fn push_placeholder(&mut self) {
        self.0.push(P::Native::default());
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(PrimitiveArray::<P>::new(self.0.into(), nulls))
    }
}

macro_rules! integers {
    ($($native:ident: $arrow:ident),*) => {$(
        impl Field for $native {
            type Column = Numbers<$native>;
            type Builder = NumbersBuilder<$arrow>;

            fn data_type() -> DataType {
                $arrow::DATA_TYPE
            }
            fn open(array: &ArrayRef, live: &Live, said: Said<'_>) -> Result<Numbers<$native>, DecodeError> {
                let array = unpack::<$native>(array);
                live.refuse_nulls(&array)?;
                if let Some(scale) = said.scale {
                    let fits = |wide: i128| <$native>::try_from(wide).ok();
                    return Ok(Numbers(units(&array, live, scale, stringify!($native), fits)?.into()));
                }
                if let Some(same) = array.as_primitive_opt::<$arrow>() {
                    return Ok(Numbers(same.values().clone()));
                }
                let fits = concat!("a number that fits `", stringify!($native), "`");
                match widened(&array, live, fits, |wide| <$native>::try_from(wide).ok()) {
                    Some(converted) => return Ok(Numbers(converted?.into())),
                    None => {}
                }
                if said.whole_floats {
                    let whole = |float: f64| whole(float).and_then(|whole| <$native>::try_from(whole).ok());
                    if let Some(converted) = floats(&array, live, &format!("{fits}, without digits behind the point"), whole) {
                        return Ok(Numbers(converted?.into()));
                    }
                }
                let whole = |units, scale| rescale(units, scale, 0).and_then(|whole| <$native>::try_from(whole).ok());
                match rescaled(&array, live, &format!("{fits}, without digits behind the point"), whole) {
                    Some(converted) => Ok(Numbers(converted?.into())),
                    None => Err(wrong_type(&array, &format!("an integer column, best {}", $arrow::DATA_TYPE))),
                }
            }
        }

        impl Present for $native {}
    )*};
}

integers!(i8: Int8Type, i16: Int16Type, i32: Int32Type, i64: Int64Type);
integers!(u8: UInt8Type, u16: UInt16Type, u32: UInt32Type, u64: UInt64Type);

// All but `u8`: `Vec<u8>` is binary.
impl Element for i8 {}
impl Element for i16 {}
impl Element for i32 {}
impl Element for i64 {}
impl Element for u16 {}
impl Element for u32 {}
impl Element for u64 {}

/// A float as the whole number that it is; beyond 2^53 a float no longer tells neighbours apart, and which one was meant
/// cannot be known.
fn whole(float: f64) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i128)
}

/// The floats of a column, converted; `None` for other types.
fn floats<T: Default>(
    array: &dyn Array,
    live: &Live,
    expected: &str,
    convert: impl Fn(f64) -> Option<T>,
) -> Option<Result<Vec<T>, DecodeError>> {
    Some(match array.data_type() {
        DataType::Float32 => {
            live.convert(array.as_primitive::<Float32Type>().values(), expected, |float| convert(float.into()))
        }
        DataType::Float64 => live.convert(array.as_primitive::<Float64Type>().values(), expected, convert),
        _ => return None,
    })
}

/// The integers of a column of any width and sign, widened so that all fit and then converted; `None` for other types.
pub fn widened<T: Default>(
    array: &dyn Array,
    live: &Live,
    expected: &str,
    convert: impl Fn(i128) -> Option<T>,
) -> Option<Result<Vec<T>, DecodeError>> {
    macro_rules! from {
        ($arrow:ident) => {
            live.convert(array.as_primitive::<$arrow>().values(), expected, |value| convert(value.into()))
        };
    }
    Some(match array.data_type() {
        DataType::Int8 => from!(Int8Type),
        DataType::Int16 => from!(Int16Type),
        DataType::Int32 => from!(Int32Type),
        DataType::Int64 => from!(Int64Type),
        DataType::UInt8 => from!(UInt8Type),
        DataType::UInt16 => from!(UInt16Type),
        DataType::UInt32 => from!(UInt32Type),
        DataType::UInt64 => from!(UInt64Type),
        _ => return None,
    })
}
