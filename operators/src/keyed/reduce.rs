//! A running combination of all events of a key.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Key, Stream};

use super::process::{Process, ProcessContext, ordered};
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;

/// Adds [`Reduce::reduce`] to keyed streams.
pub trait Reduce<'s, K, D: Data> {
    /// in: `D` by key; out: the combination of all of a key's events so far, one per event, in event-time order.
    ///
    /// The first event of a key comes out as it is. Remembers one `D` per key for ever, and events until the watermark
    /// passes them. A record is late when its time, plus the allowed lateness, is below the watermark it came under; it
    /// leaves by `late()`.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::keyed::Reduce;
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "disorder 10s
    ///      a:5@6 a:3@5 b:4@5 a:9@7",
    ///     |items| {
    ///         let keyed = items.key_by(|item| item.key.clone());
    ///         let highest = keyed.reduce("highest", |highest, item| if item.value > highest.value { item } else { highest });
    ///         highest.map(|item| format!("{} {}", item.key, item.value))
    ///     },
    ///     "5 a 3
    ///      5 b 4
    ///      6 a 5
    ///      7 a 9",
    /// );
    /// ```
    #[track_caller]
    fn reduce(self, name: &str, combine: impl Fn(D, D) -> D + 'static) -> Stream<'s, D, D>
    where
        D: Ord;
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> Reduce<'s, K, D> for KeyedStream<'s, D, L, F> {
    #[track_caller]
    fn reduce(self, name: &str, combine: impl Fn(D, D) -> D + 'static) -> Stream<'s, D, D>
    where
        D: Ord,
    {
        ordered(self, NodeSpec::stateful("reduce", name), Reducing { combine })
    }
}

struct Reducing<C> {
    combine: C,
}

impl<K: Key, D: Data, C: Fn(D, D) -> D + 'static> Process<K, D> for Reducing<C> {
    type State = Option<D>;
    type Out = D;

    fn on_event(&mut self, _: &K, data: D, state: &mut Option<D>, context: &mut ProcessContext<'_, K, D>) {
        let total = match state.take() {
            Some(total) => (self.combine)(total, data),
            None => data,
        };
        context.emit(state.insert(total).clone());
    }
}
