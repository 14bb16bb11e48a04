//! Session windows: as long as events of a key follow each other within a gap.
//!
//! in: `D`; out: [`Pane`] of key, window `[first, last + gap)` and aggregate, when the watermark passes the window's end
//! by the allowed lateness. It remembers an accumulator per open session. A record is late when its time, plus the
//! allowed lateness, is below the watermark it came under: what such a record might have met may have been released
//! already. Sessions fire once, never early.
//!
//! With several workers, each turns what it reads of a key into the pieces of sessions that it can see, and sends those
//! to the key's owner: a piece joins others as an event does, except that it lasts. Pieces are handed on when the
//! watermark moves, since they hold back whatever their first event might still join.

use dualgauge_engine::flow::{Outputs, Step};
use dualgauge_engine::state::Parts;
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, KeyGroup, Stream};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::few::Few;
use super::kind::{Session, Window};
use super::sessions::{self, Sessions};
use super::windowed::{AggregateAs, Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_fn::KeyFn;

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> AggregateAs<'s, K, D>
    for Windowed<'s, K, D, L, F, Session>
{
    /// Aggregates each session of each key, under the step's durable name.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, check, seconds};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::collect_values;
    /// use dualgauge_operators::window::{InWindow, session};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// // The record at 4 joins what would have been two sessions.
    /// check(
    ///     "disorder 10s
    ///      a:1@0 a:3@8 a:2@4 a:4@30",
    ///     |items| {
    ///         let sessions = items.key_by(|item| item.key.clone()).window(session(5.seconds()));
    ///         let values = sessions.aggregate("values", collect_values(|item: &Item| item.value));
    ///         values.map(|pane| format!("from {} {:?}", seconds(pane.window.start), pane.value))
    ///     },
    ///     "12.999999 from 0 [1, 2, 3]
    ///      34.999999 from 30 [4]",
    /// );
    /// ```
    ///
    /// # Panics
    /// When early firing was requested: a session that fired early might merge with another afterwards.
    #[track_caller]
    fn aggregate_as<A: Aggregate<D>>(
        self,
        operator: &'static str,
        name: &str,
        aggregate: A,
    ) -> Stream<'s, Pane<K, A::Out>, D> {
        assert!(self.early.is_none(), "session windows do not fire early");
        let spec = self.spec(operator, name, &aggregate);
        let (stream, key) = (self.keyed.stream, self.keyed.key);
        let (gap, lateness) = (self.window.gap, self.lateness);
        let gather = Gather { lateness, key, aggregate };
        let merge = Owned { gap, sessions: Sessions::new(gap, Duration::ZERO), aggregate: gather.aggregate.clone() };
        let owned = Owned { gap, sessions: Sessions::new(gap, lateness), aggregate: gather.aggregate.clone() };
        let combine = Combine { gap, pieces: HashMap::default(), gather: gather.clone() };
        let (alone, merge) = (Alone { gather, owned }, Merge { owned: merge });
        stream.combined_step(spec, alone, combine, |piece: &Piece<K, A::Acc>| KeyGroup::of(&piece.0), merge)
    }
}

/// What one worker knows of a session: the key, and the session as far as it goes.
type Piece<K, A> = (K, sessions::Session<A>);

/// From records to sessions.
#[derive(Clone)]
struct Gather<F, A> {
    lateness: Duration,
    key: F,
    aggregate: A,
}

impl<F, A> Gather<F, A> {
    /// Gives each record that is not late to `each`, and emits the others as late.
    #[inline]
    fn judge<D: Data, O>(
        &self,
        mut batch: Batch<D>,
        watermark: EventTime,
        out: &mut Outputs<O, D>,
        mut each: impl FnMut(&Event<D>),
    ) {
        batch.drain_judged(watermark, |event, watermark| {
            if event.time + self.lateness < watermark {
                out.late.give_behind(event.time, event.data, watermark);
            } else {
                each(&event);
            }
        });
    }
}

/// The sessions of the keys that a worker owns.
struct Owned<K, D, A: Aggregate<D>> {
    gap: Duration,
    sessions: Sessions<K, A::Acc>,
    aggregate: A,
}

impl<K: Key, D: Data, A: Aggregate<D>> Owned<K, D, A> {
    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Pane<K, A::Out>, D>) {
        let (gap, aggregate) = (self.gap, &self.aggregate);
        self.sessions.release(watermark, |key, session| {
            let window = Window { start: session.first, end: session.last + gap };
            out.emit.give(window.last_instant(), Pane::new(key, window, aggregate.finish(&session.acc)));
        });
    }

    fn holds(&self) -> Option<EventTime> {
        self.sessions.first_end().map(|end| end - Duration::from_micros(1))
    }
}

/// The whole step on one worker: records in, results out.
struct Alone<K, D, F, A: Aggregate<D>> {
    gather: Gather<F, A>,
    owned: Owned<K, D, A>,
}

impl<K: Key, D: Data, F: KeyFn<D, Key = K>, A: Aggregate<D>> Step for Alone<K, D, F, A> {
    type In = D;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        let (Gather { key, aggregate, .. }, sessions) = (&self.gather, &mut self.owned.sessions);
        let merge = |acc: &mut A::Acc, other: &A::Acc| aggregate.merge(acc, other);
        self.gather.judge(batch, watermark, out, |event| {
            let held = (event.time, event.time);
            key.with(&event.data, |key| {
                let acc = sessions.holding(key, held, || aggregate.start(), merge);
                aggregate.add(acc, event.time, &event.data);
            });
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.owned.advance(watermark, out);
    }

    fn kept(&mut self) -> Parts<'_> {
        self.owned.sessions.kept()
    }

    fn loaded(&mut self) {
        self.owned.sessions.loaded();
    }

    fn holds(&self) -> Option<EventTime> {
        self.owned.holds()
    }

    fn lag(&self) -> Duration {
        self.gather.lateness
    }
}

/// The half before the exchange: records in, pieces of sessions out.
struct Combine<K, F, A: Aggregate<D>, D> {
    gap: Duration,
    pieces: HashMap<K, Few<sessions::Session<A::Acc>>, FixedState>,
    gather: Gather<F, A>,
}

impl<K: Key, D: Data, F, A: Aggregate<D>> Combine<K, F, A, D> {
    fn hand_on(&mut self, out: &mut Outputs<Piece<K, A::Acc>, D>) {
        for (key, pieces) in self.pieces.drain() {
            pieces.into_each(|piece| out.emit.give(piece.first, (key.clone(), piece)));
        }
    }
}

impl<K: Key, D: Data, F: KeyFn<D, Key = K>, A: Aggregate<D>> Step for Combine<K, F, A, D> {
    type In = D;
    type Out = Piece<K, A::Acc>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        let (gap, Gather { key, aggregate, .. }, all) = (self.gap, &self.gather, &mut self.pieces);
        let merge = |acc: &mut A::Acc, other: &A::Acc| aggregate.merge(acc, other);
        self.gather.judge(batch, watermark, out, |event| {
            let (first, last) = (event.time, event.time);
            key.with(&event.data, |key| {
                let start = || aggregate.start();
                let one = || Few::One(sessions::Session { first, last, acc: start() });
                let pieces = all.entry_ref(key).or_insert_with(one);
                let at = pieces.hold((first, last), gap, || (), start, merge);
                aggregate.add(&mut pieces[at].acc, event.time, &event.data);
            });
        });
    }

    /// A piece holds the watermark at its first event, and with it every session that is due by now.
    fn advance(&mut self, _: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.hand_on(out);
    }

    /// Nothing: what waits here is handed on before its epoch closes.
    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    /// Nothing either: what waits came under the current watermark, which holds it.
    fn holds(&self) -> Option<EventTime> {
        None
    }

    fn lag(&self) -> Duration {
        self.gather.lateness
    }

    fn close_epoch(&mut self, out: &mut Outputs<Self::Out, D>) {
        self.hand_on(out);
    }
}

/// The half after the exchange: pieces in, results out. What is late was decided before the exchange, where the
/// watermark was held back by the allowed lateness as well.
struct Merge<K, D, A: Aggregate<D>> {
    owned: Owned<K, D, A>,
}

impl<K: Key, D: Data, A: Aggregate<D>> Step for Merge<K, D, A> {
    type In = Piece<K, A::Acc>;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, batch: Batch<Self::In>, _: EventTime, _: &mut Outputs<Self::Out, D>) {
        let (aggregate, sessions) = (&self.owned.aggregate, &mut self.owned.sessions);
        let merge = |acc: &mut A::Acc, other: &A::Acc| aggregate.merge(acc, other);
        for event in batch.events {
            let (key, piece) = event.data;
            let acc = sessions.holding(&key, (piece.first, piece.last), || aggregate.start(), merge);
            aggregate.merge(acc, &piece.acc);
        }
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        self.owned.advance(watermark, out);
    }

    fn kept(&mut self) -> Parts<'_> {
        self.owned.sessions.kept()
    }

    fn loaded(&mut self) {
        self.owned.sessions.loaded();
    }

    fn holds(&self) -> Option<EventTime> {
        self.owned.holds()
    }
}
