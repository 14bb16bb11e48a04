//! What holds a watermark, and for how long, when some of several partitions fall idle.
//!
//! Those that have fallen idle follow those that have not. Two that fall idle at the same moment do not follow each
//! other, and of two that fall idle one after the other the first follows the second, up to where that one stood. So it
//! is decided by when each falls idle, and never by when somebody looks: what is known of another worker is as old as
//! its last report, and its partition may have fallen idle since. Therefore each reports until when it holds *at
//! least*, and nobody follows it beyond that.

use serde::{Deserialize, Serialize};

use crate::EventTime;

/// A partition, or several together, and what is known of its hold on the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holding {
    /// Whether it holds nothing any more: it has fallen idle, or has ended.
    pub(crate) over: bool,
    /// When it ceased to hold, by the wall clock; if it still holds, the moment before which it will not cease.
    pub(crate) until: EventTime,
    /// The watermark that it holds, or last held.
    pub(crate) watermark: EventTime,
}

impl Holding {
    /// What holds everything back, since nothing is known of it yet.
    pub(crate) const UNKNOWN: Holding = Holding { over: false, until: EventTime::MIN, watermark: EventTime::MIN };

    /// What has never held anything.
    pub(crate) const NOTHING: Holding = Holding { over: true, until: EventTime::MIN, watermark: EventTime::MIN };

    /// What all of them hold: the least of those that hold. Those that ceased to hold last still count, all together,
    /// as long as none is known to hold for longer.
    pub(crate) fn together(all: impl IntoIterator<Item = Holding>) -> Holding {
        let (mut holding, mut last) = (None::<Holding>, Holding::NOTHING);
        for one in all {
            match &mut holding {
                _ if one.over && one.until > last.until => last = one,
                _ if one.over && one.until < last.until => {}
                _ if one.over => last.watermark = last.watermark.min(one.watermark),
                Some(before) => {
                    before.until = before.until.max(one.until);
                    before.watermark = before.watermark.min(one.watermark);
                }
                None => holding = Some(one),
            }
        }
        match holding {
            Some(holding) if holding.until > last.until => holding,
            Some(holding) => Holding { watermark: holding.watermark.min(last.watermark), ..holding },
            None => last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    fn at(seconds: i64) -> EventTime {
        EventTime::default() + seconds.seconds()
    }

    fn holds(until: i64, watermark: i64) -> Holding {
        Holding { over: false, until: at(until), watermark: at(watermark) }
    }

    fn over(until: i64, watermark: i64) -> Holding {
        Holding { over: true, ..holds(until, watermark) }
    }

    #[test]
    fn who_has_fallen_idle_is_waited_for_until_another_is_known_to_hold_longer() {
        let cases: &[(&[Holding], Holding)] = &[
            (&[], Holding::NOTHING),
            (&[holds(9, 20), holds(8, 10)], holds(9, 10)),
            (&[holds(9, 20), over(5, 3)], holds(9, 20)),
            // Both may have fallen idle at once: nothing newer is known of the first.
            (&[holds(5, 20), over(5, 3)], holds(5, 3)),
            (&[holds(5, 20), over(5, 30)], holds(5, 20)),
            (&[holds(9, 20), holds(4, 10), over(5, 3)], holds(9, 10)),
            // The watermark stays where the last to fall idle is; of those that fall together, at the least.
            (&[over(5, 20), over(6, 3)], over(6, 3)),
            (&[over(6, 20), over(5, 3)], over(6, 20)),
            (&[over(6, 20), over(6, 3), over(2, 1)], over(6, 3)),
            (&[holds(9, 20), Holding::UNKNOWN], holds(9, i64::MIN)),
        ];
        for (all, expected) in cases {
            let expected = match expected.watermark {
                low if low < at(0) => Holding { watermark: EventTime::MIN, ..*expected },
                _ => *expected,
            };
            assert_eq!(Holding::together(all.iter().copied()), expected, "{all:?}");
            assert_eq!(Holding::together(all.iter().rev().copied()), expected, "{all:?} from the end");
            let (left, right) = all.split_at(all.len() / 2);
            let halves = [left, right].map(|half| Holding::together(half.iter().copied()));
            assert!(Holding::together(halves).watermark <= expected.watermark, "{all:?} in halves goes further");
        }
    }
}
