//! A sum of floats without any rounding, so that the order of adding makes no difference.
//!
//! A float is `m * 2^e` with a whole `m` below 2^53 and `e >= -1074`: every float is a whole multiple of 2^-1074, and a
//! sum of floats is a long whole number of such units. It is kept in digits of base 2^64:
//!
//! ```text
//! sum = 2^-1074 * ( digits[0] * 2^(64 * low) + digits[1] * 2^(64 * (low + 1)) + … )
//! ```
//!
//! One float touches two neighbouring digits, each by less than 2^64. A digit is an `i128` and so takes 2^63 floats
//! before it could overflow; therefore nothing is carried while adding, and adding and merging are plain additions of
//! integers, which commute. Only the digits between the lowest and the highest that were touched are kept: two or three
//! for numbers of like size.

use serde::{Deserialize, Serialize};

/// A sum of floats without any rounding.
///
/// Adding and merging commute; [`total`](ExactSum::total) and [`mean`](ExactSum::mean) round once, to the nearest float
/// (ties to even).
///
/// ```
/// use dualgauge_operators::aggregate::ExactSum;
///
/// let mut sum = ExactSum::default();
/// for number in [0.1, 0.2, 0.3, -0.1, -0.2, -0.3] {
///     sum.add(number);
/// }
/// assert_eq!(sum.total(), 0.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactSum {
    low: u8,
    digits: Vec<i128>,
    not_finite: NotFinite,
}

/// Which numbers without digits were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct NotFinite {
    nan: bool,
    positive: bool,
    negative: bool,
}

impl ExactSum {
    /// Adds a number. Allocates only for digits beyond those already there.
    #[inline]
    pub fn add(&mut self, number: f64) {
        let bits = number.to_bits();
        let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        if exponent == 0x7ff {
            return self.add_not_finite(number);
        }
        // Subnormal numbers have the exponent of the smallest normal ones, and no implied leading bit.
        let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        if mantissa == 0 {
            return;
        }
        let index = (shift / 64) as u8;
        let wide = u128::from(mantissa) << (shift % 64);
        let (lower, upper) = (wide as u64 as i128, (wide >> 64) as i128);
        let sign = if number.is_sign_negative() { -1 } else { 1 };
        let at = self.reach(index, index + u8::from(upper != 0));
        self.digits[at] += sign * lower;
        if upper != 0 {
            self.digits[at + 1] += sign * upper;
        }
    }

    /// Adds everything that was added to `other`.
    pub fn merge(&mut self, other: &ExactSum) {
        if !other.digits.is_empty() {
            let at = self.reach(other.low, other.low + other.digits.len() as u8 - 1);
            for (digit, more) in self.digits[at..].iter_mut().zip(&other.digits) {
                *digit += more;
            }
        }
        self.not_finite.nan |= other.not_finite.nan;
        self.not_finite.positive |= other.not_finite.positive;
        self.not_finite.negative |= other.not_finite.negative;
    }

    /// The sum, rounded once; an infinity where it is beyond `f64::MAX`.
    pub fn total(&self) -> f64 {
        self.mean(1)
    }

    /// The sum divided by `count`, rounded once. It is right even where the sum itself is beyond `f64::MAX`.
    ///
    /// # Panics
    /// When `count` is zero.
    pub fn mean(&self, count: u64) -> f64 {
        match self.not_finite {
            NotFinite { nan: true, .. } | NotFinite { positive: true, negative: true, .. } => f64::NAN,
            NotFinite { positive: true, .. } => f64::INFINITY,
            NotFinite { negative: true, .. } => f64::NEG_INFINITY,
            _ => divide(&self.digits, i32::from(self.low) * 64 - 1074, count),
        }
    }

    /// Makes room for the digits `first..=last` and returns where `first` is.
    #[inline]
    fn reach(&mut self, first: u8, last: u8) -> usize {
        let end = self.low as usize + self.digits.len();
        if self.digits.is_empty() || first < self.low || last as usize >= end {
            self.grow(first, last);
        }
        (first - self.low) as usize
    }

    #[cold]
    fn grow(&mut self, first: u8, last: u8) {
        if self.digits.is_empty() {
            self.low = first;
        }
        let missing = self.low.saturating_sub(first) as usize;
        self.digits.splice(0..0, std::iter::repeat_n(0, missing));
        self.low = self.low.min(first);
        let len = self.digits.len().max((last - self.low) as usize + 1);
        self.digits.resize(len, 0);
    }

    #[cold]
    fn add_not_finite(&mut self, number: f64) {
        self.not_finite.nan |= number.is_nan();
        self.not_finite.positive |= number == f64::INFINITY;
        self.not_finite.negative |= number == f64::NEG_INFINITY;
    }
}

/// `2^exponent * digits / count`, where the digits have base 2^64 and the lowest comes first; rounded once to the nearest
/// float, ties to even. The exponent is at least -1074.
///
/// # Panics
/// When `count` is zero.
pub(super) fn divide(digits: &[i128], exponent: i32, count: u64) -> f64 {
    let (negative, mut limbs) = magnitude(digits);
    // Long division, from the top. The limbs of zeros below hold what is less than one unit: a quotient that is not
    // zero is at least 2^-64 units, and so has its 53 bits within them. The remainder is below all of them, and
    // distinguishes a tie from slightly more.
    let mut remainder = 0_u64;
    for limb in limbs.iter_mut().rev() {
        let dividend = u128::from(remainder) << 64 | u128::from(*limb);
        *limb = (dividend / u128::from(count)) as u64;
        remainder = (dividend % u128::from(count)) as u64;
    }
    let rounded = round(&limbs, exponent - 64 * ZEROS as i32, remainder != 0);
    if negative { -rounded } else { rounded }
}

/// How many limbs of zeros are put below the lowest digit.
const ZEROS: usize = 2;

/// The sign, and the whole number as unsigned limbs of base 2^64, with [`ZEROS`] limbs of zeros below.
fn magnitude(digits: &[i128]) -> (bool, Vec<u64>) {
    let mut limbs = vec![0; ZEROS];
    let mut carry = 0_i128;
    for digit in digits.iter().chain(&[0, 0]) {
        let sum = digit + carry;
        limbs.push(sum as u64);
        carry = sum >> 64; // rounds down, so that every limb but the last carry is positive
    }
    // After two digits of zeros, only the sign of the carry is left.
    let negative = carry < 0;
    if negative {
        let mut one = true;
        for limb in &mut limbs {
            (*limb, one) = (!*limb).overflowing_add(u64::from(one));
        }
    }
    (negative, limbs)
}

/// `2^exponent * limbs`, and a little more if `rest`; rounded to the nearest float, ties to even.
fn round(limbs: &[u64], exponent: i32, rest: bool) -> f64 {
    let Some(top) = limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
    let bit = |at: i32| at >= 0 && limbs.get(at as usize / 64).is_some_and(|limb| limb >> (at % 64) & 1 == 1);
    let highest = top as i32 * 64 + 63 - limbs[top].leading_zeros() as i32;
    // The lowest bit to keep: of 53, or of the fewer that there are above 2^-1074.
    let lowest = (highest - 52).max(-1074 - exponent);
    let mantissa = (lowest..=highest).rev().fold(0_u64, |mantissa, at| mantissa << 1 | u64::from(bit(at)));
    let half = bit(lowest - 1);
    let beyond = rest || (0..lowest - 1).any(bit);
    let up = half && (beyond || mantissa & 1 == 1);
    // The bits of a float are its exponent and then its fraction: a carry out of the fraction raises the exponent, and
    // the largest exponent with no fraction is infinity.
    let scale = (lowest + exponent + 1074) as u64;
    if scale > 2045 {
        return f64::INFINITY;
    }
    f64::from_bits((scale << 52) + mantissa + u64::from(up))
}
