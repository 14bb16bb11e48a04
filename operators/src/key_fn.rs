//! How the key of an event is found: made by a function, or borrowed through one.

use dualgauge_engine::{Data, Key, KeyGroup};

/// How the key of an event is found.
///
/// Any `Fn(&D) -> K` is one: see [`KeyBy::key_by`](crate::KeyBy::key_by). [`ByRef`] borrows the key from the event.
pub trait KeyFn<D>: Clone + 'static {
    /// The key.
    type Key: Key;

    /// Shows the key of an event to `look`.
    fn with<R>(&self, data: &D, look: impl FnOnce(&Self::Key) -> R) -> R;

    /// The key of an event.
    #[inline]
    fn key(&self, data: &D) -> Self::Key {
        self.with(data, Self::Key::clone)
    }

    /// The group of an event's key.
    #[inline]
    fn group(&self, data: &D) -> KeyGroup {
        self.with(data, KeyGroup::of)
    }
}

impl<D: Data, K: Key, F: Fn(&D) -> K + Clone + 'static> KeyFn<D> for F {
    type Key = K;

    #[inline]
    fn with<R>(&self, data: &D, look: impl FnOnce(&K) -> R) -> R {
        look(&self(data))
    }
    #[inline]
    fn key(&self, data: &D) -> K {
        self(data)
    }
}

/// A function that borrows the key from the event.
///
/// A key is then copied only when it is new to a table, so one with an allocation of its own, such as a `String`, costs
/// none for each event. See [`KeyBy::key_by_ref`](crate::KeyBy::key_by_ref).
#[derive(Clone, Copy, Debug)]
pub struct ByRef<F>(pub(crate) F);

impl<D: Data, K: Key, F: Fn(&D) -> &K + Clone + 'static> KeyFn<D> for ByRef<F> {
    type Key = K;

    #[inline]
    fn with<R>(&self, data: &D, look: impl FnOnce(&K) -> R) -> R {
        look((self.0)(data))
    }
}
