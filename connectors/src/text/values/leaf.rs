//! Columns of plain values: a cell's text read as the type of its column.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, LargeBinaryBuilder, LargeStringBuilder, PrimitiveBuilder, StringBuilder,
    StringViewBuilder,
};
use arrow_array::types::{
    Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, StringArray, new_null_array};
use arrow_cast::parse::Parser;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, TimeUnit};
use arrow_select::interleave::interleave;
use dualgauge_engine::columns::{Said, units_within};
use dualgauge_engine::decimal_units;

use super::cell::Scalar;
use super::time::{Times, describe_time};
use super::{Cell, Marks, Place};

/// What a builder is asked to put.
enum Put<'t> {
    Text(&'t str),
    Null,
    /// Something that nobody reads, but not a null.
    Filler,
}

/// Reads the column of a field.
pub(super) fn leaf(field: &Field, place: &Place<'_>, cells: &[Cell<'_>], marks: &mut Marks) -> ArrayRef {
    let mut column = Leaf { field, place, cells, marks };
    match field.data_type() {
        DataType::Boolean => column.booleans(),
        DataType::Int8 => column.integers::<Int8Type>(),
        DataType::Int16 => column.integers::<Int16Type>(),
        DataType::Int32 => column.integers::<Int32Type>(),
        DataType::Int64 => column.integers::<Int64Type>(),
        DataType::UInt8 => column.integers::<UInt8Type>(),
        DataType::UInt16 => column.integers::<UInt16Type>(),
        DataType::UInt32 => column.integers::<UInt32Type>(),
        DataType::UInt64 => column.integers::<UInt64Type>(),
        DataType::Decimal128(_, scale) => {
            let within = units_within(field);
            let fits = |units: &i128| within.as_ref().is_none_or(|within| within.contains(units));
            column.primitives::<Decimal128Type>(|text| decimal_units(text, *scale).filter(fits))
        }
        DataType::Float32 => {
            column.primitives::<Float32Type>(|text| Float32Type::parse(text).filter(|x| fits(text, x.is_infinite())))
        }
        DataType::Float64 => {
            column.primitives::<Float64Type>(|text| Float64Type::parse(text).filter(|x| fits(text, x.is_infinite())))
        }
        DataType::Timestamp(TimeUnit::Second, _) => column.times::<TimestampSecondType>(Times::instant),
        DataType::Timestamp(TimeUnit::Millisecond, _) => column.times::<TimestampMillisecondType>(Times::instant),
        DataType::Timestamp(TimeUnit::Microsecond, _) => column.times::<TimestampMicrosecondType>(Times::instant),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => column.times::<TimestampNanosecondType>(Times::instant),
        DataType::Duration(TimeUnit::Second) => column.times::<DurationSecondType>(Times::length),
        DataType::Duration(TimeUnit::Millisecond) => column.times::<DurationMillisecondType>(Times::length),
        DataType::Duration(TimeUnit::Microsecond) => column.times::<DurationMicrosecondType>(Times::length),
        DataType::Duration(TimeUnit::Nanosecond) => column.times::<DurationNanosecondType>(Times::length),
        DataType::Utf8 => {
            let mut texts = StringBuilder::with_capacity(cells.len(), 8 * cells.len());
            column.each(|put| put_text(put, |text| texts.append_option(text)));
            Arc::new(texts.finish())
        }
        DataType::LargeUtf8 => {
            let mut texts = LargeStringBuilder::with_capacity(cells.len(), 8 * cells.len());
            column.each(|put| put_text(put, |text| texts.append_option(text)));
            Arc::new(texts.finish())
        }
        DataType::Utf8View => {
            let mut texts = StringViewBuilder::with_capacity(cells.len());
            column.each(|put| put_text(put, |text| texts.append_option(text)));
            Arc::new(texts.finish())
        }
        DataType::Binary => {
            let mut bytes = BinaryBuilder::new();
            column.each(|put| put_bytes(put, |value| bytes.append_option(value)));
            Arc::new(bytes.finish())
        }
        DataType::LargeBinary => {
            let mut bytes = LargeBinaryBuilder::new();
            column.each(|put| put_bytes(put, |value| bytes.append_option(value)));
            Arc::new(bytes.finish())
        }
        _ => column.converted(),
    }
}

struct Leaf<'l> {
    field: &'l Field,
    place: &'l Place<'l>,
    cells: &'l [Cell<'l>],
    marks: &'l mut Marks,
}

impl Leaf<'_> {
    /// Puts each cell; one that `put` does not take marks its row.
    fn each(&mut self, mut put: impl FnMut(Put<'_>) -> bool) {
        let data_type = self.field.data_type();
        let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let cells = self.cells;
        for (at, &cell) in cells.iter().enumerate() {
            let fits = match cell.scalar() {
                Scalar::Text(text) => put(Put::Text(&text)),
                Scalar::Quoted if is_text => put(Put::Text("")),
                Scalar::Missing | Scalar::Empty | Scalar::Quoted if self.field.is_nullable() => put(Put::Null),
                Scalar::Empty if is_text => put(Put::Text("")),
                Scalar::Hidden => put(Put::Filler),
                Scalar::Missing | Scalar::Empty | Scalar::Quoted | Scalar::Unreadable(_) => false,
            };
            if !fits {
                put(Put::Filler);
                self.marks.mark(self.place, at, cell, || describe(self.field, cell));
            }
        }
    }

    fn primitives<T: ArrowPrimitiveType>(&mut self, parse: impl Fn(&str) -> Option<T::Native>) -> ArrayRef {
        let builder = PrimitiveBuilder::<T>::with_capacity(self.cells.len());
        let mut builder = builder.with_data_type(self.field.data_type().clone());
        self.each(|put| {
            match put {
                Put::Text(text) => match parse(text) {
                    Some(value) => builder.append_value(value),
                    None => return false,
                },
                Put::Null => builder.append_null(),
                Put::Filler => builder.append_value(T::Native::default()),
            }
            true
        });
        Arc::new(builder.finish())
    }

    fn integers<T: ArrowPrimitiveType<Native: TryFrom<i128>> + Parser>(&mut self) -> ArrayRef {
        if !Said::by(self.field).whole_floats {
            return self.primitives::<T>(T::parse);
        }
        self.primitives::<T>(|text| T::parse(text).or_else(|| decimal_units(text, 0)?.try_into().ok()))
    }

    fn times<T: ArrowPrimitiveType<Native = i64>>(&mut self, read: impl Fn(&Times, &str) -> Option<i64>) -> ArrayRef {
        let times = Times::of(self.field);
        self.primitives::<T>(|text| read(&times, text))
    }

    fn booleans(&mut self) -> ArrayRef {
        let mut builder = BooleanBuilder::with_capacity(self.cells.len());
        self.each(|put| {
            match put {
                Put::Text(text) if text.eq_ignore_ascii_case("true") => builder.append_value(true),
                Put::Text(text) if text.eq_ignore_ascii_case("false") => builder.append_value(false),
                Put::Text(_) => return false,
                Put::Null => builder.append_null(),
                Put::Filler => builder.append_value(false),
            }
            true
        });
        Arc::new(builder.finish())
    }

    /// Columns of other types, which Arrow makes of text.
    fn converted(&mut self) -> ArrayRef {
        let mut texts = StringBuilder::with_capacity(self.cells.len(), 8 * self.cells.len());
        self.each(|put| put_text(put, |text| texts.append_option(text)));
        let (texts, lenient) = (texts.finish(), CastOptions { safe: true, ..CastOptions::default() });
        let converted = cast_with_options(&texts, self.field.data_type(), &lenient);
        let converted = converted.unwrap_or_else(|_| new_null_array(self.field.data_type(), texts.len()));
        for (at, &cell) in self.cells.iter().enumerate() {
            if converted.is_null(at) && texts.is_valid(at) && !matches!(cell, Cell::Hidden) {
                self.marks.mark(self.place, at, cell, || describe(self.field, cell));
            }
        }
        if self.field.is_nullable() { converted } else { filled(&converted) }
    }
}

/// The same without nulls, which stand for what nobody reads: some value of the type is put in their place.
fn filled(column: &ArrayRef) -> ArrayRef {
    let lenient = CastOptions { safe: true, ..CastOptions::default() };
    let fillers = ["0", "1970-01-01", "00:00:00", "1970-01-01T00:00:00Z"]
        .map(|text| cast_with_options(&StringArray::from(vec![text]), column.data_type(), &lenient).ok());
    let filler = fillers.into_iter().flatten().find(|filler| filler.is_valid(0));
    let Some(filler) = filler.filter(|_| column.null_count() > 0) else { return column.clone() };
    let places: Vec<_> = (0..column.len()).map(|at| if column.is_null(at) { (1, 0) } else { (0, at) }).collect();
    interleave(&[column.as_ref(), filler.as_ref()], &places).unwrap_or_else(|_| column.clone())
}

/// Whether a float is as great as its text says: `1e400` is not infinite.
fn fits(text: &str, infinite: bool) -> bool {
    !infinite || !text.bytes().any(|byte| byte.is_ascii_digit())
}

fn put_text(put: Put<'_>, append: impl FnOnce(Option<&str>)) -> bool {
    append(match put {
        Put::Text(text) => Some(text),
        Put::Null => None,
        Put::Filler => Some(""),
    });
    true
}

/// Bytes are written as hexadecimal digits.
fn put_bytes(put: Put<'_>, append: impl FnOnce(Option<&[u8]>)) -> bool {
    let Put::Text(text) = put else {
        append(matches!(put, Put::Filler).then_some(&[]));
        return true;
    };
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    let Some(bytes) = pairs.collect::<Option<Vec<_>>>() else { return false };
    append(Some(&bytes));
    true
}

/// What was expected of a cell, and what probably went wrong.
fn describe(field: &Field, cell: Cell<'_>) -> (String, &'static str) {
    const ANOTHER: &str = "the columns are in another order, or the field has another type in this data";
    let range = |low: i128, high: i128| format!("a whole number from {low} to {high}");
    let expected = match field.data_type() {
        DataType::Boolean => "true or false".to_string(),
        DataType::Int8 => range(i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => range(i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => range(i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => range(i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => range(0, u8::MAX.into()),
        DataType::UInt16 => range(0, u16::MAX.into()),
        DataType::UInt32 => range(0, u32::MAX.into()),
        DataType::UInt64 => range(0, u64::MAX.into()),
        DataType::Decimal128(precision, scale) => {
            let behind = format!("a number of no more than {scale} digits behind the point");
            match units_within(field) {
                Some(within) => format!("{behind}, from {} to {} without it", within.start(), within.end()),
                None => format!("{behind}, and {precision} in all"),
            }
        }
        DataType::Float32 => format!("a number of at most {:e}", f32::MAX),
        DataType::Float64 => format!("a number of at most {:e}", f64::MAX),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_string(),
        DataType::Binary | DataType::LargeBinary => "bytes as hexadecimal digits".to_string(),
        DataType::Timestamp(..) | DataType::Duration(_) => {
            return describe_time(field, cell.shown().map_or(Cow::Borrowed(""), Cow::Owned).as_ref());
        }
        other => format!("a value of type {other}"),
    };
    (expected, ANOTHER)
}
