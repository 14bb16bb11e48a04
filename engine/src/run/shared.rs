//! What all workers of a job share: the clock, the limits, the counts, and how it ends.

use std::sync::Arc;

use super::end::End;
use super::limits::Limits;
use super::metrics::Metrics;
use super::pulse::Pulses;
use crate::{Clock, Duration, Durations, EventTime};

/// Shared by all workers of one job.
pub(crate) struct Shared {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the wall clock said at the moment when `clock` was made.
    clock_made: EventTime,
    /// Whether a worker with nothing to do may sleep.
    pub(crate) may_park: bool,
    /// How long a reader that wakes its worker is left alone while it does not.
    pub(crate) left_alone: Duration,
    pub(crate) pulses: Pulses,
    /// What has come to pass; it decides how the job ends.
    pub(super) end: End,
}

impl Shared {
    pub(crate) fn new(limits: Limits, clock: Arc<dyn Clock>, may_park: bool) -> Shared {
        let metrics = Metrics::default();
        metrics.go_by(&clock);
        Shared {
            metrics: Arc::new(metrics),
            limits,
            clock_made: clock.now() - clock.elapsed(),
            clock,
            may_park,
            left_alone: 1.seconds(),
            pulses: Pulses::new(),
            end: End::default(),
        }
    }

    /// Leaves readers that wake their workers alone for this long.
    pub(crate) fn leaving_alone(self, left_alone: Option<Duration>) -> Shared {
        Shared { left_alone: left_alone.unwrap_or(self.left_alone), ..self }
    }

    /// Continues the counts of an earlier start.
    pub(crate) fn counting(mut self, metrics: Arc<Metrics>) -> Shared {
        metrics.go_by(&self.clock);
        metrics.note_attempt();
        self.metrics = metrics;
        self
    }

    /// A moment of [`Clock::elapsed`] by the wall clock, as other processes know it. Later changes to the wall clock do
    /// not affect it: of two moments of one process the earlier stays the earlier.
    pub(crate) fn moment(&self, elapsed: Duration) -> EventTime {
        self.clock_made + elapsed
    }
}
