//! The value or record furthest to one side: what least and greatest, earliest and latest have in common.

use std::cmp::Ordering;
use std::marker::PhantomData;

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, Orderable};

/// A side of an order.
pub trait Side: 'static {
    /// Its name for values, and its name for times.
    const NAMES: [&'static str; 2];

    /// Whether a value that compares in this way with the best of its side is better.
    fn is_better(ordering: Ordering) -> bool;
}

/// The side of the least, and of the earliest.
#[derive(Clone, Copy, Debug)]
pub enum Least {}

/// The side of the greatest, and of the latest.
#[derive(Clone, Copy, Debug)]
pub enum Greatest {}

impl Side for Least {
    const NAMES: [&'static str; 2] = ["min", "first"];

    #[inline]
    fn is_better(ordering: Ordering) -> bool {
        ordering.is_lt()
    }
}

impl Side for Greatest {
    const NAMES: [&'static str; 2] = ["max", "last"];

    #[inline]
    fn is_better(ordering: Ordering) -> bool {
        ordering.is_gt()
    }
}

/// The value that is furthest to one side: what [`min`](super::min) and [`max`](super::max) make.
#[derive(Debug)]
pub struct Extreme<F, By, S> {
    f: F,
    types: PhantomData<fn() -> (By, S)>,
}

/// The record whose key is furthest to one side; among several, the record that itself is. What
/// [`min_by_key`](super::min_by_key) and [`max_by_key`](super::max_by_key) make.
#[derive(Debug)]
pub struct ExtremeByKey<F, By, S> {
    f: F,
    types: PhantomData<fn() -> (By, S)>,
}

/// The record at one end of time; among several, the one furthest to the same side. What [`first`](super::first) and
/// [`last`](super::last) make.
#[derive(Debug)]
pub struct AtEnd<S> {
    side: PhantomData<fn() -> S>,
}

impl<F, By, S> Extreme<F, By, S> {
    pub(super) fn of(f: F) -> Self {
        Extreme { f, types: PhantomData }
    }
}

impl<F, By, S> ExtremeByKey<F, By, S> {
    pub(super) fn of(f: F) -> Self {
        ExtremeByKey { f, types: PhantomData }
    }
}

impl<S> AtEnd<S> {
    pub(super) fn new() -> Self {
        AtEnd { side: PhantomData }
    }
}

impl<D, V, By, S, F> Aggregate<D> for Extreme<F, By, S>
where
    V: Orderable<By>,
    By: 'static,
    S: Side,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Option<V>;
    type Out = Option<V>;

    fn name(&self) -> String {
        S::NAMES[0].to_string()
    }

    #[inline]
    fn start(&self) -> Option<V> {
        None
    }

    #[inline]
    fn add(&self, acc: &mut Option<V>, _: EventTime, data: &D) {
        let value = (self.f)(data);
        if acc.as_ref().is_none_or(|best| S::is_better(value.order(best))) {
            *acc = Some(value);
        }
    }

    fn merge(&self, acc: &mut Option<V>, other: &Option<V>) {
        if let Some(value) = other
            && acc.as_ref().is_none_or(|best| S::is_better(value.order(best)))
        {
            *acc = Some(value.clone());
        }
    }

    fn finish(&self, acc: &Option<V>) -> Option<V> {
        acc.clone()
    }
}

impl<D, V, By, S, F> Aggregate<D> for ExtremeByKey<F, By, S>
where
    D: Data + Ord,
    V: Orderable<By>,
    By: 'static,
    S: Side,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Option<D>;
    type Out = Option<D>;

    fn name(&self) -> String {
        format!("{}_by_key", S::NAMES[0])
    }

    #[inline]
    fn start(&self) -> Option<D> {
        None
    }

    #[inline]
    fn add(&self, acc: &mut Option<D>, _: EventTime, data: &D) {
        let better = |best: &D| S::is_better((self.f)(data).order(&(self.f)(best)).then_with(|| data.cmp(best)));
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

impl<D: Data + Ord, S: Side> Aggregate<D> for AtEnd<S> {
    type Acc = Option<(EventTime, D)>;
    type Out = Option<D>;

    fn name(&self) -> String {
        S::NAMES[1].to_string()
    }

    #[inline]
    fn start(&self) -> Self::Acc {
        None
    }

    #[inline]
    fn add(&self, acc: &mut Self::Acc, time: EventTime, data: &D) {
        if acc.as_ref().is_none_or(|(best_time, best)| S::is_better((&time, data).cmp(&(best_time, best)))) {
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

impl<F: Clone, By, S> Clone for Extreme<F, By, S> {
    fn clone(&self) -> Self {
        Extreme::of(self.f.clone())
    }
}

impl<F: Clone, By, S> Clone for ExtremeByKey<F, By, S> {
    fn clone(&self) -> Self {
        ExtremeByKey::of(self.f.clone())
    }
}

impl<S> Clone for AtEnd<S> {
    fn clone(&self) -> Self {
        AtEnd::new()
    }
}
