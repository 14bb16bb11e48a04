//! One total order on all that a record can hold, and equality and hash that agree with it.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::super::{Decimal, Text};
use crate::{Duration, EventTime};

/// A type with a total order, and with equality and a hash that agree with it.
///
/// That of `Ord`, `Eq` and `Hash` where a type has them. Floats have none of these: they are ordered by `total_cmp`, in
/// which `-0.0` is below `0.0` and every NaN has its place, and two are equal when their bits are.
pub trait Total {
    /// Which is the smaller.
    fn total_cmp(&self, other: &Self) -> Ordering;

    /// Whether the two are the same.
    #[inline]
    fn total_eq(&self, other: &Self) -> bool {
        self.total_cmp(other).is_eq()
    }

    /// Feeds a hash with what decides equality.
    fn total_hash<H: Hasher>(&self, state: &mut H);
}

/// [`Total`] for a type whose `Ord`, `Eq` and `Hash` are it.
macro_rules! total_as_ord {
    ($($type:ty),*) => {$(
        impl Total for $type {
            #[inline]
            fn total_cmp(&self, other: &Self) -> Ordering {
                Ord::cmp(self, other)
            }
            #[inline]
            fn total_eq(&self, other: &Self) -> bool {
                self == other
            }
            #[inline]
            fn total_hash<H: Hasher>(&self, state: &mut H) {
                self.hash(state)
            }
        }
    )*};
}

total_as_ord!(i8, i16, i32, i64, u8, u16, u32, u64, bool, String, Text, EventTime, Duration);

impl<const SCALE: u8> Total for Decimal<SCALE> {
    #[inline]
    fn total_cmp(&self, other: &Decimal<SCALE>) -> Ordering {
        self.cmp(other)
    }
    #[inline]
    fn total_hash<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
}

macro_rules! floats {
    ($($type:ident),*) => {$(
        impl Total for $type {
            #[inline]
            fn total_cmp(&self, other: &$type) -> Ordering {
                $type::total_cmp(self, other)
            }
            #[inline]
            fn total_eq(&self, other: &$type) -> bool {
                self.to_bits() == other.to_bits()
            }
            #[inline]
            fn total_hash<H: Hasher>(&self, state: &mut H) {
                self.to_bits().hash(state);
            }
        }
    )*};
}

floats!(f32, f64);

/// `None` is below every value.
impl<T: Total> Total for Option<T> {
    #[inline]
    fn total_cmp(&self, other: &Option<T>) -> Ordering {
        match (self, other) {
            (Some(this), Some(other)) => this.total_cmp(other),
            _ => self.is_some().cmp(&other.is_some()),
        }
    }
    #[inline]
    fn total_eq(&self, other: &Option<T>) -> bool {
        match (self, other) {
            (Some(this), Some(other)) => this.total_eq(other),
            _ => self.is_some() == other.is_some(),
        }
    }
    #[inline]
    fn total_hash<H: Hasher>(&self, state: &mut H) {
        self.is_some().hash(state);
        if let Some(value) = self {
            value.total_hash(state);
        }
    }
}

/// Element by element; a list is above those that it begins with.
impl<T: Total> Total for Vec<T> {
    fn total_cmp(&self, other: &Vec<T>) -> Ordering {
        let differing = self.iter().zip(other).map(|(this, other)| this.total_cmp(other)).find(|order| order.is_ne());
        differing.unwrap_or_else(|| self.len().cmp(&other.len()))
    }
    fn total_eq(&self, other: &Vec<T>) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(this, other)| this.total_eq(other))
    }
    fn total_hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|value| value.total_hash(state));
    }
}
