//! Decimals in sums and means: exact, in every order.

use dualgauge_engine::Decimal;

use super::mean::Averageable;
use super::sum::Summable;

/// Sums of the upper and of the lower digits of units. Each grows by less than 10^19 per addition, so that no order of
/// adding overflows 128 bits.
type Halves = (i128, i128);

const HALF: i128 = 10_i128.pow(19);

fn add<const SCALE: u8>((upper, lower): &mut Halves, decimal: Decimal<SCALE>) {
    *upper += decimal.units().div_euclid(HALF);
    *lower += decimal.units().rem_euclid(HALF);
}

fn merge(halves: &mut Halves, other: &Halves) {
    halves.0 += other.0;
    halves.1 += other.1;
}

/// The total in units, if 128 bits hold it.
fn units((upper, lower): &Halves) -> Option<i128> {
    let upper = upper + lower.div_euclid(HALF);
    upper.checked_mul(HALF)?.checked_add(lower.rem_euclid(HALF))
}

impl<const SCALE: u8> Summable for Decimal<SCALE> {
    type Partial = Halves;
    type Total = Decimal<SCALE>;

    #[inline]
    fn add_to(self, partial: &mut Halves) {
        add(partial, self);
    }

    fn merge(partial: &mut Halves, other: &Halves) {
        merge(partial, other);
    }

    fn total(partial: &Halves) -> Decimal<SCALE> {
        let total = units(partial).and_then(Decimal::from_units);
        total.expect("aggregate `sum`: the total has more than 38 digits; sum fewer digits behind the point")
    }
}

impl<const SCALE: u8> Averageable for Decimal<SCALE> {
    type Partial = Halves;

    #[inline]
    fn add_to(self, partial: &mut Halves) {
        add(partial, self);
    }

    fn merge(partial: &mut Halves, other: &Halves) {
        merge(partial, other);
    }

    fn mean(partial: &Halves, count: u64) -> f64 {
        let total = units(partial).expect("aggregate `mean`: the sum has more than 38 digits");
        let (count, sign) = (u128::from(count), if total < 0 { "-" } else { "" });
        let (mut digits, mut rest) = ((total.unsigned_abs() / count).to_string(), total.unsigned_abs() % count);
        // Enough digits to decide how a float is rounded, and one more for the remainder.
        for _ in 0..40 {
            rest *= 10;
            digits.push(char::from(b'0' + (rest / count) as u8));
            rest %= count;
        }
        digits.push(if rest > 0 { '1' } else { '0' });
        let exponent = i32::from(SCALE) + 41;
        format!("{sign}{digits}e-{exponent}").parse().expect("digits with an exponent are a float")
    }
}

#[cfg(test)]
mod tests {
    use dualgauge_engine::EventTime;

    use super::*;
    use crate::aggregate::{self, max, mean, min, sum};

    fn at(decimals: &[i128]) -> Vec<(EventTime, Decimal<2>)> {
        decimals.iter().map(|units| (EventTime::default(), Decimal::from_units(*units).unwrap())).collect()
    }

    #[test]
    fn sums_and_means_are_exact_in_every_order() {
        let end = 10_i128.pow(38) - 1;
        for units in [[end, end, -end], [end, -end, end], [-end, end, end]] {
            assert_eq!(aggregate::of(&sum(|d: &Decimal<2>| *d), at(&units)).units(), end);
        }
        assert_eq!(aggregate::of(&sum(|d: &Decimal<2>| *d), at(&[10, 20])).to_string(), "0.30");
        assert_eq!(aggregate::of(&sum(|d: &Decimal<2>| *d), at(&[])), Decimal::default());
        assert_eq!(aggregate::of(&mean(|d: &Decimal<2>| *d), at(&[10, 20])), 0.15);
        assert_eq!(aggregate::of(&mean(|d: &Decimal<2>| *d), at(&[-100, 0, 0])), -1.0 / 3.0);
        assert!(aggregate::of(&mean(|d: &Decimal<2>| *d), at(&[])).is_nan());
        assert_eq!(aggregate::of(&min(|d: &Decimal<2>| *d), at(&[5, -7, 3])).unwrap().units(), -7);
        assert_eq!(aggregate::of(&max(|d: &Decimal<2>| *d), at(&[5, -7, 3])).unwrap().units(), 5);
    }

    #[test]
    #[should_panic(expected = "more than 38 digits")]
    fn a_total_that_does_not_fit_stops_the_job() {
        aggregate::of(&sum(|d: &Decimal<2>| *d), at(&[10_i128.pow(38) - 1, 1]));
    }
}
