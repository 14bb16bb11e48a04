//! How rows of equal keys find each other: the strategies of a window join, and when each is used.
//!
//! When a window closes, all rows of both its sides are there. A strategy numbers their keys, so that rows of equal
//! keys have equal numbers; what is done with the rows is not its concern (see [`super::kind`]). A new strategy is a
//! file like [`super::hash`] and a line in the list below.

use std::borrow::Borrow;

use dualgauge_engine::{Data, Event, Key};

use super::null::has_null;
use super::{hash, sort_merge};
use crate::key_fn::KeyFn;

/// The number of a row that matches no row of the other side: its key has a null, or only its own side has it.
pub(super) const NONE: u32 = u32::MAX;

/// The keys of the rows on one side of a window.
pub(super) trait Keys<K> {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Shows `look` the key of each row, in the order of the rows; `None` where it has a null, which never matches.
    fn each(&self, look: impl FnMut(Option<&K>));
}

/// The numbers of the keys on both sides, row by row.
#[derive(Debug, Default)]
pub struct Numbers {
    pub(super) left: Vec<u32>,
    pub(super) right: Vec<u32>,
    /// All numbers but [`NONE`] are below it.
    pub(super) count: u32,
}

/// A way to find the rows of equal keys.
///
/// - **Equal.** Two rows, of one side or both, have the same number if and only if their keys are equal; those of nulls
///   have [`NONE`].
/// - **Dense.** Numbers count from zero.
/// - **Every key, or those of both sides.** Unless `every` is asked for, [`NONE`] may also stand for a key that only one
///   of the sides has.
///
/// It keeps nothing from one window to the next but its allocations.
pub(super) trait Strategy<K>: Default {
    /// Numbers the keys; `numbers` comes empty.
    fn number(&mut self, left: &impl Keys<K>, right: &impl Keys<K>, every: bool, numbers: &mut Numbers);
}

macro_rules! strategies {
    ($($(#[$doc:meta])* $name:ident in $file:ident;)*) => {
        /// How a window join finds the rows of equal keys. All give the same answer; by default the join picks one by
        /// the size of each window.
        ///
        /// ```
        /// use dualgauge_engine::Durations;
        /// use dualgauge_engine::testing::check_two;
        /// use dualgauge_operators::KeyBy;
        /// use dualgauge_operators::join::JoinStrategy;
        /// use dualgauge_operators::window::{InWindow, tumbling};
        ///
        /// for strategy in JoinStrategy::ALL {
        ///     check_two(
        ///         "a:1@5 b:2@6",
        ///         "a:3@7",
        ///         move |left, right| {
        ///             let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
        ///             let join = windows.join(right.key_by(|item| item.key.clone())).strategy(*strategy);
        ///             join.inner("join", |_, left, right| format!("{} {}", left.value, right.value))
        ///         },
        ///         "9.999999 1 3",
        ///     );
        /// }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum JoinStrategy {
            $($(#[$doc])* $name,)*
        }

        impl JoinStrategy {
            /// All of them.
            pub const ALL: &[JoinStrategy] = &[$(JoinStrategy::$name),*];
        }

        /// The strategies with their allocations, and which of them was requested.
        pub(super) struct Strategies<K> {
            forced: Option<JoinStrategy>,
            $($file: $file::$name<K>,)*
        }

        impl<K: Key> Strategies<K> {
            pub(super) fn new(forced: Option<JoinStrategy>) -> Strategies<K> {
                Strategies { forced, $($file: Default::default(),)* }
            }

            /// Numbers the keys of a window by the strategy for its size.
            pub(super) fn number(
                &mut self,
                left: &impl Keys<K>,
                right: &impl Keys<K>,
                every: bool,
                numbers: &mut Numbers,
            ) {
                let most = left.len().max(right.len());
                assert!(most < NONE as usize, "{most} rows on one side of a window are more than can be numbered");
                numbers.clear();
                match self.forced.unwrap_or_else(|| by_size(left.len(), right.len())) {
                    $(JoinStrategy::$name => self.$file.number(left, right, every, numbers),)*
                }
            }
        }
    };
}

strategies! {
    /// A hash table of the smaller side's keys, in which those of the larger are looked up.
    Hash in hash;
    /// Both sides sorted by key, side by side.
    SortMerge in sort_merge;
}

/// Looking up a table of the smaller side is faster than sorting, as long as it is not too far from the caches.
const HASH_MAX: usize = 1 << 24;

fn by_size(left: usize, right: usize) -> JoinStrategy {
    if left.min(right) <= HASH_MAX { JoinStrategy::Hash } else { JoinStrategy::SortMerge }
}

impl Numbers {
    fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
        self.count = 0;
    }

    /// No rows match.
    pub(super) fn of_strangers(&mut self, left: usize, right: usize) {
        self.clear();
        self.left.resize(left, NONE);
        self.right.resize(right, NONE);
    }

    /// All rows of both sides have one key.
    pub(super) fn of_one_key(&mut self, left: usize, right: usize) {
        self.clear();
        self.left.resize(left, 0);
        self.right.resize(right, 0);
        self.count = 1;
    }
}

/// The rows of one side, and the function that finds their keys.
pub(super) struct Keyed<'a, E, D, F> {
    rows: &'a [E],
    key: &'a F,
    data: std::marker::PhantomData<D>,
}

impl<'a, E, D, F> Keyed<'a, E, D, F> {
    pub(super) fn new(rows: &'a [E], key: &'a F) -> Keyed<'a, E, D, F> {
        Keyed { rows, key, data: std::marker::PhantomData }
    }
}

impl<E: Borrow<Event<D>>, D: Data, F: KeyFn<D>> Keys<F::Key> for Keyed<'_, E, D, F> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn each(&self, mut look: impl FnMut(Option<&F::Key>)) {
        for row in self.rows {
            self.key.with(&row.borrow().data, |key| look(Some(key).filter(|key| !has_null(*key))));
        }
    }
}
