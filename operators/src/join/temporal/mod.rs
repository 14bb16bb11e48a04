//! Temporal joins: each event with the version of its key that was valid at its own time.
//!
//! in: `L` and `R`, each with a key; out: what a function makes of each left event and the newest version of its key
//! with `version.time <= left.time`, at the left event's time; and with `left`, also of every left event whose key had
//! none by then. It remembers events of both sides until the watermark passes them, and for each key the newest version
//! that it has passed. A record of either side is late when its time, plus the allowed lateness, is below the watermark
//! it came under.

mod side;
mod step;
#[cfg(test)]
mod tests;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, EventTime, Key, Stream};

use crate::join::same_key::{Same, SameKey, same};
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;
use crate::split::Either;
use step::TemporalStep;

/// Adds [`AsOf::as_of`] to keyed streams.
pub trait AsOf<'s, K: Key, L: Data, M, F> {
    /// in: `L` and versions `R` by key; out, after `inner` or `left`: a result per left event, at its own time.
    ///
    /// Joins each event of this stream, the left, with the *version* of its key that is valid at the event's own time:
    /// the newest event of `versions` that is not later, whenever either arrives. A version is valid from its own time,
    /// inclusive, until the next one of its key; among versions of one key and time the greatest record is the newest.
    /// A key with a null in it has no version.
    ///
    /// It remembers the events of both sides until the watermark has passed them, and for each key the newest version
    /// that it has passed: that one stays for ever, even if its key never comes again, since the next left event could
    /// need it. So the state grows with the number of keys that ever had a version, not with the number of versions.
    /// Records that come later than the watermark leave by `late()` as [`Either`] and are counted; so that both sides
    /// are judged alike, the join waits for the greater [allowed lateness](KeyedStream::allowed_lateness) of its two
    /// inputs.
    ///
    /// ```
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::join::AsOf;
    /// use dualgauge_operators::KeyBy;
    ///
    /// // Orders in a currency, and what a unit of it is worth from a time on.
    /// check_two(
    ///     "usd:10@5 usd:10@19 eur:1@19 usd:10@20",
    ///     "usd:90@0 eur:100@2 usd:95@20",
    ///     |orders, rates| {
    ///         let rates = rates.key_by(|rate| rate.key.clone());
    ///         let priced = orders.key_by(|order| order.key.clone()).as_of(rates);
    ///         priced.inner("price", |order, rate| format!("{} {}", order.key, order.value * rate.value))
    ///     },
    ///     "5 usd 900
    ///      19 eur 100
    ///      19 usd 900
    ///      20 usd 950",
    /// );
    /// ```
    ///
    /// # Panics
    /// When either stream is set to `as_arrives`: which version is valid is a matter of event time.
    #[doc(alias = "temporal_join")]
    #[doc(alias = "asof_join")]
    #[expect(clippy::wrong_self_convention, reason = "an as-of join is called so; it converts nothing")]
    #[track_caller]
    fn as_of<R: Data, N, G: KeyFn<R, Key: SameKey<K>>>(
        self,
        versions: KeyedStream<'s, R, N, G>,
    ) -> TemporalJoin<'s, L, M, F, R, N, Same<G, K>>;
}

impl<'s, K: Key, L: Data, M: 'static, F: KeyFn<L, Key = K>> AsOf<'s, K, L, M, F> for KeyedStream<'s, L, M, F> {
    #[track_caller]
    fn as_of<R: Data, N, G: KeyFn<R, Key: SameKey<K>>>(
        self,
        versions: KeyedStream<'s, R, N, G>,
    ) -> TemporalJoin<'s, L, M, F, R, N, Same<G, K>> {
        let as_arrives = self.as_arrives || versions.as_arrives;
        assert!(!as_arrives, "as_of goes by event time: which version is valid cannot be said as records arrive");
        TemporalJoin { left: self, versions: same(versions) }
    }
}

/// A keyed stream and the versions of its keys: `inner` or `left` follows.
pub struct TemporalJoin<'s, L: Data, M, F, R: Data, N, G> {
    pub(in crate::join) left: KeyedStream<'s, L, M, F>,
    versions: KeyedStream<'s, R, N, G>,
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
    /// Makes a result of every left event whose key has a version by then, under the step's durable name.
    ///
    /// `R` is ordered, so that among versions of one key and time the greatest is always the valid one.
    ///
    /// ```
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::join::AsOf;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check_two(
    ///     "a:1@4 a:2@5 a:3@9 b:4@9",
    ///     "a:80@5 a:70@5",
    ///     |left, versions| {
    ///         let joined = left.key_by(|item| item.key.clone()).as_of(versions.key_by(|item| item.key.clone()));
    ///         joined.inner("valid", |left, version| format!("{} {}", left.value, version.value))
    ///     },
    ///     "5 2 80
    ///      9 3 80",
    /// );
    /// ```
    #[track_caller]
    pub fn inner<O: Data>(self, name: &str, each: impl Fn(&L, &R) -> O + 'static) -> Stream<'s, O, Either<L, R>> {
        self.join("inner", name, move |_, left, version| version.map(|version| each(left, version)))
    }

    /// Makes a result of every left event, even if its key has no version by then.
    ///
    /// ```
    /// use dualgauge_engine::testing::check_two;
    /// use dualgauge_operators::join::AsOf;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check_two(
    ///     "a:1@4 a:2@5 b:3@9",
    ///     "a:80@5",
    ///     |left, versions| {
    ///         let joined = left.key_by(|item| item.key.clone()).as_of(versions.key_by(|item| item.key.clone()));
    ///         joined.left("valid", |left, version| format!("{} {:?}", left.value, version.map(|item| item.value)))
    ///     },
    ///     "4 1 None
    ///      5 2 Some(80)
    ///      9 3 None",
    /// );
    /// ```
    #[track_caller]
    pub fn left<O: Data>(
        self,
        name: &str,
        each: impl Fn(&L, Option<&R>) -> O + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        self.join("left", name, move |_, left, version| Some(each(left, version)))
    }

    #[track_caller]
    pub(in crate::join) fn join<O: Data>(
        self,
        kind_name: &str,
        name: &str,
        each: impl Fn(EventTime, &L, Option<&R>) -> Option<O> + 'static,
    ) -> Stream<'s, O, Either<L, R>> {
        let TemporalJoin { left, versions } = self;
        let lateness = left.lateness.max(versions.lateness);
        let mut detail = kind_name.to_string();
        if lateness.is_positive() {
            detail += &format!(", lateness {lateness}");
        }
        let spec = NodeSpec::stateful("as_of", name).detail(detail);
        let step = TemporalStep::new(each, lateness, left.key.clone(), versions.key.clone());
        let (left_key, version_key) = (left.key, versions.key);
        left.stream.step_with(
            versions.stream,
            spec,
            move |left| left_key.group(left),
            move |version| version_key.group(version),
            step,
        )
    }
}
