//! Numbers with a fixed count of digits after the point: money, exactly.

use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// A number with `SCALE` digits after the point and 38 in all: `Decimal<2>` for cents.
///
/// It is a whole number of units, of which 10^`SCALE` make 1, so equal numbers are the same bytes: as keys, in state, in
/// order and hash `1.0` is `1.00`. It is read from decimal columns of any precision and scale, from integers and from text,
/// exactly: a value with more digits after the point than `SCALE` is an error unless they are zeros, and never rounded. It
/// is written as Decimal128(38, `SCALE`), and as its digits to text.
///
/// Sums are exact, means are rounded once to the nearest float.
///
/// ```
/// use dualgauge_engine::Decimal;
///
/// let price: Decimal<2> = "19.9".parse().unwrap();
/// assert_eq!((price.to_string().as_str(), price.units()), ("19.90", 1_990));
/// assert_eq!(price + "0.10".parse().unwrap(), Decimal::from_whole(20));
/// assert!("0.005".parse::<Decimal<2>>().is_err(), "it would have to be rounded");
/// assert!("0.500".parse::<Decimal<2>>().is_ok());
/// ```
///
/// # Panics
/// Adding, subtracting and multiplying panic where the result has more than 38 digits; a wrapped one would look like an
/// answer.
#[doc(alias = "DECIMAL")]
#[doc(alias = "NUMERIC")]
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<const SCALE: u8>(i128);

/// The first number of units that has 39 digits.
const END: i128 = 10_i128.pow(38);

impl<const SCALE: u8> Decimal<SCALE> {
    /// How many units make 1.
    const ONE: i128 = {
        assert!(SCALE <= 38, "a decimal has at most 38 digits behind the point");
        10_i128.pow(SCALE as u32)
    };

    /// A number of this many units: `from_units(1_990)` is `19.90` at a scale of 2. `None` for one of more than 38
    /// digits.
    pub const fn from_units(units: i128) -> Option<Decimal<SCALE>> {
        match -END < units && units < END {
            true => Some(Decimal(units)),
            false => None,
        }
    }

    /// A whole number.
    pub const fn from_whole(whole: i32) -> Decimal<SCALE> {
        match (whole as i128).checked_mul(Self::ONE) {
            Some(units) if -END < units && units < END => Decimal(units),
            _ => panic!("a whole number that has more than 38 digits at this scale"),
        }
    }

    /// How many units of 10^-`SCALE` it is: the cents of a `Decimal<2>`.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        // Digits are what a float is read from with one rounding.
        self.to_string().parse().expect("digits with a point are a float")
    }

    /// From a number of units of another scale, where it is the same number. A negative scale counts in tens and hundreds.
    pub(super) fn rescaled(units: i128, scale: i8) -> Option<Decimal<SCALE>> {
        rescale(units, scale, SCALE as i8).and_then(Self::from_units)
    }
}

/// The same number in units of another scale, if it is a whole number of them.
pub(super) fn rescale(units: i128, from: i8, to: i8) -> Option<i128> {
    let shift = i32::from(to) - i32::from(from);
    let factor = || 10_i128.checked_pow(shift.unsigned_abs());
    match (units, shift) {
        (0, _) => Some(0),
        (units, 0..) => units.checked_mul(factor()?),
        (units, _) => {
            let factor = factor()?;
            (units % factor == 0).then_some(units / factor)
        }
    }
}

/// How many units of 10^-`scale` a text says, if `scale` digits after the point and 38 in all can hold it. Connectors
/// read decimals from text by this.
pub fn decimal_units(text: &str, scale: i8) -> Option<i128> {
    let (units, of) = parse(text)?;
    rescale(units, of, scale).filter(|units| -END < *units && *units < END)
}

/// What a scale is called where stored state is compared with a program: units of another scale are other numbers.
const NAMES: [&str; 39] = [
    "Decimal<0>",
    "Decimal<1>",
    "Decimal<2>",
    "Decimal<3>",
    "Decimal<4>",
    "Decimal<5>",
    "Decimal<6>",
    "Decimal<7>",
    "Decimal<8>",
    "Decimal<9>",
    "Decimal<10>",
    "Decimal<11>",
    "Decimal<12>",
    "Decimal<13>",
    "Decimal<14>",
    "Decimal<15>",
    "Decimal<16>",
    "Decimal<17>",
    "Decimal<18>",
    "Decimal<19>",
    "Decimal<20>",
    "Decimal<21>",
    "Decimal<22>",
    "Decimal<23>",
    "Decimal<24>",
    "Decimal<25>",
    "Decimal<26>",
    "Decimal<27>",
    "Decimal<28>",
    "Decimal<29>",
    "Decimal<30>",
    "Decimal<31>",
    "Decimal<32>",
    "Decimal<33>",
    "Decimal<34>",
    "Decimal<35>",
    "Decimal<36>",
    "Decimal<37>",
    "Decimal<38>",
];

impl<const SCALE: u8> Serialize for Decimal<SCALE> {
    #[inline]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_newtype_struct(NAMES[SCALE as usize], &self.0)
    }
}

impl<'de, const SCALE: u8> Deserialize<'de> for Decimal<SCALE> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Decimal<SCALE>, D::Error> {
        struct Units<const SCALE: u8>;

        impl<'de, const SCALE: u8> Visitor<'de> for Units<SCALE> {
            type Value = Decimal<SCALE>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(NAMES[SCALE as usize])
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Decimal<SCALE>, D::Error> {
                i128::deserialize(from).map(Decimal)
            }
        }

        from.deserialize_newtype_struct(NAMES[SCALE as usize], Units)
    }
}

impl<const SCALE: u8> fmt::Display for Decimal<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(self.0 >= 0, "", &digits(self.0, SCALE))
    }
}

/// The digits of this many units, without a sign.
fn digits(units: i128, scale: u8) -> String {
    let width = usize::from(scale);
    let digits = format!("{:0>least$}", units.unsigned_abs(), least = width + 1);
    let (whole, rest) = digits.split_at(digits.len() - width);
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

/// How this many units of a scale are written.
pub(super) fn shown(units: i128, scale: i8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    match u8::try_from(scale) {
        Ok(scale) => format!("{sign}{}", digits(units, scale)),
        Err(_) => format!("{units}e{}", -i32::from(scale)),
    }
}

impl<const SCALE: u8> fmt::Debug for Decimal<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const SCALE: u8> FromStr for Decimal<SCALE> {
    type Err = Error;

    /// Reads digits with at most one point, an optional sign before them and an optional exponent after them.
    fn from_str(text: &str) -> Result<Decimal<SCALE>, Error> {
        parse(text).and_then(|(units, scale)| Self::rescaled(units, scale)).ok_or_else(|| {
            Error::data(format!(
                "`{text}` is not a number of at most {} digits before and {SCALE} behind the point",
                38 - u32::from(SCALE)
            ))
        })
    }
}

/// The digits of a number, and how many of them are after the point.
pub(crate) fn parse(text: &str) -> Option<(i128, i8)> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    // Zeros at the end say nothing, and would only take digits away.
    let rest = rest.trim_end_matches('0');
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = number.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digits || !all_digits(whole) || !all_digits(rest) {
        return None;
    }
    let mut units = 0_i128;
    for digit in whole.bytes().chain(rest.bytes()) {
        units = units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let scale = i32::try_from(rest.len()).ok()?.checked_sub(exponent)?;
    let units = if negative { -units } else { units };
    Some(if units == 0 { (0, 0) } else { (units, scale.try_into().ok()?) })
}

impl<const SCALE: u8> Add for Decimal<SCALE> {
    type Output = Decimal<SCALE>;

    #[inline]
    fn add(self, other: Decimal<SCALE>) -> Decimal<SCALE> {
        fitting(self.0.checked_add(other.0))
    }
}

impl<const SCALE: u8> Sub for Decimal<SCALE> {
    type Output = Decimal<SCALE>;

    #[inline]
    fn sub(self, other: Decimal<SCALE>) -> Decimal<SCALE> {
        fitting(self.0.checked_sub(other.0))
    }
}

impl<const SCALE: u8> Neg for Decimal<SCALE> {
    type Output = Decimal<SCALE>;

    #[inline]
    fn neg(self) -> Decimal<SCALE> {
        Decimal(-self.0)
    }
}

/// By a count, which needs no rounding.
impl<const SCALE: u8> Mul<i64> for Decimal<SCALE> {
    type Output = Decimal<SCALE>;

    #[inline]
    fn mul(self, count: i64) -> Decimal<SCALE> {
        fitting(self.0.checked_mul(count.into()))
    }
}

#[inline]
fn fitting<const SCALE: u8>(units: Option<i128>) -> Decimal<SCALE> {
    let fits = units.and_then(Decimal::from_units);
    fits.expect("a decimal has at most 38 digits; take one of fewer digits behind the point")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_exactly_or_not_at_all() {
        let read = |text: &str| text.parse::<Decimal<2>>().ok().map(Decimal::units);
        for (text, units) in [
            ("0", 0),
            ("-0.00", 0),
            ("1", 100),
            ("1.5", 150),
            ("+1.50", 150),
            ("-.5", -50),
            ("7.", 700),
            ("1.500000", 150),
            ("1e2", 10_000),
            ("150E-2", 150),
            ("0e99", 0),
            ("999999999999999999999999999999999999.99", END - 1),
        ] {
            assert_eq!(read(text), Some(units), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "1.005",
            "1e-3",
            "1,5",
            "1 5",
            "0x1",
            "1.2.3",
            "NaN",
            "1e999999999999",
            "1000000000000000000000000000000000000",
            "99999999999999999999999999999999999999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn text_is_written_with_all_its_digits() {
        let shown = |units| Decimal::<3>::from_units(units).unwrap().to_string();
        assert_eq!([0, 5, -5, 1_000, -12_345].map(shown), ["0.000", "0.005", "-0.005", "1.000", "-12.345"]);
        assert_eq!(Decimal::<0>::from_units(-7).unwrap().to_string(), "-7");
        assert_eq!(Decimal::<1>::from_units(15).unwrap().to_f64(), 1.5);
        assert_eq!(Decimal::<38>::from_units(1).unwrap().to_string().len(), 40);
    }

    #[test]
    fn what_has_more_than_38_digits_is_none() {
        assert_eq!(Decimal::<2>::from_units(END), None);
        assert_eq!(Decimal::<2>::from_units(-END), None);
        assert!(Decimal::<2>::from_units(END - 1).is_some());
        assert_eq!(Decimal::<2>::rescaled(i128::MAX, 0), None);
        assert_eq!(Decimal::<2>::rescaled(7, -2), Decimal::from_units(70_000));
        assert_eq!(Decimal::<2>::rescaled(7, 127), None);
    }
}
