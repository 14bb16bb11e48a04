//! Each event with those of its key before it: its number, the one `n` before it, an aggregate over the last few.
//!
//! in: `D` by key; out: what a function makes of the event and its number, neighbour or aggregate, at the event's own
//! time. It remembers for each key what the next event may need, and events until the watermark passes them: each key
//! sees its events in event-time order, ties broken by comparing the records, whatever the order of arrival. A record
//! is late when its time, plus the allowed lateness, is below the watermark it came under.

use std::collections::VecDeque;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Duration, EventTime, IntoDuration, Key, Stream};

use super::process::{KeyState, Process, ProcessContext, ordered_step};
use crate::aggregate::Aggregate;
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;

/// Adds [`Neighbours::over`] to keyed streams.
pub trait Neighbours<'s, D: Data, L, F> {
    /// in: `D` by key; out, after `row_number`, `lag` or `frame`: a row for each event, made of it and those before it.
    ///
    /// It is the `OVER (PARTITION BY key ORDER BY time)` of SQL. Events are taken in event-time order, ties broken by
    /// comparing the records; each comes out when the watermark has passed it by the allowed lateness. What is later
    /// than that leaves by `late()`, and is no other's neighbour.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::keyed::Neighbours;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "disorder 10s
    ///      a:1@1 a:4@5 b:7@4 a:2@3",
    ///     |items| {
    ///         let prices = items.key_by(|item| item.key.clone()).over();
    ///         prices.lag("change", 1, |item, before| format!("{} {:?}", item.key, before.map(|before| item.value - before.value)))
    ///     },
    ///     "1 a None
    ///      3 a Some(1)
    ///      4 b None
    ///      5 a Some(2)",
    /// );
    /// ```
    fn over(self) -> Over<'s, D, L, F>;
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> Neighbours<'s, D, L, F> for KeyedStream<'s, D, L, F> {
    fn over(self) -> Over<'s, D, L, F> {
        Over { keyed: self }
    }
}

/// A keyed stream whose events are to be seen with their neighbours: `row_number`, `lag` or `frame` follows.
pub struct Over<'s, D: Data, L, F> {
    keyed: KeyedStream<'s, D, L, F>,
}

/// Which events a frame has besides its own. See [`rows_before`] and [`time_before`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame(Before);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Rows(usize),
    Time(Duration),
}

/// The event and the `rows` of its key before it, as SQL's `ROWS BETWEEN n PRECEDING AND CURRENT ROW`. For [`Over::frame`].
pub fn rows_before(rows: usize) -> Frame {
    Frame(Before::Rows(rows))
}

/// The event and those of its key before it that are not more than `length` older. For [`Over::frame`].
///
/// # Panics
/// When negative.
pub fn time_before(length: impl IntoDuration) -> Frame {
    let length = length.into_duration();

    assert!(length >= Duration::ZERO, "a frame looks back, by a length that is not negative: {length}");
    Frame(Before::Time(length))
}

impl<'s, K: Key, D: Data + Ord, L: 'static, F: KeyFn<D, Key = K>> Over<'s, D, L, F> {
    /// Makes a row of each event and its number among those of its key, from 1. It remembers a number per key.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::keyed::Neighbours;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:7@1 b:7@2 a:9@3",
    ///     |items| {
    ///         let numbered = items.key_by(|item| item.key.clone()).over();
    ///         numbered.row_number("numbers", |item, number| format!("{} #{number} {}", item.key, item.value))
    ///     },
    ///     "1 a #1 7
    ///      2 b #1 7
    ///      3 a #2 9",
    /// );
    /// ```
    #[track_caller]
    pub fn row_number<O: Data>(self, name: &str, make: impl Fn(D, u64) -> O + 'static) -> Stream<'s, O, D> {
        self.step(NodeSpec::stateful("row_number", name), "", Numbering { make })
    }

    /// Makes a row of each event and the one `n` before it, if there are as many. It remembers `n` events per key.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::keyed::Neighbours;
    /// use dualgauge_operators::KeyBy;
    ///
    /// check(
    ///     "a:7@1 a:8@2 a:9@3",
    ///     |items| {
    ///         let pairs = items.key_by(|item| item.key.clone()).over();
    ///         pairs.lag("pairs", 2, |item, before| format!("{} {:?}", item.value, before.map(|before| before.value)))
    ///     },
    ///     "1 7 None
    ///      2 8 None
    ///      3 9 Some(7)",
    /// );
    /// ```
    ///
    /// # Panics
    /// When `n` is zero: the event itself is passed anyway.
    #[track_caller]
    pub fn lag<O: Data>(self, name: &str, n: usize, make: impl Fn(D, Option<&D>) -> O + 'static) -> Stream<'s, O, D> {
        assert!(n > 0, "the event that is 0 before an event is itself; how many should it be?");
        self.step(NodeSpec::stateful("lag", name), &format!("{n} before"), Lagging { n, make })
    }

    /// Makes a row of each event and an aggregate over it and those before it in the frame. It remembers these events
    /// per key, and forgets a key that has been silent for longer than a frame of time.
    ///
    /// The aggregate is computed afresh for each event: a frame of a thousand events costs a thousand additions.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_engine::testing::{Item, check};
    /// use dualgauge_operators::aggregate::sum;
    /// use dualgauge_operators::keyed::{Neighbours, rows_before, time_before};
    /// use dualgauge_operators::{KeyBy, Union};
    ///
    /// check(
    ///     "a:1@1 a:2@2 a:4@3 a:8@20",
    ///     |items| {
    ///         let keyed = items.key_by(|item| item.key.clone());
    ///         let value = |item: &Item| item.value;
    ///         let of_two = keyed.clone().over().frame("of two", rows_before(1), sum(value), |_, sum| format!("of two: {sum}"));
    ///         let recent = keyed.over().frame("recent", time_before(2.seconds()), sum(value), |_, sum| format!("recent: {sum}"));
    ///         of_two.union(recent)
    ///     },
    ///     "1 of two: 1
    ///      1 recent: 1
    ///      2 of two: 3
    ///      2 recent: 3
    ///      3 of two: 6
    ///      3 recent: 7
    ///      20 of two: 12
    ///      20 recent: 8",
    /// );
    /// ```
    #[track_caller]
    pub fn frame<A: Aggregate<D>, O: Data>(
        self,
        name: &str,
        frame: Frame,
        aggregate: A,
        make: impl Fn(D, A::Out) -> O + 'static,
    ) -> Stream<'s, O, D> {
        let told = match frame.0 {
            Before::Rows(rows) => format!("{rows} rows before"),
            Before::Time(length) => format!("{length} before"),
        };
        self.step(NodeSpec::stateful("frame", name), &told, Framing { frame, aggregate, make })
    }

    #[track_caller]
    fn step<P: Process<K, D, State: KeyState>>(self, spec: NodeSpec, told: &str, process: P) -> Stream<'s, P::Out, D> {
        let lateness = self.keyed.lateness;
        let lateness = lateness.is_positive().then(|| format!("lateness {lateness}"));
        let detail: Vec<_> =
            Some(told.to_string()).filter(|told| !told.is_empty()).into_iter().chain(lateness).collect();
        ordered_step(self.keyed, spec.detail(detail.join(", ")), process)
    }
}

struct Numbering<M> {
    make: M,
}

impl<K: Key, D: Data, O: Data, M: Fn(D, u64) -> O + 'static> Process<K, D> for Numbering<M> {
    type State = u64;
    type Out = O;

    fn on_event(&mut self, _: &K, data: D, number: &mut u64, context: &mut ProcessContext<'_, K, O>) {
        *number += 1;
        context.emit((self.make)(data, *number));
    }
}

struct Lagging<M> {
    n: usize,
    make: M,
}

impl<K: Key, D: Data, O: Data, M: Fn(D, Option<&D>) -> O + 'static> Process<K, D> for Lagging<M> {
    type State = VecDeque<D>;
    type Out = O;

    fn on_event(&mut self, _: &K, data: D, before: &mut VecDeque<D>, context: &mut ProcessContext<'_, K, O>) {
        before.push_back(data.clone());
        let nth = if before.len() > self.n { before.pop_front() } else { None };
        context.emit((self.make)(data, nth.as_ref()));
    }
}

struct Framing<A, M> {
    frame: Frame,
    aggregate: A,
    make: M,
}

impl<K, D, A, O, M> Process<K, D> for Framing<A, M>
where
    K: Key,
    D: Data,
    A: Aggregate<D>,
    O: Data,
    M: Fn(D, A::Out) -> O + 'static,
{
    type State = VecDeque<(EventTime, D)>;
    type Out = O;

    fn on_event(&mut self, _: &K, data: D, frame: &mut Self::State, context: &mut ProcessContext<'_, K, O>) {
        let time = context.time();
        let last = frame.back().map(|(last, _)| *last);
        frame.push_back((time, data.clone()));
        match self.frame.0 {
            Before::Rows(rows) => drop(frame.drain(..frame.len().saturating_sub(rows.saturating_add(1)))),
            Before::Time(length) => {
                frame.retain(|(before, _)| is_within(*before, length, time));
                last.into_iter().for_each(|last| context.cancel_timer(last + length));
                context.set_timer(time + length);
            }
        }
        let mut acc = self.aggregate.start();
        frame.iter().for_each(|(time, data)| self.aggregate.add(&mut acc, *time, data));
        context.emit((self.make)(data, self.aggregate.finish(&acc)));
    }

    /// The key has been silent for the length of a frame of time: no later frame has any of its events.
    fn on_timer(&mut self, _: &K, _: &mut Self::State, context: &mut ProcessContext<'_, K, O>) {
        context.forget();
    }
}

/// Whether an event at `before` is at most `length` older than one at `time`.
fn is_within(before: EventTime, length: Duration, time: EventTime) -> bool {
    length == Duration::MAX || time.is_within(length, before) || time - length == before
}
