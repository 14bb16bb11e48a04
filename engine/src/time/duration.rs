//! A signed length of event time, in microseconds.

use std::fmt;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A signed length of event time in microseconds.
///
/// Signed, because a window's offset may be negative; in microseconds, because that is what [`EventTime`] counts.
/// Arithmetic saturates: a length that leaves the range stands for "longer than anything".
///
/// [`EventTime`]: crate::EventTime
///
/// ```
/// use dualgauge_engine::{Duration, Durations};
///
/// assert_eq!(90.seconds(), "1m30s".parse::<Duration>().unwrap());
/// assert_eq!(90.seconds().to_string(), "1m30s");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Duration(i64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// Longer than any span of event time: what is so far away lies at the end of time.
    pub const MAX: Duration = Duration(i64::MAX);
    /// The same in the other direction.
    pub const MIN: Duration = Duration(-i64::MAX);

    /// A length of `micros` microseconds.
    pub const fn from_micros(micros: i64) -> Duration {
        Duration(if micros == i64::MIN { -i64::MAX } else { micros })
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The length on a wall clock; a negative one is zero there.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.max(0) as u64)
    }

    /// Whether the length is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl Add for Duration {
    type Output = Duration;

    fn add(self, other: Duration) -> Duration {
        Duration::from_micros(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Duration;

    fn sub(self, other: Duration) -> Duration {
        Duration::from_micros(self.0.saturating_sub(other.0))
    }
}

impl Neg for Duration {
    type Output = Duration;

    fn neg(self) -> Duration {
        Duration(self.0.saturating_neg())
    }
}

/// A length of time, wherever one is asked for.
///
/// It is a trait so that a program that gives a plain number, which has no unit, is told how to write a length.
///
/// ```
/// use dualgauge_engine::{Durations, IntoDuration};
///
/// assert_eq!(10.seconds().into_duration(), 10_000.millis());
/// ```
///
/// ```compile_fail,E0277
/// use dualgauge_engine::IntoDuration;
///
/// 10.into_duration(); // ten of what?
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no length of event time",
    label = "say the number and its unit, as `10.seconds()`",
    note = "`micros()`, `millis()`, `seconds()`, `minutes()`, `hours()` and `days()` come with the prelude; of a `std::time::Duration` it is `(d.as_micros() as i64).micros()`"
)]
pub trait IntoDuration {
    /// The length.
    fn into_duration(self) -> Duration;
}

impl IntoDuration for Duration {
    fn into_duration(self) -> Duration {
        self
    }
}

/// Reads lengths as words: `10.seconds()`, `1.hours()`.
pub trait Durations {
    /// This many microseconds.
    fn micros(self) -> Duration;
    /// This many milliseconds.
    fn millis(self) -> Duration;
    /// This many seconds.
    fn seconds(self) -> Duration;
    /// This many minutes.
    fn minutes(self) -> Duration;
    /// This many hours.
    fn hours(self) -> Duration;
    /// This many days of 24 hours.
    fn days(self) -> Duration;
}

impl Durations for i64 {
    fn micros(self) -> Duration {
        Duration::from_micros(self)
    }
    fn millis(self) -> Duration {
        Duration::from_micros(self.saturating_mul(1_000))
    }
    fn seconds(self) -> Duration {
        Duration::from_micros(self.saturating_mul(1_000_000))
    }
    fn minutes(self) -> Duration {
        self.saturating_mul(60).seconds()
    }
    fn hours(self) -> Duration {
        self.saturating_mul(3_600).seconds()
    }
    fn days(self) -> Duration {
        self.saturating_mul(86_400).seconds()
    }
}

/// Units from the longest down; what `Display` prints and `FromStr` reads.
const UNITS: [(&str, i64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        for (unit, micros) in UNITS {
            let count = rest / micros as u64;
            rest %= micros as u64;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = Error;

    /// Reads `1h30m`, `10s`, `-250ms`, `0s`: whole numbers, each with a unit of `d`, `h`, `m`, `s`, `ms`, `us`.
    fn from_str(text: &str) -> Result<Duration, Error> {
        let bad = || Error::usage(format!("`{text}` is not a length of time; write it like 10s, 1h30m or 250ms"));
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        if rest.is_empty() {
            return Err(bad());
        }
        let mut micros = 0_i64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let count: i64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(bad)?;
            micros = count.checked_mul(*unit).and_then(|part| micros.checked_add(part)).ok_or_else(bad)?;
            rest = &rest[letters..];
        }
        Ok(Duration(sign * micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree_both_ways() {
        for text in ["0s", "1us", "1ms", "10s", "1h30m", "-250ms", "2d3h4m5s6ms7us"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_length_is_refused() {
        for text in ["", "-", "10", "s", "10x", "10 s", "99999999999d", "1.5s"] {
            assert!(text.parse::<Duration>().is_err(), "{text} was accepted");
        }
    }
}
