//! When to look at which key.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use dualgauge_engine::{Duration, EventTime, Key};

/// Keys by the time at which to look at them, grouped by spans of time.
///
/// Times mostly come in order and after all that are due soon, so a key goes to the end of a short heap, and only the
/// heap of the current span is taken apart.
#[derive(Debug)]
pub(super) struct Ends<K> {
    span: Duration,
    spans: BTreeMap<EventTime, BinaryHeap<Reverse<(EventTime, K)>>>,
}

impl<K: Key> Ends<K> {
    /// Nothing is due; keys to come are grouped by `span` of time.
    pub(super) fn new(span: Duration) -> Ends<K> {
        Ends { span, spans: BTreeMap::new() }
    }

    /// The key is to be looked at when `end` has passed.
    pub(super) fn insert(&mut self, end: EventTime, key: K) {
        self.spans.entry(end.floor_to(self.span, Duration::ZERO)).or_default().push(Reverse((end, key)));
    }

    /// The first time at which a key is due.
    pub(super) fn first(&self) -> Option<EventTime> {
        let (_, earliest) = self.spans.first_key_value()?;
        earliest.peek().map(|Reverse((end, _))| *end)
    }

    /// The first key, once, if its time has `passed`.
    pub(super) fn pop(&mut self, passed: impl Fn(EventTime) -> bool) -> Option<K> {
        let mut entry = self.spans.first_entry()?;
        let heap = entry.get_mut();
        if !heap.peek().is_some_and(|Reverse((end, _))| passed(*end)) {
            return None;
        }
        let first = heap.pop()?;
        while heap.peek() == Some(&first) {
            heap.pop();
        }
        if heap.is_empty() {
            entry.remove();
        }
        Some(first.0.1)
    }
}
