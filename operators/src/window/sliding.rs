//! Sliding windows, over slices that all of them share.
//!
//! in: `D`; out: [`Pane`] of key, window and aggregate, when the watermark passes the window's end. Event time is cut
//! into slices as long as the greatest common divisor of size and slide; a record is added to one slice, and a window is
//! the merge of its slices. It remembers an accumulator per key and slice until no open window covers the slice. A record
//! is late when every window that it belongs to was closed to it by the watermark it came under; where only some were, it
//! counts for the others. Where the slide is longer than the size, a record between two windows is in none, and counted.
//!
//! Successive windows are merged with two stacks, so that the cost of a firing does not grow with `size / slide`: see
//! [`super::slices`]. Windows that may fire again (allowed lateness, early firing) are merged anew for the keys that
//! changed, which does grow with it.
//!
//! Merges can be made again from the slices, so it is the slices that a checkpoint stores; only a job that takes
//! checkpoints keeps them once they are merged.

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::state::{Parts, Tables};
use dualgauge_engine::{Data, Duration, EventTime, Key, KeyGroup, Stream};

use super::aligned::{Assign, Fire, aligned};
use super::fire::Firing;
use super::fired::Fired;
use super::kind::{Sliding, Window};
use super::panes::Panes;
use super::slices::Slices;
use super::windowed::{AggregateAs, Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_fn::KeyFn;

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> AggregateAs<'s, K, D>
    for Windowed<'s, K, D, L, F, Sliding>
{
    /// Aggregates each key in each window, under the step's durable name.
    ///
    /// A result's event time is its window's last instant. Windows without events have no result.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, check, seconds};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::max;
    /// use dualgauge_operators::window::{InWindow, sliding};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:7@2 a:3@6 a:5@11",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(sliding(10.seconds(), 5.seconds()));
    ///         let highest = windows.aggregate("highest", max(|item: &Item| item.value));
    ///         highest.map(|pane| format!("{} {}", seconds(pane.window.start), pane.value.unwrap()))
    ///     },
    ///     "4.999999 -5 7
    ///      9.999999 0 7
    ///      14.999999 5 5
    ///      19.999999 10 5",
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
        let spec = spec.windows(self.window.size + self.lateness, self.window.slide);
        let firing = Firing::new(name, self.lateness, self.early);
        let grid = Grid::new(self.window, firing.clone());
        let fire = FireSliding {
            grid: grid.clone(),
            aggregate: Typed { aggregate: aggregate.clone(), data: std::marker::PhantomData::<D> },
            keeps_slices: self.keyed.stream.flow().is_checkpointed(),
            slices: Slices::new(),
            fired: Fired::new(),
            pending: Tables::new(),
            watermark: EventTime::MIN,
        };
        aligned(self, spec, &firing, aggregate, grid, fire)
    }
}

/// The longest slice that every window is made of.
fn slice_of(window: Sliding) -> Duration {
    let (mut a, mut b) = (window.size.as_micros(), window.slide.as_micros());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Duration::from_micros(a)
}

/// The slices and windows that event time is cut into.
#[derive(Clone)]
pub(crate) struct Grid {
    window: Sliding,
    slice: Duration,
    /// By how much the ends of windows are off the multiples of the slide.
    ends_offset: Duration,
    /// The start of the last window: the first of those that would end beyond the end of time, which ends there.
    last_start: EventTime,
    pub(crate) firing: Firing,
}

/// A slice, for the windows from the one that ends at `first_end`.
pub(crate) type Place = (EventTime, EventTime);

impl Grid {
    pub(crate) fn new(window: Sliding, firing: Firing) -> Grid {
        let wide = |length: Duration| i128::from(length.as_micros());
        let ends_offset = (wide(window.offset) + wide(window.size)).rem_euclid(wide(window.slide));
        let ends_offset = Duration::from_micros(ends_offset as i64); // below the slide
        let (last_full, _) = EventTime::LAST.cell(window.slide, ends_offset);
        let last_start = last_full - (window.size - window.slide);
        Grid { window, slice: slice_of(window), ends_offset, last_start, firing }
    }

    /// The slice that `time` is in.
    fn slice_of(&self, time: EventTime) -> Window {
        let (start, end) = time.cell(self.slice, self.window.offset);
        Window { start, end }
    }

    /// The end of the last window that ends at or before `time`, and the end of the one after it.
    fn ends_around(&self, time: EventTime) -> (EventTime, EventTime) {
        time.cell(self.window.slide, self.ends_offset)
    }

    /// The end of the first window that covers a slice.
    fn first_end(&self, slice: Window) -> EventTime {
        // Ends are a slide apart, and the first one at or after the slice's own end is the one wanted.
        let (end, next) = self.ends_around(slice.end);
        if end < slice.end { next } else { end }
    }

    /// Whether the window that ends at `end` covers the slice from `start`, which ends before it does.
    fn covers(&self, end: EventTime, start: EventTime) -> bool {
        match end {
            EventTime::MAX => self.last_start <= start,
            end => end.as_micros() <= start.as_micros().saturating_add(self.window.size.as_micros()),
        }
    }

    /// The end of the window after the one that ends at `end`; there is none after the end of time.
    pub(crate) fn end_after(&self, end: EventTime) -> Option<EventTime> {
        Some(end + self.window.slide).filter(|next| *next > end)
    }

    /// The end of the first window that `watermark` has not closed.
    fn first_open(&self, watermark: EventTime) -> EventTime {
        self.ends_around(watermark - self.firing.lateness).1
    }

    /// The window that ends at `end`: of full size, unless an end of time cuts it off.
    pub(crate) fn ending(&self, end: EventTime) -> Window {
        // As a number, since a size of `Duration::MAX` is like any other here.
        let full = EventTime::from_micros(end.as_micros().saturating_sub(self.window.size.as_micros()));
        Window { start: if end == EventTime::MAX { self.last_start } else { full }, end }
    }
}

impl Assign for Grid {
    /// `(first_end, start)`: the end of the first window that the records count for, and the start of their slice.
    type Place = Place;

    #[inline]
    fn place(&self, time: EventTime, watermark: EventTime) -> Option<Place> {
        let slice = self.slice_of(time);
        let mut first_end = self.first_end(slice);
        if self.firing.is_closed(self.ending(first_end), watermark) {
            first_end = self.first_open(watermark);
        }
        self.covers(first_end, slice.start).then_some((first_end, slice.start))
    }

    #[inline]
    fn is_between(&self, time: EventTime) -> bool {
        let slice = self.slice_of(time);
        self.window.size < self.window.slide && !self.covers(self.first_end(slice), slice.start)
    }

    #[inline]
    fn span(&self, time: EventTime) -> Window {
        self.slice_of(time)
    }

    fn first_end(&self, (first_end, _): Place) -> EventTime {
        first_end
    }
}

/// An aggregate with the type of its records, which its functions need.
#[derive(Clone)]
struct Typed<A, D> {
    aggregate: A,
    data: std::marker::PhantomData<D>,
}

struct FireSliding<K, D, A: Aggregate<D>> {
    grid: Grid,
    aggregate: Typed<A, D>,
    /// Whether slices stay where they are when they are merged, so that they can be stored.
    keeps_slices: bool,
    /// Merged slices of the windows that fire once: those of the panes that count for a window which has fired.
    slices: Slices<K, A::Acc>,
    fired: Fired,
    /// Where windows may fire more than once, by their end: the keys that have changed since they last fired.
    pending: Tables<EventTime, K, ()>,
    /// The last watermark that was acted on, where windows may fire more than once: which of them are closed.
    watermark: EventTime,
}

impl<K: Key, D: Data, A: Aggregate<D>> Clone for FireSliding<K, D, A> {
    /// A fresh one of the same kind: what it has merged belongs to its panes.
    fn clone(&self) -> Self {
        FireSliding {
            grid: self.grid.clone(),
            aggregate: self.aggregate.clone(),
            keeps_slices: self.keeps_slices,
            slices: Slices::new(),
            fired: Fired::new(),
            pending: Tables::new(),
            watermark: EventTime::MIN,
        }
    }
}

impl<K: Key, D: Data, A: Aggregate<D>> FireSliding<K, D, A> {
    /// The end of the window after the last one that fired, if a merged slice is in it.
    fn next_end(&self) -> Option<EventTime> {
        let next = self.grid.end_after(self.fired.last_end)?;
        self.slices.last_slice().filter(|last| self.grid.covers(next, *last)).map(|_| next)
    }

    /// The first pane that is not merged.
    fn waiting(&self, panes: &Panes<Place, K, A::Acc>) -> Option<Place> {
        panes.places_after((self.fired.last_end, EventTime::MAX)).next()
    }

    /// Fires the windows that end by `now`, each once.
    fn fire_once(&mut self, panes: &mut Panes<Place, K, A::Acc>, now: EventTime, out: &mut Emitter<Pane<K, A::Out>>) {
        let aggregate = self.aggregate.aggregate.clone();
        let merge = |acc: &mut A::Acc, other: &A::Acc| aggregate.merge(acc, other);
        loop {
            // The next window is the one after the last, or the first that has anything in it.
            let next = self.next_end().or(self.waiting(panes).map(|(first_end, _)| first_end));
            let Some(window) = next.filter(|next| *next <= now).map(|next| self.grid.ending(next)) else { break };
            self.merge_until(window.end, panes, merge);
            self.slices.drop_before(window.start, merge);
            self.slices
                .for_each(merge, |key, acc| self.grid.firing.emit(out, key.clone(), window, aggregate.finish(acc)));
            self.fired.last_end = window.end;
        }
        if self.next_end().is_none() {
            self.slices.clear();
        }
        if self.keeps_slices {
            self.drop_unneeded(panes);
        }
    }

    /// Merges the panes that count from the window ending at `end`.
    fn merge_until(
        &mut self,
        end: EventTime,
        panes: &mut Panes<Place, K, A::Acc>,
        merge: impl Fn(&mut A::Acc, &A::Acc) + Copy,
    ) {
        if !self.keeps_slices {
            while let Some((_, start)) = panes.first().filter(|(first_end, _)| *first_end <= end) {
                self.slices.add(start, |add| panes.drain_first(add), merge);
            }
            return;
        }
        let waiting = panes.places_after((self.fired.last_end, EventTime::MAX));
        for place in waiting.take_while(|(first_end, _)| *first_end <= end) {
            let pane = panes.get(place).into_iter().flat_map(|pane| pane.iter());
            let fired = &mut self.fired;
            let each = |add: &mut dyn FnMut(K, A::Acc)| {
                pane.for_each(|(key, acc)| {
                    fired.merge(KeyGroup::of(key));
                    add(key.clone(), acc.clone());
                });
            };
            self.slices.add(place.1, each, merge);
        }
    }

    /// Drops the merged panes whose slice is in no window that is still to fire.
    fn drop_unneeded(&mut self, panes: &mut Panes<Place, K, A::Acc>) {
        let last_end = self.fired.last_end;
        let next = self.grid.end_after(last_end).map(|end| self.grid.ending(end));
        panes.retain(|(first_end, start)| first_end > last_end || next.is_some_and(|next| next.start <= start));
        if panes.first().is_none_or(|(first_end, _)| first_end > last_end) {
            self.fired.clear();
        }
    }

    /// Fires what has changed in the windows that are due, even those that have fired before.
    fn fire_again(
        &mut self,
        panes: &mut Panes<Place, K, A::Acc>,
        before: EventTime,
        now: EventTime,
        out: &mut Emitter<Pane<K, A::Out>>,
    ) {
        let (grid, aggregate) = (&self.grid, &self.aggregate.aggregate);
        for (first_end, start) in panes.changed() {
            let ends = || std::iter::successors(Some(first_end), |end| grid.end_after(*end));
            let covering = || ends().take_while(|end| grid.covers(*end, start));
            panes.drain_changed((first_end, start), |key, _| {
                for end in covering() {
                    self.pending.table(end).change(key.clone(), || ());
                }
            });
        }
        let is_due = |end: &EventTime| grid.firing.is_due(grid.ending(*end), before, now);
        let due: Vec<_> = self.pending.iter().map(|(end, _)| end).filter(is_due).collect();
        for end in due {
            let window = grid.ending(end);
            let inside = |(first_end, start): Place| window.start <= start && start < window.end && first_end <= end;
            self.pending.drain(end, |key, ()| {
                let mut total = aggregate.start();
                for (_, pane) in panes.iter().filter(|(place, _)| inside(*place)) {
                    if let Some(acc) = pane.get(&key) {
                        aggregate.merge(&mut total, acc);
                    }
                }
                grid.firing.emit(out, key, window, aggregate.finish(&total));
            });
        }
        self.watermark = now;
        panes.retain(|(_, start)| !grid.firing.is_closed(grid.ending(start + grid.window.size), now));
        self.pending.retain(|end| !grid.firing.is_closed(grid.ending(end), now));
    }
}

impl<K: Key, D: Data, A: Aggregate<D>> Fire<Place, K, A::Acc, A::Out> for FireSliding<K, D, A> {
    fn fire(
        &mut self,
        panes: &mut Panes<Place, K, A::Acc>,
        before: EventTime,
        now: EventTime,
        out: &mut Emitter<Pane<K, A::Out>>,
    ) {
        match self.grid.firing.corrects() {
            false => self.fire_once(panes, now, out),
            true => self.fire_again(panes, before, now, out),
        }
    }

    fn holds(&self, panes: &Panes<Place, K, A::Acc>) -> Option<EventTime> {
        if self.grid.firing.corrects() {
            // A slice is kept for its last window; the next result from it is that of the first one still open.
            let first_open = self.grid.first_open(self.watermark);
            let (first_end, _) = panes.first()?;
            return Some(self.grid.ending(first_end.max(first_open)).last_instant());
        }
        let waiting = self.waiting(panes).map(|(first_end, _)| first_end);
        waiting.into_iter().chain(self.next_end()).min().map(|end| self.grid.ending(end).last_instant())
    }

    fn kept(&mut self) -> Parts<'_> {
        match self.grid.firing.corrects() {
            false => vec![("fired", &mut self.fired)],
            true => vec![("pending", &mut self.pending)],
        }
    }

    /// What had been merged waits again, for the window after the last that fired for its key group.
    fn loaded(&mut self, panes: &mut Panes<Place, K, A::Acc>) {
        let (grid, fired, aggregate) = (&self.grid, &self.fired, &self.aggregate.aggregate);
        let next = |key: &K, (first_end, start): Place| match fired.loaded(KeyGroup::of(key)) {
            Some(last_end) if first_end <= last_end => {
                let next = grid.end_after(last_end).filter(|next| grid.covers(*next, start));
                next.map(|next| (next, start))
            }
            _ => Some((first_end, start)),
        };
        if !grid.firing.corrects() {
            panes.move_keys(next, |acc, other| aggregate.merge(acc, other));
        }
    }
}
