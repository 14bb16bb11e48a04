//! The greatest value, and the record that has it.

use std::marker::PhantomData;

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, Orderable};

/// The greatest of a value taken from each record.
///
/// In: anything; out: the value, `None` for nothing. Whatever is `Ord` can be compared, and floats in the total order
/// of [`Orderable`]. It remembers one value.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, max};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&max(|n: &f64| *n), [(at(0), 2.5), (at(1), -1.0), (at(2), 7.0)]), Some(7.0));
/// ```
pub fn max<D, V, By, F>(f: F) -> Max<F, By>
where
    V: Orderable<By>,
    F: Fn(&D) -> V + Clone + 'static,
{
    Max { f, by: PhantomData }
}

/// The record whose key is the greatest; among several, the largest record.
///
/// In: records that are `Ord`; out: the record, `None` for nothing. It remembers one record, and asks its key anew at
/// each comparison.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, max_by_key};
///
/// let at = EventTime::from_micros;
/// let bids = [(at(0), (30, 'b')), (at(1), (30, 'a')), (at(2), (30, 'c')), (at(3), (29, 'd'))];
/// assert_eq!(aggregate::of(&max_by_key(|(price, _): &(i32, char)| *price), bids), Some((30, 'c')));
/// ```
pub fn max_by_key<D, V, By, F>(f: F) -> MaxByKey<F, By>
where
    D: Data + Ord,
    V: Orderable<By>,
    F: Fn(&D) -> V + Clone + 'static,
{
    MaxByKey { f, by: PhantomData }
}

/// What [`max`] makes.
#[derive(Debug)]
pub struct Max<F, By> {
    f: F,
    by: PhantomData<fn() -> By>,
}

/// What [`max_by_key`] makes.
#[derive(Debug)]
pub struct MaxByKey<F, By> {
    f: F,
    by: PhantomData<fn() -> By>,
}

impl<D, V, By, F> Aggregate<D> for Max<F, By>
where
    V: Orderable<By>,
    By: 'static,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Option<V>;
    type Out = Option<V>;

    #[inline]
    fn start(&self) -> Option<V> {
        None
    }

    #[inline]
    fn add(&self, acc: &mut Option<V>, _: EventTime, data: &D) {
        let value = (self.f)(data);
        if acc.as_ref().is_none_or(|best| value.order(best).is_gt()) {
            *acc = Some(value);
        }
    }

    fn merge(&self, acc: &mut Option<V>, other: &Option<V>) {
        if let Some(value) = other
            && acc.as_ref().is_none_or(|best| value.order(best).is_gt())
        {
            *acc = Some(value.clone());
        }
    }

    fn finish(&self, acc: &Option<V>) -> Option<V> {
        acc.clone()
    }
}

impl<D, V, By, F> Aggregate<D> for MaxByKey<F, By>
where
    D: Data + Ord,
    V: Orderable<By>,
    By: 'static,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Option<D>;
    type Out = Option<D>;

    fn start(&self) -> Option<D> {
        None
    }

    #[inline]
    fn add(&self, acc: &mut Option<D>, _: EventTime, data: &D) {
        let better = |best: &D| (self.f)(data).order(&(self.f)(best)).then_with(|| data.cmp(best)).is_gt();
        if acc.as_ref().is_none_or(better) {
            *acc = Some(data.clone());
        }
    }

    fn merge(&self, acc: &mut Option<D>, other: &Option<D>) {
        if let Some(record) = other {
            self.add(acc, EventTime::MIN, record); // the time plays no part
        }
    }

    fn finish(&self, acc: &Option<D>) -> Option<D> {
        acc.clone()
    }
}

impl<F: Clone, By> Clone for Max<F, By> {
    fn clone(&self) -> Self {
        Max { f: self.f.clone(), by: PhantomData }
    }
}

impl<F: Clone, By> Clone for MaxByKey<F, By> {
    fn clone(&self) -> Self {
        MaxByKey { f: self.f.clone(), by: PhantomData }
    }
}
