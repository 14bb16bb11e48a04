//! The events that wait for the state of their time, and how they are stored.
//!
//! An event may be anywhere, since every worker has the state. So it stays where it came in, and is stored under the
//! key groups of that worker in turn, so that fewer or more workers can share what waits.

use dualgauge_engine::checkpoint::GroupRange;
use dualgauge_engine::state::{Changes, Fingerprint, Kept, Layout};
use dualgauge_engine::{Data, KeyGroup, Result};

use crate::join::stored::Stored;

/// The events of this worker that the watermark has not passed.
pub(super) struct Held<D> {
    pub(super) waiting: Stored<D>,
    groups: GroupRange,
}

impl<D: Data> Held<D> {
    pub(super) fn new(groups: GroupRange) -> Held<D> {
        Held { waiting: Stored::new(), groups }
    }
}

/// An entry is an event, by its time and number.
impl<D: Data> Kept for Held<D> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<D>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        let GroupRange { first, end } = self.groups;
        let turn = |number: u64| KeyGroup(first + (number % u64::from(end - first)) as u16);
        self.waiting.save(changes, |_, number| turn(number));
    }

    fn load(&mut self, _: KeyGroup, key: &[u8], value: &[u8]) -> Result<()> {
        self.waiting.load(key, value).map(drop)
    }
}
