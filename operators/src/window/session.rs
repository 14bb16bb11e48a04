//! Session windows: as long as events of a key follow each other within a gap.
//!
//! in: `D`; out: [`Pane`] of key, window `[first, last + gap)` and aggregate, when the watermark passes the window's end
//! by the allowed lateness. It remembers an accumulator per open session. A record is late when its time, plus the
//! allowed lateness, is below the watermark it came under: what such a record might have met may have been released
//! already. Sessions fire once, never early.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dualgauge_engine::flow::{NodeSpec, Outputs, Step};
use dualgauge_engine::job::Counter;
use dualgauge_engine::state::Parts;
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, KeyGroup, Stream};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::kind::{Session, Window};
use super::windowed::{Pane, Windowed};
use crate::aggregate::Aggregate;

impl<'s, K: Key, D: Data, L: 'static, F: Fn(&D) -> K + Clone + 'static> Windowed<'s, K, D, L, F, Session> {
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
        assert!(self.early.is_none(), "session windows do not fire early");
        let spec = NodeSpec::stateful("aggregate", name).detail(self.detail());
        let stream = self.keyed.stream;
        let key = self.keyed.key;
        let sessions = Sessions {
            gap: self.window.gap,
            lateness: self.lateness,
            key: key.clone(),
            aggregate,
            late: stream.flow().counter(name, "late"),
            open: HashMap::default(),
            ends: BinaryHeap::new(),
            opened: 0,
        };
        stream.step(spec, move |data| KeyGroup::of(&key(data)), sessions)
    }
}

/// An open session of a key.
struct Open<A> {
    id: u64,
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
    open: HashMap<K, Vec<Open<A::Acc>>, FixedState>,
    /// Where each session ended when it was last looked at; it may have grown since, or have been merged into another.
    ends: BinaryHeap<Reverse<(EventTime, K, u64)>>,
    opened: u64,
}

impl<K: Key, D: Data, F: Fn(&D) -> K + 'static, A: Aggregate<D>> Sessions<K, D, F, A> {
    fn add(&mut self, event: Event<D>) {
        let (gap, time) = (self.gap, event.time);
        let key = (self.key)(&event.data);
        let sessions = self.open.entry(key).or_default();
        // By distances, not by `last + gap`: at the ends of time a sum saturates, and a distance of zero stays zero.
        let touches = |session: &Open<A::Acc>| session.first - time < gap && time - session.last < gap;
        let Some(at) = sessions.iter().position(touches) else {
            let mut acc = self.aggregate.start();
            self.aggregate.add(&mut acc, time, &event.data);
            let at = sessions.partition_point(|session| session.first < time);
            sessions.insert(at, Open { id: self.opened, first: time, last: time, acc });
            self.ends.push(Reverse((time + gap, (self.key)(&event.data), self.opened)));
            self.opened += 1;
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
}

impl<K: Key, D: Data, F: Fn(&D) -> K + 'static, A: Aggregate<D>> Step for Sessions<K, D, F, A> {
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
        while let Some(Reverse((end, ..))) = self.ends.peek()
            && passed(*end)
        {
            let Reverse((_, key, id)) = self.ends.pop().expect("it was just seen");
            let Some(sessions) = self.open.get_mut(&key) else { continue };
            let Some(at) = sessions.iter().position(|session| session.id == id) else { continue };
            let end = sessions[at].last + self.gap;
            if !passed(end) {
                self.ends.push(Reverse((end, key, id)));
                continue;
            }
            let session = sessions.remove(at);
            if sessions.is_empty() {
                self.open.remove(&key);
            }
            let pane =
                Pane { key, window: Window { start: session.first, end }, value: self.aggregate.finish(&session.acc) };
            out.emit.give(pane.time(), pane);
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    fn holds(&self) -> Option<EventTime> {
        self.ends.peek().map(|Reverse((end, ..))| *end - Duration::from_micros(1))
    }

    fn lag(&self) -> Duration {
        self.lateness
    }
}
