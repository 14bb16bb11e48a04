//! The contents of windows, by the start of each.

use std::collections::BTreeMap;

use dualgauge::Event;
use dualgauge::timely::dataflow::operators::{Capability, InputCapability};
use dualgauge::timely::progress::frontier::MutableAntichain;

/// The contents of the open windows of `size` microseconds, each with the right to emit at its last instant.
pub struct Panes<P> {
    size: i64,
    open: BTreeMap<i64, (Capability<i64>, P)>,
}

impl<P: Default> Panes<P> {
    pub fn new(size: i64) -> Panes<P> {
        Panes { size, open: BTreeMap::new() }
    }

    /// Gives `add` each event and the contents of its window, which is looked up once for neighbours.
    #[inline]
    pub fn add<D>(
        &mut self,
        events: &mut Vec<Event<D>>,
        capability: &InputCapability<i64>,
        mut add: impl FnMut(&mut P, Event<D>),
    ) {
        let mut events = events.drain(..).peekable();
        while let Some(first) = events.peek() {
            let micros = first.time.as_micros();
            let start = micros - micros.rem_euclid(self.size);
            let end = start + self.size;
            let delayed = || (capability.delayed(&(end - 1), 0), P::default());
            let (_, pane) = self.open.entry(start).or_insert_with(delayed);
            while let Some(event) = events.next_if(|event| (start..end).contains(&event.time.as_micros())) {
                add(pane, event);
            }
        }
    }

    /// Takes out the first window that ends at or before the frontier.
    pub fn close(&mut self, frontier: i64) -> Option<(i64, Capability<i64>, P)> {
        let first = self.open.first_entry()?;
        if first.key() + self.size > frontier {
            return None;
        }
        let (start, (capability, pane)) = first.remove_entry();
        Some((start, capability, pane))
    }
}

/// The watermark of a frontier.
pub fn watermark(frontier: &MutableAntichain<i64>) -> i64 {
    frontier.frontier().first().copied().unwrap_or(i64::MAX)
}
