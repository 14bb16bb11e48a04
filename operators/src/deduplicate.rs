//! Deduplication by key, with a horizon: one record of those that repeat each other.
//!
//! What counts as a repeat is decided for each key alone and in event-time order, ties broken by comparing the records:
//!
//! ```text
//! a record is a repeat    when it lies less than the horizon after the key's latest original
//! a record is an original when it does not
//! ```
//!
//! So an original and its repeats lie in `[original, original + horizon)`, a repeat never extends that span, and a
//! record exactly the horizon after an original is the next original. [`first_within`] keeps the originals,
//! [`last_within`] the last of each original and its repeats; either way as many records leave as there are originals.
//!
//! Because this goes by event time, a record waits until the watermark has passed it, and the answer does not depend on
//! the order of arrival.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dualgauge_engine::flow::{Emitter, NodeSpec, Outputs, Step};
use dualgauge_engine::job::Counter;
use dualgauge_engine::state::{Parts, Queue, Table};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, IntoDuration, Key, Stream};
use serde::{Deserialize, Serialize};

use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;

/// Adds [`Deduplicate::deduplicate`] to keyed streams.
pub trait Deduplicate<'s, K, D: Data> {
    /// in: `D` by key; out: one record of those that repeat each other within a horizon, at its own event time.
    ///
    /// A record is a *repeat* when it lies less than the horizon after the key's latest *original*, in event-time
    /// order, ties broken by comparing the records; otherwise it is an original itself. [`first_within`] lets each
    /// original through when the watermark has passed it. [`last_within`] lets the last of each original and its
    /// repeats through when the watermark reaches the original plus the horizon; the steps after it wait that long too.
    ///
    /// Remembers events until the watermark passes them, and each original until it passes the horizon: its key and time,
    /// and with `last_within` the record too. What was dropped is counted as `repeats` under the step's name. A record is
    /// late when its time, plus the allowed lateness, is below the watermark it came under; it leaves by `late()`.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::{Deduplicate, KeyBy, Map, first_within};
    ///
    /// // The record at 14 lies less than ten seconds after the one at 5, the one at 15 does not.
    /// check(
    ///     "disorder 10s
    ///      a:3@14 a:1@5 b:2@6 a:4@15 a:5@24",
    ///     |items| {
    ///         let operations = items.key_by(|item| item.key.clone());
    ///         let once = operations.deduplicate("operations", first_within(10.seconds()));
    ///         once.map(|item| format!("{}:{}", item.key, item.value))
    ///     },
    ///     "5 a:1
    ///      6 b:2
    ///      15 a:4",
    /// );
    /// ```
    ///
    /// # Panics
    /// When the stream is set to `as_arrives`: what counts as a repeat depends on event-time order.
    #[doc(alias = "distinct")]
    #[doc(alias = "dropDuplicates")]
    #[doc(alias = "dropDuplicatesWithinWatermark")]
    #[track_caller]
    fn deduplicate<P: Keep<D>>(self, name: &str, keep: P) -> Stream<'s, D, D>
    where
        D: Ord;
}

/// Keeps the first record of those that repeat each other within `horizon`.
///
/// ```
/// use dualgauge_engine::testing::check;
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::{Deduplicate, KeyBy, Map, first_within};
///
/// // A repeat does not prolong the horizon: the record at 4 repeats the one at 1, and the one at 6 repeats none.
/// check(
///     "a:1@1 a:2@4 a:3@6",
///     |items| {
///         let once = items.key_by(|item| item.key.clone()).deduplicate("once", first_within(5.seconds()));
///         once.map(|item| format!("{}", item.value))
///     },
///     "1 1
///      6 3",
/// );
/// ```
///
/// # Panics
/// When `horizon` is not positive.
pub fn first_within(horizon: impl IntoDuration) -> FirstWithin {
    let horizon = horizon.into_duration();

    FirstWithin { horizon: checked(horizon) }
}

/// Keeps the last record of those that repeat each other within `horizon` of the first of them.
///
/// ```
/// use dualgauge_engine::testing::check;
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::{Deduplicate, KeyBy, Map, last_within};
///
/// check(
///     "a:1@1 a:2@4 a:3@6",
///     |items| {
///         let once = items.key_by(|item| item.key.clone()).deduplicate("once", last_within(5.seconds()));
///         once.map(|item| format!("{}", item.value))
///     },
///     "4 2
///      6 3",
/// );
/// ```
///
/// # Panics
/// When `horizon` is not positive.
pub fn last_within(horizon: impl IntoDuration) -> LastWithin {
    let horizon = horizon.into_duration();

    LastWithin { horizon: checked(horizon) }
}

fn checked(horizon: Duration) -> Duration {
    assert!(horizon.is_positive(), "the horizon of a deduplication is positive, not {horizon}");
    horizon
}

/// What [`first_within`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstWithin {
    horizon: Duration,
}

/// What [`last_within`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWithin {
    horizon: Duration,
}

/// Which record is kept of an original and its repeats: [`first_within`] or [`last_within`].
pub trait Keep<D>: 'static {
    /// What is remembered of an original and its repeats.
    type Kept: Data;

    /// Whether anything remembered is still to be emitted.
    const COMES_OUT: bool;

    /// Which of the two it is, as the listing shows it.
    const WHICH: &str;

    /// How long after its original a record is a repeat.
    fn horizon(&self) -> Duration;

    /// The time of the original.
    fn start(kept: &Self::Kept) -> EventTime;

    /// Takes an original.
    fn original(event: Event<D>, out: &mut Emitter<D>) -> Self::Kept;

    /// Takes a repeat, which is no earlier than any so far. Not called where nothing is still to be emitted.
    fn repeat(kept: &mut Self::Kept, event: Event<D>);

    /// Called when no more repeats can follow.
    fn over(kept: Self::Kept, out: &mut Emitter<D>);
}

impl<D: Data> Keep<D> for FirstWithin {
    type Kept = EventTime;
    const COMES_OUT: bool = false;
    const WHICH: &str = "first";

    fn horizon(&self) -> Duration {
        self.horizon
    }
    fn start(kept: &EventTime) -> EventTime {
        *kept
    }
    fn original(event: Event<D>, out: &mut Emitter<D>) -> EventTime {
        let time = event.time;
        out.give(time, event.data);
        time
    }
    fn repeat(_: &mut EventTime, _: Event<D>) {}
    fn over(_: EventTime, _: &mut Emitter<D>) {}
}

/// The time of the original, and the last of it and its repeats.
#[derive(Clone, Serialize, Deserialize)]
pub struct Latest<D> {
    start: EventTime,
    last: Event<D>,
}

impl<D: Data> Keep<D> for LastWithin {
    type Kept = Latest<D>;
    const COMES_OUT: bool = true;
    const WHICH: &str = "last";

    fn horizon(&self) -> Duration {
        self.horizon
    }
    fn start(kept: &Latest<D>) -> EventTime {
        kept.start
    }
    fn original(event: Event<D>, _: &mut Emitter<D>) -> Latest<D> {
        Latest { start: event.time, last: event }
    }
    fn repeat(kept: &mut Latest<D>, event: Event<D>) {
        kept.last = event;
    }
    fn over(kept: Latest<D>, out: &mut Emitter<D>) {
        out.give(kept.last.time, kept.last.data);
    }
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> Deduplicate<'s, K, D> for KeyedStream<'s, D, L, F> {
    #[track_caller]
    fn deduplicate<P: Keep<D>>(self, name: &str, keep: P) -> Stream<'s, D, D>
    where
        D: Ord,
    {
        let KeyedStream { stream, key, lateness, as_arrives } = self;
        assert!(!as_arrives, "deduplicate goes by event time: what repeats what cannot be said as records arrive");
        let horizon = keep.horizon();
        let mut detail = format!("{} within {horizon}", P::WHICH);
        if lateness.is_positive() {
            detail += &format!(", lateness {lateness}");
        }
        let repeats = stream.flow().counter(name, "repeats");
        let (by_key, group) = (key.clone(), key.clone());
        let step: Deduplicating<K, D, F, P> = Deduplicating {
            horizon,
            key,
            lateness,
            repeats,
            waiting: Queue::new(move |data| group.group(data)),
            originals: Table::new(),
            starts: BinaryHeap::new(),
        };
        let spec = NodeSpec::stateful("deduplicate", name).detail(detail).passes_rows();
        stream.step(spec, move |data| by_key.group(data), step)
    }
}

struct Deduplicating<K, D, F, P: Keep<D>> {
    horizon: Duration,
    key: F,
    lateness: Duration,
    repeats: Counter,
    /// Events that the watermark has not passed.
    waiting: Queue<D>,
    /// The latest original of each key.
    originals: Table<K, P::Kept>,
    /// The times of the originals, earliest first. One that a later original of its key has replaced stays here until
    /// the watermark has passed its horizon, which is before [`Step::advance`] returns.
    starts: BinaryHeap<Reverse<(EventTime, K)>>,
}

impl<K: Key, D: Data + Ord, F: KeyFn<D, Key = K>, P: Keep<D>> Deduplicating<K, D, F, P> {
    /// Takes the next event in the order of event time.
    fn take(&mut self, event: Event<D>, out: &mut Emitter<D>) {
        let (time, horizon) = (event.time, self.horizon);
        let repeats = |kept: &P::Kept| time.is_within(horizon, P::start(kept));
        if self.key.with(&event.data, |key| self.originals.get(key).is_some_and(repeats)) {
            self.repeats.add(1);
            if P::COMES_OUT {
                let kept = self.key.with(&event.data, |key| self.originals.change_if_there(key));
                P::repeat(kept.expect("it was just seen"), event);
            }
            return;
        }
        let key = self.key.key(&event.data);
        let original = P::original(event, out);
        match self.originals.change_if_there(&key) {
            Some(kept) => P::over(std::mem::replace(kept, original), out),
            None => drop(self.originals.change_ref(&key, || original)),
        }
        self.starts.push(Reverse((time, key)));
    }
}

impl<K: Key, D: Data + Ord, F: KeyFn<D, Key = K>, P: Keep<D>> Step for Deduplicating<K, D, F, P> {
    type In = D;
    type Out = D;
    type Late = D;

    fn apply(&mut self, mut batch: Batch<D>, watermark: EventTime, out: &mut Outputs<D, D>) {
        batch.drain_judged(watermark, |event, watermark| {
            if event.time + self.lateness < watermark {
                out.late.give_behind(event.time, event.data, watermark);
            } else {
                self.waiting.push(event);
            }
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<D, D>) {
        let at_end = watermark == EventTime::MAX;
        let limit = watermark - self.lateness;
        while self.waiting.next_time().is_some_and(|time| at_end || time < limit) {
            let event = self.waiting.pop().expect("it was just seen");
            self.take(event, &mut out.emit);
        }
        // All repeats are below the limit, and so have been taken.
        let over = |start: EventTime| at_end || start + self.horizon <= limit;
        while self.starts.peek().is_some_and(|Reverse((start, _))| over(*start)) {
            let Reverse((start, key)) = self.starts.pop().expect("it was just seen");
            if self.originals.get(&key).is_some_and(|kept| P::start(kept) == start) {
                let kept = self.originals.remove(&key).expect("it was just seen");
                P::over(kept, &mut out.emit);
            }
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("originals", &mut self.originals), ("waiting", &mut self.waiting)]
    }

    fn loaded(&mut self) {
        self.starts = self.originals.iter().map(|(key, kept)| Reverse((P::start(kept), key.clone()))).collect();
    }

    fn holds(&self) -> Option<EventTime> {
        // The last repeat is no earlier than its original, which is close enough: the earliest original nearly always
        // has no repeats.
        let kept = self.starts.peek().filter(|_| P::COMES_OUT).map(|Reverse((start, _))| *start);
        self.waiting.next_time().into_iter().chain(kept).min()
    }

    fn lag(&self) -> Duration {
        self.lateness
    }
}
