//! Tumbling windows, and the whole of time as the one window that never ends.
//!
//! in: `D`; out: [`Pane`] of key, window and aggregate, when the watermark passes the window's end. It remembers an
//! accumulator per key and open window, until the watermark passes the end by the allowed lateness. A record is late when
//! its window was closed to it by the watermark it came under; it leaves by `late()` and is counted.
//!
//! With several workers each aggregates what it reads before it deals it out, one message per key, window and epoch
//! instead of one per record. What waits there is handed on before its epoch closes, so that nothing of it outlives one.

use dualgauge_engine::flow::{NodeSpec, Outputs, Step};
use dualgauge_engine::job::Counter;
use dualgauge_engine::{Batch, Data, Duration, EventTime, Key, KeyGroup, Stream};

use super::fire::Firing;
use super::kind::{Tumbling, Whole, Window};
use super::panes::Panes;
use super::windowed::{Pane, Windowed};
use crate::aggregate::Aggregate;

/// A kind of windows of which each event belongs to exactly one, whatever its key.
trait Aligned: Clone + std::fmt::Display + 'static {
    fn window_of(&self, time: EventTime) -> Window;
}

impl Aligned for Tumbling {
    #[inline]
    fn window_of(&self, time: EventTime) -> Window {
        Tumbling::window_of(self, time)
    }
}

impl Aligned for Whole {
    #[inline]
    fn window_of(&self, _: EventTime) -> Window {
        Window { start: EventTime::MIN, end: EventTime::MAX }
    }
}

impl<'s, K: Key, D: Data, L: 'static, F: Fn(&D) -> K + Clone + 'static> Windowed<'s, K, D, L, F, Tumbling> {
    /// Aggregates each key in each window, under the step's durable name. See the [module](self) for what it remembers.
    #[track_caller]
    pub fn aggregate<A: Aggregate<D>>(self, name: &str, aggregate: A) -> Stream<'s, Pane<K, A::Out>, D> {
        aligned(self, name, aggregate)
    }
}

impl<'s, K: Key, D: Data, L: 'static, F: Fn(&D) -> K + Clone + 'static> Windowed<'s, K, D, L, F, Whole> {
    /// Aggregates each key over all of time, under the step's durable name; fires when the input ends.
    #[track_caller]
    pub fn aggregate<A: Aggregate<D>>(self, name: &str, aggregate: A) -> Stream<'s, Pane<K, A::Out>, D> {
        aligned(self, name, aggregate)
    }
}

#[track_caller]
fn aligned<'s, K: Key, D: Data, L: 'static, F, W, A>(
    windowed: Windowed<'s, K, D, L, F, W>,
    name: &str,
    aggregate: A,
) -> Stream<'s, Pane<K, A::Out>, D>
where
    F: Fn(&D) -> K + Clone + 'static,
    W: Aligned,
    A: Aggregate<D>,
{
    let spec = NodeSpec::stateful("aggregate", name).detail(windowed.detail());
    let firing = Firing::new(name, windowed.lateness, windowed.early);
    let stream = windowed.keyed.stream;
    let late = stream.flow().counter(name, "late");
    let gather = Gather { window: windowed.window, key: windowed.keyed.key, aggregate, late, firing: firing.clone() };
    let alone = Alone { panes: Panes::new(firing.corrects()), gather: gather.clone(), watermark: EventTime::MIN };
    let merge = Merge { panes: Panes::new(firing.corrects()), gather: gather.clone(), watermark: EventTime::MIN };
    let combine = Combine { panes: Panes::new(false), gather };
    let corrects = firing.corrects();
    let panes = stream.combined_step(spec, alone, combine, |part: &Part<K, A::Acc>| KeyGroup::of(&part.1), merge);
    if corrects { panes.into_upserts() } else { panes }
}

/// What one worker knows of one key in one window: the window's start, the key, the accumulator.
type Part<K, A> = (EventTime, K, A);

/// From records to accumulators: judges each record and adds it to the pane of its window.
#[derive(Clone)]
struct Gather<F, W, A> {
    window: W,
    key: F,
    aggregate: A,
    late: Counter,
    firing: Firing,
}

impl<F, W: Aligned, A> Gather<F, W, A> {
    fn take<K: Key, D: Data, O>(
        &self,
        panes: &mut Panes<K, A::Acc>,
        mut batch: Batch<D>,
        watermark: EventTime,
        out: &mut Outputs<O, D>,
    ) where
        F: Fn(&D) -> K,
        A: Aggregate<D>,
    {
        if !batch.all_on_time() {
            return batch.drain_judged(watermark, |event, watermark| {
                let window = self.window.window_of(event.time);
                if self.firing.is_late(window, watermark) {
                    self.late.add(1);
                    return out.late.give_behind(event.time, event.data, watermark);
                }
                let (pane, track) = panes.pane(window.start);
                let acc = pane.change((self.key)(&event.data), track, || self.aggregate.start());
                self.aggregate.add(acc, event.time, &event.data);
            });
        }
        // Neighbours mostly fall into the same window, so the pane is found once a run and not once a record.
        let mut rest = batch.events.as_slice();
        while let Some(first) = rest.first() {
            let window = self.window.window_of(first.time);
            let inside = |time: EventTime| window.start <= time && time < window.end;
            let run = rest.iter().position(|event| !inside(event.time)).unwrap_or(rest.len());
            let (run, others) = rest.split_at(run.max(1));
            rest = others;
            if self.firing.is_late(window, watermark) {
                self.late.add(run.len() as u64);
                run.iter().for_each(|event| out.late.give_behind(event.time, event.data.clone(), watermark));
                continue;
            }
            let (pane, track) = panes.pane(window.start);
            for event in run {
                let acc = pane.change((self.key)(&event.data), track, || self.aggregate.start());
                self.aggregate.add(acc, event.time, &event.data);
            }
        }
    }

    /// Fires what the move of the watermark from `before` to `now` makes due.
    fn fire<K: Key, D: Data>(
        &self,
        panes: &mut Panes<K, A::Acc>,
        before: EventTime,
        now: EventTime,
        out: &mut Outputs<Pane<K, A::Out>, D>,
    ) where
        A: Aggregate<D>,
    {
        if self.firing.corrects() {
            for (start, pane) in panes.iter_mut() {
                let window = self.window.window_of(start);
                if pane.has_changed() && self.firing.is_due(window, before, now) {
                    pane.firings += 1;
                    let firing = pane.firings;
                    pane.drain_changed(|key, acc| {
                        self.firing.emit(&mut out.emit, key.clone(), window, self.aggregate.finish(acc), firing);
                    });
                }
            }
        }
        while let Some((start, _)) = panes.first() {
            let window = self.window.window_of(start);
            if !self.firing.is_closed(window, now) {
                break;
            }
            panes.drain_first(|key, acc| {
                if !self.firing.corrects() {
                    self.firing.emit(&mut out.emit, key, window, self.aggregate.finish(&acc), 1);
                }
            });
        }
    }

    fn holds<K: Key, Acc>(&self, panes: &Panes<K, Acc>) -> Option<EventTime> {
        panes.first().map(|(start, _)| self.window.window_of(start).last_instant())
    }
}

/// The whole step on one worker: records in, results out.
struct Alone<K, D, F, W, A: Aggregate<D>> {
    panes: Panes<K, A::Acc>,
    gather: Gather<F, W, A>,
    watermark: EventTime,
}

impl<K: Key, D: Data, F: Fn(&D) -> K + 'static, W: Aligned, A: Aggregate<D>> Step for Alone<K, D, F, W, A> {
    type In = D;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.gather.take(&mut self.panes, batch, watermark, out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.gather.fire(&mut self.panes, self.watermark, watermark, out);
        self.watermark = watermark;
    }

    fn holds(&self) -> Option<EventTime> {
        self.gather.holds(&self.panes)
    }

    fn lag(&self) -> Duration {
        self.gather.firing.lateness
    }
}

/// The half before the deal: records in, a worker's part of each pane out.
struct Combine<K, D, F, W, A: Aggregate<D>> {
    panes: Panes<K, A::Acc>,
    gather: Gather<F, W, A>,
}

impl<K: Key, D: Data, F: Fn(&D) -> K + 'static, W: Aligned, A: Aggregate<D>> Combine<K, D, F, W, A> {
    fn hand_on_first(&mut self, window: Window, out: &mut Outputs<Part<K, A::Acc>, D>) {
        self.panes.drain_first(|key, acc| out.emit.give(window.last_instant(), (window.start, key, acc)));
    }
}

impl<K: Key, D: Data, F: Fn(&D) -> K + 'static, W: Aligned, A: Aggregate<D>> Step for Combine<K, D, F, W, A> {
    type In = D;
    type Out = Part<K, A::Acc>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.gather.take(&mut self.panes, batch, watermark, out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        while let Some((start, _)) = self.panes.first() {
            let window = self.gather.window.window_of(start);
            if window.end > watermark {
                break;
            }
            self.hand_on_first(window, out);
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.gather.holds(&self.panes)
    }

    fn lag(&self) -> Duration {
        self.gather.firing.lateness
    }

    fn close_epoch(&mut self, out: &mut Outputs<Self::Out, D>) {
        while let Some((start, _)) = self.panes.first() {
            let window = self.gather.window.window_of(start);
            self.hand_on_first(window, out);
        }
    }
}

/// The half after the deal: parts in, results out. Nothing is late here; that was decided before the deal.
struct Merge<K, D, F, W, A: Aggregate<D>> {
    panes: Panes<K, A::Acc>,
    gather: Gather<F, W, A>,
    watermark: EventTime,
}

impl<K: Key, D: Data, F: Fn(&D) -> K + 'static, W: Aligned, A: Aggregate<D>> Step for Merge<K, D, F, W, A> {
    type In = Part<K, A::Acc>;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, batch: Batch<Self::In>, _: EventTime, _: &mut Outputs<Self::Out, D>) {
        let aggregate = &self.gather.aggregate;
        for event in batch.events {
            let (start, key, part) = event.data;
            let (pane, track) = self.panes.pane(start);
            aggregate.merge(pane.change(key, track, || aggregate.start()), &part);
        }
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.gather.fire(&mut self.panes, self.watermark, watermark, out);
        self.watermark = watermark;
    }

    fn holds(&self) -> Option<EventTime> {
        self.gather.holds(&self.panes)
    }

    fn lag(&self) -> Duration {
        self.gather.firing.lateness
    }
}
