//! The step of a temporal join.
//!
//! Nothing is decided when an event arrives. What both sides have below the watermark is complete, and is processed in
//! event-time order, versions before left events of the same time. So the version that is valid for a left event is the
//! newest of its key so far: one is kept for each key, and nothing can need those it has replaced.
//!
//! - **A version is never dropped, only replaced.** However old it is, it is the one that the next left event of its key
//!   meets.
//! - **The order within one side does not matter between two of the other.** The greatest version is kept, by time and
//!   record, so versions are taken run by run as they lie, as are the left events up to the next version.

use dualgauge_engine::flow::Outputs;
use dualgauge_engine::state::{Parts, Table};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, TwoInputStep};

use super::side::Side;
use crate::Either;
use crate::key_fn::KeyFn;

pub(super) struct TemporalStep<L, R, F, G: KeyFn<R>, E> {
    /// What is made of a left event, its time and its version; `None` is no result.
    each: E,
    lateness: Duration,
    pub(super) left: Side<L, F>,
    pub(super) versions: Side<R, G>,
    /// The newest version of each key that the watermark has passed.
    pub(super) newest: Table<G::Key, Event<R>>,
}

impl<K, L, R, F, G, O, E> TemporalStep<L, R, F, G, E>
where
    K: Key,
    L: Data,
    R: Data + Ord,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    O: Data,
    E: Fn(EventTime, &L, Option<&R>) -> Option<O> + 'static,
{
    pub(super) fn new(each: E, lateness: Duration, left: F, versions: G) -> Self {
        let (left, versions) = (Side::new(left), Side::new(versions));
        TemporalStep { each, lateness, left, versions, newest: Table::new() }
    }
}

impl<K, L, R, F, G, O, E> TwoInputStep for TemporalStep<L, R, F, G, E>
where
    K: Key,
    L: Data,
    R: Data + Ord,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    O: Data,
    E: Fn(EventTime, &L, Option<&R>) -> Option<O> + 'static,
{
    type Left = L;
    type Right = R;
    type Out = O;
    type Late = Either<L, R>;

    fn apply_left(&mut self, batch: Batch<L>, watermark: EventTime, out: &mut Outputs<O, Either<L, R>>) {
        let Outputs { emit, late, .. } = out;
        // A key with a null has no version, which is known at once.
        let null = |event: Event<L>| {
            if let Some(result) = (self.each)(event.time, &event.data, None) {
                emit.give(event.time, result);
            }
        };
        self.left.add(batch, self.lateness, watermark, null, |event, judged| {
            late.give_behind(event.time, Either::Left(event.data), judged);
        });
    }

    fn apply_right(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<O, Either<L, R>>) {
        let null = |_: Event<R>| {}; // nothing matches it
        self.versions.add(batch, self.lateness, watermark, null, |event, judged| {
            out.late.give_behind(event.time, Either::Right(event.data), judged);
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<O, Either<L, R>>) {
        // At the end of input there is no limit: everything has been passed, even what lies at the end of time.
        let limit = (watermark < EventTime::MAX).then(|| watermark - self.lateness);
        let passed = |time: EventTime| limit.is_none_or(|limit| time < limit);
        let TemporalStep { each, left, versions, newest, .. } = self;
        loop {
            let next_left = left.waiting.first();
            let up_to_left = |time| passed(time) && next_left.is_none_or(|left| time <= left);
            versions.take(up_to_left, |version, key| replace(newest, version, key));
            if !next_left.is_some_and(passed) {
                return;
            }
            let next_version = versions.waiting.first();
            let up_to_version = |time| passed(time) && next_version.is_none_or(|version| time < version);
            left.take(up_to_version, |event, key| {
                let result = key.with(&event.data, |key| {
                    let version = newest.get(key).map(|version| &version.data);
                    each(event.time, &event.data, version)
                });
                if let Some(result) = result {
                    out.emit.give(event.time, result);
                }
            });
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.left.waiting.first() // a version alone gives no result
    }

    fn lag(&self) -> Duration {
        self.lateness
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("left", &mut self.left), ("newest", &mut self.newest), ("versions", &mut self.versions)]
    }

    fn loaded(&mut self) {
        self.left.waiting.loaded();
        self.versions.waiting.loaded();
    }
}

/// Keeps `version` for its key if it is newer than what is kept.
#[inline]
fn replace<K: Key, R: Data + Ord>(newest: &mut Table<K, Event<R>>, version: Event<R>, key: &impl KeyFn<R, Key = K>) {
    match key.with(&version.data, |key| newest.change_if_there(key)) {
        Some(kept) if *kept < version => *kept = version,
        Some(_) => {}
        None => drop(newest.change(key.key(&version.data), || version)),
    }
}
