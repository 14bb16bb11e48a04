//! The few records with the largest values.

use std::cmp::Ordering;
use std::marker::PhantomData;

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, Orderable};

/// The `k` records with the largest values, largest first; among equal values, the larger record first.
///
/// In: records that are `Ord`; out: a `Vec` of at most `k` of them, fewer where there are fewer. A record that was there
/// twice is there twice. It remembers `k` records.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, top_k};
///
/// let at = EventTime::from_micros;
/// let bids = [(at(0), (30, 'a')), (at(1), (10, 'b')), (at(2), (30, 'c')), (at(3), (20, 'd'))];
/// let top = aggregate::of(&top_k(3, |(price, _): &(i32, char)| *price), bids);
/// assert_eq!(top, [(30, 'c'), (30, 'a'), (20, 'd')]);
/// ```
pub fn top_k<D, V, By, F>(k: usize, f: F) -> TopK<F, By>
where
    D: Data + Ord,
    V: Orderable<By>,
    F: Fn(&D) -> V + Clone + 'static,
{
    TopK { k, f, by: PhantomData }
}

/// What [`top_k`] makes.
#[derive(Debug)]
pub struct TopK<F, By> {
    k: usize,
    f: F,
    by: PhantomData<fn() -> By>,
}

impl<D, V, By, F> Aggregate<D> for TopK<F, By>
where
    D: Data + Ord,
    V: Orderable<By>,
    By: 'static,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Vec<D>;
    type Out = Vec<D>;

    fn detail(&self) -> String {
        format!("top {}", self.k)
    }

    fn start(&self) -> Vec<D> {
        Vec::new()
    }

    fn add(&self, acc: &mut Vec<D>, _: EventTime, data: &D) {
        let value = (self.f)(data);
        let behind = |other: &D| (self.f)(other).order(&value).then_with(|| other.cmp(data)) != Ordering::Less;
        if acc.len() == self.k {
            // Most records are below all that are kept.
            match acc.last() {
                Some(last) if !behind(last) => acc.pop(),
                _ => return,
            };
        }
        acc.insert(acc.partition_point(behind), data.clone());
    }

    fn merge(&self, acc: &mut Vec<D>, other: &Vec<D>) {
        for data in other {
            self.add(acc, EventTime::MIN, data); // the time plays no part
        }
    }

    fn finish(&self, acc: &Vec<D>) -> Vec<D> {
        acc.clone()
    }
}

impl<F: Clone, By> Clone for TopK<F, By> {
    fn clone(&self) -> Self {
        TopK { k: self.k, f: self.f.clone(), by: PhantomData }
    }
}
