//! Session windows: as long as events of a key follow each other within a gap.
//!
//! in: `D`; out: [`Pane`] of key, window `[first, last + gap)` and aggregate, when the watermark passes the window's end
//! by the allowed lateness. It remembers an accumulator per open session. A record is late when its time, plus the
//! allowed lateness, is below the watermark it came under: what such a record might have met may have been released
//! already. Sessions fire once, never early.

use std::collections::BTreeSet;

use dualgauge_engine::flow::{Emitter, NodeSpec, Outputs, Step};
use dualgauge_engine::job::Counter;
use dualgauge_engine::state::{Parts, Table};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, Stream};
use serde::{Deserialize, Serialize};

use super::kind::{Session, Window};
use super::windowed::{AggregateAs, Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_fn::KeyFn;

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> Windowed<'s, K, D, L, F, Session> {
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
    /// When early firing was asked for: a session that fired early might merge with another afterwards.
    #[track_caller]
    pub fn aggregate<A: Aggregate<D>>(self, name: &str, aggregate: A) -> Stream<'s, Pane<K, A::Out>, D> {
        self.aggregate_as("aggregate", name, aggregate)
    }
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> AggregateAs<'s, K, D>
    for Windowed<'s, K, D, L, F, Session>
{
    #[track_caller]
    fn aggregate_as<A: Aggregate<D>>(
        self,
        operator: &'static str,
        name: &str,
        aggregate: A,
    ) -> Stream<'s, Pane<K, A::Out>, D> {
        assert!(self.early.is_none(), "session windows do not fire early");
        let spec = NodeSpec::stateful(operator, name).detail(self.detail());
        let (stream, key) = (self.keyed.stream, self.keyed.key);
        let late = stream.flow().counter(name, "late");
        let (gap, lateness) = (self.window.gap, self.lateness);
        let group = {
            let key = key.clone();
            move |data: &D| key.group(data)
        };
        let sessions = Sessions { gap, lateness, key, aggregate, late, open: Table::new(), ends: BTreeSet::new() };
        stream.step(spec, group, sessions)
    }
}

/// An open session of a key.
#[derive(Clone, Serialize, Deserialize)]
struct Open<A> {
    first: EventTime,
    last: EventTime,
    acc: A,
}

struct Sessions<K, D, F, A: Aggregate<D>> {
    gap: Duration,
    lateness: Duration,
    key: F,
    aggregate: A,
    late: Counter,
    /// The open sessions of each key, by their first event.
    open: Table<K, Vec<Open<A::Acc>>>,
    /// When to look at a key: by the earliest end of its sessions, or sooner, as one may have grown since.
    ends: BTreeSet<(EventTime, K)>,
}

/// The earliest end of some sessions.
fn first_end<A>(sessions: &[Open<A>], gap: Duration) -> Option<EventTime> {
    sessions.first().map(|session| session.last + gap) // they do not overlap
}

impl<K: Key, D: Data, F: KeyFn<D, Key = K>, A: Aggregate<D>> Sessions<K, D, F, A> {
    fn add(&mut self, event: Event<D>) {
        let (gap, time) = (self.gap, event.time);
        let sessions = self.key.with(&event.data, |key| self.open.change_ref(key, Vec::new));
        // By distances, not by `last + gap`: at the ends of time a sum saturates, and a distance of zero stays zero.
        let touches = |session: &Open<A::Acc>| session.first - time < gap && time - session.last < gap;
        let Some(at) = sessions.iter().position(touches) else {
            let mut acc = self.aggregate.start();
            self.aggregate.add(&mut acc, time, &event.data);
            let at = sessions.partition_point(|session| session.first < time);
            sessions.insert(at, Open { first: time, last: time, acc });
            if at == 0 {
                self.ends.insert((time + gap, self.key.key(&event.data)));
            }
            return;
        };
        // What the event touches follows each other, and it bridges at most two gaps.
        while sessions.get(at + 1).is_some_and(touches) {
            let next = sessions.remove(at + 1);
            sessions[at].last = sessions[at].last.max(next.last);
            self.aggregate.merge(&mut sessions[at].acc, &next.acc);
        }
        let session = &mut sessions[at];
        session.first = session.first.min(time);
        session.last = session.last.max(time);
        self.aggregate.add(&mut session.acc, time, &event.data);
    }

    fn emit(&self, key: &K, session: Open<A::Acc>, out: &mut Emitter<Pane<K, A::Out>>) {
        let window = Window { start: session.first, end: session.last + self.gap };
        let pane = Pane { key: key.clone(), window, value: self.aggregate.finish(&session.acc) };
        out.give(pane.time(), pane);
    }
}

impl<K: Key, D: Data, F: KeyFn<D, Key = K>, A: Aggregate<D>> Step for Sessions<K, D, F, A> {
    type In = D;
    type Out = Pane<K, A::Out>;
    type Late = D;

    fn apply(&mut self, mut batch: Batch<D>, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        batch.drain_judged(watermark, |event, watermark| {
            if event.time + self.lateness < watermark {
                self.late.add(1);
                out.late.give_behind(event.time, event.data, watermark);
            } else {
                self.add(event);
            }
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, D>) {
        let passed = |end: EventTime| end + self.lateness <= watermark;
        while self.ends.first().is_some_and(|(end, _)| passed(*end)) {
            let (_, key) = self.ends.pop_first().expect("it was just seen");
            let Some(sessions) = self.open.get(&key) else { continue };
            let ended = sessions.partition_point(|session| passed(session.last + self.gap));
            let left = first_end(&sessions[ended..], self.gap);
            if ended == 0 {
                // It has grown.
            } else if left.is_none() {
                let sessions = self.open.remove(&key).expect("it was just seen");
                sessions.into_iter().for_each(|session| self.emit(&key, session, &mut out.emit));
            } else {
                let sessions = self.open.change_if_there(&key).expect("it was just seen");
                let ended: Vec<_> = sessions.drain(..ended).collect();
                ended.into_iter().for_each(|session| self.emit(&key, session, &mut out.emit));
            }
            self.ends.extend(left.map(|end| (end, key)));
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("sessions", &mut self.open)]
    }

    fn loaded(&mut self) {
        let ends = self.open.iter().filter_map(|(key, sessions)| Some((first_end(sessions, self.gap)?, key.clone())));
        self.ends = ends.collect();
    }

    fn holds(&self) -> Option<EventTime> {
        self.ends.first().map(|(end, _)| *end - Duration::from_micros(1))
    }

    fn lag(&self) -> Duration {
        self.lateness
    }
}
