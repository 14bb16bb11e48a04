//! The step of a broadcast stream.
//!
//! Nothing is decided when a record arrives. What both sides have below the watermark is complete, and is processed in
//! event-time order, changes before events of the same time.

use std::marker::PhantomData;

use dualgauge_engine::checkpoint::GroupRange;
use dualgauge_engine::flow::{Emitter, Outputs};
use dualgauge_engine::state::Parts;
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, KeyGroup, TwoInputStep};

use super::held::Held;
use super::replica::Replica;
use crate::Either;
use crate::join::admit::admit;

pub(super) struct BroadcastStep<D, R, S, O, A, E> {
    apply: A,
    /// Emits what is made of an event and the state of its time.
    each: E,
    results: PhantomData<fn() -> O>,
    lateness: Duration,
    pub(super) events: Held<D>,
    pub(super) replica: Replica<S, R>,
    /// Whether this worker is the one that reports a late change: all of them see it.
    tells: bool,
}

impl<D, R, S, O, A, E> BroadcastStep<D, R, S, O, A, E>
where
    D: Data,
    R: Data + Ord,
    S: Data + Default,
    A: Fn(&mut S, R) + 'static,
    O: Data,
    E: Fn(Event<D>, &S, &mut Emitter<O>) + 'static,
{
    /// The step of the worker that owns `groups`.
    pub(super) fn new(apply: A, each: E, lateness: Duration, groups: GroupRange) -> Self {
        let (events, replica) = (Held::new(groups), Replica::new(KeyGroup(groups.first)));
        BroadcastStep { apply, each, results: PhantomData, lateness, events, replica, tells: groups.first == 0 }
    }
}

impl<D, R, S, O, A, E> TwoInputStep for BroadcastStep<D, R, S, O, A, E>
where
    D: Data,
    R: Data + Ord,
    S: Data + Default,
    A: Fn(&mut S, R) + 'static,
    O: Data,
    E: Fn(Event<D>, &S, &mut Emitter<O>) + 'static,
{
    type Left = D;
    type Right = R;
    type Out = O;
    type Late = Either<D, R>;

    fn apply_left(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<O, Either<D, R>>) {
        let late = |event: Event<D>, judged| {
            out.late.give_behind(event.time, Either::Left(event.data), judged);
        };
        self.events.waiting.add(admit(batch, self.lateness, watermark, |_| false, |_| {}, late));
    }

    fn apply_right(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<O, Either<D, R>>) {
        let late = |event: Event<R>, judged| {
            if self.tells {
                out.late.give_behind(event.time, Either::Right(event.data), judged);
            }
        };
        let changes = admit(batch, self.lateness, watermark, |_| false, |_| {}, late);
        changes.into_iter().for_each(|change| self.replica.add(change));
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<O, Either<D, R>>) {
        // At the end of input there is no limit: everything has been passed, even what lies at the end of time.
        let limit = (watermark < EventTime::MAX).then(|| watermark - self.lateness);
        let passed = |time: EventTime| limit.is_none_or(|limit| time < limit);
        let BroadcastStep { apply, each, events, replica, .. } = self;
        loop {
            let next_event = events.waiting.first();
            replica.make(|time| passed(time) && next_event.is_none_or(|event| time <= event), &*apply);
            if !next_event.is_some_and(passed) {
                return;
            }
            let (next_change, state) = (replica.next_change(), replica.state());
            events.waiting.take(
                |time| passed(time) && next_change.is_none_or(|change| time < change),
                |event| each(event, state, &mut out.emit),
            );
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.events.waiting.first() // a change alone gives no result
    }

    fn lag(&self) -> Duration {
        self.lateness
    }

    fn kept(&mut self) -> Parts<'_> {
        let mut parts = self.replica.kept();
        parts.push(("events", &mut self.events));
        parts
    }

    fn loaded(&mut self) {
        self.events.waiting.loaded();
        self.replica.loaded();
    }
}
