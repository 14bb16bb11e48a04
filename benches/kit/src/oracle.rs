//! The answer of a window join, found by trying every left row with every right row.

use super::records::{Joined, Row};
use super::windows::Windows;

/// All pairs of equal keys in a common window, by event time and then by the record's own order.
///
/// It is the definition, written down, and takes the product of both sides' lengths: for small sizes only.
pub fn nested_loop(left: &[Row], right: &[Row], windows: Windows) -> Vec<Joined> {
    let mut pairs = Vec::new();
    for l in left {
        for r in right.iter().filter(|r| r.key == l.key) {
            let common = windows.starts(l.time).filter(|start| windows.starts(r.time).any(|other| other == *start));
            pairs.extend(common.map(|start| Joined::of(start, windows.last(start), l, r)));
        }
    }
    pairs.sort();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use dualgauge::{Durations, EventTime};

    #[test]
    fn pairs_have_equal_keys_and_a_common_window_for_each_that_they_share() {
        let row = |number, key, time| Row { key, number, payload: vec![0; 3], time: EventTime::from_micros(time) };
        let left = [row(0, 7, 1), row(1, 7, 9), row(2, 8, 1)];
        let right = [row(0, 7, 8), row(1, 7, 12)];
        let found = |windows| {
            let pairs = nested_loop(&left, &right, windows);
            pairs.iter().map(|pair| (pair.window.as_micros(), pair.left, pair.right)).collect::<Vec<_>>()
        };
        assert_eq!(found(Windows::tumbling(10.micros())), [(0, 0, 0), (0, 1, 0)]);
        let sliding = Windows { size: 10.micros(), slide: 5.micros() };
        assert_eq!(found(sliding), [(0, 0, 0), (0, 1, 0), (5, 1, 0), (5, 1, 1)]);
        let pair = nested_loop(&left[..1], &right[..1], Windows::tumbling(10.micros())).remove(0);
        assert_eq!((pair.bytes, pair.key, pair.time.as_micros()), (6, 7, 9));
    }
}
