//! Joins in sliding windows, over slices that all of them share.
//!
//! It remembers each row once, in its slice, until the last window that covers the slice has closed; a window is joined
//! from the rows of its slices. A row that comes late for some of its windows is in the slice for the windows after
//! them, so that no closed window sees it and no open one misses it.
//!
//! Windows that have been joined must not be joined again after a restart, although some of their rows are still kept:
//! the last one is stored by key group, since each group may come from a worker that was at a different one.

use dualgauge_engine::flow::{NodeSpec, Outputs};
use dualgauge_engine::state::{Buffers, Parts};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, KeyGroup, TwoInputStep};

use super::build::{Build, With};
use super::sides::SidesKept;
use crate::join::joiner::Joiner;
use crate::join::kind::JoinKind;
use crate::key_fn::KeyFn;
use crate::split::Either;
use crate::window::{Fired, Firing, Grid, Place, Sliding};

impl Build for Sliding {
    fn spec(&self, spec: NodeSpec, lateness: Duration) -> NodeSpec {
        spec.windows(self.size + lateness, self.slide)
    }

    fn step<K, L, R, F, G, J>(
        self,
        with: With<K, F, G, J>,
    ) -> impl TwoInputStep<Left = L, Right = R, Out = J::Out, Late = Either<L, R>>
    where
        K: Key,
        L: Data,
        R: Data,
        F: KeyFn<L, Key = K>,
        G: KeyFn<R, Key = K>,
        J: JoinKind<K, L, R>,
    {
        let assign = Grid::new(self, Firing::new(&with.name, with.lateness, None));
        let (left_key, right_key) = (with.joiner.left_key.clone(), with.joiner.right_key.clone());
        let left = Buffers::new(move |row: &L| left_key.group(row));
        let right = Buffers::new(move |row: &R| right_key.group(row));
        InSliding {
            rows: SidesKept { assign, left, right },
            joiner: with.joiner,
            fired: Fired::new(),
            fired_before: EventTime::MIN,
            is_checkpointed: with.is_checkpointed,
        }
    }
}

struct InSliding<K, L, R, F, G, J> {
    rows: SidesKept<Grid, L, R>,
    joiner: Joiner<K, F, G, J>,
    fired: Fired,
    /// The end of the last window that had fired for any key group when its state was stored.
    fired_before: EventTime,
    is_checkpointed: bool,
}

impl<K: Key, L: Data, R: Data, F: KeyFn<L, Key = K>, G: KeyFn<R, Key = K>, J> InSliding<K, L, R, F, G, J> {
    /// The end of the next window that has rows.
    fn next_end(&self) -> Option<EventTime> {
        let (first_end, _) = self.rows.first()?;
        // Rows that have counted and are still kept count in the next window too.
        if first_end <= self.fired.last_end { self.rows.assign.end_after(self.fired.last_end) } else { Some(first_end) }
    }

    /// Drops the slices that no later window needs.
    fn drop_unneeded(&mut self) {
        let last_end = self.fired.last_end;
        let next = self.rows.assign.end_after(last_end).map(|end| self.rows.assign.ending(end));
        let is_needed =
            |(first_end, start): Place| first_end > last_end || next.is_some_and(|next| next.start <= start);
        self.rows.left.retain(is_needed);
        self.rows.right.retain(is_needed);
        // Groups of rows that still wait stay noted: once their first window has fired, nothing else would note them.
        if self.rows.first().is_none() {
            self.fired.clear();
        }
    }
}

/// The rows that count for the window that ends at `end`.
fn rows_until<D>(buffers: &Buffers<Place, D>, end: EventTime, counts: impl Fn(&D) -> bool) -> Vec<&Event<D>> {
    let slices = buffers.iter().take_while(|((first_end, _), _)| *first_end <= end);
    slices.flat_map(|(_, events)| events).filter(|event| counts(&event.data)).collect()
}

impl<K, L, R, F, G, J> TwoInputStep for InSliding<K, L, R, F, G, J>
where
    K: Key,
    L: Data,
    R: Data,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    J: JoinKind<K, L, R>,
{
    type Left = L;
    type Right = R;
    type Out = J::Out;
    type Late = Either<L, R>;

    fn apply_left(&mut self, batch: Batch<L>, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        if self.is_checkpointed {
            batch.events.iter().for_each(|event| self.fired.merge(self.joiner.left_key.group(&event.data)));
        }
        self.rows.take_left(batch, watermark, out);
    }

    fn apply_right(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        if self.is_checkpointed {
            batch.events.iter().for_each(|event| self.fired.merge(self.joiner.right_key.group(&event.data)));
        }
        self.rows.take_right(batch, watermark, out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        while let Some(end) = self.next_end() {
            let window = self.rows.assign.ending(end);
            if !self.rows.assign.firing.is_closed(window, watermark) {
                break;
            }
            // Rows whose groups had fired this window before the job was restarted.
            let had_fired = |group: KeyGroup| self.fired.loaded(group).is_some_and(|last| end <= last);
            let resumes = end <= self.fired_before;
            let Joiner { left_key, right_key, .. } = &self.joiner;
            let mut left = rows_until(&self.rows.left, end, |row| !(resumes && had_fired(left_key.group(row))));
            let mut right = rows_until(&self.rows.right, end, |row| !(resumes && had_fired(right_key.group(row))));
            self.joiner.join(window, &mut left, &mut right, &mut out.emit);
            self.fired.last_end = end;
            self.drop_unneeded();
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.next_end().map(|end| self.rows.assign.ending(end).last_instant())
    }

    fn lag(&self) -> Duration {
        self.rows.assign.firing.lateness
    }

    fn kept(&mut self) -> Parts<'_> {
        let mut parts = self.rows.kept();
        parts.push(("fired", &mut self.fired));
        parts
    }

    fn loaded(&mut self) {
        let Joiner { left_key, right_key, .. } = &self.joiner;
        let lefts = self.rows.left.iter().flat_map(|(_, events)| events).map(|event| left_key.group(&event.data));
        let rights = self.rows.right.iter().flat_map(|(_, events)| events).map(|event| right_key.group(&event.data));
        for group in lefts.chain(rights) {
            self.fired_before = self.fired_before.max(self.fired.loaded(group).unwrap_or(EventTime::MIN));
            self.fired.merge(group);
        }
    }
}
