//! A running state per key, and what is said of it after each event.

use std::marker::PhantomData;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Key, Stream};

use super::process::{Context, Process, ordered};
use crate::key_by::KeyedStream;

/// Adds [`Fold::fold`] to keyed streams.
pub trait Fold<'s, K, D: Data> {
    /// in: `D` by key; out: `each(&mut state, D)`, one per event, in event-time order within a key.
    ///
    /// Remembers the state of every key for ever, and events until the watermark passes them. A record below the
    /// watermark it came under is late. The state of a new key is its default.
    #[track_caller]
    fn fold<S: Data + Default, R: Data>(self, name: &str, each: impl Fn(&mut S, D) -> R + 'static) -> Stream<'s, R, D>
    where
        D: Ord;
}

impl<'s, K: Key, D: Data, L: 'static, F: Fn(&D) -> K + Clone + 'static> Fold<'s, K, D> for KeyedStream<'s, D, L, F> {
    #[track_caller]
    fn fold<S: Data + Default, R: Data>(self, name: &str, each: impl Fn(&mut S, D) -> R + 'static) -> Stream<'s, R, D>
    where
        D: Ord,
    {
        ordered(self, NodeSpec::stateful("fold", name), Folding { each, types: PhantomData::<(S, R)> })
    }
}

struct Folding<S, R, E> {
    each: E,
    types: PhantomData<(S, R)>,
}

impl<K: Key, D: Data, S: Data + Default, R: Data, E: Fn(&mut S, D) -> R + 'static> Process<K, D> for Folding<S, R, E> {
    type State = S;
    type Out = R;

    fn on_event(&mut self, _: &K, data: D, state: &mut S, context: &mut Context<'_, K, R>) {
        let result = (self.each)(state, data);
        context.emit(result);
    }
}
