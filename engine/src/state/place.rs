//! Places: what orders the tables of a step, as bytes that sort the same way.

use crate::EventTime;

/// Where a table stands among others: a window's start, an event time.
///
/// The bytes sort as the places do, and no place's bytes begin with another's.
pub trait Place: Copy + Ord + 'static {
    /// Adds the place's bytes.
    fn put(self, bytes: &mut Vec<u8>);

    /// Takes the place's bytes off the front; `None` where there are too few.
    fn take(bytes: &mut &[u8]) -> Option<Self>;

    /// The place as bytes.
    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }
}

impl Place for EventTime {
    fn put(self, bytes: &mut Vec<u8>) {
        // With the sign turned, negative times come first.
        bytes.extend((self.as_micros() as u64 ^ (1 << 63)).to_be_bytes());
    }

    fn take(bytes: &mut &[u8]) -> Option<EventTime> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        *bytes = rest;
        Some(EventTime::from_micros((u64::from_be_bytes(*head) ^ (1 << 63)) as i64))
    }
}

impl<A: Place, B: Place> Place for (A, B) {
    fn put(self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<(A, B)> {
        Some((A::take(bytes)?, B::take(bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_sort_as_times_do_and_come_back() {
        let times = [i64::MIN, -5, -1, 0, 1, 300, i64::MAX].map(EventTime::from_micros);
        assert!(times.map(Place::bytes).is_sorted());
        for time in times {
            assert_eq!(<(EventTime, EventTime)>::take(&mut &(time, time).bytes()[..]), Some((time, time)));
        }
        assert_eq!(EventTime::take(&mut &[1_u8][..]), None);
    }
}
