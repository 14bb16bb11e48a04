//! The aggregates of one type of record, so that closures need not name it.

use std::marker::PhantomData;

use dualgauge_engine::{Data, Key};

use super::{
    Aggregate, AtEnd, Averageable, Collect, CollectValues, Count, DistinctCount, DistinctCountApprox, Extreme,
    ExtremeByKey, Filtered, Greatest, Least, Mean, Orderable, Quantile, Quantiles, Sum, Summable, Then, TopK,
};

/// The aggregates of records `D`: `|of| (of.count(), of.max(|bid| bid.price))`.
///
/// Its methods are the functions of [this module](super), with the type of the records known. `aggregate_of` of windows
/// passes it to its closure.
pub struct Of<D> {
    records: PhantomData<fn(D)>,
}

impl<D> Of<D> {
    pub(crate) fn records() -> Of<D> {
        Of { records: PhantomData }
    }
}

impl<D> Clone for Of<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Of<D> {}

impl<D> std::fmt::Debug for Of<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Of<{}>", std::any::type_name::<D>())
    }
}

impl<D> Of<D> {
    /// See [`count`](super::count()).
    pub fn count(self) -> Count {
        super::count()
    }

    /// See [`sum`](super::sum()).
    pub fn sum<V, F>(self, f: F) -> Sum<F>
    where
        V: Summable,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::sum(f)
    }

    /// See [`mean`](super::mean()).
    pub fn mean<V, F>(self, f: F) -> Mean<F>
    where
        V: Averageable,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::mean(f)
    }

    /// See [`min`](super::min()).
    pub fn min<V, By, F>(self, f: F) -> Extreme<F, By, Least>
    where
        V: Orderable<By>,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::min(f)
    }

    /// See [`max`](super::max()).
    pub fn max<V, By, F>(self, f: F) -> Extreme<F, By, Greatest>
    where
        V: Orderable<By>,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::max(f)
    }

    /// See [`min_by_key`](super::min_by_key()).
    pub fn min_by_key<V, By, F>(self, f: F) -> ExtremeByKey<F, By, Least>
    where
        D: Data + Ord,
        V: Orderable<By>,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::min_by_key(f)
    }

    /// See [`max_by_key`](super::max_by_key()).
    pub fn max_by_key<V, By, F>(self, f: F) -> ExtremeByKey<F, By, Greatest>
    where
        D: Data + Ord,
        V: Orderable<By>,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::max_by_key(f)
    }

    /// See [`first`](super::first()).
    pub fn first(self) -> AtEnd<Least> {
        super::first()
    }

    /// See [`last`](super::last()).
    pub fn last(self) -> AtEnd<Greatest> {
        super::last()
    }

    /// See [`top_k`](super::top_k()).
    pub fn top_k<V, By, F>(self, k: usize, f: F) -> TopK<F, By>
    where
        D: Data + Ord,
        V: Orderable<By>,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::top_k(k, f)
    }

    /// See [`collect`](super::collect()).
    pub fn collect(self) -> Collect {
        super::collect()
    }

    /// See [`collect_values`](super::collect_values()).
    pub fn collect_values<V, By, F>(self, f: F) -> CollectValues<F, By>
    where
        V: Orderable<By>,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::collect_values(f)
    }

    /// See [`distinct_count`](super::distinct_count()).
    pub fn distinct_count<V, F>(self, f: F) -> DistinctCount<F>
    where
        V: Key,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::distinct_count(f)
    }

    /// See [`distinct_count_approx`](super::distinct_count_approx()).
    pub fn distinct_count_approx<V, F>(self, f: F) -> DistinctCountApprox<F>
    where
        V: Data,
        F: Fn(&D) -> V + Clone + 'static,
    {
        super::distinct_count_approx(f)
    }

    /// See [`quantile`](super::quantile()).
    pub fn quantile<F>(self, q: f64, f: F) -> Quantile<F>
    where
        F: Fn(&D) -> f64 + Clone + 'static,
    {
        super::quantile(q, f)
    }

    /// See [`quantiles`](super::quantiles()).
    pub fn quantiles<F>(self, qs: &[f64], f: F) -> Quantiles<F>
    where
        F: Fn(&D) -> f64 + Clone + 'static,
    {
        super::quantiles(qs, f)
    }

    /// See [`filtered`](super::filtered()).
    pub fn filtered<A, F>(self, keep: F, aggregate: A) -> Filtered<A, F>
    where
        A: Aggregate<D>,
        F: Fn(&D) -> bool + Clone + 'static,
    {
        super::filtered(keep, aggregate)
    }

    /// See [`then`](super::then()).
    pub fn then<A, Out, F>(self, aggregate: A, f: F) -> Then<A, F>
    where
        A: Aggregate<D>,
        Out: Data,
        F: Fn(A::Out) -> Out + Clone + 'static,
    {
        super::then(aggregate, f)
    }
}
