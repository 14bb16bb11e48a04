//! Decimals: read exactly from decimal columns of any precision and scale, from integers and from text.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type};
use arrow_array::{Array, ArrayRef, Decimal128Array};
use arrow_buffer::{NullBuffer, i256};
use arrow_schema::DataType;

use super::super::decimal::{Decimal, parse, shown};
use super::integer::widened;
use super::text::read_texts;
use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present, Said};

/// The most digits that 128 bits hold in Arrow.
const PRECISION: u8 = 38;

impl<const SCALE: u8> Field for Decimal<SCALE> {
    type Column = Decimals<SCALE>;
    type Builder = DecimalsBuilder<SCALE>;

    fn data_type() -> DataType {
        DataType::Decimal128(PRECISION, SCALE as i8)
    }
    fn open(array: &ArrayRef, live: &Live, _: Said<'_>) -> Result<Decimals<SCALE>, DecodeError> {
        let array = unpack::<Decimal<SCALE>>(array);
        live.refuse_nulls(&array)?;
        let fits = format!("a number that has no more than {SCALE} digits behind the point, and {PRECISION} in all");
        if let Some(found) = rescaled(&array, live, &fits, Decimal::rescaled) {
            return Ok(Decimals(found?));
        }
        let text = |text: &str| parse(text).and_then(|(units, scale)| Decimal::rescaled(units, scale));
        if let Some(found) = read_texts(&array, live, &fits, text) {
            return Ok(Decimals(found?));
        }
        let whole = |wide: i128| Decimal::rescaled(wide, 0);
        match widened(&array, live, &fits, whole) {
            Some(found) => Ok(Decimals(found?)),
            None => Err(wrong_type(&array, "a column of decimals, integers or text")),
        }
    }
}

impl<const SCALE: u8> Element for Decimal<SCALE> {}
impl<const SCALE: u8> Present for Decimal<SCALE> {}

/// The decimals of a column, converted from its units and scale; `None` for other types.
pub fn rescaled<T: Default>(
    array: &dyn Array,
    live: &Live,
    expected: &str,
    convert: impl Fn(i128, i8) -> Option<T>,
) -> Option<Result<Vec<T>, DecodeError>> {
    // The error shows the number, and not its units.
    let number = |scale: i8| {
        move |error: DecodeError| match error.found.parse() {
            Ok(units) => DecodeError { found: shown(units, scale), ..error },
            Err(_) => error,
        }
    };
    macro_rules! from {
        ($arrow:ident, $scale:expr, $wide:expr) => {{
            let values = array.as_primitive::<$arrow>().values();
            live.convert(values, expected, |units| convert($wide(units)?, $scale)).map_err(number($scale))
        }};
    }
    Some(match *array.data_type() {
        DataType::Decimal32(_, scale) => from!(Decimal32Type, scale, |units: i32| Some(i128::from(units))),
        DataType::Decimal64(_, scale) => from!(Decimal64Type, scale, |units: i64| Some(i128::from(units))),
        DataType::Decimal128(_, scale) => from!(Decimal128Type, scale, Some),
        DataType::Decimal256(_, scale) => from!(Decimal256Type, scale, i256::to_i128),
        _ => return None,
    })
}

/// Decimals side by side.
#[derive(Debug)]
pub struct Decimals<const SCALE: u8>(Vec<Decimal<SCALE>>);

impl<const SCALE: u8> Column for Decimals<SCALE> {
    type Value = Decimal<SCALE>;

    #[inline]
    fn get(&self, row: usize) -> Decimal<SCALE> {
        self.0[row]
    }
}

/// Decimals in the making.
#[derive(Debug)]
pub struct DecimalsBuilder<const SCALE: u8>(Vec<i128>);

impl<const SCALE: u8> ColumnBuilder for DecimalsBuilder<SCALE> {
    type Value = Decimal<SCALE>;

    fn with_capacity(rows: usize) -> Self {
        DecimalsBuilder(Vec::with_capacity(rows))
    }
    #[inline]
    fn push(&mut self, value: &Decimal<SCALE>) {
        self.0.push(value.units());
    }
    fn push_placeholder(&mut self) {
        self.0.push(0);
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let decimals = Decimal128Array::new(self.0.into(), nulls);
        Arc::new(decimals.with_precision_and_scale(PRECISION, SCALE as i8).expect("a scale of at most 38"))
    }
}
