//! A stream with a key: what windows and keyed state build on.

use dualgauge_engine::{Data, Duration, IntoDuration, Key, Stream};

use crate::key_fn::ByRef;

/// A stream and the function that finds the key of an event.
///
/// Nothing moves yet: the next step sends events to the workers that own their keys.
///
/// A clone gives another consumer the same events, by the same key.
#[derive(Clone)]
pub struct KeyedStream<'s, D: Data, L, F> {
    pub(crate) stream: Stream<'s, D, L>,
    pub(crate) key: F,
    pub(crate) lateness: Duration,
    pub(crate) as_arrives: bool,
}

/// Adds [`KeyBy::key_by`] to streams.
pub trait KeyBy<'s, D: Data, L> {
    /// in: `D`; out: the same, keyed by `key(&D)`.
    ///
    /// Windows and keyed state follow. It remembers nothing, and nothing is late for it. The key is computed again
    /// wherever it is needed, so it should be cheap to make: an integer. A string or the like is better borrowed: see
    /// [`KeyBy::key_by_ref`].
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::keyed::Fold;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:1@5 b:2@6 a:3@7",
    ///     |items| {
    ///         items.key_by(|item| item.key.clone()).fold("sum", |sum: &mut i64, item| {
    ///             *sum += item.value;
    ///             format!("{} {sum}", item.key)
    ///         })
    ///     },
    ///     "5 a 1
    ///      6 b 2
    ///      7 a 4",
    /// );
    /// ```
    #[doc(alias = "keyBy")]
    #[doc(alias = "groupBy")]
    #[doc(alias = "GroupByKey")]
    #[doc(alias = "partitionBy")]
    #[doc(alias = "exchange")]
    #[doc(alias = "shuffle")]
    fn key_by<K: Key, F: Fn(&D) -> K + Clone + 'static>(self, key: F) -> KeyedStream<'s, D, L, F>;

    /// in: `D`; out: the same, keyed by `key(&D)`, which is borrowed from the event.
    ///
    /// The same as [`KeyBy::key_by`], but the key is copied only when it is new to a window or a state, not for each
    /// event: for keys that are or contain strings.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@5 b:2@6 a:3@7",
    ///     |items| {
    ///         let windows = items.key_by_ref(|item| &item.key).window(tumbling(10.seconds()));
    ///         windows.aggregate("count", count()).map(|pane| format!("{} {}", pane.key, pane.value))
    ///     },
    ///     "9.999999 a 2
    ///      9.999999 b 1",
    /// );
    /// ```
    fn key_by_ref<K: Key, F: Fn(&D) -> &K + Clone + 'static>(self, key: F) -> KeyedStream<'s, D, L, ByRef<F>>;
}

impl<'s, D: Data, L: 'static> KeyBy<'s, D, L> for Stream<'s, D, L> {
    fn key_by<K: Key, F: Fn(&D) -> K + Clone + 'static>(self, key: F) -> KeyedStream<'s, D, L, F> {
        KeyedStream { stream: self, key, lateness: Duration::ZERO, as_arrives: false }
    }
    fn key_by_ref<K: Key, F: Fn(&D) -> &K + Clone + 'static>(self, key: F) -> KeyedStream<'s, D, L, ByRef<F>> {
        KeyedStream { stream: self, key: ByRef(key), lateness: Duration::ZERO, as_arrives: false }
    }
}

impl<D: Data, L, F> KeyedStream<'_, D, L, F> {
    /// Lets the ordered steps (`process`, `fold`, `reduce`) wait for records this late. Zero by default.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::keyed::Reduce;
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// // The record at 7 is three seconds behind the one before it, and the one at 6 four.
    /// check(
    ///     "a:1@10 a:2@7 a:4@6",
    ///     |items| {
    ///         let keyed = items.key_by(|item| item.key.clone()).allowed_lateness(3.seconds());
    ///         let totals = keyed.reduce("total", |total, mut item| {
    ///             item.value += total.value;
    ///             item
    ///         });
    ///         totals.map(|item| item.value.to_string())
    ///     },
    ///     "7 2
    ///      10 3",
    /// );
    /// ```
    ///
    /// # Panics
    /// When negative.
    #[doc(alias = "grace")]
    #[doc(alias = "withAllowedLateness")]
    #[doc(alias = "allowedLateness")]
    pub fn allowed_lateness(mut self, lateness: impl IntoDuration) -> Self {
        let lateness = lateness.into_duration();

        assert!(lateness >= Duration::ZERO, "allowed lateness is not negative: {lateness}");
        self.lateness = lateness;
        self
    }

    /// Lets the ordered steps see events as they arrive instead of in event-time order.
    ///
    /// That is sooner, but the answer then depends on timing: the listing says so, and a replay may differ from live.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::keyed::Fold;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "disorder 10s
    ///      a:1@5 a:2@4",
    ///     |items| {
    ///         let keyed = items.key_by(|item| item.key.clone()).as_arrives();
    ///         keyed.fold("list", |list: &mut Vec<i64>, item| {
    ///             list.push(item.value);
    ///             format!("{list:?}")
    ///         })
    ///     },
    ///     "4 [1, 2]
    ///      5 [1]",
    /// );
    /// ```
    pub fn as_arrives(mut self) -> Self {
        self.as_arrives = true;
        self
    }
}
