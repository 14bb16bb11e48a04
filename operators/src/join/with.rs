//! Joins whose closures get the key, and the window or event time, of the result besides the rows.
//!
//! What flows in and out, what is remembered and what is late are as for the joins without `_with`. The key is computed
//! again for each result, from the left row if there is one.

use dualgauge_engine::{Data, EventTime, Key, Stream};

use super::interval::IntervalJoin;
use super::interval::kind::{Full, Inner, Left, Right};
use super::temporal::TemporalJoin;
use super::window::{Build, WindowJoin};
use crate::key_fn::KeyFn;
use crate::split::Either;
use crate::window::Window;

/// Finds the key of a result, from the row of either side.
struct KeyOf<F, G> {
    left: F,
    right: G,
}

impl<F, G> KeyOf<F, G> {
    #[inline]
    fn with<K: Key, L, R, O>(&self, left: Option<&L>, right: Option<&R>, look: impl FnOnce(&K) -> O) -> O
    where
        F: KeyFn<L, Key = K>,
        G: KeyFn<R, Key = K>,
    {
        match (left, right) {
            (Some(left), _) => self.left.with(left, look),
            (None, right) => self.right.with(right.expect("a result has a row of one side at least"), look),
        }
    }
}

impl<'s, K, L, R, A, B, F, G, W> WindowJoin<'s, K, L, R, A, B, F, G, W>
where
    K: Key,
    L: Data,
    R: Data,
    A: 'static,
    B: 'static,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    W: Build,
{
    fn keys(&self) -> KeyOf<F, G> {
        KeyOf { left: self.windowed.keyed.key.clone(), right: self.right.key.clone() }
    }

    /// Makes a result of each pair, from its key and window and its rows.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::{check_two, seconds};
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    ///
    /// check_two(
    ///     "a:1@3 b:2@8",
    ///     "a:9@6 c:8@7",
    ///     |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let join = windows.join(right.key_by(|item| item.key.clone()));
    ///         join.inner_with("inner", |key, window, left, right| {
    ///             format!("{key} up to {}: {} {}", seconds(window.end), left.value, right.value)
    ///         })
    ///     },
    ///     "9.999999 a up to 10: 1 9",
    /// );
    /// ```
    #[track_caller]
    pub fn inner_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, Window, &L, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        self.inner(name, move |window, left, right| {
            keys.with(Some(left), Some(right), |key| make(key, window, left, right))
        })
    }

    /// As [`WindowJoin::inner_with`], and of each left row that matches nothing.
    #[track_caller]
    pub fn left_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, Window, &L, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        self.left(name, move |window, left, right| keys.with(Some(left), right, |key| make(key, window, left, right)))
    }

    /// As [`WindowJoin::inner_with`], and of each right row that matches nothing.
    #[track_caller]
    pub fn right_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, Window, Option<&L>, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        self.right(name, move |window, left, right| keys.with(left, Some(right), |key| make(key, window, left, right)))
    }

    /// As [`WindowJoin::inner_with`], and of each row of either side that matches nothing.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    ///
    /// check_two(
    ///     "a:1@3 b:2@8",
    ///     "a:9@6 c:8@7",
    ///     |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let join = windows.join(right.key_by(|item| item.key.clone()));
    ///         join.full_with("full", |key, _, left, right| format!("{key} {} {}", left.is_some(), right.is_some()))
    ///     },
    ///     "9.999999 a true true
    ///      9.999999 b true false
    ///      9.999999 c false true",
    /// );
    /// ```
    #[track_caller]
    pub fn full_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, Window, Option<&L>, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        self.full(name, move |window, left, right| keys.with(left, right, |key| make(key, window, left, right)))
    }
}

impl<'s, K, L, M, F, R, N, G> IntervalJoin<'s, L, M, F, R, N, G>
where
    K: Key,
    L: Data,
    M: 'static,
    F: KeyFn<L, Key = K>,
    R: Data,
    N: 'static,
    G: KeyFn<R, Key = K>,
{
    fn keys(&self) -> KeyOf<F, G> {
        KeyOf { left: self.left.key.clone(), right: self.right.key.clone() }
    }

    /// Makes a result of each pair, from its key, the event time of the result and its rows.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::{check_two, seconds};
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::join::{JoinInterval, between};
    ///
    /// check_two(
    ///     "a:1@3 b:2@8",
    ///     "a:9@6 c:8@7",
    ///     |left, right| {
    ///         let left = left.key_by(|item| item.key.clone());
    ///         let join = left.interval_join(right.key_by(|item| item.key.clone()), between(0.seconds(), 5.seconds()));
    ///         join.inner_with("near", |key, time, left, right| format!("{key} at {}: {} {}", seconds(time), left.value, right.value))
    ///     },
    ///     "6 a at 6: 1 9",
    /// );
    /// ```
    #[track_caller]
    pub fn inner_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, EventTime, &L, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        let make =
            move |time, left: &L, right: &R| keys.with(Some(left), Some(right), |key| make(key, time, left, right));
        self.join("inner", name, Inner(make))
    }

    /// As [`IntervalJoin::inner_with`], and of each left row that matches nothing.
    #[track_caller]
    pub fn left_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, EventTime, &L, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        let make =
            move |time, left: &L, right: Option<&R>| keys.with(Some(left), right, |key| make(key, time, left, right));
        self.join("left", name, Left(make))
    }

    /// As [`IntervalJoin::inner_with`], and of each right row that matches nothing.
    #[track_caller]
    pub fn right_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, EventTime, Option<&L>, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        let make =
            move |time, left: Option<&L>, right: &R| keys.with(left, Some(right), |key| make(key, time, left, right));
        self.join("right", name, Right(make))
    }

    /// As [`IntervalJoin::inner_with`], and of each row of either side that matches nothing.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::{check_two, seconds};
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::join::{JoinInterval, between};
    ///
    /// check_two(
    ///     "a:1@3 b:2@8",
    ///     "a:9@6 c:8@7",
    ///     |left, right| {
    ///         let left = left.key_by(|item| item.key.clone());
    ///         let join = left.interval_join(right.key_by(|item| item.key.clone()), between(0.seconds(), 5.seconds()));
    ///         join.full_with("near", |key, time, left, right| format!("{key} {} {} {}", seconds(time), left.is_some(), right.is_some()))
    ///     },
    ///     "6 a 6 true true
    ///      7 c 7 false true
    ///      8 b 8 true false",
    /// );
    /// ```
    #[track_caller]
    pub fn full_with<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, EventTime, Option<&L>, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let keys = self.keys();
        let make =
            move |time, left: Option<&L>, right: Option<&R>| keys.with(left, right, |key| make(key, time, left, right));
        self.join("full", name, Full(make))
    }
}

impl<'s, K, L, M, F, R, N, G> TemporalJoin<'s, L, M, F, R, N, G>
where
    K: Key,
    L: Data,
    M: 'static,
    F: KeyFn<L, Key = K>,
    R: Data + Ord,
    N: 'static,
    G: KeyFn<R, Key = K>,
{
    /// Makes a result of every left row whose key has a version by then, from its key, event time, row and version.
    ///
    /// ```
    /// use dualgauge_engine::testing::{check_two, seconds};
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::join::AsOf;
    ///
    /// check_two(
    ///     "a:1@4 a:2@5",
    ///     "a:80@5",
    ///     |left, versions| {
    ///         let joined = left.key_by(|item| item.key.clone()).as_of(versions.key_by(|item| item.key.clone()));
    ///         joined.inner_with("valid", |key, time, left, version| {
    ///             format!("{key} at {}: {} {}", seconds(time), left.value, version.value)
    ///         })
    ///     },
    ///     "5 a at 5: 2 80",
    /// );
    /// ```
    #[track_caller]
    pub fn inner_with<O: Data>(
        self,
        name: &str,
        each: impl Fn(&K, EventTime, &L, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let key = self.left.key.clone();
        self.join("inner", name, move |time, left, version| {
            version.map(|version| key.with(left, |key| each(key, time, left, version)))
        })
    }

    /// The same for every left row, even if its key has no version by then.
    #[track_caller]
    pub fn left_with<O: Data>(
        self,
        name: &str,
        each: impl Fn(&K, EventTime, &L, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let key = self.left.key.clone();
        self.join("left", name, move |time, left, version| Some(key.with(left, |key| each(key, time, left, version))))
    }
}
