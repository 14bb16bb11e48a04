//! Which places of a window `top_n` gives, and how ties are placed.

use std::cmp::Ordering;

/// Which places of each key and window are given. See [`places`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    pub(crate) to: usize,
    pub(crate) from: usize,
    pub(crate) ties: Ties,
}

/// Which place records get that are equal by the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ties {
    /// One each, the greater record first.
    Apart,
    /// The same place, and as many are skipped after it: 1, 1, 3.
    Rank,
    /// The same place, and the next one follows: 1, 1, 2.
    DenseRank,
}

/// The places up to `to`, for `top_n`. A plain number means the same.
///
/// ```
/// use dualgauge_engine::testing::check;
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::window::{InWindow, places, tumbling};
/// use dualgauge_operators::{KeyBy, Map};
///
/// // Whoever is second or third, with ties.
/// check(
///     "a:9@1 b:7@2 c:7@3 d:5@4",
///     |items| {
///         let windows = items.key_by(|_| ()).window(tumbling(10.seconds()));
///         let seconds = windows.top_n("seconds", places(3).from(2).rank(), |item| item.value);
///         seconds.map(|row| format!("#{} {}", row.rank, row.value.key))
///     },
///     "9.999999 #2 b
///      9.999999 #2 c",
/// );
/// ```
///
/// # Panics
/// When `to` is zero.
#[track_caller]
pub fn places(to: usize) -> Places {
    assert!(to > 0, "the first 0 records of each window are none; how many should it be?");
    Places { to, from: 1, ties: Ties::Apart }
}

impl From<usize> for Places {
    #[track_caller]
    fn from(to: usize) -> Places {
        places(to)
    }
}

impl Places {
    /// Leaves out the places before this one. All of them are still remembered.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::window::{InWindow, places, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:9@1 a:7@2 a:5@3 a:3@4",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let page = windows.top_n("page", places(3).from(2), |item| item.value);
    ///         page.map(|row| format!("#{} {}", row.rank, row.value.value))
    ///     },
    ///     "9.999999 #2 7
    ///      9.999999 #3 5",
    /// );
    /// ```
    ///
    /// # Panics
    /// When it is zero, or after the last place given.
    pub fn from(mut self, place: usize) -> Places {
        let to = self.to;
        assert!((1..=to).contains(&place), "places are counted from 1: from {place} to {to} there is none");
        self.from = place;
        self
    }

    /// Equals share a place, and after two in first place comes the third, as in SQL's `RANK`. All that share the last
    /// place are given.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::window::{InWindow, places, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:9@1 b:9@2 c:7@3 d:7@4 e:5@5",
    ///     |items| {
    ///         let windows = items.key_by(|_| ()).window(tumbling(10.seconds()));
    ///         let top = windows.top_n("top", places(3).rank(), |item| item.value);
    ///         top.map(|row| format!("#{} {}", row.rank, row.value.key))
    ///     },
    ///     "9.999999 #1 a
    ///      9.999999 #1 b
    ///      9.999999 #3 c
    ///      9.999999 #3 d",
    /// );
    /// ```
    pub fn rank(mut self) -> Places {
        self.ties = Ties::Rank;
        self
    }

    /// Equals share a place, and after two in first place comes the second, as in SQL's `DENSE_RANK`. All that share
    /// the last place are given.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::window::{InWindow, places, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:9@1 b:9@2 c:7@3 d:5@5",
    ///     |items| {
    ///         let windows = items.key_by(|_| ()).window(tumbling(10.seconds()));
    ///         let top = windows.top_n("top", places(2).dense_rank(), |item| item.value);
    ///         top.map(|row| format!("#{} {}", row.rank, row.value.key))
    ///     },
    ///     "9.999999 #1 a
    ///      9.999999 #1 b
    ///      9.999999 #2 c",
    /// );
    /// ```
    #[doc(alias = "denserank")]
    pub fn dense_rank(mut self) -> Places {
        self.ties = Ties::DenseRank;
        self
    }
}

impl Ties {
    /// How many of `sorted`, best first, have one of the first `to` places, and whether all of these are taken. `order`
    /// compares one with another.
    pub(crate) fn within<D>(self, to: usize, sorted: &[D], order: impl Fn(&D, &D) -> Ordering) -> (usize, bool) {
        // The end of those that are equal to the one at `at`.
        let end_of = |at: usize| at + sorted[at..].partition_point(|other| order(other, &sorted[at]) != Ordering::Less);
        match self {
            Ties::Apart => (sorted.len().min(to), sorted.len() >= to),
            Ties::Rank if sorted.len() < to => (sorted.len(), false),
            Ties::Rank => (end_of(to - 1), true),
            Ties::DenseRank => {
                let (mut end, mut places) = (0, 0);
                while places < to && end < sorted.len() {
                    (end, places) = (end_of(end), places + 1);
                }
                (end, places == to)
            }
        }
    }

    /// The place of the `number`th record, from 1, after one in place `before` with which it may be `tied`.
    pub(crate) fn place(self, number: u64, before: u64, tied: bool) -> u64 {
        match self {
            Ties::Apart => number,
            Ties::Rank | Ties::DenseRank if tied => before,
            Ties::Rank => number,
            Ties::DenseRank => before + 1,
        }
    }
}
