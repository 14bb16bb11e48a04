//! What session windows remember: the open sessions of each key, and when they end.

use dualgauge_engine::state::{Parts, Table};
use dualgauge_engine::{Data, Duration, EventTime, Key};
use serde::{Deserialize, Serialize};

use super::ends::Ends;
use super::few::Few;

/// An open session of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename = "Open")]
pub(super) struct Session<A> {
    pub(super) first: EventTime,
    pub(super) last: EventTime,
    pub(super) acc: A,
}

impl<A> Session<A> {
    /// Whether what lasts from `first` to `last` belongs to it.
    #[inline]
    fn touches(&self, first: EventTime, last: EventTime, gap: Duration) -> bool {
        self.first.is_within(gap, last) && first.is_within(gap, self.last)
    }
}

/// Sessions of one key, by their first event; they do not overlap.
impl<A> Few<Session<A>> {
    /// The place of the session that holds everything from `first` to `last`. It may be new; `is_first` is called if it
    /// is new and begins before all others. Sessions that are bridged become one.
    #[inline]
    pub(super) fn hold(
        &mut self,
        (first, last): (EventTime, EventTime),
        gap: Duration,
        is_first: impl FnOnce(),
        start: impl Fn() -> A,
        merge: impl Fn(&mut A, &A),
    ) -> usize {
        let at = match self {
            Few::One(session) if session.touches(first, last, gap) => 0,
            _ => {
                let Some(at) = self.iter().position(|session| session.touches(first, last, gap)) else {
                    let at = self.partition_point(|session| session.first < first);
                    self.insert(at, Session { first, last, acc: start() });
                    if at == 0 {
                        is_first();
                    }
                    return at;
                };
                // The sessions that are touched are adjacent.
                while self.get(at + 1).is_some_and(|session| session.touches(first, last, gap)) {
                    let next = self.remove(at + 1);
                    self[at].last = self[at].last.max(next.last);
                    merge(&mut self[at].acc, &next.acc);
                }
                at
            }
        };
        let session = &mut self[at];
        session.first = session.first.min(first);
        session.last = session.last.max(last);
        at
    }
}

/// The open sessions of each key.
#[derive(Debug)]
pub(super) struct Sessions<K, A> {
    gap: Duration,
    lateness: Duration,
    /// By their first event; they do not overlap.
    open: Table<K, Few<Session<A>>>,
    /// When to look at a key: by the earliest end of its sessions, or earlier, as one may have grown since.
    ends: Ends<K>,
}

impl<K: Key, A: Data> Sessions<K, A> {
    /// No sessions; each is released when the watermark has passed its end by `lateness`.
    pub(super) fn new(gap: Duration, lateness: Duration) -> Sessions<K, A> {
        let span = Duration::from_micros((gap.as_micros() / 8).max(1));
        Sessions { gap, lateness, open: Table::new(), ends: Ends::new(span) }
    }

    /// The accumulator of the session of `key` that holds everything from `first` to `last`, with each event less than
    /// the gap after another. It is new, one that was there, or the merge of those that are now bridged.
    #[inline]
    pub(super) fn holding(
        &mut self,
        key: &K,
        (first, last): (EventTime, EventTime),
        start: impl Fn() -> A,
        merge: impl Fn(&mut A, &A),
    ) -> &mut A {
        let mut is_first = false;
        let sessions = self.open.change_ref(key, || {
            is_first = true;
            Few::One(Session { first, last, acc: start() })
        });
        let at = sessions.hold((first, last), self.gap, || is_first = true, start, merge);
        if is_first {
            self.ends.insert(last + self.gap, key.clone());
        }
        &mut sessions[at].acc
    }

    /// Takes away the sessions that can change no more, and gives each to `each`.
    pub(super) fn release(&mut self, watermark: EventTime, mut each: impl FnMut(K, Session<A>)) {
        let (gap, lateness) = (self.gap, self.lateness);
        let passed = |end: EventTime| end + lateness <= watermark;
        while let Some(key) = self.ends.pop(passed) {
            let Some(sessions) = self.open.get(&key) else { continue };
            let ended = sessions.partition_point(|session| passed(session.last + gap));
            let Some(next) = sessions.get(ended).map(|session| session.last + gap) else {
                let sessions = self.open.remove(&key).expect("it was just seen");
                sessions.into_each(|session| each(key.clone(), session));
                continue;
            };
            if ended > 0 {
                let sessions = self.open.change_if_there(&key).expect("it was just seen");
                sessions.drain_first(ended, |session| each(key.clone(), session));
            }
            self.ends.insert(next, key);
        }
    }

    /// The first end of a session, or earlier.
    pub(super) fn first_end(&self) -> Option<EventTime> {
        self.ends.first()
    }

    /// What a checkpoint stores.
    pub(super) fn kept(&mut self) -> Parts<'_> {
        vec![("sessions", &mut self.open)]
    }

    /// Finds the ends again, after all was loaded.
    pub(super) fn loaded(&mut self) {
        for (key, sessions) in self.open.iter() {
            if let Some(session) = sessions.first() {
                self.ends.insert(session.last + self.gap, key.clone());
            }
        }
    }
}
