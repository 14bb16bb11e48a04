//! When something happened.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{self, DateTime};
use serde::{Deserialize, Serialize};

use super::Duration;
use crate::Error;

/// When something happened: microseconds since the Unix epoch, UTC.
///
/// The two ends, [`EventTime::MIN`] and [`EventTime::MAX`], stand for "before every event" and "after every event": no
/// event has such a time, since a source takes one for a bad record. Events lie from [`EventTime::FIRST`] to
/// [`EventTime::LAST`].
///
/// Adding and subtracting a [`Duration`] saturates at the ends, so that an absurd time in the data moves nothing past
/// them; [`Duration::MAX`] reaches an end from anywhere.
///
/// ```
/// use dualgauge_engine::{Durations, EventTime};
///
/// let noon: EventTime = "2026-01-01T12:00:00Z".parse().unwrap();
/// assert_eq!((noon + 10.seconds()).to_string(), "2026-01-01T12:00:10Z");
/// assert_eq!(EventTime::MAX + 1.hours(), EventTime::MAX);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventTime(i64);

/// The Unix epoch.
const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

impl EventTime {
    /// Before every event: the watermark of a source that has seen nothing.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// After every event: the watermark of an input that has ended.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// The first instant at which anything can happen.
    pub const FIRST: EventTime = EventTime(i64::MIN + 1);
    /// The last instant at which anything can happen.
    pub const LAST: EventTime = EventTime(i64::MAX - 1);

    /// Whether an event can have this time: any but the two ends.
    #[inline]
    pub const fn is_instant(self) -> bool {
        self.0 != i64::MIN && self.0 != i64::MAX
    }

    /// The time `micros` microseconds after the Unix epoch (before it, when negative).
    pub const fn from_micros(micros: i64) -> EventTime {
        EventTime(micros)
    }

    /// The time `millis` milliseconds after the Unix epoch, saturating.
    pub const fn from_millis(millis: i64) -> EventTime {
        EventTime(millis.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The largest multiple of `step` (shifted by `offset`) at or before this time, saturating.
    ///
    /// Floors also below zero: the step before the epoch starts at `-step`.
    ///
    /// # Panics
    /// When `step` is not positive.
    #[inline]
    pub fn floor_to(self, step: Duration, offset: Duration) -> EventTime {
        self.cell(step, offset).0
    }

    /// The largest multiple of `step` (shifted by `offset`) at or before this time, and the next one after it: the cell of
    /// a grid that the time is in. What lies beyond an end of time is cut off there, each side by itself.
    ///
    /// ```
    /// use dualgauge_engine::{Durations, EventTime};
    ///
    /// let at = EventTime::from_micros;
    /// assert_eq!(at(-1).cell(10.micros(), 0.micros()), (at(-10), at(0)));
    /// // The first cell of all is shorter than the others, for its start would be 2 below the first time of all.
    /// assert_eq!(EventTime::FIRST.cell(10.micros(), 0.micros()), (EventTime::MIN, EventTime::MIN + 8.micros()));
    /// ```
    ///
    /// # Panics
    /// When `step` is not positive.
    #[inline]
    pub fn cell(self, step: Duration, offset: Duration) -> (EventTime, EventTime) {
        let (step, offset) = (step.as_micros(), offset.as_micros());
        let into = self.0.rem_euclid(step) - offset.rem_euclid(step);
        let into = if into < 0 { into + step } else { into };
        // Both from the time itself: a start that is cut off would take the end with it.
        (EventTime(self.0.saturating_sub(into)), EventTime(self.0.saturating_add(step - into)))
    }

    /// Whether this time is less than `length` after `earlier`, or before it. [`Duration::MAX`] is longer than anything.
    ///
    /// By the distance, not by `earlier + length`: at the end of time a sum saturates.
    ///
    /// ```
    /// use dualgauge_engine::{Duration, Durations, EventTime};
    ///
    /// assert!(EventTime::LAST.is_within(5.micros(), EventTime::LAST - 4.micros()));
    /// assert!(!EventTime::LAST.is_within(5.micros(), EventTime::LAST - 5.micros()));
    /// assert!(EventTime::LAST.is_within(Duration::MAX, EventTime::FIRST));
    /// ```
    #[inline]
    pub fn is_within(self, length: Duration, earlier: EventTime) -> bool {
        self - earlier < length || length == Duration::MAX
    }
}

/// As far from `time` as `length` says, or at an end of time.
#[inline]
fn moved(time: EventTime, length: Duration) -> EventTime {
    match length {
        Duration::MAX => EventTime::MAX,
        length if length <= Duration::MIN => EventTime::MIN,
        length => EventTime(time.0.saturating_add(length.as_micros())),
    }
}

impl Add<Duration> for EventTime {
    type Output = EventTime;

    #[inline]
    fn add(self, length: Duration) -> EventTime {
        moved(self, length)
    }
}

impl Sub<Duration> for EventTime {
    type Output = EventTime;

    #[inline]
    fn sub(self, length: Duration) -> EventTime {
        moved(self, -length)
    }
}

impl Sub for EventTime {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: EventTime) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_epoch = SignedDuration::from_micros(self.0);
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            // A timestamp leaves out the first and last hours of the calendar, for its zones.
            Err(_) => match EPOCH.checked_add(since_epoch) {
                Ok(clock) => write!(f, "{clock}Z"),
                Err(_) => write!(f, "{}us", self.0), // outside the calendar's years -9999 to 9999
            },
        }
    }
}

impl FromStr for EventTime {
    type Err = Error;

    /// Reads an RFC 3339 instant such as `2026-01-01T12:00:00Z`, or a date, which is its midnight in UTC; and outside
    /// the calendar, the microseconds as which a time is shown there. What is finer than a microsecond is floored.
    fn from_str(text: &str) -> Result<EventTime, Error> {
        if let Some(micros) = text.strip_suffix("us").and_then(|micros| micros.parse().ok()) {
            return Ok(EventTime(micros));
        }
        let nanos = match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Some(instant.as_nanosecond()),
            Err(_) => in_utc(text).map(|clock| clock.duration_since(EPOCH).as_nanos()),
        };
        let bad = || Error::usage(format!("`{text}` is not a time; write it like 2026-01-01T12:00:00Z or 2026-01-01"));
        nanos.map(|nanos| EventTime(nanos.div_euclid(1_000) as i64)).ok_or_else(bad) // the calendar fits
    }
}

/// A date, and the hours of the calendar that a timestamp leaves out.
fn in_utc(text: &str) -> Option<DateTime> {
    match text.strip_suffix(['Z', 'z']) {
        Some(clock) if clock.contains(['T', 't', ' ']) => clock.parse().ok(),
        Some(_) => None,
        None if text.contains(['T', 't', ' ', ':']) => None,
        None => text.parse::<civil::Date>().ok().map(DateTime::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    #[test]
    fn floors_below_zero_and_with_any_offset() {
        let at = EventTime::from_micros;
        let floor =
            |t, size, offset| at(t).floor_to(Duration::from_micros(size), Duration::from_micros(offset)).as_micros();
        assert_eq!(floor(0, 10, 0), 0);
        assert_eq!(floor(9, 10, 0), 0);
        assert_eq!(floor(-1, 10, 0), -10);
        assert_eq!(floor(-10, 10, 0), -10);
        assert_eq!(floor(2, 10, 3), -7);
        assert_eq!(floor(3, 10, 3), 3);
        assert_eq!(floor(2, 10, -3), -3);
        assert_eq!(floor(7, 10, -3), 7);
        assert_eq!(floor(i64::MIN, 10, 0), i64::MIN);
    }

    #[test]
    fn a_cell_is_cut_off_at_an_end_of_time_and_nowhere_else() {
        let wide = |time: i64, step: i64, offset: i64| {
            let start = i128::from(time) - (i128::from(time) - i128::from(offset)).rem_euclid(i128::from(step));
            let cut = |edge: i128| edge.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            (cut(start), cut(start + i128::from(step)))
        };
        let near = |end: i64| (0..12).map(move |by| if end < 0 { end + by } else { end - by });
        for time in near(i64::MIN).chain(near(i64::MAX)).chain([-1, 0, 1]) {
            for step in [1, 2, 7, 10, i64::MAX / 2, i64::MAX - 1, i64::MAX] {
                for offset in [0, 1, -1, 3, -6, step - 1, 1 - step].into_iter().filter(|offset| offset.abs() < step) {
                    let micros = Duration::from_micros;
                    let (start, end) = EventTime::from_micros(time).cell(micros(step), micros(offset));
                    let cell = (start.as_micros(), end.as_micros());
                    assert_eq!(cell, wide(time, step, offset), "{time} in steps of {step} from {offset}");
                    // Who knows the start alone finds the same cell.
                    assert_eq!(start.cell(micros(step), micros(offset)), (start, end));
                }
            }
        }
    }

    #[test]
    fn the_longest_length_reaches_an_end_from_anywhere() {
        for time in [EventTime::FIRST, EventTime::default(), EventTime::LAST] {
            assert_eq!((time + Duration::MAX, time - Duration::MAX), (EventTime::MAX, EventTime::MIN));
            assert_eq!((time + -Duration::MAX, time - -Duration::MAX), (EventTime::MIN, EventTime::MAX));
        }
    }

    #[test]
    fn text_and_value_agree_both_ways() {
        let ends = ["-009999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"];
        for text in ["1969-12-31T23:59:59.999999Z", "2026-01-01T12:00:00Z"].into_iter().chain(ends) {
            assert_eq!(text.parse::<EventTime>().unwrap().to_string(), text);
        }
        assert_eq!("1970-01-02".parse::<EventTime>().unwrap(), EventTime::default() + 1.days());
        assert_eq!("9999-12-31".parse::<EventTime>().unwrap().to_string(), "9999-12-31T00:00:00Z");
        for wrong in ["noon", "2024-01-01T00:00:00", "2024-01-01Z", "12:00"] {
            assert!(wrong.parse::<EventTime>().is_err(), "{wrong}");
        }
        for end in [EventTime::MIN, EventTime::MAX] {
            assert_eq!(end.to_string().parse::<EventTime>().unwrap(), end);
        }
        let before = "1969-12-31T23:59:59.9999995Z".parse::<EventTime>().unwrap();
        assert_eq!(before, EventTime::from_micros(-1), "floored, below zero too");
    }
}
