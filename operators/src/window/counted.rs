//! Counted windows: a fixed number of events of a key, in event-time order.
//!
//! in: `D` by key; out: [`Pane`] of key, window `[first, last]` and aggregate, when the watermark has passed the last
//! event by the allowed lateness. It remembers events until the watermark has passed them, and an accumulator per key
//! whose window is not full. Events of equal time count in the order of the records themselves. A record is late when
//! its time, plus the allowed lateness, is below the watermark it came under.
//!
//! A window that is not full when the input ends fires then, and reaches to the end of time: nothing accepted is left
//! out, no silent key holds anything up, and its end distinguishes it from a full one.

use std::fmt;

use dualgauge_engine::{Data, Duration, EventTime, Key, Stream};
use serde::{Deserialize, Serialize};

use super::kind::Window;
use super::windowed::{AggregateAs, Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;
use crate::keyed::{Context, Process, ordered_step};

/// Windows of a fixed number of events. See [`counted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    events: u64,
}

/// Windows by key of `events` events each, in event-time order: from the first of them to the last.
///
/// What is left of each key when the input ends is a window up to the end of time.
///
/// ```
/// use dualgauge_engine::testing::{Item, check};
/// use dualgauge_operators::aggregate::sum;
/// use dualgauge_operators::window::{InWindow, counted};
/// use dualgauge_operators::{KeyBy, Map};
///
/// check(
///     "disorder 10s
///      a:1@1 a:4@5 b:9@4 a:2@3 a:8@6 a:16@7",
///     |items| {
///         let windows = items.key_by(|item| item.key.clone()).window(counted(2));
///         let sums = windows.aggregate("sum", sum(|item: &Item| item.value));
///         sums.map(|pane| format!("{} {}", pane.key, pane.value))
///     },
///     "3 a 3
///      6 a 12
///      9223372036854.775806 a 16
///      9223372036854.775806 b 9", // not full when the input ended
/// );
/// ```
///
/// # Panics
/// When `events` is zero.
#[doc(alias = "countWindow")]
#[doc(alias = "count_window")]
pub fn counted(events: u64) -> Counted {
    assert!(events > 0, "a window of 0 events has nothing in it; how many should it be?");
    Counted { events }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted {}", self.events)
    }
}

impl<'s, K: Key, D: Data + Ord, L: 'static, F: KeyFn<D, Key = K>> AggregateAs<'s, K, D>
    for Windowed<'s, K, D, L, F, Counted>
{
    /// Aggregates each window of each key, under the step's durable name.
    ///
    /// A result's event time is that of its last event; for a window that was not full at the end of input it is the
    /// last instant of all. A graph that asks for early firing is refused.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::aggregate::{count, first, last};
    /// use dualgauge_operators::window::{InWindow, counted};
    /// use dualgauge_operators::{Filter, KeyBy, Map};
    /// use dualgauge_engine::EventTime;
    ///
    /// // How long each three events took; what is left at the end is not of interest.
    /// check(
    ///     "a:1@1 a:1@2 a:1@5 a:1@9",
    ///     |items| {
    ///         let spans = items.key_by(|item| item.key.clone()).window(counted(3)).aggregate("spans", count());
    ///         let full = spans.filter(|pane| pane.window.end < EventTime::MAX);
    ///         full.map(|pane| format!("{} {}", pane.key, pane.time - pane.window.start))
    ///     },
    ///     "5 a 4s",
    /// );
    /// ```
    #[track_caller]
    fn aggregate_as<A: Aggregate<D>>(
        self,
        operator: &'static str,
        name: &str,
        aggregate: A,
    ) -> Stream<'s, Pane<K, A::Out>, D> {
        let spec = self.spec(operator, name, &aggregate);
        let refuse = |why: &str| self.keyed.stream.flow().refuse(&spec, why);
        if self.early.is_some() {
            refuse("counted windows do not fire early; leave `early` out");
        }
        if self.keyed.as_arrives {
            refuse("counted windows count in event-time order; leave `as_arrives` out");
        }
        let counting = Counting { events: self.window.events, aggregate };
        ordered_step(KeyedStream { lateness: self.lateness, ..self.keyed }, spec, counting)
    }
}

/// A window that is not full.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open<A> {
    first: EventTime,
    events: u64,
    acc: A,
}

/// Counts the events of each key.
struct Counting<A> {
    events: u64,
    aggregate: A,
}

impl<K: Key, D: Data, A: Aggregate<D>> Process<K, D> for Counting<A> {
    type State = Option<Open<A::Acc>>;
    type Out = Pane<K, A::Out>;

    fn on_event(&mut self, key: &K, data: D, state: &mut Self::State, context: &mut Context<'_, K, Self::Out>) {
        let time = context.time();
        let open = state.get_or_insert_with(|| Open { first: time, events: 0, acc: self.aggregate.start() });
        self.aggregate.add(&mut open.acc, time, &data);
        open.events += 1;
        if open.events < self.events {
            if open.events == 1 {
                context.set_timer(EventTime::LAST);
            }
            return;
        }
        let window = Window { start: open.first, end: time + Duration::from_micros(1) };
        context.emit(Pane::new(key.clone(), window, self.aggregate.finish(&open.acc)));
        context.cancel_timer(EventTime::LAST);
        context.forget();
    }

    /// The input has ended.
    fn on_timer(&mut self, key: &K, state: &mut Self::State, context: &mut Context<'_, K, Self::Out>) {
        if let Some(open) = state.take() {
            let window = Window { start: open.first, end: EventTime::MAX };
            context.emit(Pane::new(key.clone(), window, self.aggregate.finish(&open.acc)));
        }
        context.forget();
    }
}
