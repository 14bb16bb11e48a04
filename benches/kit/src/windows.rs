//! The windows that are joined, as numbers that a sweep can vary.

use serde::{Deserialize, Serialize};

use dualgauge::{Duration, EventTime};

/// Windows of `size`, a new one every `slide`, aligned to the Unix epoch as those of
/// [`tumbling`](dualgauge::prelude::tumbling) and [`sliding`](dualgauge::prelude::sliding) are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// How long each is.
    pub size: Duration,
    /// How long after one window the next one starts; at most the size.
    pub slide: Duration,
}

impl Windows {
    /// Windows that do not overlap.
    pub fn tumbling(size: Duration) -> Windows {
        Windows { size, slide: size }
    }

    /// Whether no event is in two of them.
    pub fn is_tumbling(self) -> bool {
        self.size == self.slide
    }

    /// The starts of the windows that hold `time`, the latest first.
    ///
    /// ```
    /// use dualgauge_kit::Windows;
    /// use dualgauge::{Durations, EventTime};
    ///
    /// let windows = Windows { size: 10.micros(), slide: 5.micros() };
    /// let starts = windows.starts(EventTime::from_micros(12)).map(|start| start.as_micros());
    /// assert_eq!(starts.collect::<Vec<_>>(), [10, 5]);
    /// ```
    pub fn starts(self, time: EventTime) -> impl Iterator<Item = EventTime> {
        let latest = time.floor_to(self.slide, Duration::ZERO);
        std::iter::successors(Some(latest), move |start| Some(*start - self.slide))
            .take_while(move |start| time < *start + self.size)
    }

    /// The last instant of the window from `start`.
    pub fn last(self, start: EventTime) -> EventTime {
        start + self.size - Duration::from_micros(1)
    }
}
