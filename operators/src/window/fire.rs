//! When a window fires, and what a firing looks like.

use dualgauge_engine::data::Version;
use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Duration, EventTime, Key};

use super::kind::Window;
use super::windowed::Pane;

/// The rules by which the windows of one step fire.
#[derive(Clone, Debug)]
pub(crate) struct Firing {
    /// The step's durable name, part of every result's identity.
    step: String,
    pub(crate) lateness: Duration,
    pub(super) early: Option<Duration>,
}

impl Firing {
    pub(crate) fn new(step: &str, lateness: Duration, early: Option<Duration>) -> Firing {
        Firing { step: step.to_string(), lateness, early }
    }

    /// Whether a window may fire more than once, so that its results are upserts.
    pub(super) fn corrects(&self) -> bool {
        self.lateness.is_positive() || self.early.is_some()
    }

    /// Whether `window` is closed to a record that is judged against `watermark`, and to any change.
    #[inline]
    pub(crate) fn is_closed(&self, window: Window, watermark: EventTime) -> bool {
        window.end + self.lateness <= watermark
    }

    /// Whether `window` is to fire what has changed, now that the watermark has moved from `before` to `now`.
    pub(super) fn is_due(&self, window: Window, before: EventTime, now: EventTime) -> bool {
        window.end <= now
            || self.early.is_some_and(|every| {
                before.max(window.start).floor_to(every, Duration::ZERO) < now.floor_to(every, Duration::ZERO)
            })
    }

    /// Emits the result of one key.
    pub(super) fn emit<K: Key, V>(&self, out: &mut Emitter<Pane<K, V>>, key: K, window: Window, value: V) {
        let time = window.last_instant();
        if self.corrects() {
            let identity = self.identity(&key, window);
            out.upsert(time, Pane::new(key, window, value), identity);
        } else {
            out.give(time, Pane::new(key, window, value));
        }
    }

    /// What distinguishes a result from all others: its step, key and window.
    fn identity<K: Key>(&self, key: &K, window: Window) -> u128 {
        Version::identity_of(&(&self.step, key, window))
    }
}
