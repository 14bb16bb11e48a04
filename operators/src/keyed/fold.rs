//! A running state per key, and what is made of it after each event.

use std::marker::PhantomData;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Key, Stream};

use super::process::{KeyState, Process, ProcessContext, ordered};
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;

/// Adds [`Fold::fold`] to keyed streams.
pub trait Fold<'s, K, D: Data> {
    /// in: `D` by key; out: `each(&mut state, D)`, one per event, in event-time order within a key.
    ///
    /// Runs `each` over the events of each key, ties in time broken by comparing the records. The state of a new key is
    /// its default. Remembers the state of every key for ever, and events until the watermark passes them. A record is
    /// late when its time, plus the allowed lateness, is below the watermark it came under; it leaves by `late()`.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::keyed::Fold;
    /// use dualgauge_operators::{KeyBy, Map, Union};
    ///
    /// // Up to two seconds behind is in order; what is further behind is late.
    /// check(
    ///     "disorder 2s
    ///      a:1@5 a:2@4 b:7@5 a:3@8 a:4@3",
    ///     |items| {
    ///         let lists = items.key_by(|item| item.key.clone()).fold("list", |list: &mut Vec<i64>, item| {
    ///             list.push(item.value);
    ///             format!("{} {list:?}", item.key)
    ///         });
    ///         let late = lists.late().map(|item| format!("late {}:{}", item.key, item.value));
    ///         lists.union(late)
    ///     },
    ///     "3 late a:4
    ///      4 a [2]
    ///      5 a [2, 1]
    ///      5 b [7]
    ///      8 a [2, 1, 3]",
    /// );
    /// ```
    #[doc(alias = "scan")]
    #[doc(alias = "stateful_map")]
    #[doc(alias = "running total")]
    #[track_caller]
    fn fold<S: KeyState, R: Data>(self, name: &str, each: impl Fn(&mut S, D) -> R + 'static) -> Stream<'s, R, D>
    where
        D: Ord;
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> Fold<'s, K, D> for KeyedStream<'s, D, L, F> {
    #[track_caller]
    fn fold<S: KeyState, R: Data>(self, name: &str, each: impl Fn(&mut S, D) -> R + 'static) -> Stream<'s, R, D>
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

impl<K: Key, D: Data, S: KeyState, R: Data, E: Fn(&mut S, D) -> R + 'static> Process<K, D> for Folding<S, R, E> {
    type State = S;
    type Out = R;

    fn on_event(&mut self, _: &K, data: D, state: &mut S, context: &mut ProcessContext<'_, K, R>) {
        let result = (self.each)(state, data);
        context.emit(result);
    }
}
