//! The bounds of an interval join.

use std::fmt;

use dualgauge_engine::{Duration, IntoDuration};

use super::step::Reach;

/// How much later than the left event the right one is: at least `lower`, at most `upper`.
///
/// Both bounds are included, and each can be excluded. Negative ones allow the right event to be the earlier one.
///
/// ```
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::join::between;
///
/// assert_eq!(between(-5.seconds(), 10.seconds()).to_string(), "[-5s, 10s]");
/// assert_eq!(between(0.seconds(), 10.seconds()).exclusive_upper().to_string(), "[0s, 10s)");
/// ```
///
/// # Panics
/// When `lower` is above `upper`: no time is between them.
#[track_caller]
pub fn between(lower: impl IntoDuration, upper: impl IntoDuration) -> Between {
    let (lower, upper) = (lower.into_duration(), upper.into_duration());

    Between { lower, upper, without_lower: false, without_upper: false }.checked()
}

/// How much later than the left event the right one is: see [`between`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    lower: Duration,
    upper: Duration,
    without_lower: bool,
    without_upper: bool,
}

impl Between {
    /// Excludes the lower bound itself.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::between;
    ///
    /// assert_eq!(between(0.seconds(), 10.seconds()).exclusive_lower().to_string(), "(0s, 10s]");
    /// ```
    ///
    /// # Panics
    /// When no time is left between the bounds.
    #[track_caller]
    pub fn exclusive_lower(mut self) -> Between {
        self.without_lower = true;
        self.checked()
    }

    /// Excludes the upper bound itself.
    ///
    /// ```
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::join::between;
    ///
    /// let both = between(0.seconds(), 10.seconds()).exclusive_lower().exclusive_upper();
    /// assert_eq!(both.to_string(), "(0s, 10s)");
    /// ```
    ///
    /// # Panics
    /// When no time is left between the bounds.
    #[track_caller]
    pub fn exclusive_upper(mut self) -> Between {
        self.without_upper = true;
        self.checked()
    }

    /// The bounds, both included: event time is counted in microseconds.
    pub(super) fn reach(self) -> Reach {
        // A bound as far away as can be has nothing to exclude.
        let step = |without: bool, bound: Duration| {
            let endless = bound == Duration::MAX || bound == Duration::MIN;
            Duration::from_micros((without && !endless).into())
        };
        let lower = self.lower + step(self.without_lower, self.lower);
        Reach { lower, upper: self.upper - step(self.without_upper, self.upper) }
    }

    #[track_caller]
    fn checked(self) -> Between {
        let Reach { lower, upper } = self.reach();
        assert!(lower <= upper, "no time is between the bounds {self} of an interval join; are they exchanged?");
        self
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.without_lower { '(' } else { '[' };
        let close = if self.without_upper { ')' } else { ']' };
        write!(f, "{open}{}, {}{close}", self.lower, self.upper)
    }
}
