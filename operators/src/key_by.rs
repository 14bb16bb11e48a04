//! A stream with a key: what windows and keyed state stand on.

use dualgauge_engine::{Data, Duration, Key, Stream};

/// A stream and the function that finds the key of an event.
///
/// Nothing moves yet: the step that follows deals events to the workers that own their keys.
pub struct KeyedStream<'s, D: Data, L, F> {
    pub(crate) stream: Stream<'s, D, L>,
    pub(crate) key: F,
    pub(crate) lateness: Duration,
    pub(crate) as_arrives: bool,
}

/// Adds [`KeyBy::key_by`] to streams.
pub trait KeyBy<'s, D: Data, L> {
    /// in: `D`; out: the same, keyed by `key(&D)`.
    ///
    /// The key is found anew wherever it is needed, so it should be cheap: an integer rather than a string.
    fn key_by<K: Key, F: Fn(&D) -> K + Clone + 'static>(self, key: F) -> KeyedStream<'s, D, L, F>;
}

impl<'s, D: Data, L: 'static> KeyBy<'s, D, L> for Stream<'s, D, L> {
    fn key_by<K: Key, F: Fn(&D) -> K + Clone + 'static>(self, key: F) -> KeyedStream<'s, D, L, F> {
        KeyedStream { stream: self, key, lateness: Duration::ZERO, as_arrives: false }
    }
}

impl<D: Data, L, F> KeyedStream<'_, D, L, F> {
    /// Lets the ordered steps (`process`, `fold`, `reduce`) wait for records this late. Zero by default.
    ///
    /// # Panics
    /// When negative.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        assert!(lateness >= Duration::ZERO, "allowed lateness is not negative: {lateness}");
        self.lateness = lateness;
        self
    }

    /// Lets the ordered steps see events as they arrive instead of in event-time order.
    ///
    /// That is sooner, but the answer then depends on timing: the listing says so, and a replay may differ from live.
    pub fn as_arrives(mut self) -> Self {
        self.as_arrives = true;
        self
    }
}
