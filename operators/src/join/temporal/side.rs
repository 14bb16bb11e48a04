//! One side of a temporal join: what waits for the watermark, and how that is stored.

use dualgauge_engine::state::{Changes, Fingerprint, Kept, Place, read};
use dualgauge_engine::{Batch, Data, Duration, Error, Event, EventTime, KeyGroup, Result};

use crate::join::has_null;
use crate::join::waiting::{Status, Tag, Waiting};
use crate::key_fn::KeyFn;

/// The events of one side that the watermark has not passed.
pub(super) struct Side<D, F> {
    pub(super) key: F,
    pub(super) waiting: Waiting<D>,
    /// The last save has told the events with a number below this.
    told: u64,
    /// Whether some of those have been taken out since.
    shrunk: bool,
    loaded: Vec<(Event<D>, Tag)>,
}

impl<D: Data, F: KeyFn<D>> Side<D, F> {
    pub(super) fn new(key: F) -> Side<D, F> {
        Side { key, waiting: Waiting::new(), told: 0, shrunk: false, loaded: Vec::new() }
    }

    /// Lets the events of `batch` wait that are neither late nor without a key.
    #[inline]
    pub(super) fn add(
        &mut self,
        mut batch: Batch<D>,
        lateness: Duration,
        watermark: EventTime,
        mut null: impl FnMut(Event<D>),
        mut late: impl FnMut(Event<D>, EventTime),
    ) {
        let Side { key, waiting, .. } = self;
        let waits = |event: &Event<D>| event.time + lateness >= watermark && !key.with(&event.data, has_null);
        if batch.all_on_time() && batch.events.iter().all(waits) {
            return waiting.add(batch.events); // as most batches are: whole
        }
        let mut taken = Vec::with_capacity(batch.len());
        batch.drain_judged(watermark, |event, judged| {
            if event.time + lateness < judged {
                late(event, judged);
            } else if key.with(&event.data, has_null) {
                null(event);
            } else {
                taken.push(event);
            }
        });
        waiting.add(taken);
    }

    /// Takes out the events for whose times `passed` holds, in no order.
    #[inline]
    pub(super) fn take(&mut self, passed: impl Fn(EventTime) -> bool, mut each: impl FnMut(Event<D>, &F)) {
        let Side { key, waiting, told, shrunk, .. } = self;
        waiting.take(passed, |event, tag| {
            *shrunk |= tag.number < *told;
            each(event, key);
        });
    }

    /// Every entry of a checkpoint has been loaded.
    pub(super) fn loaded(&mut self) {
        self.waiting.restore(std::mem::take(&mut self.loaded));
        self.told = self.waiting.next_number();
    }
}

/// An entry is an event, by its time and number.
impl<D: Data, F: KeyFn<D>> Kept for Side<D, F> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<D>()
    }

    fn save(&mut self, changes: &mut Changes) {
        self.waiting.close();
        if std::mem::take(&mut self.shrunk) {
            // Events go in the order of event time, so that whatever is before the first that waits is gone.
            let end = self.waiting.first().map_or(vec![0xff; 64], |first| first.bytes());
            changes.remove_range(Vec::new(), end);
        }
        for (event, number) in self.waiting.since(self.told) {
            changes.put(self.key.group(&event.data), &event.time.bytes(), &number, &event.data);
        }
        self.told = self.waiting.next_number();
    }

    fn load(&mut self, _: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let time = EventTime::take(&mut key).ok_or_else(|| Error::data("an event of a join has no time"))?;
        let tag = Tag { number: read(key)?, status: Status::Waiting };
        self.loaded.push((Event::new(time, read(value)?), tag));
        Ok(())
    }
}
