//! What every message carries: the epoch it is committed with and the watermark it was sent under.

use serde::{Deserialize, Serialize};
use timely::order::PartialOrder;
use timely::progress::timestamp::Refines;
use timely::progress::{PathSummary, Timestamp};

use super::{Epoch, EventTime};

/// The timely timestamp of every message.
///
/// `event_time` is the watermark under which the batch was sent: no on-time record after this message has a smaller
/// event time. `a <= b` holds in timely's order iff both coordinates are so; the derived [`Ord`] is lexicographic, a
/// linear extension of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The epoch the message is committed with.
    pub epoch: Epoch,
    /// The watermark the message was sent under.
    pub event_time: EventTime,
}

impl Stamp {
    /// A stamp of its two coordinates.
    pub const fn new(epoch: Epoch, event_time: EventTime) -> Stamp {
        Stamp { epoch, event_time }
    }
}

impl PartialOrder for Stamp {
    #[inline]
    fn less_equal(&self, other: &Stamp) -> bool {
        self.epoch <= other.epoch && self.event_time <= other.event_time
    }
}

/// The only summary of a path through an operator: a stamp stays what it is. The data graph has no loops, so nothing
/// increments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unchanged;

impl PartialOrder for Unchanged {
    fn less_equal(&self, _: &Unchanged) -> bool {
        true
    }
}

impl PathSummary<Stamp> for Unchanged {
    fn results_in(&self, stamp: &Stamp) -> Option<Stamp> {
        Some(*stamp)
    }
    fn followed_by(&self, _: &Unchanged) -> Option<Unchanged> {
        Some(Unchanged)
    }
}

impl Timestamp for Stamp {
    type Summary = Unchanged;

    fn minimum() -> Stamp {
        Stamp::new(Epoch(0), EventTime::MIN)
    }
}

impl Refines<()> for Stamp {
    fn to_inner(_: ()) -> Stamp {
        Stamp::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_: Unchanged) {}
}
