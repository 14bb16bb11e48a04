//! The methods of keyed streams on a stream that has no key, so that the compiler says what is missing.
//!
//! Windows and state are kept by key. A program that forgets `key_by` would only be told that there is no such method,
//! not which step it lacks; so every stream has the methods, but no stream without a key meets their bound.

use dualgauge_engine::{Data, Stream};

use crate::join::{Between, IntervalJoin, Same, TemporalJoin};
use crate::key_by::KeyedStream;
use crate::keyed::{KeyState, Over, Process};
use crate::window::Windowed;

/// A stream that has a key: none does before `key_by`.
#[diagnostic::on_unimplemented(
    message = "this stream has no key, and windows and state are kept by key",
    label = "say `.key_by(|row| row.field)` before it",
    note = "one window over all rows, whatever their keys, is `.window_all(…)`"
)]
pub trait HasKey {}

/// Methods of keyed streams, on a stream that has no key: the compiler says what is missing.
///
/// ```compile_fail,E0277
/// use dualgauge_engine::testing::check;
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::aggregate::count;
/// use dualgauge_operators::window::tumbling;
/// use dualgauge_operators::{Keyless, Map};
///
/// check(
///     "a:1@5",
///     |items| items.window(tumbling(10.seconds())).aggregate("count", count()).map(|pane| pane.value.to_string()),
///     "9.999999 1",
/// );
/// ```
#[doc(hidden)]
pub trait Keyless<'s, D: Data, L>: Sized {
    fn window<W>(self, _window: W) -> Windowed<'s, (), D, L, fn(&D), W>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    fn fold<S: KeyState, R: Data>(self, _name: &str, _each: impl Fn(&mut S, D) -> R + 'static) -> Stream<'s, R, D>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    fn reduce(self, _name: &str, _combine: impl Fn(D, D) -> D + 'static) -> Stream<'s, D, D>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    fn process<K, P: Process<K, D>>(self, _name: &str, _process: P) -> Stream<'s, P::Out, D>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    fn deduplicate<P>(self, _name: &str, _keep: P) -> Stream<'s, D, D>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    fn over(self) -> Over<'s, D, L, fn(&D)>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    #[expect(clippy::wrong_self_convention, reason = "an as-of join is called so; it converts nothing")]
    #[expect(clippy::type_complexity, reason = "the types of the joins that would be there with a key")]
    fn as_of<R: Data, N, G>(
        self,
        _versions: KeyedStream<'s, R, N, G>,
    ) -> TemporalJoin<'s, D, L, fn(&D), R, N, Same<G, ()>>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }

    #[expect(clippy::type_complexity, reason = "the types of the joins that would be there with a key")]
    fn interval_join<R: Data, N, G>(
        self,
        _right: KeyedStream<'s, R, N, G>,
        _between: Between,
    ) -> IntervalJoin<'s, D, L, fn(&D), R, N, Same<G, ()>>
    where
        Self: HasKey,
    {
        unreachable!("no stream without a key has one")
    }
}

impl<'s, D: Data, L: 'static> Keyless<'s, D, L> for Stream<'s, D, L> {}
