//! The latest record.

use dualgauge_engine::{Data, EventTime};

use super::Aggregate;

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
pub fn last() -> Last {
    Last
}

/// What [`last`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Last;

impl<D: Data + Ord> Aggregate<D> for Last {
    type Acc = Option<(EventTime, D)>;
    type Out = Option<D>;

    #[inline]
    fn start(&self) -> Self::Acc {
        None
    }

    #[inline]
    fn add(&self, acc: &mut Self::Acc, time: EventTime, data: &D) {
        if acc.as_ref().is_none_or(|(best_time, best)| (&time, data) > (best_time, best)) {
            *acc = Some((time, data.clone()));
        }
    }

    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        if let Some((time, data)) = other {
            self.add(acc, *time, data);
        }
    }

    fn finish(&self, acc: &Self::Acc) -> Option<D> {
        acc.as_ref().map(|(_, data)| data.clone())
    }
}
