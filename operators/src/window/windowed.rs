//! A keyed stream cut into windows, and the panes that come out.

use std::marker::PhantomData;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Duration, EventTime, IntoDuration, Key, Stream};
use serde::{Deserialize, Serialize};

use super::kind::Window;
use crate::aggregate::{Aggregate, Of};
use crate::key_by::{KeyBy, KeyedStream};
use crate::key_fn::KeyFn;
use crate::map::Map;

/// The result of one key in one window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pane<K, V> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// The event time of the result: the window's last instant.
    pub time: EventTime,
    /// What the aggregate made of the events.
    pub value: V,
}

impl<K, V> Pane<K, V> {
    /// The pane of a key in a window.
    pub fn new(key: K, window: Window, value: V) -> Pane<K, V> {
        Pane { key, window, time: window.last_instant(), value }
    }

    /// The event time of the result, which is the field `time`.
    #[deprecated(
        note = "read the field, `pane.time`: it is still there when `pane.key` has been moved out; or take all parts by name, \
                         `|Pane { key, time, value, .. }|`, or by `.rows(|key, window, value| …)`"
    )]
    pub fn time(&self) -> EventTime {
        self.time
    }
}

/// Adds [`Rows::rows`] to streams of panes.
pub trait Rows<'s, K: Data, V: Data> {
    /// in: panes; out: `each(key, window, value)`, at the same event time.
    ///
    /// It is `map` with the parts of the pane. A row gets the event time of its pane by `window.last_instant()`. It remembers
    /// nothing, and nothing is late for it.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, Rows, tumbling};
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:1@5 a:1@7 b:1@12",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         windows.aggregate("count", count()).rows(|key, window, count| format!("{key} {count} {}", window.end))
    ///     },
    ///     "9.999999 a 2 1970-01-01T00:00:10Z
    ///      19.999999 b 1 1970-01-01T00:00:20Z",
    /// );
    /// ```
    #[track_caller]
    fn rows<R: Data>(self, each: impl Fn(K, Window, V) -> R + 'static) -> Stream<'s, R>;
}

impl<'s, K: Data, V: Data, L: 'static> Rows<'s, K, V> for Stream<'s, Pane<K, V>, L> {
    #[track_caller]
    fn rows<R: Data>(self, each: impl Fn(K, Window, V) -> R + 'static) -> Stream<'s, R> {
        self.map(move |Pane { key, window, value, .. }| each(key, window, value))
    }
}

/// Adds [`WindowAll::window_all`] to streams.
pub trait WindowAll<'s, D: Data, L> {
    /// in: `D`; out, after `aggregate`: a [`Pane`] per window, with the key `()`.
    ///
    /// One window over all events, whatever their keys; one worker finishes it, and all workers add to it. It remembers an
    /// accumulator per window until the window can change no more, and what comes later leaves by `late()`.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{Rows, WindowAll, tumbling};
    ///
    /// check(
    ///     "a:1@5 b:1@7 b:1@12",
    ///     |items| items.window_all(tumbling(10.seconds())).aggregate("count", count()).rows(|_, _, count| count.to_string()),
    ///     "9.999999 2
    ///      19.999999 1",
    /// );
    /// ```
    #[doc(alias = "windowAll")]
    fn window_all<W>(self, window: W) -> Windowed<'s, (), D, L, fn(&D), W>;
}

impl<'s, D: Data, L: 'static> WindowAll<'s, D, L> for Stream<'s, D, L> {
    fn window_all<W>(self, window: W) -> Windowed<'s, (), D, L, fn(&D), W> {
        let all: fn(&D) = |_| ();
        self.key_by(all).window(window)
    }
}

/// A keyed stream cut into windows: `aggregate` or `top_n` follows.
pub struct Windowed<'s, K, D: Data, L, F, W> {
    pub(crate) keyed: KeyedStream<'s, D, L, F>,
    pub(crate) window: W,
    pub(crate) lateness: Duration,
    pub(crate) early: Option<Duration>,
    pub(super) _key: PhantomData<K>,
}

/// What windows of every kind do: aggregate, in a step that the listing shows as `operator`.
pub trait AggregateAs<'s, K: Key, D: Data> {
    /// See [`Windowed::aggregate`], which calls this with `aggregate`; here each kind shows its own example.
    #[track_caller]
    fn aggregate_as<A: Aggregate<D>>(
        self,
        operator: &'static str,
        name: &str,
        aggregate: A,
    ) -> Stream<'s, Pane<K, A::Out>, D>;
}

impl<'s, K: Key, D: Data, L: 'static, F, W> Windowed<'s, K, D, L, F, W>
where
    Self: AggregateAs<'s, K, D>,
{
    /// Aggregates each key in each window, under the step's durable name.
    ///
    /// A result's event time is its window's last instant. Windows without events have no result.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:3@1 a:7@6 b:5@8",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         windows.aggregate("count", count()).map(|pane| format!("{} {}", pane.key, pane.value))
    ///     },
    ///     "9.999999 a 2
    ///      9.999999 b 1",
    /// );
    /// ```
    ///
    /// # Panics
    /// When sessions are set to fire early: one that did might merge with another afterwards.
    #[track_caller]
    pub fn aggregate<A: Aggregate<D>>(self, name: &str, aggregate: A) -> Stream<'s, Pane<K, A::Out>, D> {
        self.aggregate_as("aggregate", name, aggregate)
    }

    /// The same for aggregates that a closure names, in which closures know the type of the records.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:3@1 a:7@6 b:5@8",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let hot = windows.aggregate_of("hot", |of| (of.count(), of.max(|item| item.value)));
    ///         hot.map(|pane| format!("{} {:?}", pane.key, pane.value))
    ///     },
    ///     "9.999999 a (2, Some(7))
    ///      9.999999 b (1, Some(5))",
    /// );
    /// ```
    #[doc(alias = "Combine.perKey")]
    #[track_caller]
    pub fn aggregate_of<A: Aggregate<D>>(
        self,
        name: &str,
        aggregate: impl FnOnce(Of<D>) -> A,
    ) -> Stream<'s, Pane<K, A::Out>, D> {
        self.aggregate_as("aggregate", name, aggregate(Of::records()))
    }
}

/// Adds [`InWindow::window`] to keyed streams.
pub trait InWindow<'s, K, D: Data, L, F> {
    /// in: `D` by key; out, after `aggregate`: a [`Pane`] per key and window, when the watermark passes its end.
    ///
    /// Cuts the stream into windows of a kind: [`tumbling`](super::tumbling), [`sliding`](super::sliding),
    /// [`cumulate`](super::cumulate), [`days_in`](super::days_in) and the like, [`session`](super::session),
    /// [`counted`](super::counted) or [`whole`](super::whole). It remembers an accumulator per key and window until the
    /// window can change no more. Records that come later than that leave by `late()` and are counted.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map, Union};
    ///
    /// // The record at 4 comes when the window it belongs to has been closed by the one at 12.
    /// check(
    ///     "a:1@5 a:1@12 b:1@4",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let panes = windows.aggregate("count", count());
    ///         let late = panes.late().map(|item| format!("late {}", item.key));
    ///         panes.map(|pane| format!("{} {}", pane.key, pane.value)).union(late)
    ///     },
    ///     "4 late b
    ///      9.999999 a 1
    ///      19.999999 a 1",
    /// );
    /// ```
    #[doc(alias = "windowedBy")]
    #[doc(alias = "Window.into")]
    fn window<W>(self, window: W) -> Windowed<'s, K, D, L, F, W>;
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> InWindow<'s, K, D, L, F> for KeyedStream<'s, D, L, F> {
    fn window<W>(self, window: W) -> Windowed<'s, K, D, L, F, W> {
        Windowed { lateness: self.lateness, keyed: self, window, early: None, _key: PhantomData }
    }
}

impl<K, D: Data, L, F, W> Windowed<'_, K, D, L, F, W> {
    /// Waits for records this late. Zero by default.
    ///
    /// Tumbling, sliding and cumulating windows fire when the watermark passes their end, and again when a record comes
    /// within the lateness: their output is then a stream of upserts, of which a sink keeps the last. Sessions and
    /// counted windows wait out the lateness and fire once.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@5 | a:1@12 | a:1@9 | a:1@15 | a:1@8",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let panes = windows.allowed_lateness(5.seconds()).aggregate("count", count());
    ///         panes.map(|pane| format!("{} {}", pane.key, pane.value))
    ///     },
    ///     "9.999999 a 2
    ///      19.999999 a 2",
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

    /// Fires what a window has so far whenever the watermark has advanced by `every` within it.
    ///
    /// The output is then a stream of upserts: each firing replaces the one before. The last is the same as without
    /// early firing. Sessions and counted windows do not fire early.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@1 | a:1@4 | a:1@8",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let panes = windows.early(2.seconds()).aggregate("count", count());
    ///         panes.map(|pane| format!("{} {}", pane.key, pane.value))
    ///     },
    ///     "9.999999 a 3", // what fired before is replaced
    /// );
    /// ```
    ///
    /// # Panics
    /// When not positive.
    #[doc(alias = "trigger")]
    #[doc(alias = "ContinuousEventTimeTrigger")]
    #[doc(alias = "EMIT")]
    pub fn early(mut self, every: impl IntoDuration) -> Self {
        let every = every.into_duration();

        assert!(every.is_positive(), "early firings are some time apart, not {every}");
        self.early = Some(every);
        self
    }

    /// The step that keeps accumulators of the aggregate in these windows.
    #[track_caller]
    pub(crate) fn spec<A: Aggregate<D>>(&self, operator: &'static str, name: &str, aggregate: &A) -> NodeSpec
    where
        W: std::fmt::Display,
        D: Data,
    {
        let detail = [self.detail(), aggregate.detail()];
        let detail: Vec<_> = detail.into_iter().filter(|detail| !detail.is_empty()).collect();
        NodeSpec::stateful(operator, name).detail(detail.join(", ")).aggregate(aggregate.name())
    }

    /// How the listing shows it.
    pub(crate) fn detail(&self) -> String
    where
        W: std::fmt::Display,
    {
        let mut detail = self.window.to_string();
        if self.lateness.is_positive() {
            detail += &format!(", lateness {}", self.lateness);
        }
        if let Some(every) = self.early {
            detail += &format!(", early every {every}");
        }
        detail
    }
}
