//! Joins in session windows: sessions over the events of both sides together, by key.
//!
//! It remembers the rows of open sessions until the watermark passes a session's end by the allowed lateness. A row is
//! late when its time, plus the allowed lateness, is below the watermark it came under. Nulls are equal where they make
//! sessions, and match nothing in them. All rows of a session have one key, so there is nothing for a strategy to find.

use std::collections::BTreeSet;

use dualgauge_engine::flow::{Emitter, NodeSpec, Outputs};
use dualgauge_engine::state::{Parts, Table};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, TwoInputStep};
use serde::{Deserialize, Serialize};

use super::build::{Build, With};
use crate::join::joiner::Joiner;
use crate::join::kind::JoinKind;
use crate::join::null::has_null;
use crate::key_fn::KeyFn;
use crate::split::Either;
use crate::window::{Session, Window};

impl Build for Session {
    fn spec(&self, spec: NodeSpec, _: Duration) -> NodeSpec {
        spec
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
        let open = OpenSessions { gap: self.gap, by_key: Table::new(), ends: BTreeSet::new() };
        InSessions { open, lateness: with.lateness, joiner: with.joiner }
    }
}

/// An open session of a key.
#[derive(Clone, Serialize, Deserialize)]
struct Open<L, R> {
    first: EventTime,
    last: EventTime,
    left: Vec<Event<L>>,
    right: Vec<Event<R>>,
}

/// The open sessions of all keys.
struct OpenSessions<K, L, R> {
    gap: Duration,
    /// Those of a key by their first event; they do not overlap.
    by_key: Table<K, Vec<Open<L, R>>>,
    /// When to look at a key: by the earliest end of its sessions, or earlier, as one may have grown since.
    ends: BTreeSet<(EventTime, K)>,
}

impl<K: Key, L: Data, R: Data> OpenSessions<K, L, R> {
    /// The session of `key` that an event at `time` belongs to, grown to hold it.
    fn session(&mut self, key: &K, time: EventTime) -> &mut Open<L, R> {
        let gap = self.gap;
        let sessions = self.by_key.change_ref(key, Vec::new);
        let touches = |session: &Open<L, R>| session.first.is_within(gap, time) && time.is_within(gap, session.last);
        let Some(at) = sessions.iter().position(touches) else {
            let at = sessions.partition_point(|session| session.first < time);
            sessions.insert(at, Open { first: time, last: time, left: Vec::new(), right: Vec::new() });
            if at == 0 {
                self.ends.insert((time + gap, key.clone()));
            }
            return &mut sessions[at];
        };
        // The sessions that the event touches are adjacent, and it bridges at most two gaps.
        while sessions.get(at + 1).is_some_and(touches) {
            let mut next = sessions.remove(at + 1);
            sessions[at].last = sessions[at].last.max(next.last);
            sessions[at].left.append(&mut next.left);
            sessions[at].right.append(&mut next.right);
        }
        let session = &mut sessions[at];
        session.first = session.first.min(time);
        session.last = session.last.max(time);
        session
    }

    /// Takes out the next key with sessions that have `passed`, and those sessions.
    fn pop(&mut self, passed: impl Fn(EventTime) -> bool) -> Option<(K, Vec<Open<L, R>>)> {
        loop {
            self.ends.first().filter(|(end, _)| passed(*end))?;
            let (_, key) = self.ends.pop_first()?;
            let Some(sessions) = self.by_key.get(&key) else { continue };
            let ended = sessions.partition_point(|session| passed(session.last + self.gap));
            let left = sessions.get(ended).map(|session| session.last + self.gap);
            let ended = if left.is_none() {
                self.by_key.remove(&key).expect("it was just seen")
            } else if ended > 0 {
                self.by_key.change_if_there(&key).expect("it was just seen").drain(..ended).collect()
            } else {
                Vec::new() // it has grown
            };
            self.ends.extend(left.map(|end| (end, key.clone())));
            if !ended.is_empty() {
                return Some((key, ended));
            }
        }
    }
}

struct InSessions<K, L, R, F, G, J> {
    open: OpenSessions<K, L, R>,
    lateness: Duration,
    joiner: Joiner<K, F, G, J>,
}

/// Gives each event of a batch to `add`, if it is not late.
fn take<D, E>(
    mut batch: Batch<D>,
    watermark: EventTime,
    lateness: Duration,
    late: &mut Emitter<E>,
    side: impl Fn(D) -> E,
    mut add: impl FnMut(Event<D>),
) {
    batch.drain_judged(watermark, |event, watermark| {
        if event.time + lateness < watermark {
            late.give_behind(event.time, side(event.data), watermark);
        } else {
            add(event);
        }
    });
}

impl<K, L, R, F, G, J> TwoInputStep for InSessions<K, L, R, F, G, J>
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
        let (open, key) = (&mut self.open, &self.joiner.left_key);
        take(batch, watermark, self.lateness, &mut out.late, Either::Left, |event| {
            key.with(&event.data, |key| open.session(key, event.time)).left.push(event);
        });
    }

    fn apply_right(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        let (open, key) = (&mut self.open, &self.joiner.right_key);
        take(batch, watermark, self.lateness, &mut out.late, Either::Right, |event| {
            key.with(&event.data, |key| open.session(key, event.time)).right.push(event);
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        while let Some((key, sessions)) = self.open.pop(|end| end + self.lateness <= watermark) {
            for Open { first, last, mut left, mut right } in sessions {
                let window = Window { start: first, end: last + self.open.gap };
                self.joiner.join_one_key(window, has_null(&key), &mut left, &mut right, &mut out.emit);
            }
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.open.ends.first().map(|(end, _)| *end - Duration::from_micros(1))
    }

    fn lag(&self) -> Duration {
        self.lateness
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("sessions", &mut self.open.by_key)]
    }

    fn loaded(&mut self) {
        let first_end = |sessions: &Vec<Open<L, R>>| Some(sessions.first()?.last + self.open.gap);
        self.open.ends =
            self.open.by_key.iter().filter_map(|(key, sessions)| Some((first_end(sessions)?, key.clone()))).collect();
    }
}
