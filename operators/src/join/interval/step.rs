//! The step of an interval join.
//!
//! Nothing is decided when an event arrives. What both sides have below the watermark is complete, and is processed in
//! event-time order: an event looks for the held events of the other side, and is held itself while partners may come.
//! With bounds of one sign the partners of one side all lie before it, so it is never held at all: `bids` up to ten
//! seconds after their `auctions` wait for the watermark, look, and are gone; only the auctions of the last ten seconds
//! are in the map.
//!
//! - **A pair is found once, when the later of both is passed.** So it is never below what still waits, and that is
//!   where the step holds the watermark.
//! - **An event is decided when the watermark has passed all its partners.** Where it has a result of its own, the step
//!   holds the watermark at the earliest undecided one.

use dualgauge_engine::flow::{Emitter, Outputs};
use dualgauge_engine::state::Parts;
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, TwoInputStep};

use super::held::Row;
use super::kind::{Kind, Turned};
use super::side::{Role, Side};
use crate::Either;
use crate::join::admit::admit;
use crate::join::has_null;
use crate::join::waiting::Status;
use crate::key_fn::KeyFn;

/// How far away the partners of an event lie: `right - left` is in `[lower, upper]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) lower: Duration,
    pub(super) upper: Duration,
}

/// Which side looks for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// No right is before its lefts: the right looks for the left.
    Right,
    /// No left is before its rights: the left looks for the right.
    Left,
    /// Each looks for those of the other that were before it.
    Both,
}

impl Reach {
    fn search(self) -> Search {
        match (self.lower >= Duration::ZERO, self.upper <= Duration::ZERO) {
            (true, _) => Search::Right,
            (_, true) => Search::Left,
            _ => Search::Both,
        }
    }

    /// The same with left and right exchanged.
    fn turned(self) -> Reach {
        Reach { lower: -self.upper, upper: -self.lower }
    }
}

/// How many events are held before those that look for them are processed. Few, because those of the same key within
/// such a group are walked over in vain; many, because each group costs some work of its own.
const GROUP: usize = 256;

pub(super) struct IntervalStep<L, R, F: KeyFn<L>, G: KeyFn<R>, M> {
    reach: Reach,
    lateness: Duration,
    kind: M,
    pub(super) left: Side<L, F>,
    pub(super) right: Side<R, G>,
}

impl<K, L, R, F, G, M> IntervalStep<L, R, F, G, M>
where
    K: Key,
    L: Data,
    R: Data,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    M: Kind<L, R> + 'static,
{
    pub(super) fn new(reach: Reach, lateness: Duration, kind: M, left: F, right: G) -> Self {
        let (search, back) = (reach.search(), reach.turned());
        let left = Side::new(
            left,
            Role {
                held_for: (search != Search::Left).then_some(reach.upper),
                seeks: search != Search::Right,
                fate_matters: M::LEFT_ALONE,
            },
        );
        let right = Side::new(
            right,
            Role {
                held_for: (search != Search::Right).then_some(back.upper),
                seeks: search != Search::Left,
                fate_matters: M::RIGHT_ALONE,
            },
        );
        IntervalStep { reach, lateness, kind, left, right }
    }
}

impl<K, L, R, F, G, M> TwoInputStep for IntervalStep<L, R, F, G, M>
where
    K: Key,
    L: Data,
    R: Data,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    M: Kind<L, R> + 'static,
{
    type Left = L;
    type Right = R;
    type Out = M::Out;
    type Late = Either<L, R>;

    fn apply_left(&mut self, batch: Batch<L>, watermark: EventTime, out: &mut Outputs<M::Out, Either<L, R>>) {
        let kind = &mut self.kind;
        let Outputs { emit, late, .. } = out;
        let take = Take { lateness: self.lateness, watermark };
        let null = |time, left: &L| kind.left_unmatched(time, left);
        take.into_side(&mut self.left, batch, null, emit, |event, judged| {
            late.give_behind(event.time, Either::Left(event.data), judged);
        });
    }

    fn apply_right(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<M::Out, Either<L, R>>) {
        let kind = &mut self.kind;
        let Outputs { emit, late, .. } = out;
        let take = Take { lateness: self.lateness, watermark };
        let null = |time, right: &R| kind.right_unmatched(time, right);
        take.into_side(&mut self.right, batch, null, emit, |event, judged| {
            late.give_behind(event.time, Either::Right(event.data), judged);
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<M::Out, Either<L, R>>) {
        // At the end of input there is no limit: everything has been passed, even what lies at the end of time.
        let limit = (watermark < EventTime::MAX).then(|| watermark - self.lateness);
        let IntervalStep { reach, kind, left, right, .. } = self;
        match reach.search() {
            Search::Right => search(left, right, *reach, kind, limit, &mut out.emit),
            Search::Left => search(right, left, reach.turned(), &mut Turned(kind), limit, &mut out.emit),
            Search::Both => search_both(left, right, *reach, kind, limit, &mut out.emit),
        }
        left.pass(limit);
        right.pass(limit);
    }

    fn holds(&self) -> Option<EventTime> {
        self.left.holds().into_iter().chain(self.right.holds()).min()
    }

    fn lag(&self) -> Duration {
        self.lateness
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("left", &mut self.left), ("right", &mut self.right)]
    }

    fn loaded(&mut self) {
        self.left.loaded();
        self.right.loaded();
    }
}

/// How a batch is judged.
struct Take {
    lateness: Duration,
    watermark: EventTime,
}

impl Take {
    /// Adds the events of `batch` that are neither late nor without a key to those that wait.
    #[inline]
    fn into_side<D: Data, F: KeyFn<D>, O>(
        self,
        side: &mut Side<D, F>,
        batch: Batch<D>,
        mut alone: impl FnMut(EventTime, &D) -> Option<O>,
        emit: &mut Emitter<O>,
        late: impl FnMut(Event<D>, EventTime),
    ) {
        let Side { key, waiting, .. } = side;
        let null = |event: Event<D>| {
            if let Some(result) = alone(event.time, &event.data) {
                emit.give(event.time, result);
            }
        };
        waiting.add(admit(batch, self.lateness, self.watermark, |data| key.with(data, has_null), null, late));
    }
}

/// Processes everything below `limit`: the events of `seekers` look for those of `holders`, which lie before them by as
/// much as `reach` allows.
fn search<K: Key, H: Data, S: Data, F: KeyFn<H, Key = K>, G: KeyFn<S, Key = K>, M: Kind<H, S>>(
    holders: &mut Side<H, F>,
    seekers: &mut Side<S, G>,
    reach: Reach,
    kind: &mut M,
    limit: Option<EventTime>,
    out: &mut Emitter<M::Out>,
) {
    let below = |time: EventTime, end: Option<EventTime>| end.is_none_or(|end| time < end);
    loop {
        let Side { key, waiting, held, .. } = &mut *holders;
        let passed = |time| below(time + reach.lower, limit);
        waiting.take_in_order(passed, GROUP, |event, tag| held.insert(event, tag, key));
        // Everything that the seekers before the next holder can meet is held now.
        let next = waiting.first().map(|time| time + reach.lower).filter(|next| below(*next, limit));
        let end = next.or(limit);
        let Side { key, waiting, .. } = &mut *seekers;
        waiting.pass(
            |time| below(time, end),
            |event| {
                // It is not held: any partner it has not met by now, it never will.
                if !look(event, key, holders, reach, kind, out)
                    && let Some(result) = kind.right_unmatched(event.time, &event.data)
                {
                    out.give(event.time, result);
                }
            },
        );
        expire(holders, end, kind, out);
        if next.is_none() {
            return;
        }
    }
}

/// Processes everything below `limit` in event-time order, lefts before rights of the same time: each event looks for
/// those of the other side that lie before it, and is held for those that come after.
fn search_both<K: Key, L: Data, R: Data, F: KeyFn<L, Key = K>, G: KeyFn<R, Key = K>, M: Kind<L, R>>(
    left: &mut Side<L, F>,
    right: &mut Side<R, G>,
    reach: Reach,
    kind: &mut M,
    limit: Option<EventTime>,
    out: &mut Emitter<M::Out>,
) {
    let passed = |time: &EventTime| limit.is_none_or(|limit| *time < limit);
    let lefts_before = Reach { lower: Duration::ZERO, ..reach };
    let rights_before = Reach { lower: Duration::from_micros(1), ..reach.turned() };
    loop {
        let next_left = left.waiting.first().filter(passed);
        let next_right = right.waiting.first().filter(passed);
        // Events with no partner to come go at once, so that no more than one reach is held.
        let end = next_left.into_iter().chain(next_right).min().or(limit);
        expire(left, end, kind, out);
        expire(right, end, &mut Turned(kind), out);
        match (next_left, next_right) {
            (None, None) => return,
            (Some(next), right_next) if right_next.is_none_or(|right_next| next <= right_next) => {
                let goes = |time| passed(&time) && right_next.is_none_or(|right_next| time <= right_next);
                look_and_hold(left, right, rights_before, goes, &mut Turned(kind), out);
            }
            (left_next, _) => {
                let goes = |time| passed(&time) && left_next.is_none_or(|left_next| time < left_next);
                look_and_hold(right, left, lefts_before, goes, kind, out);
            }
        }
    }
}

/// Lets the next events of `seekers` look for the held events of `holders`, and holds them too.
fn look_and_hold<K: Key, H: Data, S: Data, F: KeyFn<H, Key = K>, G: KeyFn<S, Key = K>, M: Kind<H, S>>(
    seekers: &mut Side<S, G>,
    holders: &mut Side<H, F>,
    reach: Reach,
    goes: impl Fn(EventTime) -> bool,
    kind: &mut M,
    out: &mut Emitter<M::Out>,
) {
    let Side { key, waiting, held, told, .. } = seekers;
    waiting.take_in_order(goes, GROUP, |event, mut tag| {
        // If the watermark passed it before the checkpoint, it has already looked.
        if tag.status == Status::Waiting {
            let matched = look(&event, key, holders, reach, kind, out);
            tag.status = if matched { Status::Matched } else { Status::Passed };
            told.note_fate(held.end(), tag);
        }
        held.insert(event, tag, key);
    });
}

/// Finds the partners of `event`, which lie before it, and says whether it has any.
#[inline]
fn look<K: Key, H: Data, S: Data, F: KeyFn<H, Key = K>, G: KeyFn<S, Key = K>, M: Kind<H, S>>(
    event: &Event<S>,
    key: &G,
    holders: &mut Side<H, F>,
    reach: Reach,
    kind: &mut M,
    out: &mut Emitter<M::Out>,
) -> bool {
    let (from, to) = (event.time - reach.upper, event.time - reach.lower);
    let Side { held, told, .. } = holders;
    let mut matched = false;
    let each = |place: u64, row: &mut Row<H>| {
        matched = true;
        if let Some(result) = kind.pair(event.time, &row.data, &event.data) {
            out.give(event.time, result);
        }
        if M::LEFT_ALONE && row.tag.status != Status::Matched {
            row.tag.status = Status::Matched;
            told.note_fate(place, row.tag);
            if let Some(result) = kind.left_matched(row.time, &row.data) {
                out.give(row.time, result);
            }
        }
    };
    key.with(&event.data, |key| held.meet(key, from, to, each));
    if matched && let Some(result) = kind.right_matched(event.time, &event.data) {
        out.give(event.time, result);
    }
    matched
}

/// Drops those that have no partner to come, given that everything before `end` has looked.
#[inline]
fn expire<H: Data, S, F: KeyFn<H>, M: Kind<H, S>>(
    holders: &mut Side<H, F>,
    end: Option<EventTime>,
    kind: &mut M,
    out: &mut Emitter<M::Out>,
) {
    holders.expire(end, |row| {
        if row.tag.status != Status::Matched
            && let Some(result) = kind.left_unmatched(row.time, &row.data)
        {
            out.give(row.time, result);
        }
    });
}
