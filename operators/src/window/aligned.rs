//! What all windows aligned the same way for every key have in common: records into panes, panes over the workers.
//!
//! With several workers, each aggregates what it reads before the exchange: one message per key, pane and epoch instead
//! of one per record. What waits there is handed on before its epoch closes, so that none of it outlives its epoch.

use dualgauge_engine::flow::{Emitter, NodeSpec, Outputs, Step};
use dualgauge_engine::state::{Parts, Place};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, KeyGroup, Stream};

use super::fire::Firing;
use super::kind::Window;
use super::panes::Panes;
use super::windowed::{Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_fn::KeyFn;

/// Where a kind of window puts a record: in which pane, if it is not late.
pub(crate) trait Assign: Clone + 'static {
    /// A pane's place. Places are ordered by [`Assign::first_end`].
    type Place: Place + Data;

    /// The pane of a record at `time` that is judged against `watermark`; `None` when it is late for all its windows, or has
    /// none.
    fn place(&self, time: EventTime, watermark: EventTime) -> Option<Self::Place>;

    /// Whether no window holds `time`.
    fn is_between(&self, _time: EventTime) -> bool {
        false
    }

    /// The event times that share a place when judged against one watermark.
    fn span(&self, time: EventTime) -> Window;

    /// The end of the first window that the pane counts for.
    fn first_end(&self, place: Self::Place) -> EventTime;
}

/// When and how the windows over some panes fire.
pub(super) trait Fire<P: Place, K: Key, Acc, O>: 'static {
    /// Emits what is due now that the watermark has moved from `before` to `now`, and drops what can change no more.
    fn fire(&mut self, panes: &mut Panes<P, K, Acc>, before: EventTime, now: EventTime, out: &mut Emitter<Pane<K, O>>);

    /// The least event time of a result that is still to come from these panes.
    fn holds(&self, panes: &Panes<P, K, Acc>) -> Option<EventTime>;

    /// What a checkpoint stores beside the panes.
    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    /// Called when the panes and all else have been loaded, to rebuild what follows from them.
    fn loaded(&mut self, _panes: &mut Panes<P, K, Acc>) {}
}

/// Adds the step: `assign` says where records go, `fire` what becomes of the panes.
#[track_caller]
pub(super) fn aligned<'s, K: Key, D: Data, L: 'static, F, W, A, S, G>(
    windowed: Windowed<'s, K, D, L, F, W>,
    spec: NodeSpec,
    firing: &Firing,
    aggregate: A,
    assign: S, // where a record goes
    fire: G,   // what becomes of the panes
) -> Stream<'s, Pane<K, A::Out>, D>
where
    F: KeyFn<D, Key = K>,
    A: Aggregate<D>,
    S: Assign,
    G: Fire<S::Place, K, A::Acc, A::Out> + Clone,
{
    let stream = windowed.keyed.stream;
    let (corrects, lag) = (firing.corrects(), firing.lateness);
    let gather = Gather { assign, key: windowed.keyed.key, aggregate };
    let owned = || Owned { panes: Panes::new(corrects), fire: fire.clone(), watermark: EventTime::MIN, lag };
    let alone = Alone { gather: gather.clone(), owned: owned() };
    let merge = Merge { aggregate: gather.aggregate.clone(), owned: owned(), types: std::marker::PhantomData::<D> };
    let combine = Combine { panes: Panes::new(false), gather, early: firing.early, watermark: EventTime::MIN };
    let group = |part: &Part<S::Place, K, A::Acc>| KeyGroup::of(&part.1);
    let results = stream.combined_step(spec, alone, combine, group, merge);
    if corrects { results.into_upserts() } else { results }
}

/// What one worker knows of one key in one pane: the pane's place, the key, the accumulator.
type Part<P, K, A> = (P, K, A);

/// From records to accumulators.
#[derive(Clone)]
struct Gather<F, S, A> {
    assign: S,
    key: F,
    aggregate: A,
}

impl<F, S: Assign, A> Gather<F, S, A> {
    fn take<K: Key, D: Data, O>(
        &self,
        panes: &mut Panes<S::Place, K, A::Acc>,
        mut batch: Batch<D>,
        watermark: EventTime,
        out: &mut Outputs<O, D>,
    ) where
        F: KeyFn<D, Key = K>,
        A: Aggregate<D>,
    {
        if !batch.all_on_time() {
            return batch.drain_judged(watermark, |event, watermark| match self.assign.place(event.time, watermark) {
                Some(place) => self.add(panes, place, std::slice::from_ref(&event)),
                None if self.assign.is_between(event.time) => out.in_no_window += 1,
                None => out.late.give_behind(event.time, event.data, watermark),
            });
        }
        // Neighbours mostly share a pane, so it is found once per run and not once per record.
        let mut rest = batch.events.as_slice();
        while let Some(first) = rest.first() {
            let Window { start, end } = self.assign.span(first.time);
            let inside = |event: &Event<D>| start <= event.time && event.time < end;
            let length = rest.iter().position(|event| !inside(event)).unwrap_or(rest.len());
            let (run, others) = rest.split_at(length.max(1)); // the end of time is in no half-open span
            rest = others;
            match self.assign.place(first.time, watermark) {
                Some(place) => self.add(panes, place, run),
                None if self.assign.is_between(first.time) => out.in_no_window += run.len() as u64,
                None => run.iter().for_each(|event| out.late.give_behind(event.time, event.data.clone(), watermark)),
            }
        }
    }

    #[inline]
    fn add<K: Key, D: Data>(&self, panes: &mut Panes<S::Place, K, A::Acc>, place: S::Place, run: &[Event<D>])
    where
        F: KeyFn<D, Key = K>,
        A: Aggregate<D>,
    {
        let mut pane = panes.pane(place);
        for event in run {
            let acc = self.key.with(&event.data, |key| pane.change(key, || self.aggregate.start()));
            self.aggregate.add(acc, event.time, &event.data);
        }
    }
}

/// The panes of the keys that a worker owns, and how they fire.
struct Owned<P, K, Acc, G> {
    panes: Panes<P, K, Acc>,
    fire: G,
    /// The last watermark that was acted on. It affects early firings at most, so no checkpoint stores it.
    watermark: EventTime,
    lag: Duration,
}

impl<P: Place, K: Key, Acc: Data, G> Owned<P, K, Acc, G> {
    fn advance<O>(&mut self, watermark: EventTime, out: &mut Emitter<Pane<K, O>>)
    where
        G: Fire<P, K, Acc, O>,
    {
        self.fire.fire(&mut self.panes, self.watermark, watermark, out);
        self.watermark = watermark;
    }

    fn kept<O>(&mut self) -> Parts<'_>
    where
        G: Fire<P, K, Acc, O>,
    {
        let mut parts = self.panes.kept();
        parts.extend(self.fire.kept());
        parts
    }

    fn loaded<O>(&mut self)
    where
        G: Fire<P, K, Acc, O>,
    {
        self.panes.loaded();
        self.fire.loaded(&mut self.panes);
    }
}

/// The whole step on one worker: records in, results out.
struct Alone<K, D, F, S: Assign, A: Aggregate<D>, G> {
    gather: Gather<F, S, A>,
    owned: Owned<S::Place, K, A::Acc, G>,
}

impl<K: Key, D: Data, F, S: Assign, A: Aggregate<D>, G> Step for Alone<K, D, F, S, A, G>
where
    F: KeyFn<D, Key = K>,
    G: Fire<S::Place, K, A::Acc, A::Out>,
{
    type In = D;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.gather.take(&mut self.owned.panes, batch, watermark, out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.owned.advance(watermark, &mut out.emit);
    }

    fn kept(&mut self) -> Parts<'_> {
        self.owned.kept()
    }

    fn loaded(&mut self) {
        self.owned.loaded();
    }

    fn holds(&self) -> Option<EventTime> {
        self.owned.fire.holds(&self.owned.panes)
    }

    fn lag(&self) -> Duration {
        self.owned.lag
    }
}

/// The half before the exchange: records in, a worker's part of each pane out.
///
/// It passes the watermark on unchanged: the half after the exchange fires by it, and waits out the allowed lateness. A
/// part for a window that has already fired leaves under the watermark its records came under, which keeps the window
/// open.
struct Combine<K, D, F, S: Assign, A: Aggregate<D>> {
    panes: Panes<S::Place, K, A::Acc>,
    gather: Gather<F, S, A>,
    early: Option<Duration>,
    /// The last watermark that was acted on.
    watermark: EventTime,
}

impl<K: Key, D: Data, F: KeyFn<D, Key = K>, S: Assign, A: Aggregate<D>> Combine<K, D, F, S, A> {
    /// Hands on the panes that count for a window ending by `end`.
    fn hand_on(&mut self, end: EventTime, out: &mut Outputs<Part<S::Place, K, A::Acc>, D>) {
        while let Some(place) = self.panes.first().filter(|place| self.gather.assign.first_end(*place) <= end) {
            let time = (self.gather.assign.first_end(place) - Duration::from_micros(1)).max(self.watermark);
            self.panes.drain_first(|key, acc| out.emit.give(time, (place, key, acc)));
        }
    }
}

impl<K: Key, D: Data, F: KeyFn<D, Key = K>, S: Assign, A: Aggregate<D>> Step for Combine<K, D, F, S, A> {
    type In = D;
    type Out = Part<S::Place, K, A::Acc>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.gather.take(&mut self.panes, batch, watermark, out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        let step = |time: EventTime| self.early.map(|every| time.floor_to(every, Duration::ZERO));
        let fires_early = step(self.watermark) < step(watermark);
        self.hand_on(if fires_early { EventTime::MAX } else { watermark }, out);
        self.watermark = watermark;
    }

    /// Nothing: what waits here is handed on before its epoch closes.
    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    fn holds(&self) -> Option<EventTime> {
        self.panes.first().map(|place| self.gather.assign.first_end(place) - Duration::from_micros(1))
    }

    fn close_epoch(&mut self, out: &mut Outputs<Self::Out, D>) {
        self.hand_on(EventTime::MAX, out);
    }
}

/// The half after the exchange: parts in, results out. Nothing is late here; that was decided before the exchange.
struct Merge<P, K, D, A: Aggregate<D>, G> {
    aggregate: A,
    owned: Owned<P, K, A::Acc, G>,
    types: std::marker::PhantomData<D>,
}

impl<P: Place + Data, K: Key, D: Data, A: Aggregate<D>, G> Step for Merge<P, K, D, A, G>
where
    G: Fire<P, K, A::Acc, A::Out>,
{
    type In = Part<P, K, A::Acc>;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, batch: Batch<Self::In>, _: EventTime, _: &mut Outputs<Self::Out, D>) {
        for event in batch.events {
            let (place, key, part) = event.data;
            let mut pane = self.owned.panes.pane(place);
            self.aggregate.merge(pane.change(&key, || self.aggregate.start()), &part);
        }
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.owned.advance(watermark, &mut out.emit);
    }

    fn kept(&mut self) -> Parts<'_> {
        self.owned.kept()
    }

    fn loaded(&mut self) {
        self.owned.loaded();
    }

    fn holds(&self) -> Option<EventTime> {
        self.owned.fire.holds(&self.owned.panes)
    }

    fn lag(&self) -> Duration {
        self.owned.lag
    }
}
