//! The least value, and the record that has it.

use dualgauge_engine::Data;

use super::Orderable;
use super::extreme::{Extreme, ExtremeByKey, Least};

/// The least of a value taken from each record.
///
/// In: anything; out: the value, `None` for nothing. Anything `Ord` can be compared, and floats in the total order of
/// [`Orderable`]. It remembers one value.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, min};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&min(|n: &f64| *n), [(at(0), 2.5), (at(1), -1.0), (at(2), 7.0)]), Some(-1.0));
/// ```
pub fn min<D, V, By, F>(f: F) -> Extreme<F, By, Least>
where
    V: Orderable<By>,
    F: Fn(&D) -> V + Clone + 'static,
{
    Extreme::of(f)
}

/// The record whose key is the least; among several, the smallest record.
///
/// In: records that are `Ord`; out: the record, `None` for nothing. It remembers one record, and computes its key again
/// at each comparison.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, min_by_key};
///
/// let at = EventTime::from_micros;
/// let bids = [(at(0), (30, 'b')), (at(1), (30, 'a')), (at(2), (30, 'c')), (at(3), (31, 'a'))];
/// assert_eq!(aggregate::of(&min_by_key(|(price, _): &(i32, char)| *price), bids), Some((30, 'a')));
/// ```
pub fn min_by_key<D, V, By, F>(f: F) -> ExtremeByKey<F, By, Least>
where
    D: Data + Ord,
    V: Orderable<By>,
    F: Fn(&D) -> V + Clone + 'static,
{
    ExtremeByKey::of(f)
}
