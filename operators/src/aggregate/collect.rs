//! Everything that was added, in the order of event time.

use std::marker::PhantomData;

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, Orderable};

/// All records in event-time order, ties broken by comparing the records.
///
/// In: records that are `Ord`; out: a `Vec` of them, empty for nothing. It remembers every record and its time, so use
/// it for windows that hold few.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, collect};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&collect(), [(at(2), 'a'), (at(1), 'c'), (at(1), 'b')]), ['b', 'c', 'a']);
/// ```
pub fn collect() -> Collect {
    Collect
}

/// A value of each record in event-time order, ties broken by comparing the values.
///
/// In: anything; out: a `Vec` of values, empty for nothing. It remembers every value and its time.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, collect_values};
///
/// let at = EventTime::from_micros;
/// let lengths = collect_values(|word: &String| word.len());
/// assert_eq!(aggregate::of(&lengths, [(at(2), "a".to_string()), (at(1), "bcd".to_string())]), [3, 1]);
/// ```
pub fn collect_values<D, V, By, F>(f: F) -> CollectValues<F, By>
where
    V: Orderable<By>,
    F: Fn(&D) -> V + Clone + 'static,
{
    CollectValues { f, by: PhantomData }
}

/// What [`collect`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Collect;

/// What [`collect_values`] makes.
#[derive(Debug)]
pub struct CollectValues<F, By> {
    f: F,
    by: PhantomData<fn() -> By>,
}

impl<D: Data + Ord> Aggregate<D> for Collect {
    type Acc = Vec<(EventTime, D)>;
    type Out = Vec<D>;

    fn start(&self) -> Self::Acc {
        Vec::new()
    }

    #[inline]
    fn add(&self, acc: &mut Self::Acc, time: EventTime, data: &D) {
        acc.push((time, data.clone()));
    }

    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        acc.extend_from_slice(other);
    }

    fn finish(&self, acc: &Self::Acc) -> Vec<D> {
        in_order(acc)
    }
}

impl<D, V, By, F> Aggregate<D> for CollectValues<F, By>
where
    V: Orderable<By>,
    By: 'static,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Vec<(EventTime, V)>;
    type Out = Vec<V>;

    fn start(&self) -> Self::Acc {
        Vec::new()
    }

    #[inline]
    fn add(&self, acc: &mut Self::Acc, time: EventTime, data: &D) {
        acc.push((time, (self.f)(data)));
    }

    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        acc.extend_from_slice(other);
    }

    fn finish(&self, acc: &Self::Acc) -> Vec<V> {
        in_order(acc)
    }
}

impl<F: Clone, By> Clone for CollectValues<F, By> {
    fn clone(&self) -> Self {
        CollectValues { f: self.f.clone(), by: PhantomData }
    }
}

fn in_order<V: Orderable<By>, By>(acc: &[(EventTime, V)]) -> Vec<V> {
    let mut order: Vec<_> = acc.iter().collect();
    order.sort_by(|(time, value), (other_time, other)| time.cmp(other_time).then_with(|| value.order(other)));
    order.into_iter().map(|(_, value)| value.clone()).collect()
}
