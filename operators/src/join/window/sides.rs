//! What an aligned window join remembers: the rows of both sides, by where they count.

use dualgauge_engine::flow::Outputs;
use dualgauge_engine::state::{Buffers, Parts};
use dualgauge_engine::{Batch, Data, Event, EventTime};

use crate::split::Either;
use crate::window::{Assign, Window};

/// The rows of both sides that wait for their window, by the place that the kind of window gives them.
pub(super) struct SidesKept<S: Assign, L, R> {
    pub(super) assign: S,
    pub(super) left: Buffers<S::Place, L>,
    pub(super) right: Buffers<S::Place, R>,
}

impl<S: Assign, L: Data, R: Data> SidesKept<S, L, R> {
    pub(super) fn take_left<O>(&mut self, batch: Batch<L>, watermark: EventTime, out: &mut Outputs<O, Either<L, R>>) {
        take(&self.assign, &mut self.left, batch, watermark, out, Either::Left);
    }

    pub(super) fn take_right<O>(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<O, Either<L, R>>) {
        take(&self.assign, &mut self.right, batch, watermark, out, Either::Right);
    }

    /// The first place that has rows on any side.
    #[inline]
    pub(super) fn first(&self) -> Option<S::Place> {
        self.left.first().into_iter().chain(self.right.first()).min()
    }

    pub(super) fn kept(&mut self) -> Parts<'_> {
        vec![("left", &mut self.left), ("right", &mut self.right)]
    }
}

/// Puts the rows of a batch where they belong.
fn take<S: Assign, D: Data, E, O>(
    assign: &S,
    buffers: &mut Buffers<S::Place, D>,
    mut batch: Batch<D>,
    watermark: EventTime,
    out: &mut Outputs<O, E>,
    side: impl Fn(D) -> E,
) {
    if !batch.all_on_time() {
        return batch.drain_judged(watermark, |event, watermark| match assign.place(event.time, watermark) {
            Some(place) => buffers.push(place, event),
            None if assign.is_between(event.time) => out.in_no_window += 1,
            None => out.late.give_behind(event.time, side(event.data), watermark),
        });
    }
    // Neighbours mostly share a place, so it is found once per run and not once per row.
    let mut rest = batch.events.into_iter();
    while let Some(first) = rest.as_slice().first() {
        let Window { start, end } = assign.span(first.time);
        let inside = |event: &Event<D>| start <= event.time && event.time < end;
        let length = rest.as_slice().iter().position(|event| !inside(event)).unwrap_or(rest.len());
        let (place, time) = (assign.place(first.time, watermark), first.time);
        let run = rest.by_ref().take(length.max(1)); // the end of time is in no half-open span
        match place {
            Some(place) => buffers.extend(place, run),
            None if assign.is_between(time) => out.in_no_window += run.count() as u64,
            None => run.for_each(|event| out.late.give_behind(event.time, side(event.data), watermark)),
        }
    }
}
