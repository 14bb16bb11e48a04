//! Events that wait for the watermark, in event-time order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::{Changes, Fingerprint, Kept, Layout, Place, kept};
use crate::{Data, Event, EventTime, KeyGroup, Result};

/// Events that wait for the watermark, the earliest first; equal times in the order of the records.
///
/// A save records what came since the last one, and the time up to which all are gone: between two saves, the events of
/// one time are taken out together.
///
/// ```
/// use dualgauge_engine::state::Queue;
/// use dualgauge_engine::{Event, EventTime, KeyGroup};
///
/// let at = EventTime::from_millis;
/// let mut queue = Queue::new(|word: &String| KeyGroup::of(word));
/// queue.push(Event::new(at(7), "later".to_string()));
/// queue.push(Event::new(at(5), "sooner".to_string()));
/// assert_eq!(queue.next_time(), Some(at(5)));
/// assert_eq!(queue.pop().unwrap().data, "sooner");
/// ```
pub struct Queue<D> {
    /// What a save has recorded.
    saved: BinaryHeap<Reverse<Event<D>>>,
    /// What came since.
    fresh: BinaryHeap<Reverse<Event<D>>>,
    /// Whether something that a save recorded has gone since.
    shrunk: bool,
    group: Box<dyn Fn(&D) -> KeyGroup>,
}

/// Tells two equal events apart in a checkpoint: the epoch they were saved in, and their number within it.
#[derive(Serialize, Deserialize)]
struct Number(u64, u64);

impl<D: Ord> Queue<D> {
    /// An empty queue of events whose `group` says to which worker they belong.
    pub fn new(group: impl Fn(&D) -> KeyGroup + 'static) -> Queue<D> {
        Queue { saved: BinaryHeap::new(), fresh: BinaryHeap::new(), shrunk: false, group: Box::new(group) }
    }

    /// Adds an event.
    pub fn push(&mut self, event: Event<D>) {
        self.fresh.push(Reverse(event));
    }

    /// The time of the earliest event.
    #[inline]
    pub fn next_time(&self) -> Option<EventTime> {
        let time = |heap: &BinaryHeap<Reverse<Event<D>>>| heap.peek().map(|event| event.0.time);
        time(&self.saved).into_iter().chain(time(&self.fresh)).min()
    }

    /// Takes the earliest event out.
    pub fn pop(&mut self) -> Option<Event<D>> {
        let from_saved = match (self.saved.peek(), self.fresh.peek()) {
            (Some(saved), Some(fresh)) => saved.0 <= fresh.0,
            (saved, _) => saved.is_some(),
        };
        self.shrunk |= from_saved;
        if from_saved { self.saved.pop() } else { self.fresh.pop() }.map(|event| event.0)
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.saved.len() + self.fresh.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<D: Data + Ord> Kept for Queue<D> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<D>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        if std::mem::take(&mut self.shrunk) {
            let end = self.saved.peek().map_or(vec![0xff; 64], |event| event.0.time.bytes());
            changes.remove_range(Vec::new(), end);
        }
        for (number, Reverse(event)) in self.fresh.iter().enumerate() {
            let number = Number(changes.epoch().0, number as u64);
            changes.put((self.group)(&event.data), &event.time.bytes(), &number, &event.data);
        }
        self.saved.append(&mut self.fresh);
    }

    fn load(&mut self, group: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let time = EventTime::take(&mut key).ok_or_else(|| crate::Error::data("a waiting event has no time"))?;
        let data = kept::read(value)?;
        kept::check_group(group, (self.group)(&data))?;
        self.saved.push(Reverse(Event::new(time, data)));
        Ok(())
    }
}

impl<D> std::fmt::Debug for Queue<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("saved", &self.saved.len()).field("fresh", &self.fresh.len()).finish()
    }
}
