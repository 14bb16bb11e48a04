//! The latest record.

use super::extreme::{AtEnd, Greatest};

/// The latest record; among several of that time, the largest.
///
/// In: records that are `Ord`; out: the record, `None` for nothing. By event time, not by arrival. It remembers one
/// record and its time.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, last};
///
/// let at = EventTime::from_micros;
/// let records = [(at(2), 'b'), (at(0), 'd'), (at(2), 'a'), (at(0), 'c')];
/// assert_eq!(aggregate::of(&last(), records), Some('b'));
/// ```
pub fn last() -> AtEnd<Greatest> {
    AtEnd::new()
}
