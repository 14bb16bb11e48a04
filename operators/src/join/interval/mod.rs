//! Interval joins: two streams by key, where the event time of one lies within bounds of the other's.
//!
//! in: `L` and `R`, each with a key; out: what a function makes of every pair with equal keys and `right.time` in
//! `[left.time + lower, left.time + upper]`, at the later time of the two; and, for outer joins, of every event that is
//! in no pair, at its own time. It remembers each event until the watermark has passed it and every partner it could
//! still meet. A record of either side is late when its time, plus the allowed lateness, is below the watermark it came
//! under.

mod between;
mod held;
pub(in crate::join) mod kind;
mod side;
mod step;
#[cfg(test)]
mod tests;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Duration, Key, Stream};

pub use between::{Between, between};

use crate::join::same_key::{Same, SameKey, same};
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;
use crate::split::Either;
use kind::{Anti, Full, Inner, Kind, Left, Right, Semi};
use step::IntervalStep;

/// Adds [`JoinInterval::interval_join`] to keyed streams.
pub trait JoinInterval<'s, K: Key, L: Data, M, F> {
    /// in: `L` and `R` by key; out, after `inner` or the like: a result per pair with equal keys and times within bounds.
    ///
    /// Joins the events of this stream, the left, with those of `right` that are [`between`] two bounds of them. It
    /// remembers each event until the watermark has passed every partner it could meet, and no longer: with bounds of
    /// one sign, each event of the side that is always later only until it has passed that event. Records that come
    /// later leave by `late()` as [`Either`] and are counted; so that both sides are judged alike, the join waits for
    /// the greater [allowed lateness](KeyedStream::allowed_lateness) of its two inputs. A key with a null in it matches
    /// nothing.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::KeyBy;
    ///
    /// // The odd values are orders, the even ones their payments, which have ten seconds.
    /// check(
    ///     "a:1@5 b:3@6 a:2@9 b:4@16.000001",
    ///     |items| {
    ///         let orders = items.clone().key_by(|item| (item.key.clone(), item.value % 2));
    ///         let payments = items.key_by(|item| (item.key.clone(), item.value % 2 + 1));
    ///         let paid = orders.interval_join(payments, between(0.seconds(), 10.seconds()));
    ///         paid.inner("paid", |order, payment| format!("{} {} by {}", order.key, order.value, payment.value))
    ///     },
    ///     "9 a 1 by 2",
    /// );
    /// ```
    fn interval_join<R: Data, N, G: KeyFn<R, Key: SameKey<K>>>(
        self,
        right: KeyedStream<'s, R, N, G>,
        between: Between,
    ) -> IntervalJoin<'s, L, M, F, R, N, Same<G, K>>;
}

impl<'s, K: Key, L: Data, M: 'static, F: KeyFn<L, Key = K>> JoinInterval<'s, K, L, M, F> for KeyedStream<'s, L, M, F> {
    fn interval_join<R: Data, N, G: KeyFn<R, Key: SameKey<K>>>(
        self,
        right: KeyedStream<'s, R, N, G>,
        between: Between,
    ) -> IntervalJoin<'s, L, M, F, R, N, Same<G, K>> {
        IntervalJoin { left: self, right: same(right), between }
    }
}

/// Two keyed streams with bounds: `inner`, `left`, `right`, `full`, `semi` or `anti` follows.
pub struct IntervalJoin<'s, L: Data, M, F, R: Data, N, G> {
    pub(in crate::join) left: KeyedStream<'s, L, M, F>,
    pub(in crate::join) right: KeyedStream<'s, R, N, G>,
    between: Between,
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
    /// Makes a result of every pair, under the step's durable name.
    ///
    /// A result's event time is the later of the two.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:1@5 a:2@6 a:3@8",
    ///     |items| {
    ///         let left = items.clone().key_by(|item| item.key.clone());
    ///         let near = left.interval_join(items.key_by(|item| item.key.clone()), between(-1.seconds(), 2.seconds()));
    ///         near.inner("near", |left, right| format!("{} {}", left.value, right.value))
    ///     },
    ///     "5 1 1
    ///      6 1 2
    ///      6 2 1
    ///      6 2 2
    ///      8 2 3
    ///      8 3 3",
    /// );
    /// ```
    #[track_caller]
    pub fn inner<O: Data>(self, name: &str, each: impl Fn(&L, &R) -> O + 'static) -> Stream<'s, O, Either<L, R>> {
        self.join("inner", name, Inner(move |_, left: &L, right: &R| each(left, right)))
    }

    /// As [`IntervalJoin::inner`], and a result of every left event that is in no pair.
    ///
    /// One without a partner keeps its own event time. That it has none is known when the watermark has passed every
    /// partner it could meet, so until then the output's watermark is held back for it: by the upper bound, if that is
    /// positive.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:1@5 a:2@6 a:3@9",
    ///     |items| {
    ///         let left = items.clone().key_by(|item| item.key.clone());
    ///         let next = between(0.seconds(), 2.seconds()).exclusive_lower();
    ///         let pairs = left.interval_join(items.key_by(|item| item.key.clone()), next);
    ///         pairs.left("next", |left, right| format!("{} {:?}", left.value, right.map(|right| right.value)))
    ///     },
    ///     "6 1 Some(2)
    ///      6 2 None
    ///      9 3 None",
    /// );
    /// ```
    #[track_caller]
    pub fn left<O: Data>(
        self,
        name: &str,
        each: impl Fn(&L, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        self.join("left", name, Left(move |_, left: &L, right: Option<&R>| each(left, right)))
    }

    /// As [`IntervalJoin::inner`], and a result of every right event that is in no pair, at its own time.
    ///
    /// The output's watermark is held back by the lower bound, if that is negative.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:1@5 a:2@6 a:3@9",
    ///     |items| {
    ///         let left = items.clone().key_by(|item| item.key.clone());
    ///         let next = between(0.seconds(), 2.seconds()).exclusive_lower();
    ///         let pairs = left.interval_join(items.key_by(|item| item.key.clone()), next);
    ///         pairs.right("last", |left, right| format!("{:?} {}", left.map(|left| left.value), right.value))
    ///     },
    ///     "5 None 1
    ///      6 Some(1) 2
    ///      9 None 3",
    /// );
    /// ```
    #[track_caller]
    pub fn right<O: Data>(
        self,
        name: &str,
        each: impl Fn(Option<&L>, &R) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        self.join("right", name, Right(move |_, left: Option<&L>, right: &R| each(left, right)))
    }

    /// As [`IntervalJoin::inner`], and a result of every event of either side that is in no pair, at its own time.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:1@5 a:2@6 a:3@9",
    ///     |items| {
    ///         let left = items.clone().key_by(|item| item.key.clone());
    ///         let next = between(0.seconds(), 2.seconds()).exclusive_lower();
    ///         let pairs = left.interval_join(items.key_by(|item| item.key.clone()), next);
    ///         pairs.full("both", |left, right| {
    ///             format!("{:?} {:?}", left.map(|left| left.value), right.map(|right| right.value))
    ///         })
    ///     },
    ///     "5 None Some(1)
    ///      6 Some(1) Some(2)
    ///      6 Some(2) None
    ///      9 None Some(3)
    ///      9 Some(3) None",
    /// );
    /// ```
    #[track_caller]
    pub fn full<O: Data>(
        self,
        name: &str,
        each: impl Fn(Option<&L>, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        self.join("full", name, Full(move |_, left: Option<&L>, right: Option<&R>| each(left, right)))
    }

    /// Passes on every left event that is in a pair, once and unchanged.
    ///
    /// It keeps its event time, so the output's watermark is held back as by [`IntervalJoin::left`].
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@5 a:2@6 a:3@7 a:4@10",
    ///     |items| {
    ///         let left = items.clone().key_by(|item| item.key.clone());
    ///         let next = between(0.seconds(), 2.seconds()).exclusive_lower();
    ///         let followed = left.interval_join(items.key_by(|item| item.key.clone()), next).semi("followed");
    ///         followed.map(|item| item.value.to_string())
    ///     },
    ///     "5 1
    ///      6 2",
    /// );
    /// ```
    #[track_caller]
    pub fn semi(self, name: &str) -> Stream<'s, L, Either<L, R>> {
        self.join("semi", name, Semi)
    }

    /// Passes on every left event that is in no pair, unchanged.
    ///
    /// It keeps its event time, so the output's watermark is held back as by [`IntervalJoin::left`].
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::{JoinInterval, between};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@5 a:2@6 a:3@7 a:4@10",
    ///     |items| {
    ///         let left = items.clone().key_by(|item| item.key.clone());
    ///         let next = between(0.seconds(), 2.seconds()).exclusive_lower();
    ///         let last = left.interval_join(items.key_by(|item| item.key.clone()), next).anti("last");
    ///         last.map(|item| item.value.to_string())
    ///     },
    ///     "7 3
    ///      10 4",
    /// );
    /// ```
    #[track_caller]
    pub fn anti(self, name: &str) -> Stream<'s, L, Either<L, R>> {
        self.join("anti", name, Anti)
    }

    #[track_caller]
    pub(in crate::join) fn join<J: Kind<L, R> + 'static>(
        self,
        kind_name: &str,
        name: &str,
        kind: J,
    ) -> Stream<'s, J::Out, Either<L, R>> {
        let IntervalJoin { left, right, between } = self;
        let lateness = left.lateness.max(right.lateness);
        let mut detail = format!("{kind_name}, {between}");
        if lateness > Duration::ZERO {
            detail += &format!(", lateness {lateness}");
        }
        let spec = NodeSpec::stateful("interval_join", name).detail(detail);
        let step = IntervalStep::new(between.reach(), lateness, kind, left.key.clone(), right.key.clone());
        let (left_key, right_key) = (left.key, right.key);
        left.stream.step_with(
            right.stream,
            spec,
            move |left| left_key.group(left),
            move |right| right_key.group(right),
            step,
        )
    }
}
