//! The mean of a number taken from each record.

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, ExactSum, exact};

/// The mean of a number taken from each record.
///
/// In: anything; out: `f64`, `NaN` for nothing. The sum is kept exactly, for integers and floats alike, and the division
/// rounds once to the nearest float: the order makes no difference, and the mean of two numbers near `f64::MAX` is not
/// infinite. Numbers that are not finite are treated as by [`sum`](super::sum). It remembers the exact sum and a count.
///
/// # Panics
/// When a sum of integers does not fit in 128 bits, which takes at least 2^63 numbers of 64 bits.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, mean};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&mean(|n: &u64| *n), [(at(0), u64::MAX), (at(1), u64::MAX)]), u64::MAX as f64);
/// assert_eq!(aggregate::of(&mean(|n: &f64| *n), [(at(0), 1e308), (at(1), 1.5e308)]), 1.25e308);
/// ```
#[doc(alias = "avg")]
#[doc(alias = "average")]
pub fn mean<D, V, F>(f: F) -> Mean<F>
where
    V: Averageable,
    F: Fn(&D) -> V + Clone + 'static,
{
    Mean { f }
}

/// What [`mean`] makes.
#[derive(Clone, Debug)]
pub struct Mean<F> {
    f: F,
}

impl<D, V, F> Aggregate<D> for Mean<F>
where
    V: Averageable,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = (V::Partial, u64);
    type Out = f64;

    #[inline]
    fn start(&self) -> Self::Acc {
        (V::Partial::default(), 0)
    }

    #[inline]
    fn add(&self, (partial, count): &mut Self::Acc, _: EventTime, data: &D) {
        (self.f)(data).add_to(partial);
        *count += 1;
    }

    #[inline]
    fn merge(&self, (partial, count): &mut Self::Acc, (other, more): &Self::Acc) {
        V::merge(partial, other);
        *count += more;
    }

    fn finish(&self, (partial, count): &Self::Acc) -> f64 {
        if *count == 0 { f64::NAN } else { V::mean(partial, *count) }
    }
}

/// A number that [`mean`] can average: integers of up to 64 bits, and floats.
///
/// - **Order-free.** [`add_to`](Averageable::add_to) and [`merge`](Averageable::merge) in any order and grouping give the
///   same [`mean`](Averageable::mean).
/// - **Zero is neutral.** `Partial::default()` is the partial sum of nothing.
pub trait Averageable: 'static {
    /// A partial sum.
    type Partial: Data + Default;

    /// Adds this number.
    fn add_to(self, partial: &mut Self::Partial);

    /// Adds another partial sum.
    fn merge(partial: &mut Self::Partial, other: &Self::Partial);

    /// The sum divided by `count`, which is above zero.
    fn mean(partial: &Self::Partial, count: u64) -> f64;
}

macro_rules! integers {
    ($($number:ty),*) => { $(
        impl Averageable for $number {
            type Partial = i128;

            #[inline]
            fn add_to(self, partial: &mut i128) {
                *partial = partial.checked_add(i128::from(self)).expect("aggregate `mean`: the sum needs over 128 bits");
            }

            #[inline]
            fn merge(partial: &mut i128, other: &i128) {
                *partial = partial.checked_add(*other).expect("aggregate `mean`: the sum needs over 128 bits");
            }

            fn mean(partial: &i128, count: u64) -> f64 {
                exact::divide(&[*partial], 0, count)
            }
        }
    )* };
}

macro_rules! floats {
    ($($number:ty),*) => { $(
        impl Averageable for $number {
            type Partial = ExactSum;

            #[inline]
            fn add_to(self, partial: &mut ExactSum) {
                partial.add(f64::from(self));
            }

            fn merge(partial: &mut ExactSum, other: &ExactSum) {
                partial.merge(other);
            }

            fn mean(partial: &ExactSum, count: u64) -> f64 {
                partial.mean(count)
            }
        }
    )* };
}

integers!(u8, u16, u32, u64, i8, i16, i32, i64);
floats!(f32, f64);
