//! A digest of rows: one number that says whether two outputs hold the same rows, in whatever order they lie.

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::Record;

/// How many rows, and the sum of their 128-bit hashes.
///
/// A sum depends neither on order nor on how the rows were cut into files, and, unlike an exclusive or, it counts
/// repeats. Digests of parts add up to the digest of the whole. It finds mistakes, not forgeries.
///
/// ```
/// use dualgauge_engine::{Digest, EventTime, record};
///
/// #[record]
/// struct Bid { price: u64, #[event_time] time: EventTime }
///
/// let bid = |price| Bid { price, time: EventTime::default() };
/// let one = Digest::of([bid(1), bid(2)]);
/// assert_eq!(one, Digest::of([bid(2)]) + Digest::of([bid(1)]));
/// assert_ne!(one, Digest::of([bid(1), bid(2), bid(2)]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest {
    /// How many rows.
    pub rows: u64,
    /// The sum of their hashes, wrapping.
    pub sum: u128,
}

impl Digest {
    /// The digest of these rows.
    pub fn of<D: Record>(rows: impl IntoIterator<Item = D>) -> Digest {
        let mut digest = Digest::default();
        rows.into_iter().for_each(|row| digest.add_row(&row));
        digest
    }

    /// Adds a row, by its encoding.
    ///
    /// # Panics
    /// When the record holds a type of the user's whose `Serialize` fails.
    pub fn add_row<D: Record>(&mut self, row: &D) {
        let bytes = postcard::to_stdvec(row).expect("a record's Serialize must not fail");
        self.rows += 1;
        self.sum = self.sum.wrapping_add(xxh3_128(&bytes));
    }
}

impl Add for Digest {
    type Output = Digest;

    fn add(self, other: Digest) -> Digest {
        Digest { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Digest) {
        *self = *self + other;
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}
