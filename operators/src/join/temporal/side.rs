//! One side of a temporal join: what waits for the watermark.

use dualgauge_engine::state::{Changes, Fingerprint, Kept, Layout, check_group};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, KeyGroup, Result};

use crate::join::admit::admit;
use crate::join::has_null;
use crate::join::stored::Stored;
use crate::key_fn::KeyFn;

/// The events of one side that the watermark has not passed.
pub(super) struct Side<D, F> {
    pub(super) key: F,
    pub(super) waiting: Stored<D>,
}

impl<D: Data, F: KeyFn<D>> Side<D, F> {
    pub(super) fn new(key: F) -> Side<D, F> {
        Side { key, waiting: Stored::new() }
    }

    /// Adds the events of `batch` that are neither late nor without a key to those that wait.
    #[inline]
    pub(super) fn add(
        &mut self,
        batch: Batch<D>,
        lateness: Duration,
        watermark: EventTime,
        null: impl FnMut(Event<D>),
        late: impl FnMut(Event<D>, EventTime),
    ) {
        let Side { key, waiting } = self;
        waiting.add(admit(batch, lateness, watermark, |data| key.with(data, has_null), null, late));
    }

    /// Takes out the events for whose times `passed` holds, in no order.
    #[inline]
    pub(super) fn take(&mut self, passed: impl Fn(EventTime) -> bool, mut each: impl FnMut(Event<D>, &F)) {
        let Side { key, waiting } = self;
        waiting.take(passed, |event| each(event, key));
    }
}

/// An entry is an event, by its time and number.
impl<D: Data, F: KeyFn<D>> Kept for Side<D, F> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<D>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        let Side { key, waiting } = self;
        waiting.save(changes, |data, _| key.group(data));
    }

    fn load(&mut self, group: KeyGroup, key: &[u8], value: &[u8]) -> Result<()> {
        let loaded = self.waiting.load(key, value)?;
        check_group(group, self.key.group(&loaded.data))
    }
}
