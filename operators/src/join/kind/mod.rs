//! The kinds of window joins: what becomes of the rows of a window once their keys are numbered.

mod co_group;
mod met;
mod pairs;

use std::borrow::Borrow;

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, Event, Key};

use super::strategy::Numbers;
use crate::key_fn::KeyFn;
use crate::window::Window;

pub use co_group::{CoGroup, Emit};
pub use met::Met;
pub use pairs::Pairs;

/// What a join makes of a window.
pub trait JoinKind<K: Key, L: Data, R: Data>: 'static {
    /// What it makes.
    type Out: Data;

    /// Whether a key that only one side has must be numbered too.
    const EVERY: bool = false;

    /// Whether a window can have any result when these sides of it are empty.
    fn wants(left_is_empty: bool, right_is_empty: bool) -> bool;

    /// Emits the results of the rows of `window`, at its last instant.
    fn join<A: Rows<L>, B: Rows<R>, F: KeyFn<L, Key = K>, G: KeyFn<R, Key = K>>(
        &mut self,
        window: Window,
        sides: Sides<'_, A, B, F, G>,
        numbers: &Numbers,
        out: &mut Emitter<Self::Out>,
    );
}

/// The rows of a window, and the functions that find their keys.
pub struct Sides<'a, A, B, F, G> {
    pub(super) left: &'a mut A,
    pub(super) right: &'a mut B,
    pub(super) left_key: &'a F,
    pub(super) right_key: &'a G,
}

/// The rows on one side of a window: its own, or borrowed from slices that other windows need too.
pub trait Rows<D> {
    type Row: Borrow<Event<D>>;

    fn rows(&self) -> &[Self::Row];

    /// Takes the rows out; borrowed ones are copied.
    fn take(&mut self) -> impl Iterator<Item = Event<D>>;
}

impl<D> Rows<D> for Vec<Event<D>> {
    type Row = Event<D>;

    #[inline]
    fn rows(&self) -> &[Event<D>] {
        self
    }

    #[inline]
    fn take(&mut self) -> impl Iterator<Item = Event<D>> {
        self.drain(..)
    }
}

impl<'a, D: Clone> Rows<D> for Vec<&'a Event<D>> {
    type Row = &'a Event<D>;

    #[inline]
    fn rows(&self) -> &[&'a Event<D>] {
        self
    }

    #[inline]
    fn take(&mut self) -> impl Iterator<Item = Event<D>> {
        self.drain(..).cloned()
    }
}
