//! Co-groups: all rows of a key on both sides at once.

use std::marker::PhantomData;

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, Event, EventTime, Key};

use super::{JoinKind, Rows, Sides};
use crate::join::strategy::{NONE, Numbers};
use crate::key_fn::KeyFn;
use crate::window::Window;

/// Where the function of a co-group puts its results.
#[derive(Debug)]
pub struct Emit<'a, O> {
    time: EventTime,
    out: &'a mut Emitter<O>,
}

impl<O> Emit<'_, O> {
    /// Emits a result at the window's last instant.
    #[inline]
    pub fn emit(&mut self, data: O) {
        self.out.give(self.time, data);
    }
}

/// Hands each key's rows to `make`, each side's in event-time order, ties broken by comparing the rows.
pub struct CoGroup<F, L, R, O> {
    make: F,
    out: PhantomData<O>,
    left: Groups<L>,
    right: Groups<R>,
}

impl<F, L, R, O> CoGroup<F, L, R, O> {
    pub(in crate::join) fn new(make: F) -> Self {
        CoGroup { make, out: PhantomData, left: Groups::default(), right: Groups::default() }
    }
}

impl<K, L, R, O, F> JoinKind<K, L, R> for CoGroup<F, L, R, O>
where
    K: Key,
    L: Data + Ord,
    R: Data + Ord,
    O: Data,
    F: Fn(&K, Window, &[L], &[R], &mut Emit<'_, O>) + 'static,
{
    type Out = O;

    const EVERY: bool = true;

    fn wants(left_is_empty: bool, right_is_empty: bool) -> bool {
        !left_is_empty || !right_is_empty
    }

    fn join<A: Rows<L>, B: Rows<R>, P: KeyFn<L, Key = K>, Q: KeyFn<R, Key = K>>(
        &mut self,
        window: Window,
        sides: Sides<'_, A, B, P, Q>,
        numbers: &Numbers,
        out: &mut Emitter<O>,
    ) {
        self.left.fill(sides.left, &numbers.left, sides.left_key);
        self.right.fill(sides.right, &numbers.right, sides.right_key);
        let mut out = Emit { time: window.last_instant(), out };
        for number in 0..numbers.count {
            let (left, right) = (self.left.next(number), self.right.next(number));
            let make = |key: &K| (self.make)(key, window, left, right, &mut out);
            match (left.first(), right.first()) {
                (Some(row), _) => sides.left_key.with(row, make),
                (None, Some(row)) => sides.right_key.with(row, make),
                (None, None) => {} // a number that a strategy has skipped
            }
        }
        // Nulls are equal where they are grouped, and match nothing on the other side.
        self.left.each_null(sides.left_key, |key, left| (self.make)(key, window, left, &[], &mut out));
        self.right.each_null(sides.right_key, |key, right| (self.make)(key, window, &[], right, &mut out));
    }
}

/// The rows of one side by the number of their key, the next group last.
struct Groups<D> {
    rows: Vec<(u32, Event<D>)>,
    /// The group last asked for.
    group: Vec<D>,
}

impl<D> Default for Groups<D> {
    fn default() -> Groups<D> {
        Groups { rows: Vec::new(), group: Vec::new() }
    }
}

impl<D: Ord> Groups<D> {
    fn fill<F: KeyFn<D>>(&mut self, rows: &mut impl Rows<D>, numbers: &[u32], key: &F) {
        self.rows.extend(numbers.iter().copied().zip(rows.take()));
        // Backwards, since they are taken off the end. Keys with nulls have no numbers and are compared themselves.
        self.rows.sort_unstable_by(|(a, row_a), (b, row_b)| {
            let nulls = || key.with(&row_a.data, |a| key.with(&row_b.data, |b| a.cmp(b)));
            let keys = if *a == NONE && *b == NONE { nulls() } else { a.cmp(b) };
            keys.then_with(|| row_a.cmp(row_b)).reverse()
        });
    }

    /// The rows of `number`; those of lower numbers are already gone.
    fn next(&mut self, number: u32) -> &[D] {
        self.group.clear();
        while self.rows.last().is_some_and(|(of, _)| *of == number) {
            self.group.extend(self.rows.pop().map(|(_, row)| row.data));
        }
        &self.group
    }

    /// Gives the keys with nulls and their rows to `each`; all others are already gone.
    fn each_null<F: KeyFn<D>>(&mut self, key: &F, mut each: impl FnMut(&F::Key, &[D])) {
        while let Some((_, first)) = self.rows.pop() {
            self.group.clear();
            self.group.push(first.data);
            let is_same = |first: &D, other: &D| key.with(first, |a| key.with(other, |b| a == b));
            while self.rows.last().is_some_and(|(_, row)| is_same(&self.group[0], &row.data)) {
                self.group.extend(self.rows.pop().map(|(_, row)| row.data));
            }
            key.with(&self.group[0], |key| each(key, &self.group));
        }
    }
}
