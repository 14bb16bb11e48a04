//! One window of a join: its rows in, its results out.

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, Key};

use super::kind::{JoinKind, Rows, Sides};
use super::strategy::{Keyed, Numbers, Strategies};
use crate::key_fn::KeyFn;
use crate::window::Window;

/// How a step joins each of its windows. It keeps nothing from one to the next but its allocations.
pub struct Joiner<K, F, G, J> {
    pub(super) left_key: F,
    pub(super) right_key: G,
    pub(super) kind: J,
    pub(super) strategies: Strategies<K>,
    pub(super) numbers: Numbers,
}

impl<K: Key, F, G, J> Joiner<K, F, G, J> {
    /// Joins the rows of a window.
    pub(super) fn join<L: Data, R: Data>(
        &mut self,
        window: Window,
        left: &mut impl Rows<L>,
        right: &mut impl Rows<R>,
        out: &mut Emitter<J::Out>,
    ) where
        F: KeyFn<L, Key = K>,
        G: KeyFn<R, Key = K>,
        J: JoinKind<K, L, R>,
    {
        let (lefts, rights) = (left.rows(), right.rows());
        if !J::wants(lefts.is_empty(), rights.is_empty()) {
            return;
        }
        if J::EVERY || !lefts.is_empty() && !rights.is_empty() {
            let (lefts, rights) = (Keyed::new(lefts, &self.left_key), Keyed::new(rights, &self.right_key));
            self.strategies.number(&lefts, &rights, J::EVERY, &mut self.numbers);
        } else {
            self.numbers.of_strangers(lefts.len(), rights.len());
        }
        self.emit(window, left, right, out);
    }

    /// Joins the rows of a window that all have one key.
    pub(super) fn join_one_key<L: Data, R: Data>(
        &mut self,
        window: Window,
        is_null: bool,
        left: &mut impl Rows<L>,
        right: &mut impl Rows<R>,
        out: &mut Emitter<J::Out>,
    ) where
        F: KeyFn<L, Key = K>,
        G: KeyFn<R, Key = K>,
        J: JoinKind<K, L, R>,
    {
        let (lefts, rights) = (left.rows().len(), right.rows().len());
        match is_null {
            true => self.numbers.of_strangers(lefts, rights),
            false => self.numbers.of_one_key(lefts, rights),
        }
        self.emit(window, left, right, out);
    }

    fn emit<L: Data, R: Data>(
        &mut self,
        window: Window,
        left: &mut impl Rows<L>,
        right: &mut impl Rows<R>,
        out: &mut Emitter<J::Out>,
    ) where
        F: KeyFn<L, Key = K>,
        G: KeyFn<R, Key = K>,
        J: JoinKind<K, L, R>,
    {
        let sides = Sides { left, right, left_key: &self.left_key, right_key: &self.right_key };
        self.kind.join(window, sides, &self.numbers, out);
    }
}
