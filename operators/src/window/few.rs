//! A few things in order: mostly one, which then needs no allocation.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list that holds its only element in place. To serde it is a list like any other.
#[derive(Clone, Debug)]
pub(super) enum Few<T> {
    One(T),
    /// Any number, including none and one.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Puts `item` before the one at `at`.
    pub(super) fn insert(&mut self, at: usize, item: T) {
        self.many().insert(at, item);
    }

    /// Takes the one at `at` out.
    pub(super) fn remove(&mut self, at: usize) -> T {
        self.many().remove(at)
    }

    /// Takes the first `count` out and hands them on.
    pub(super) fn drain_first(&mut self, count: usize, each: impl FnMut(T)) {
        self.many().drain(..count).for_each(each);
    }

    /// Hands all of them on.
    pub(super) fn into_each(self, mut each: impl FnMut(T)) {
        match self {
            Few::One(item) => each(item),
            Few::Many(items) => items.into_iter().for_each(each),
        }
    }

    fn many(&mut self) -> &mut Vec<T> {
        if let Few::One(_) = self {
            let Few::One(item) = std::mem::replace(self, Few::Many(Vec::with_capacity(2))) else { unreachable!() };
            self.many().push(item);
        }
        match self {
            Few::Many(items) => items,
            Few::One(_) => unreachable!("it was just made many"),
        }
    }
}

impl<T> std::ops::Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Few::One(item) => std::slice::from_ref(item),
            Few::Many(items) => items,
        }
    }
}

impl<T> std::ops::DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::One(item) => std::slice::from_mut(item),
            Few::Many(items) => items,
        }
    }
}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self[..].serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Few<T>, D::Error> {
        let mut items = Vec::<T>::deserialize(deserializer)?;
        Ok(match items.len() {
            1 => Few::One(items.remove(0)),
            _ => Few::Many(items),
        })
    }
}
