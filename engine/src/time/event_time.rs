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
/// Adding and subtracting a [`Duration`] saturates at [`EventTime::MIN`] and [`EventTime::MAX`], so that an absurd
/// time in the data moves nothing past the ends of time.
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

/// When time began to be counted.
const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

impl EventTime {
    /// Before every event: the watermark of a source that has seen nothing.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// After every event: the watermark of an input that has ended.
    pub const MAX: EventTime = EventTime(i64::MAX);

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
        let (step, offset) = (step.as_micros(), offset.as_micros());
        let into = self.0.rem_euclid(step) - offset.rem_euclid(step);
        EventTime(self.0.saturating_sub(if into < 0 { into + step } else { into }))
    }
}

impl Add<Duration> for EventTime {
    type Output = EventTime;

    #[inline]
    fn add(self, length: Duration) -> EventTime {
        EventTime(self.0.saturating_add(length.as_micros()))
    }
}

impl Sub<Duration> for EventTime {
    type Output = EventTime;

    #[inline]
    fn sub(self, length: Duration) -> EventTime {
        EventTime(self.0.saturating_sub(length.as_micros()))
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

    /// Reads an RFC 3339 instant such as `2026-01-01T12:00:00Z`, or a date, which is its midnight in UTC; and what is
    /// outside the calendar as it is shown, as microseconds. What is finer than a microsecond is floored.
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
