//! The check that both sides of a join have keys of one type, made where the join begins.

use std::fmt;
use std::marker::PhantomData;

use dualgauge_engine::{Data, Key};

use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;

/// A type of keys that is `K`: every type is itself and no other.
#[diagnostic::on_unimplemented(
    message = "the keys of a join are of one type: `{K}` on the left, and `{Self}` on the right",
    label = "its key is not the left side's",
    note = "let both `key_by` give the same type: the field that both sides have, or a conversion of one of them"
)]
pub trait SameKey<K> {
    /// The key, which is of that type.
    fn as_key(&self) -> &K;

    /// The same, owned.
    fn into_key(self) -> K;
}

impl<K> SameKey<K> for K {
    #[inline]
    fn as_key(&self) -> &K {
        self
    }
    #[inline]
    fn into_key(self) -> K {
        self
    }
}

/// The right side's function, known to find keys `K`.
pub struct Same<G, K>(G, PhantomData<fn() -> K>);

impl<G: Clone, K> Clone for Same<G, K> {
    fn clone(&self) -> Self {
        Same(self.0.clone(), PhantomData)
    }
}

impl<G, K> fmt::Debug for Same<G, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Same")
    }
}

impl<R: Data, K: Key, G: KeyFn<R, Key: SameKey<K>>> KeyFn<R> for Same<G, K> {
    type Key = K;

    #[inline]
    fn with<T>(&self, data: &R, look: impl FnOnce(&K) -> T) -> T {
        self.0.with(data, |key| look(key.as_key()))
    }
    #[inline]
    fn key(&self, data: &R) -> K {
        self.0.key(data).into_key()
    }
}

/// The right side of a join whose left has keys `K`.
pub(super) fn same<'s, R: Data, N, G, K>(right: KeyedStream<'s, R, N, G>) -> KeyedStream<'s, R, N, Same<G, K>> {
    let KeyedStream { stream, key, lateness, as_arrives } = right;
    KeyedStream { stream, key: Same(key, PhantomData), lateness, as_arrives }
}
