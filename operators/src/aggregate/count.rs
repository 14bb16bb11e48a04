//! How many records there are.

use dualgauge_engine::EventTime;

use super::Aggregate;

/// How many records there are.
///
/// In: anything; out: `u64`, zero for nothing. It remembers one number.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, count};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&count(), [(at(0), "a"), (at(1), "b"), (at(1), "b")]), 3);
/// ```
pub fn count() -> Count {
    Count
}

/// What [`count`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Count;

impl<D> Aggregate<D> for Count {
    type Acc = u64;
    type Out = u64;

    #[inline]
    fn start(&self) -> u64 {
        0
    }

    #[inline]
    fn add(&self, acc: &mut u64, _: EventTime, _: &D) {
        *acc += 1; // 2^64 records take longer than any job
    }

    #[inline]
    fn merge(&self, acc: &mut u64, other: &u64) {
        *acc += other;
    }

    #[inline]
    fn finish(&self, acc: &u64) -> u64 {
        *acc
    }
}
