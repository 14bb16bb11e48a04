//! The few records with the largest values.

use std::cmp::Ordering;
use std::marker::PhantomData;

use dualgauge_engine::{Data, EventTime};

use super::{Aggregate, Orderable, Places, Ties};

/// The `k` records with the largest values, largest first; among equal values, the larger record first.
///
/// In: records that are `Ord`; out: a `Vec` of at most `k` of them, fewer where there are fewer. A record that came
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
    TopK { k, ties: Ties::Apart, f, by: PhantomData }
}

/// The records that have these places, including those before the first one asked for.
pub(crate) fn top_places<F, By>(places: Places, f: F) -> TopK<F, By> {
    TopK { k: places.to, ties: places.ties, f, by: PhantomData }
}

/// What [`top_k`] makes.
#[derive(Debug)]
pub struct TopK<F, By> {
    k: usize,
    ties: Ties,
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
        match self.ties {
            Ties::Apart => format!("top {}", self.k),
            Ties::Rank => format!("rank to {}", self.k),
            Ties::DenseRank => format!("dense rank to {}", self.k),
        }
    }

    fn start(&self) -> Vec<D> {
        Vec::new()
    }

    fn add(&self, acc: &mut Vec<D>, _: EventTime, data: &D) {
        let value = (self.f)(data);
        let behind = |other: &D| (self.f)(other).order(&value).then_with(|| other.cmp(data)) != Ordering::Less;
        if self.ties != Ties::Apart {
            let order = |one: &D, other: &D| (self.f)(one).order(&(self.f)(other));
            // Most records are below all that are kept.
            let is_last = acc.last().is_some_and(|last| (self.f)(last).order(&value) == Ordering::Greater);
            if is_last && self.ties.within(self.k, acc, order).1 {
                return;
            }
            acc.insert(acc.partition_point(behind), data.clone());
            let (kept, _) = self.ties.within(self.k, acc, order);
            return acc.truncate(kept);
        }
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
        TopK { k: self.k, ties: self.ties, f: self.f.clone(), by: PhantomData }
    }
}
