//! An aggregate whose answer is put into another form.

use dualgauge_engine::{Data, EventTime};

use super::Aggregate;

/// The answer of `aggregate`, put through `f`.
///
/// In: what the aggregate takes; out: what `f` makes of its answer. It remembers what the aggregate remembers.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, max, min, then};
///
/// let at = EventTime::from_micros;
/// let ends = (min(|n: &i64| *n), max(|n: &i64| *n));
/// let spread = then(ends, |(least, greatest): (Option<i64>, Option<i64>)| Some(greatest? - least?));
/// assert_eq!(aggregate::of(&spread, [(at(0), 30), (at(1), 10), (at(2), 20)]), Some(20));
/// ```
pub fn then<A, In, Out, F>(aggregate: A, f: F) -> Then<A, F>
where
    Out: Data,
    F: Fn(In) -> Out + Clone + 'static,
{
    Then { aggregate, f }
}

/// What [`then`] makes.
#[derive(Clone, Debug)]
pub struct Then<A, F> {
    aggregate: A,
    f: F,
}

impl<D, A, Out, F> Aggregate<D> for Then<A, F>
where
    A: Aggregate<D>,
    Out: Data,
    F: Fn(A::Out) -> Out + Clone + 'static,
{
    type Acc = A::Acc;
    type Out = Out;

    fn detail(&self) -> String {
        self.aggregate.detail()
    }

    fn name(&self) -> String {
        self.aggregate.name()
    }

    #[inline]
    fn start(&self) -> A::Acc {
        self.aggregate.start()
    }

    #[inline]
    fn add(&self, acc: &mut A::Acc, time: EventTime, data: &D) {
        self.aggregate.add(acc, time, data);
    }

    #[inline]
    fn merge(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.aggregate.merge(acc, other);
    }

    #[inline]
    fn finish(&self, acc: &A::Acc) -> Out {
        (self.f)(self.aggregate.finish(acc))
    }
}
