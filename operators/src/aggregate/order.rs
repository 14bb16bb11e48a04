//! What can be compared, floats included.

use std::cmp::Ordering;

use dualgauge_engine::Data;

/// A value that has a place in a total order: everything that is `Ord`, and floats.
///
/// Floats are in the order of their numbers, with `-0.0` before `0.0` and every `NaN` after infinity (so that `min`
/// ignores a `NaN` and `max` shows it, as in PostgreSQL and DuckDB).
///
/// The parameter names the order, and lets both kinds of values have one; it is inferred. Your own types implement
/// `Ord`, not this.
pub trait Orderable<By>: Data {
    /// How this value compares with the other.
    fn order(&self, other: &Self) -> Ordering;
}

/// The order of `Ord`.
#[derive(Clone, Copy, Debug)]
pub enum ByOrd {}

/// The total order of floats.
#[derive(Clone, Copy, Debug)]
pub enum ByTotalOrder {}

impl<V: Data + Ord> Orderable<ByOrd> for V {
    #[inline]
    fn order(&self, other: &V) -> Ordering {
        self.cmp(other)
    }
}

macro_rules! floats {
    ($($float:ty),*) => { $(
        impl Orderable<ByTotalOrder> for $float {
            #[inline]
            fn order(&self, other: &$float) -> Ordering {
                // The sign of a NaN is an accident of the processor.
                self.is_nan().cmp(&other.is_nan()).then_with(|| self.total_cmp(other))
            }
        }
    )* };
}

floats!(f32, f64);
