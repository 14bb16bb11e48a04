//! Broadcast streams: each event with the state that a small stream of changes makes, as of the event's own time.
//!
//! in: `D` and changes `R`; out: the items of what a function makes of each event and the state after all changes with
//! `change.time <= event.time`, at the event's time. Every worker remembers the state, and events and changes until the
//! watermark passes them. A record of either side is late when its time, plus the allowed lateness, is below the
//! watermark it came under.

mod held;
mod replica;
mod step;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use dualgauge_engine::flow::{Emitter, NodeSpec};
use dualgauge_engine::{Data, Duration, Event, IntoDuration, Stream};

use crate::split::Either;
use step::BroadcastStep;

/// Adds [`Broadcast::broadcast`] and [`Broadcast::with_broadcast`] to streams.
pub trait Broadcast<'s, D: Data, L> {
    /// in: changes `D`; out, for [`with_broadcast`](Broadcast::with_broadcast): the state that they make on every worker.
    ///
    /// `apply` makes each change to the state, which starts as its default. Changes are applied in event-time order,
    /// ties broken by comparing the records, so the state at a time is the same whenever and wherever they arrive. A
    /// state of several entries is a map, and `apply` inserts and removes.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use dualgauge_engine::testing::{check_two, Item};
    /// use dualgauge_operators::join::Broadcast;
    ///
    /// // Which keys are watched: a change says from when on, or that one no longer is.
    /// check_two(
    ///     "a:1@4 a:2@5 b:3@6 a:4@8",
    ///     "a:1@5 a:0@7 b:1@7",
    ///     |items, watched| {
    ///         let watched = watched.broadcast(|watched: &mut BTreeMap<String, i64>, change: Item| {
    ///             match change.value {
    ///                 0 => watched.remove(&change.key),
    ///                 level => watched.insert(change.key, level),
    ///             };
    ///         });
    ///         items.with_broadcast("watched", watched, |item, watched| {
    ///             watched.contains_key(&item.key).then(|| format!("{} of {:?}", item.value, watched))
    ///         })
    ///     },
    ///     r#"5 2 of {"a": 1}"#,
    /// );
    /// ```
    fn broadcast<S, A>(self, apply: A) -> BroadcastStream<'s, D, L, S, A>
    where
        S: Data + Default,
        A: Fn(&mut S, D) + 'static;

    /// in: `D` and a [broadcast stream](Broadcast::broadcast) of changes `R`; out: the items of `each(event, &state)`, at
    /// the event's time.
    ///
    /// Each event meets the state as of its own time: after all changes with `change.time <= event.time`, whenever
    /// either arrives. Before the first change the state is its default. No event moves to another worker, since every
    /// worker has the whole state: key the results if a later step needs it.
    ///
    /// Every worker remembers the state, so it should be small, and the changes until the watermark has passed them; an
    /// event is remembered by the worker that has it, until the watermark of both sides has passed it. Records that
    /// come later than the watermark leave by `late()` as [`Either`] and are counted, a change once and not once per
    /// worker; see [`BroadcastStream::allowed_lateness`].
    ///
    /// ```
    /// use dualgauge_engine::testing::{check_two, Item};
    /// use dualgauge_operators::join::Broadcast;
    ///
    /// // What is above the limit of its time, which is 0 until one is set.
    /// check_two(
    ///     "a:3@4 b:12@5 c:12@9",
    ///     "all:10@5 all:20@8",
    ///     |items, limits| {
    ///         let limit = limits.broadcast(|limit: &mut i64, change: Item| *limit = change.value);
    ///         items.with_broadcast("above", limit, |item, limit| {
    ///             (item.value > *limit).then(|| format!("{} {} > {limit}", item.key, item.value))
    ///         })
    ///     },
    ///     "4 a 3 > 0
    ///      5 b 12 > 10",
    /// );
    /// ```
    #[doc(alias = "connect")]
    #[doc(alias = "broadcast_state")]
    #[track_caller]
    fn with_broadcast<R, M, S, A, I>(
        self,
        name: &str,
        changes: BroadcastStream<'s, R, M, S, A>,
        each: impl Fn(D, &S) -> I + 'static,
    ) -> Stream<'s, I::Item, Either<D, R>>
    where
        R: Data + Ord,
        M: 'static,
        S: Data + Default,
        A: Fn(&mut S, R) + 'static,
        I: IntoIterator<Item: Data>;
}

/// A stream of changes, and how they make a state: [`with_broadcast`](Broadcast::with_broadcast) takes it.
///
/// Nothing moves yet: the next step gives each worker a copy of every change.
pub struct BroadcastStream<'s, R: Data, M, S, A> {
    changes: Stream<'s, R, M>,
    apply: A,
    lateness: Duration,
    state: PhantomData<fn(&mut S)>,
}

impl<R: Data, M, S, A> BroadcastStream<'_, R, M, S, A> {
    /// Lets the step wait for records this late, changes and events alike. Zero by default.
    ///
    /// ```
    /// use dualgauge_engine::testing::{check_two, Item};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::Broadcast;
    ///
    /// // The change to 9 is three seconds behind the one before it, and that to 5 four.
    /// check_two(
    ///     "a:1@6 a:2@8 a:3@11",
    ///     "all:7@10 all:9@7 all:5@6",
    ///     |items, rates| {
    ///         let rate = rates.broadcast(|rate: &mut i64, change: Item| *rate = change.value);
    ///         items.with_broadcast("rated", rate.allowed_lateness(3.seconds()), |item, rate| [format!("{} {rate}", item.value)])
    ///     },
    ///     "6 1 0
    ///      8 2 9
    ///      11 3 7",
    /// );
    /// ```
    ///
    /// # Panics
    /// When negative.
    pub fn allowed_lateness(mut self, lateness: impl IntoDuration) -> Self {
        let lateness = lateness.into_duration();

        assert!(lateness >= Duration::ZERO, "allowed lateness is not negative: {lateness}");
        self.lateness = lateness;
        self
    }
}

impl<'s, D: Data, L: 'static> Broadcast<'s, D, L> for Stream<'s, D, L> {
    fn broadcast<S, A>(self, apply: A) -> BroadcastStream<'s, D, L, S, A>
    where
        S: Data + Default,
        A: Fn(&mut S, D) + 'static,
    {
        BroadcastStream { changes: self, apply, lateness: Duration::ZERO, state: PhantomData }
    }

    #[track_caller]
    fn with_broadcast<R, M, S, A, I>(
        self,
        name: &str,
        changes: BroadcastStream<'s, R, M, S, A>,
        each: impl Fn(D, &S) -> I + 'static,
    ) -> Stream<'s, I::Item, Either<D, R>>
    where
        R: Data + Ord,
        M: 'static,
        S: Data + Default,
        A: Fn(&mut S, R) + 'static,
        I: IntoIterator<Item: Data>,
    {
        let BroadcastStream { changes, apply, lateness, .. } = changes;
        let mut spec = NodeSpec::stateful("with_broadcast", name);
        if lateness.is_positive() {
            spec = spec.detail(format!("lateness {lateness}"));
        }
        let each = move |event: Event<D>, state: &S, out: &mut Emitter<I::Item>| {
            each(event.data, state).into_iter().for_each(|result| out.give(event.time, result));
        };
        let step = BroadcastStep::new(apply, each, lateness, self.flow().key_groups());
        self.step_with_broadcast(changes, spec, step)
    }
}
