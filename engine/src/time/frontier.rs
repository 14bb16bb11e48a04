//! What timely says may still come, asked by name.

use timely::progress::frontier::MutableAntichain;

use super::{Epoch, EventTime, Stamp};

/// The stamps that may still arrive, as the two questions a step asks of them.
///
/// A frontier is an antichain of stamps, and its coordinates are read one by one: the epoch side tells which epochs are
/// closed, the event-time side *is* the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frontier {
    epoch: Epoch,
    watermark: EventTime,
    done: bool,
}

impl Frontier {
    /// Before anything has been said.
    pub const START: Frontier = Frontier { epoch: Epoch(0), watermark: EventTime::MIN, done: false };

    /// The end of every input.
    const END: Frontier = Frontier { epoch: Epoch::MAX, watermark: EventTime::MAX, done: true };

    /// The frontier of one input.
    pub fn of(antichain: &MutableAntichain<Stamp>) -> Frontier {
        antichain.frontier().iter().fold(Frontier::END, |frontier, stamp| {
            frontier.and(Frontier { epoch: stamp.epoch, watermark: stamp.event_time, done: false })
        })
    }

    /// The frontier of several inputs together: what may still come on any of them.
    pub fn of_all(antichains: &[MutableAntichain<Stamp>]) -> Frontier {
        antichains.iter().map(Frontier::of).fold(Frontier::END, Frontier::and)
    }

    /// What may still come on this or on the other.
    fn and(self, other: Frontier) -> Frontier {
        Frontier {
            epoch: self.epoch.min(other.epoch),
            watermark: self.watermark.min(other.watermark),
            done: self.done && other.done,
        }
    }

    /// No on-time record with an event time below this one can still come.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// The earliest epoch in which something may still come; every epoch before it is closed.
    pub fn open_epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether nothing can come in `epoch` any more.
    pub fn epoch_closed(&self, epoch: Epoch) -> bool {
        epoch < self.epoch
    }

    /// The same, with the watermark held back by something that waits.
    pub(crate) fn held_back_to(&self, watermark: EventTime) -> Frontier {
        Frontier { watermark, ..*self }
    }

    /// Whether the input has ended: nothing can come at all.
    pub fn is_done(&self) -> bool {
        self.done
    }
}
