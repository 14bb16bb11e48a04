//! Events that wait for the watermark, and what of them a checkpoint has.
//!
//! An entry is an event, by its time and a number that is never used again. A save writes what came since the last one,
//! and up to which time all are gone.

use dualgauge_engine::state::{Changes, Place, read};
use dualgauge_engine::{Data, Error, Event, EventTime, KeyGroup, Result};

use super::waiting::{Status, Tag, Waiting};

/// Events that the watermark has not passed, of which a save writes what changed.
pub(super) struct Stored<D> {
    waiting: Waiting<D>,
    /// Events with a number below this have been saved.
    told: u64,
    /// Whether some of those have been taken out since.
    shrunk: bool,
    loaded: Vec<(Event<D>, Tag)>,
}

impl<D: Data> Stored<D> {
    pub(super) fn new() -> Stored<D> {
        Stored { waiting: Waiting::new(), told: 0, shrunk: false, loaded: Vec::new() }
    }

    /// Adds the events of a batch.
    pub(super) fn add(&mut self, events: Vec<Event<D>>) {
        self.waiting.add(events);
    }

    /// The time of the earliest event.
    #[inline]
    pub(super) fn first(&self) -> Option<EventTime> {
        self.waiting.first()
    }

    /// Takes out the events for whose times `passed` holds, in no order.
    #[inline]
    pub(super) fn take(&mut self, passed: impl Fn(EventTime) -> bool, mut each: impl FnMut(Event<D>)) {
        let Stored { waiting, told, shrunk, .. } = self;
        waiting.take(passed, |event, tag| {
            *shrunk |= tag.number < *told;
            each(event);
        });
    }

    /// Writes what has changed since the last save; `group` finds the key group of an event and its number.
    pub(super) fn save(&mut self, changes: &mut Changes, group: impl Fn(&D, u64) -> KeyGroup) {
        self.waiting.close();
        if std::mem::take(&mut self.shrunk) {
            // Events leave in event-time order, so whatever is before the first that waits is gone.
            let end = self.waiting.first().map_or(vec![0xff; 64], |first| first.bytes());
            changes.remove_range(Vec::new(), end);
        }
        for (event, number) in self.waiting.since(self.told) {
            changes.put(group(&event.data, number), &event.time.bytes(), &number, &event.data);
        }
        self.told = self.waiting.next_number();
    }

    /// Loads one saved entry, and returns its event.
    pub(super) fn load(&mut self, mut key: &[u8], value: &[u8]) -> Result<&Event<D>> {
        let time = EventTime::take(&mut key).ok_or_else(|| Error::data("an event of a join has no time"))?;
        let tag = Tag { number: read(key)?, status: Status::Waiting };
        self.loaded.push((Event::new(time, read(value)?), tag));
        Ok(&self.loaded.last().expect("it was pushed").0)
    }

    /// Every entry of a checkpoint has been loaded.
    pub(super) fn loaded(&mut self) {
        self.waiting.restore(std::mem::take(&mut self.loaded));
        self.told = self.waiting.next_number();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&mut self) -> usize {
        self.waiting.close();
        self.waiting.since(0).count()
    }
}
