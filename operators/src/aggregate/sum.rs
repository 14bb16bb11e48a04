//! The total of a number taken from each record.

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, ExactSum};

/// The total of a number taken from each record.
///
/// In: anything; out: the total, zero for nothing. Unsigned integers of up to 64 bits are summed as `u64`, signed ones as
/// `i64`, 128-bit ones as themselves, and floats as `f64`. It remembers the total: 8 bytes for unsigned integers, 16 for
/// signed ones, and an [`ExactSum`] for floats.
///
/// *Integers* never wrap and never saturate. Signed totals are kept in 128 bits, so that a total which leaves the range
/// and comes back is right in every order.
///
/// *Floats* are added exactly and rounded once, when the answer is read: the order of adding makes no difference, and
/// `1e300 + 1.0 - 1e300` is `1.0`. A `NaN`, or infinities of both signs, give `NaN`; infinities of one sign give that
/// infinity; a finite total beyond `f64::MAX` gives an infinity. The total of nothing, and of negative zeros, is `0.0`.
///
/// # Panics
/// When an integer total does not fit its type. The job then stops, since a wrapped total would look like an answer;
/// sum a wider type instead: `sum(|b: &Bid| b.price as u128)`. (128-bit numbers panic as soon as a partial total does not
/// fit; only for `i128` can that depend on the order, and it takes values near its ends.)
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, sum};
///
/// let at = EventTime::from_micros;
/// let changes = [(at(0), i64::MAX), (at(1), 1), (at(2), -1)];
/// assert_eq!(aggregate::of(&sum(|change: &i64| *change), changes), i64::MAX);
///
/// let weights = [(at(0), 1e300), (at(1), 1.0), (at(2), -1e300)];
/// assert_eq!(aggregate::of(&sum(|weight: &f64| *weight), weights), 1.0);
/// ```
pub fn sum<D, V, F>(f: F) -> Sum<F>
where
    V: Summable,
    F: Fn(&D) -> V + Clone + 'static,
{
    Sum { f }
}

/// What [`sum`] makes.
#[derive(Clone, Debug)]
pub struct Sum<F> {
    f: F,
}

impl<D, V, F> Aggregate<D> for Sum<F>
where
    V: Summable,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = V::Partial;
    type Out = V::Total;

    #[inline]
    fn start(&self) -> V::Partial {
        V::Partial::default()
    }

    #[inline]
    fn add(&self, acc: &mut V::Partial, _: EventTime, data: &D) {
        (self.f)(data).add_to(acc);
    }

    #[inline]
    fn merge(&self, acc: &mut V::Partial, other: &V::Partial) {
        V::merge(acc, other);
    }

    #[inline]
    fn finish(&self, acc: &V::Partial) -> V::Total {
        V::total(acc)
    }
}

/// A number that [`sum`] can add up.
///
/// - **Order-free.** [`add_to`](Summable::add_to) and [`merge`](Summable::merge) in any order and grouping give the same
///   [`total`](Summable::total).
/// - **Zero is neutral.** `Partial::default()` is the partial total of nothing.
pub trait Summable: 'static {
    /// A partial total.
    type Partial: Data + Default;
    /// The answer.
    type Total: Data;

    /// Adds this number.
    fn add_to(self, partial: &mut Self::Partial);

    /// Adds another partial total.
    fn merge(partial: &mut Self::Partial, other: &Self::Partial);

    /// The total over everything that was added.
    fn total(partial: &Self::Partial) -> Self::Total;
}

/// `number => kept as, answered as`, for integers.
macro_rules! integers {
    ($($number:ty => $partial:ty, $total:ty;)*) => { $(
        impl Summable for $number {
            type Partial = $partial;
            type Total = $total;

            #[inline]
            fn add_to(self, partial: &mut $partial) {
                match partial.checked_add(<$partial>::from(self)) {
                    Some(total) => *partial = total,
                    None => overflow(stringify!($total)),
                }
            }

            #[inline]
            fn merge(partial: &mut $partial, other: &$partial) {
                match partial.checked_add(*other) {
                    Some(total) => *partial = total,
                    None => overflow(stringify!($total)),
                }
            }

            #[inline]
            fn total(partial: &$partial) -> $total {
                <$total>::try_from(*partial).unwrap_or_else(|_| overflow(stringify!($total)))
            }
        }
    )* };
}

// Unsigned totals only grow, so the check while adding fails in every order or in none. Signed ones need the wider
// partial total for that.
integers! {
    u8 => u64, u64; u16 => u64, u64; u32 => u64, u64; u64 => u64, u64; u128 => u128, u128;
    i8 => i128, i64; i16 => i128, i64; i32 => i128, i64; i64 => i128, i64; i128 => i128, i128;
}

macro_rules! floats {
    ($($number:ty),*) => { $(
        impl Summable for $number {
            type Partial = ExactSum;
            type Total = f64;

            #[inline]
            fn add_to(self, partial: &mut ExactSum) {
                partial.add(f64::from(self));
            }

            fn merge(partial: &mut ExactSum, other: &ExactSum) {
                partial.merge(other);
            }

            fn total(partial: &ExactSum) -> f64 {
                partial.total()
            }
        }
    )* };
}

floats!(f32, f64);

/// Kept out of the hot loop, so that only the branch is in it.
#[cold]
#[inline(never)]
fn overflow(total: &str) -> ! {
    panic!("aggregate `sum`: the total does not fit in {total}; sum a wider type, such as `record.field as i128`")
}
