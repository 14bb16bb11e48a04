//! Cumulating windows: a window of one size that is reported step by step while it grows.
//!
//! in: `D`; out: [`Pane`] of key, window and aggregate, when the watermark passes the window's end. The windows of one
//! size begin together and end a step apart; a record is added once, to the first window that it counts for, and what a
//! window holds carries over into the next one when it has closed. It remembers an accumulator per key and open window.
//! A record is late when every window it belongs to was closed to it by the watermark it came under; where only some
//! were, it counts for the others.

use std::fmt;

use dualgauge_engine::{Data, Duration, IntoDuration, Key, Stream};

use super::aligned::aligned;
use super::fire::Firing;
use super::growing::{FireGrowing, Growing};
use super::windowed::{AggregateAs, Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_fn::KeyFn;

/// Windows that begin together and end a step apart, up to one size. See [`cumulate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cumulate {
    pub(super) step: Duration,
    pub(super) size: Duration,
    pub(super) offset: Duration,
}

/// Windows that grow by `step` until they have `size`, and then restart: `[0, step)`, `[0, 2 * step)`, … `[0, size)`.
///
/// The totals of a day so far, every hour: an event belongs to each window that ends after it. A key has a result in
/// every window in which it has an event, even if the last step added none.
///
/// With early firing or allowed lateness it also notes, for each key that has changed, the windows to correct: one for
/// each remaining step of the size. Many steps in a size make that expensive.
///
/// ```
/// use dualgauge_engine::testing::{check, seconds};
/// use dualgauge_engine::Durations;
/// use dualgauge_operators::aggregate::count;
/// use dualgauge_operators::window::{InWindow, cumulate};
/// use dualgauge_operators::{KeyBy, Map};
///
/// check(
///     "a:1@1 a:1@7 a:1@17",
///     |items| {
///         let windows = items.key_by(|item| item.key.clone()).window(cumulate(5.seconds(), 15.seconds()));
///         let panes = windows.aggregate("count", count());
///         panes.map(|pane| {
///             let (start, end) = (seconds(pane.window.start), seconds(pane.window.end));
///             format!("{} [{start},{end}) {}", pane.key, pane.value)
///         })
///     },
///     "4.999999 a [0,5) 1
///      9.999999 a [0,10) 2
///      14.999999 a [0,15) 2
///      19.999999 a [15,20) 1
///      24.999999 a [15,25) 1
///      29.999999 a [15,30) 1",
/// );
/// ```
///
/// # Panics
/// When `step` is not positive, or `size` is not a multiple of it.
pub fn cumulate(step: impl IntoDuration, size: impl IntoDuration) -> Cumulate {
    let (step, size) = (step.into_duration(), size.into_duration());

    assert!(step.is_positive(), "the step of a cumulating window is positive, not {step}");
    assert!(
        size >= step && size.as_micros() % step.as_micros() == 0,
        "a window of {size} does not grow in steps of {step}: the step comes first, and the size is a multiple of it"
    );
    Cumulate { step, size, offset: Duration::ZERO }
}

impl Cumulate {
    /// Moves every start by `offset`, later when positive.
    ///
    /// ```
    /// use dualgauge_engine::testing::{check, seconds};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, cumulate};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@3",
    ///     |items| {
    ///         let windows = cumulate(5.seconds(), 10.seconds()).offset(2.seconds());
    ///         let panes = items.key_by(|item| item.key.clone()).window(windows).aggregate("count", count());
    ///         panes.map(|pane| format!("[{},{})", seconds(pane.window.start), seconds(pane.window.end)))
    ///     },
    ///     "6.999999 [2,7)
    ///      11.999999 [2,12)",
    /// );
    /// ```
    ///
    /// # Panics
    /// When `offset` is not below the size, in either direction.
    pub fn offset(mut self, offset: impl IntoDuration) -> Cumulate {
        let offset = offset.into_duration();

        self.offset = super::kind::checked_offset(offset, self.size);
        self
    }
}

impl fmt::Display for Cumulate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cumulating {} to {}", self.step, self.size)?;
        if self.offset != Duration::ZERO { write!(f, " offset {}", self.offset) } else { Ok(()) }
    }
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> AggregateAs<'s, K, D>
    for Windowed<'s, K, D, L, F, Cumulate>
{
    /// Aggregates each key in each window, under the step's durable name.
    ///
    /// A result's event time is its window's last instant. Windows without events have no result.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, check};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::max;
    /// use dualgauge_operators::window::{InWindow, cumulate};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:3@1 a:7@6 b:5@8",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(cumulate(5.seconds(), 10.seconds()));
    ///         let highest = windows.aggregate("highest", max(|item: &Item| item.value));
    ///         highest.map(|pane| format!("{} {}", pane.key, pane.value.unwrap()))
    ///     },
    ///     "4.999999 a 3
    ///      9.999999 a 7
    ///      9.999999 b 5",
    /// );
    /// ```
    #[track_caller]
    fn aggregate_as<A: Aggregate<D>>(
        self,
        operator: &'static str,
        name: &str,
        aggregate: A,
    ) -> Stream<'s, Pane<K, A::Out>, D> {
        let spec = self.spec(operator, name, &aggregate);
        // What a window holds carries over into the next, so that one set of keys is kept for each size.
        let spec = spec.windows(self.window.size + self.lateness, self.window.size);
        let firing = Firing::new(name, self.lateness, self.early);
        let growing = Growing { window: self.window, firing: firing.clone() };
        let fire = FireGrowing::new(growing.clone(), aggregate.clone());
        aligned(self, spec, &firing, aggregate, growing, fire)
    }
}
