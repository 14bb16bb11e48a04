//! A stream with a key: what windows and keyed state stand on.

use dualgauge_engine::{Data, Key, Stream};

/// A stream and the function that finds the key of an event.
///
/// Nothing moves yet: the step that follows deals events to the workers that own their keys.
pub struct KeyedStream<'s, D: Data, L, F> {
    pub(crate) stream: Stream<'s, D, L>,
    pub(crate) key: F,
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
        KeyedStream { stream: self, key }
    }
}
