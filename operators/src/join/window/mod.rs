//! Window joins: the events of two streams that have the same key and are in the same window.
//!
//! in: `L` and `R`, by keys of one type; out: what a function makes of each pair, or of all rows of a key, when the
//! watermark passes the window's end by the allowed lateness, at the window's last instant. Every window is joined
//! once. It remembers the rows of open windows, each once; the files of the kinds of windows say until when. Late
//! records of either side leave by `late()`, as [`Either`], and are counted.

mod build;
mod session;
mod sides;
mod single;
mod sliding;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Duration, Key, Stream};

pub use self::build::Build;
use self::build::With;
use super::joiner::Joiner;
use super::kind::{CoGroup, Emit, JoinKind, Met, Pairs};
use super::same_key::{Same, SameKey, same};
use super::strategy::{JoinStrategy, Numbers, Strategies};
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;
use crate::split::Either;
use crate::window::{Window, Windowed};

/// Two keyed streams in windows; how they are joined follows.
///
/// `A` and `B` are the late records of the input streams, `F` and `G` the functions that find their keys.
pub struct WindowJoin<'s, K, L: Data, R: Data, A, B, F, G, W> {
    pub(super) windowed: Windowed<'s, K, L, A, F, W>,
    pub(super) right: KeyedStream<'s, R, B, G>,
    strategy: Option<JoinStrategy>,
}

impl<'s, K: Key, L: Data, A: 'static, F: KeyFn<L, Key = K>, W> Windowed<'s, K, L, A, F, W> {
    /// in: `L` in windows, and `R`, by keys of one type; out, after `inner` or the like: what is made of the rows of
    /// both sides that have the same key in the same window.
    ///
    /// The kinds of join: [`inner`](WindowJoin::inner), [`left`](WindowJoin::left), [`right`](WindowJoin::right),
    /// [`full`](WindowJoin::full), [`semi`](WindowJoin::semi), [`anti`](WindowJoin::anti) and
    /// [`co_group`](WindowJoin::co_group). It remembers the rows of open windows. A window is joined once its allowed
    /// lateness is over; what is later than that leaves by `late()`, as [`Either`], and is counted.
    ///
    /// A key with a null in it, which is a `None` anywhere, matches nothing. Sessions span the events of both sides
    /// together.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{Either, KeyBy, Map, Union};
    ///
    /// // The bid at 4 comes when its window has been closed by the one at 12.
    /// check_two(
    ///     "a:1@5 a:2@12 b:3@4",
    ///     "a:7@3 b:8@4 a:9@14",
    ///     |bids, auctions| {
    ///         let windows = bids.key_by(|bid| bid.key.clone()).window(tumbling(10.seconds()));
    ///         let join = windows.join(auctions.key_by(|auction| auction.key.clone()));
    ///         let pairs = join.inner("bids_of_auctions", |_, bid, auction| format!("{} {}", bid.value, auction.value));
    ///         let late = pairs.late().map(|late| match late {
    ///             Either::Left(bid) => format!("late bid {}", bid.value),
    ///             Either::Right(auction) => format!("late auction {}", auction.value),
    ///         });
    ///         pairs.union(late)
    ///     },
    ///     "4 late bid 3
    ///      9.999999 1 7
    ///      19.999999 2 9",
    /// );
    /// ```
    ///
    /// # Panics
    /// When the windows fire early, since what has been joined is not taken back; and when `right` has an allowed
    /// lateness of its own, since only that of the windows counts.
    #[doc(alias = "CoGroupByKey")]
    #[doc(alias = "JoinWindows")]
    #[doc(alias = "cogroup")]
    pub fn join<R: Data, B: 'static, G: KeyFn<R, Key: SameKey<K>>>(
        self,
        right: KeyedStream<'s, R, B, G>,
    ) -> WindowJoin<'s, K, L, R, A, B, F, Same<G, K>, W> {
        assert!(self.early.is_none(), "window joins do not fire early; leave `early` out");
        assert!(
            right.lateness == Duration::ZERO,
            "a window join waits as long as its windows say, for both sides: say `allowed_lateness` after `window`, \
             not on the right side's keys"
        );
        WindowJoin { windowed: self, right: same(right), strategy: None }
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
    /// Finds the rows of equal keys by this strategy, whatever the size of a window: to compare strategies. All give
    /// the same answer; see [`JoinStrategy`].
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::join::JoinStrategy;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    ///
    /// check_two(
    ///     "a:1@5 b:2@6 a:3@7",
    ///     "a:9@8",
    ///     |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let join = windows.join(right.key_by(|item| item.key.clone()));
    ///         let join = join.strategy(JoinStrategy::SortMerge);
    ///         join.inner("pairs", |_, left, right| format!("{} {}", left.value, right.value))
    ///     },
    ///     "9.999999 1 9
    ///      9.999999 3 9",
    /// );
    /// ```
    pub fn strategy(mut self, strategy: JoinStrategy) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// Makes a result of each pair of rows, under the step's durable name.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::window::{InWindow, sliding};
    ///
    /// // A pair is in every window that has both.
    /// check_two(
    ///     "a:1@3 a:2@8",
    ///     "a:9@6",
    ///     |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(sliding(10.seconds(), 5.seconds()));
    ///         let join = windows.join(right.key_by(|item| item.key.clone()));
    ///         join.inner("pairs", |_, left, right| format!("{} {}", left.value, right.value))
    ///     },
    ///     "9.999999 1 9
    ///      9.999999 2 9
    ///      14.999999 2 9",
    /// );
    /// ```
    #[track_caller]
    pub fn inner<O: Data>(
        self,
        name: &str,
        make: impl Fn(Window, &L, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let both = "an inner join has both sides of each pair";
        let make =
            move |window, left: Option<&L>, right: Option<&R>| make(window, left.expect(both), right.expect(both));
        self.build(name, "inner", Pairs::<_, false, false>::new(make))
    }

    /// Makes a result of each pair of rows, and of each left row that matches nothing.
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
    ///         join.left("left", |_, left, right| format!("{} {:?}", left.value, right.map(|right| right.value)))
    ///     },
    ///     "9.999999 1 Some(9)
    ///      9.999999 2 None",
    /// );
    /// ```
    #[doc(alias = "left_outer")]
    #[track_caller]
    pub fn left<O: Data>(
        self,
        name: &str,
        make: impl Fn(Window, &L, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let make = move |window, left: Option<&L>, right: Option<&R>| {
            make(window, left.expect("a left join has a left row in each result"), right)
        };
        self.build(name, "left", Pairs::<_, true, false>::new(make))
    }

    /// Makes a result of each pair of rows, and of each right row that matches nothing.
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
    ///         join.right("right", |_, left, right| format!("{:?} {}", left.map(|left| left.value), right.value))
    ///     },
    ///     "9.999999 None 8
    ///      9.999999 Some(1) 9",
    /// );
    /// ```
    #[doc(alias = "right_outer")]
    #[track_caller]
    pub fn right<O: Data>(
        self,
        name: &str,
        make: impl Fn(Window, Option<&L>, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let make = move |window, left: Option<&L>, right: Option<&R>| {
            make(window, left, right.expect("a right join has a right row in each result"))
        };
        self.build(name, "right", Pairs::<_, false, true>::new(make))
    }

    /// Makes a result of each pair of rows, and of each row of either side that matches nothing.
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
    ///         join.full("full", |_, left, right| {
    ///             format!("{:?} {:?}", left.map(|left| left.value), right.map(|right| right.value))
    ///         })
    ///     },
    ///     "9.999999 None Some(8)
    ///      9.999999 Some(1) Some(9)
    ///      9.999999 Some(2) None",
    /// );
    /// ```
    #[doc(alias = "full_outer")]
    #[track_caller]
    pub fn full<O: Data>(
        self,
        name: &str,
        make: impl Fn(Window, Option<&L>, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        self.build(name, "full", Pairs::<_, true, true>::new(make))
    }

    /// Makes a row of each left row that matches a row of the right side, once however many it matches.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check_two(
    ///     "a:1@3 b:2@8",
    ///     "a:9@6 a:8@7",
    ///     |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let met = windows.join(right.key_by(|item| item.key.clone())).semi("met", |_, left| left);
    ///         met.map(|left| left.value.to_string())
    ///     },
    ///     "9.999999 1",
    /// );
    /// ```
    #[track_caller]
    pub fn semi<O: Data>(self, name: &str, make: impl Fn(Window, L) -> O + 'static) -> Stream<'s, O, Either<L, R>> {
        self.build(name, "semi", Met::<_, true>::new(make))
    }

    /// Makes a row of each left row that matches no row of the right side.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check_two(
    ///     "a:1@3 b:2@8",
    ///     "a:9@6 b:8@17",
    ///     |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let alone = windows.join(right.key_by(|item| item.key.clone())).anti("alone", |window, left| (window.end, left));
    ///         alone.map(|(end, left)| format!("{} in the window up to {}", left.value, end.as_micros() / 1_000_000))
    ///     },
    ///     "9.999999 2 in the window up to 10",
    /// );
    /// ```
    #[track_caller]
    pub fn anti<O: Data>(self, name: &str, make: impl Fn(Window, L) -> O + 'static) -> Stream<'s, O, Either<L, R>> {
        self.build(name, "anti", Met::<_, false>::new(make))
    }

    /// Hands all rows of a key in a window to `make`: each side's in event-time order, ties broken by comparing the
    /// records. A side that has none is empty.
    ///
    /// Keys with nulls are grouped like all others, but the two sides of one are handed over separately.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::{Item, check_two};
    /// use dualgauge_operators::KeyBy;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    ///
    /// let values = |items: &[Item]| items.iter().map(|item| item.value).collect::<Vec<_>>();
    /// check_two(
    ///     "a:1@3 b:2@8 a:3@1",
    ///     "a:9@6 c:8@7",
    ///     move |left, right| {
    ///         let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let join = windows.join(right.key_by(|item| item.key.clone()));
    ///         join.co_group("groups", move |key, _, left, right, out| {
    ///             out.emit(format!("{key} {:?} {:?}", values(left), values(right)));
    ///         })
    ///     },
    ///     "9.999999 a [3, 1] [9]
    ///      9.999999 b [2] []
    ///      9.999999 c [] [8]",
    /// );
    /// ```
    #[track_caller]
    pub fn co_group<O: Data>(
        self,
        name: &str,
        make: impl Fn(&K, Window, &[L], &[R], &mut Emit<'_, O>) + 'static,
    ) -> Stream<'s, O, Either<L, R>>
    where
        L: Ord,
        R: Ord,
    {
        self.build(name, "co-group", CoGroup::new(make))
    }

    #[track_caller]
    fn build<J: JoinKind<K, L, R>>(self, name: &str, kind: &str, join: J) -> Stream<'s, J::Out, Either<L, R>> {
        let of_state = format!("{kind}, {}", self.windowed.detail());
        let mut detail = of_state.clone();
        if let Some(strategy) = self.strategy {
            detail += &format!(", {strategy:?}");
        }
        let Windowed { keyed, window, lateness, .. } = self.windowed;
        let spec = window.spec(NodeSpec::stateful("join", name).detail(detail).state_detail(of_state), lateness);
        if let Some(fault) = window.fault() {
            keyed.stream.flow().refuse(&spec, &fault);
        }
        let (left_key, right_key) = (keyed.key.clone(), self.right.key.clone());
        let joiner = Joiner {
            left_key: keyed.key,
            right_key: self.right.key,
            kind: join,
            strategies: Strategies::new(self.strategy),
            numbers: Numbers::default(),
        };
        let is_checkpointed = keyed.stream.flow().is_checkpointed();
        let with = With { joiner, name: name.to_string(), lateness, is_checkpointed };
        let (left_group, right_group) = (move |row: &L| left_key.group(row), move |row: &R| right_key.group(row));
        keyed.stream.step_with(self.right.stream, spec, left_group, right_group, window.step(with))
    }
}
