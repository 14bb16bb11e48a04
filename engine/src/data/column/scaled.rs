//! Integers that count parts of a number: of `#[column(scale = 2)]`, `1234` is written as `12.34`.
//!
//! The column is one of decimals, for every connector, and the field an integer: each value is read from decimals, integers
//! and text exactly, or is an error; none is rounded.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Decimal128Array, ListArray};
use arrow_schema::{DataType, Field as ArrowField, FieldRef};

use super::super::decimal::{parse, rescale};
use super::decimal::rescaled;
use super::integer::widened;
use super::text::read_texts;
use super::unpack::wrong_type;
use super::{DecodeError, Element, INTEGER, Live};

/// The types whose columns `#[column(scale = …)]` can say something about.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no scale",
    label = "only an integer has, also within Option and Vec; a `Decimal<2>` says its scale itself"
)]
pub trait HasScale {}

impl HasScale for i8 {}
impl HasScale for i16 {}
impl HasScale for i32 {}
impl HasScale for i64 {}
impl HasScale for u8 {}
impl HasScale for u16 {}
impl HasScale for u32 {}
impl HasScale for u64 {}
impl<T: HasScale> HasScale for Option<T> {}
impl<T: HasScale + Element> HasScale for Vec<T> {}

/// The field of such a column, which is that of the integers where nothing is said.
pub fn scaled_field(field: ArrowField, scale: Option<u8>) -> ArrowField {
    let Some(scale) = scale else { return field };
    let of = scaled_type(field.data_type(), scale);
    field.with_data_type(of)
}

/// The same as a connector is asked for it: with the integer that each value must fit without its point.
pub(super) fn scaled_wanted(field: ArrowField, scale: Option<u8>) -> ArrowField {
    let Some(digits) = scale else { return field };
    if let DataType::List(item) = field.data_type() {
        let item = Arc::new(scaled_wanted(ArrowField::clone(item), scale));
        return field.with_data_type(DataType::List(item));
    }
    let (of, integer) = (scaled_type(field.data_type(), digits), field.data_type().to_string());
    let mut field = field.with_data_type(of);
    field.metadata_mut().insert(INTEGER.to_owned(), integer);
    field
}

/// The range, in units, of the values of a wanted column of decimals that are to become integers.
pub fn units_within(field: &ArrowField) -> Option<RangeInclusive<i128>> {
    fn of<T: Into<i128>>(low: T, high: T) -> Option<RangeInclusive<i128>> {
        Some(low.into()..=high.into())
    }
    match field.metadata().get(INTEGER)?.as_str() {
        "Int8" => of(i8::MIN, i8::MAX),
        "Int16" => of(i16::MIN, i16::MAX),
        "Int32" => of(i32::MIN, i32::MAX),
        "Int64" => of(i64::MIN, i64::MAX),
        "UInt8" => of(u8::MIN, u8::MAX),
        "UInt16" => of(u16::MIN, u16::MAX),
        "UInt32" => of(u32::MIN, u32::MAX),
        "UInt64" => of(u64::MIN, u64::MAX),
        _ => None,
    }
}

fn scaled_type(of: &DataType, scale: u8) -> DataType {
    let digits = match of {
        DataType::List(item) => return DataType::List(scaled_item(item, scale)),
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        other => unreachable!("no field with a scale has a column of {other}"),
    };
    DataType::Decimal128(digits.max(scale), scale as i8)
}

fn scaled_item(item: &FieldRef, scale: u8) -> FieldRef {
    Arc::new(scaled_field(ArrowField::clone(item), Some(scale)))
}

/// A column of integers as the decimals that they stand for.
pub fn scaled(column: ArrayRef, scale: u8) -> ArrayRef {
    fn of<T: ArrowPrimitiveType<Native: Into<i128>>>(column: &ArrayRef, scale: u8) -> ArrayRef {
        let units: Decimal128Array = column.as_primitive::<T>().unary(Into::into);
        let DataType::Decimal128(precision, scale) = scaled_type(column.data_type(), scale) else {
            unreachable!("integers become decimals")
        };
        Arc::new(units.with_precision_and_scale(precision, scale).expect("at most 38 digits"))
    }
    match column.data_type() {
        DataType::List(item) => {
            let lists = column.as_list::<i32>();
            let values = scaled(Arc::clone(lists.values()), scale);
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Arc::new(ListArray::new(scaled_item(item, scale), offsets, values, nulls))
        }
        DataType::Int8 => of::<Int8Type>(&column, scale),
        DataType::Int16 => of::<Int16Type>(&column, scale),
        DataType::Int32 => of::<Int32Type>(&column, scale),
        DataType::Int64 => of::<Int64Type>(&column, scale),
        DataType::UInt8 => of::<UInt8Type>(&column, scale),
        DataType::UInt16 => of::<UInt16Type>(&column, scale),
        DataType::UInt32 => of::<UInt32Type>(&column, scale),
        DataType::UInt64 => of::<UInt64Type>(&column, scale),
        other => unreachable!("no field with a scale has a column of {other}"),
    }
}

/// The integers that a column of decimals, integers or texts stands for.
pub(super) fn units<T: Default>(
    array: &ArrayRef,
    live: &Live,
    scale: u8,
    name: &str,
    fits: impl Fn(i128) -> Option<T>,
) -> Result<Vec<T>, DecodeError> {
    let expected =
        format!("a number of no more than {scale} digits behind the point, which fits `{name}` without the point");
    let of = |units, from| rescale(units, from, scale as i8).and_then(&fits);
    if let Some(found) = rescaled(array, live, &expected, of) {
        return found;
    }
    if let Some(found) = widened(array, live, &expected, |whole| of(whole, 0)) {
        return found;
    }
    let text = |text: &str| parse(text).and_then(|(units, from)| of(units, from));
    match read_texts(array, live, &expected, text) {
        Some(found) => found,
        None => Err(wrong_type(array, "a column of decimals, integers or text, since it has a scale")),
    }
}
