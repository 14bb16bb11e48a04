//! Where the records of cumulating windows go, and how those windows fire.
//!
//! A window is known by its end: it begins where the size that it is a part of begins. A pane holds what counts from
//! its window on, and when that window has closed, the pane becomes a part of the next. So a record that is late for
//! the first windows it belongs to needs no special case, and what a checkpoint stores says by itself what has fired.

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::state::{Parts, Tables};
use dualgauge_engine::{Data, Duration, EventTime, Key};

use super::aligned::{Assign, Fire};
use super::cumulate::Cumulate;
use super::fire::Firing;
use super::kind::Window;
use super::panes::Panes;
use super::windowed::Pane;
use crate::aggregate::Aggregate;

/// The windows that event time is cut into.
#[derive(Clone)]
pub(super) struct Growing {
    pub(super) window: Cumulate,
    pub(super) firing: Firing,
}

impl Growing {
    /// The span of the whole size that `time` is in.
    fn whole(&self, time: EventTime) -> Window {
        let (start, end) = time.cell(self.window.size, self.window.offset);
        Window { start, end }
    }

    /// The window that ends at `end`.
    fn ending(&self, end: EventTime) -> Window {
        Window { start: self.whole(end - Duration::from_micros(1)).start, end }
    }

    /// The end of the next window that has all of the one that ends at `end`.
    fn end_after(&self, end: EventTime) -> Option<EventTime> {
        let last = self.whole(end - Duration::from_micros(1)).end;
        (end < last).then(|| end + self.window.step)
    }
}

impl Assign for Growing {
    /// The end of the first window that the records count for.
    type Place = EventTime;

    #[inline]
    fn place(&self, time: EventTime, watermark: EventTime) -> Option<EventTime> {
        let Cumulate { step, offset, .. } = self.window;
        let (_, first_end) = time.cell(step, offset);
        let (_, first_open) = (watermark - self.firing.lateness).cell(step, offset);
        if first_open <= first_end {
            return Some(first_end);
        }
        (first_open <= self.whole(time).end).then_some(first_open)
    }

    #[inline]
    fn span(&self, time: EventTime) -> Window {
        let (start, end) = time.cell(self.window.step, self.window.offset);
        Window { start, end }
    }

    fn first_end(&self, end: EventTime) -> EventTime {
        end
    }
}

/// When and how cumulating windows fire.
#[derive(Clone)]
pub(super) struct FireGrowing<K, D, A> {
    growing: Growing,
    aggregate: A,
    /// Where windows may fire more than once, by their end: the keys that have changed since they last fired.
    pending: Tables<EventTime, K, ()>,
    data: std::marker::PhantomData<D>,
}

impl<K: Key, D: Data, A: Aggregate<D>> FireGrowing<K, D, A> {
    pub(super) fn new(growing: Growing, aggregate: A) -> Self {
        FireGrowing { growing, aggregate, pending: Tables::new(), data: std::marker::PhantomData }
    }

    /// Carries what the closed windows hold over to the windows after them, and drops what no later window needs. Calls
    /// `closing` with each before that.
    fn close(
        &self,
        panes: &mut Panes<EventTime, K, A::Acc>,
        now: EventTime,
        mut closing: impl FnMut(Window, &Panes<EventTime, K, A::Acc>),
    ) {
        while let Some(window) = panes.first().map(|end| self.growing.ending(end)) {
            if !self.growing.firing.is_closed(window, now) {
                break;
            }
            closing(window, panes);
            match self.growing.end_after(window.end) {
                Some(next) => panes.carry_first(next, |acc, other| self.aggregate.merge(acc, other)),
                None => panes.drain_first(|_, _| {}),
            }
        }
    }

    /// Fires what has changed in the windows that are due, even those that have fired before.
    fn fire_again(
        &mut self,
        panes: &mut Panes<EventTime, K, A::Acc>,
        before: EventTime,
        now: EventTime,
        out: &mut Emitter<Pane<K, A::Out>>,
    ) {
        let (growing, aggregate, pending) = (&self.growing, &self.aggregate, &mut self.pending);
        for first_end in panes.changed() {
            let ends = || std::iter::successors(Some(first_end), |end| growing.end_after(*end));
            panes.drain_changed(first_end, |key, _| {
                for end in ends() {
                    pending.table(end).change_ref(&key, || ());
                }
            });
        }
        let is_due = |end: &EventTime| growing.firing.is_due(growing.ending(*end), before, now);
        let due: Vec<_> = pending.iter().map(|(end, _)| end).filter(is_due).collect();
        for end in due {
            let window = growing.ending(end);
            pending.drain(end, |key, ()| {
                let mut total = aggregate.start();
                let parts = panes.iter().take_while(|(place, _)| *place <= end);
                for acc in parts.filter(|(place, _)| window.start < *place).filter_map(|(_, pane)| pane.get(&key)) {
                    aggregate.merge(&mut total, acc);
                }
                growing.firing.emit(out, key, window, aggregate.finish(&total));
            });
        }
        self.close(panes, now, |_, _| {});
    }
}

impl<K: Key, D: Data, A: Aggregate<D>> Fire<EventTime, K, A::Acc, A::Out> for FireGrowing<K, D, A> {
    fn fire(
        &mut self,
        panes: &mut Panes<EventTime, K, A::Acc>,
        before: EventTime,
        now: EventTime,
        out: &mut Emitter<Pane<K, A::Out>>,
    ) {
        if self.growing.firing.corrects() {
            return self.fire_again(panes, before, now, out);
        }
        self.close(panes, now, |window, panes| {
            let pane = panes.get(window.end).into_iter().flat_map(|pane| pane.iter());
            pane.for_each(|(key, acc)| {
                self.growing.firing.emit(out, key.clone(), window, self.aggregate.finish(acc));
            });
        });
    }

    fn holds(&self, panes: &Panes<EventTime, K, A::Acc>) -> Option<EventTime> {
        panes.first().map(|end| self.growing.ending(end).last_instant())
    }

    fn kept(&mut self) -> Parts<'_> {
        match self.growing.firing.corrects() {
            false => Vec::new(),
            true => vec![("pending", &mut self.pending)],
        }
    }
}
