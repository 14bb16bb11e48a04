//! The earliest record.

use super::extreme::{AtEnd, Least};

/// The earliest record; among several of that time, the smallest.
///
/// In: records that are `Ord`; out: the record, `None` for nothing. By event time, not by arrival. It remembers one
/// record and its time.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, first};
///
/// let at = EventTime::from_micros;
/// let records = [(at(2), 'b'), (at(0), 'd'), (at(2), 'a'), (at(0), 'c')];
/// assert_eq!(aggregate::of(&first(), records), Some('c'));
/// ```
pub fn first() -> AtEnd<Least> {
    AtEnd::new()
}
