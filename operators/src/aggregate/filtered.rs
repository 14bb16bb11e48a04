//! An aggregate over some of the records.

use dualgauge_engine::EventTime;

use super::Aggregate;

/// The answer of `aggregate` over the records for which `keep` is true.
///
/// In: what the aggregate takes; out: its answer, which for no records is its answer for nothing. It remembers what the
/// aggregate remembers.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, count, filtered};
///
/// let at = EventTime::from_micros;
/// let large_and_all = (filtered(|n: &u64| *n >= 20, count()), count());
/// assert_eq!(aggregate::of(&large_and_all, [(at(0), 30), (at(1), 10), (at(2), 20)]), (2, 3));
/// ```
pub fn filtered<D, A, F>(keep: F, aggregate: A) -> Filtered<A, F>
where
    A: Aggregate<D>,
    F: Fn(&D) -> bool + Clone + 'static,
{
    Filtered { aggregate, keep }
}

/// What [`filtered`] makes.
#[derive(Clone, Debug)]
pub struct Filtered<A, F> {
    aggregate: A,
    keep: F,
}

impl<D, A, F> Aggregate<D> for Filtered<A, F>
where
    A: Aggregate<D>,
    F: Fn(&D) -> bool + Clone + 'static,
{
    type Acc = A::Acc;
    type Out = A::Out;

    fn detail(&self) -> String {
        self.aggregate.detail()
    }

    fn name(&self) -> String {
        format!("{}, filtered", self.aggregate.name())
    }

    #[inline]
    fn start(&self) -> A::Acc {
        self.aggregate.start()
    }

    #[inline]
    fn add(&self, acc: &mut A::Acc, time: EventTime, data: &D) {
        if (self.keep)(data) {
            self.aggregate.add(acc, time, data);
        }
    }

    #[inline]
    fn merge(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.aggregate.merge(acc, other);
    }

    #[inline]
    fn finish(&self, acc: &A::Acc) -> A::Out {
        self.aggregate.finish(acc)
    }
}
