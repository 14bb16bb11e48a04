//! The kinds of windows, as values.

use std::fmt;

use dualgauge_engine::{Duration, EventTime, IntoDuration};
use serde::{Deserialize, Serialize};

/// A half-open span of event time, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first instant in it.
    pub start: EventTime,
    /// The first instant after it.
    pub end: EventTime,
}

impl Window {
    /// The window's last instant, which is the event time of its result.
    pub fn last_instant(&self) -> EventTime {
        self.end - Duration::from_micros(1)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

/// Windows of one size that follow each other without gap or overlap. See [`tumbling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    pub(super) size: Duration,
    pub(super) offset: Duration,
}

/// Windows of one size, a new one every slide. See [`sliding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    pub(crate) size: Duration,
    pub(crate) slide: Duration,
    pub(super) offset: Duration,
}

/// Windows that last as long as events follow each other within a gap. See [`session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub(crate) gap: Duration,
}

/// The one window that holds all of event time. See [`whole`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole;

/// Windows of `size`, aligned to the Unix epoch: an event belongs to exactly one.
///
/// ```
/// use dualgauge_engine::testing::{check, seconds};
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::aggregate::count;
/// use dualgauge_operators::window::{InWindow, tumbling};
/// use dualgauge_operators::{KeyBy, Map};
///
/// check(
///     "a:1@5 a:1@9 b:1@10 a:1@19.999999",
///     |items| {
///         let panes = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).aggregate("count", count());
///         panes.map(|pane| {
///             let (start, end) = (seconds(pane.window.start), seconds(pane.window.end));
///             format!("{} [{start},{end}) {}", pane.key, pane.value)
///         })
///     },
///     "9.999999 a [0,10) 2
///      19.999999 a [10,20) 1
///      19.999999 b [10,20) 1",
/// );
/// ```
///
/// # Panics
/// When `size` is not positive.
#[doc(alias = "tumble")]
#[doc(alias = "TumblingEventTimeWindows")]
#[doc(alias = "FixedWindows")]
#[doc(alias = "TimeWindows")]
pub fn tumbling(size: impl IntoDuration) -> Tumbling {
    let size = size.into_duration();

    assert!(size.is_positive(), "the size of a window is positive, not {size}");
    Tumbling { size, offset: Duration::ZERO }
}

/// Windows of `size`, a new one every `slide`: an event belongs to `size / slide` of them.
///
/// The slide may be longer than the size: the first ten seconds of each minute. An event between two windows is then in
/// none, and no answer has it; the step counts it as [in no window](dualgauge_engine::job::StepMetrics::in_no_window),
/// not as late.
///
/// ```
/// use dualgauge_engine::testing::{check, seconds};
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::aggregate::count;
/// use dualgauge_operators::window::{InWindow, sliding};
/// use dualgauge_operators::{KeyBy, Map};
///
/// check(
///     "a:1@9 a:1@13",
///     |items| {
///         let windows = items.key_by(|item| item.key.clone()).window(sliding(10.seconds(), 5.seconds()));
///         let panes = windows.aggregate("count", count());
///         panes.map(|pane| {
///             let (start, end) = (seconds(pane.window.start), seconds(pane.window.end));
///             format!("{} [{start},{end}) {}", pane.key, pane.value)
///         })
///     },
///     "9.999999 a [0,10) 1
///      14.999999 a [5,15) 2
///      19.999999 a [10,20) 1",
/// );
/// ```
///
/// # Panics
/// When `size` or `slide` is not positive.
#[doc(alias = "hop")]
#[doc(alias = "hopping")]
#[doc(alias = "SlidingEventTimeWindows")]
#[doc(alias = "HopWindows")]
pub fn sliding(size: impl IntoDuration, slide: impl IntoDuration) -> Sliding {
    let (size, slide) = (size.into_duration(), slide.into_duration());

    assert!(slide.is_positive(), "the slide of a window is positive, not {slide}");
    assert!(size.is_positive(), "the size of a window is positive, not {size}");
    Sliding { size, slide, offset: Duration::ZERO }
}

/// Windows by key that last as long as each event is less than `gap` after another: `[first, last + gap)`.
///
/// Two events exactly `gap` apart are always in two sessions.
///
/// ```
/// use dualgauge_engine::testing::{check, seconds};
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::aggregate::count;
/// use dualgauge_operators::window::{InWindow, session};
/// use dualgauge_operators::{KeyBy, Map};
///
/// check(
///     "a:1@0 a:1@4 b:1@6 a:1@9",
///     |items| {
///         let panes = items.key_by(|item| item.key.clone()).window(session(5.seconds())).aggregate("count", count());
///         panes.map(|pane| {
///             let (start, end) = (seconds(pane.window.start), seconds(pane.window.end));
///             format!("{} [{start},{end}) {}", pane.key, pane.value)
///         })
///     },
///     "8.999999 a [0,9) 2
///      10.999999 b [6,11) 1
///      13.999999 a [9,14) 1",
/// );
/// ```
///
/// # Panics
/// When `gap` is not positive.
#[doc(alias = "SessionWindows")]
#[doc(alias = "EventTimeSessionWindows")]
#[doc(alias = "Sessions")]
pub fn session(gap: impl IntoDuration) -> Session {
    let gap = gap.into_duration();

    assert!(gap.is_positive(), "the gap of sessions is positive, not {gap}");
    Session { gap }
}

/// One window for all of event time. It fires when the input ends, and before that only if it fires early.
///
/// ```
/// use dualgauge_engine::testing::{Item, check};
/// use dualgauge_operators::aggregate::sum;
/// use dualgauge_operators::window::{InWindow, whole};
/// use dualgauge_operators::{KeyBy, Map};
///
/// check(
///     "a:1@5 b:2@50 a:4@-9",
///     |items| {
///         let windows = items.key_by(|item| item.key.clone()).window(whole());
///         let sums = windows.aggregate("sum", sum(|item: &Item| item.value));
///         sums.map(|pane| format!("{} {}", pane.key, pane.value))
///     },
///     "9223372036854.775806 a 5
///      9223372036854.775806 b 2", // the last instant of all
/// );
/// ```
#[doc(alias = "GlobalWindows")]
#[doc(alias = "unbounded")]
pub fn whole() -> Whole {
    Whole
}

pub(super) fn checked_offset(offset: Duration, period: Duration) -> Duration {
    assert!(
        offset.as_micros().unsigned_abs() < period.as_micros().unsigned_abs(),
        "an offset of {offset} is not below the period of {period}"
    );
    offset
}

impl Tumbling {
    /// Moves every start by `offset`, later when positive.
    ///
    /// ```
    /// use dualgauge_engine::{Durations, EventTime};
    /// use dualgauge_operators::window::tumbling;
    ///
    /// // Days that start at two in the morning.
    /// let days = tumbling(1.days()).offset(2.hours());
    /// let noon: EventTime = "2026-01-01T12:00:00Z".parse().unwrap();
    /// assert_eq!(days.window_of(noon).to_string(), "[2026-01-01T02:00:00Z, 2026-01-02T02:00:00Z)");
    /// ```
    ///
    /// # Panics
    /// When `offset` is not below the size, in either direction.
    pub fn offset(mut self, offset: impl IntoDuration) -> Tumbling {
        let offset = offset.into_duration();

        self.offset = checked_offset(offset, self.size);
        self
    }

    /// The window that an event at `time` belongs to.
    #[inline]
    pub fn window_of(&self, time: EventTime) -> Window {
        let (start, end) = time.cell(self.size, self.offset);
        Window { start, end }
    }
}

impl Sliding {
    /// Moves every start by `offset`, later when positive.
    ///
    /// ```
    /// use dualgauge_engine::testing::{check, seconds};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, sliding};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@9",
    ///     |items| {
    ///         let windows = sliding(10.seconds(), 5.seconds()).offset(2.seconds());
    ///         let panes = items.key_by(|item| item.key.clone()).window(windows).aggregate("count", count());
    ///         panes.map(|pane| {
    ///             let (start, end) = (seconds(pane.window.start), seconds(pane.window.end));
    ///             format!("{} [{start},{end}) {}", pane.key, pane.value)
    ///         })
    ///     },
    ///     "11.999999 a [2,12) 1
    ///      16.999999 a [7,17) 1",
    /// );
    /// ```
    ///
    /// # Panics
    /// When `offset` is not below the slide, in either direction.
    pub fn offset(mut self, offset: impl IntoDuration) -> Sliding {
        let offset = offset.into_duration();

        self.offset = checked_offset(offset, self.slide);
        self
    }
}

impl fmt::Display for Tumbling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tumbling {}", self.size)?;
        if self.offset != Duration::ZERO { write!(f, " offset {}", self.offset) } else { Ok(()) }
    }
}

impl fmt::Display for Sliding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sliding {} every {}", self.size, self.slide)?;
        if self.offset != Duration::ZERO { write!(f, " offset {}", self.offset) } else { Ok(()) }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session gap {}", self.gap)
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whole of time")
    }
}
