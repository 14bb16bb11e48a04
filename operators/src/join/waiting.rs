//! Events that wait for the watermark, as runs that are each sorted by event time.
//!
//! What comes from a source is nearly in order, so most batches are runs as they are: they are kept whole, and nothing
//! is copied, hashed or allocated for an event. Small batches are gathered into one. The runs lie in a heap by the
//! earliest event of each, so what the watermark has passed is found without looking at the rest, however far ahead of
//! it some partition is.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::vec;

use dualgauge_engine::{Event, EventTime};

/// A batch of this many events is a run of its own; smaller ones are gathered.
const RUN: usize = 1024;

/// Events that wait, each with a number that is never used again.
pub(super) struct Waiting<D> {
    runs: BinaryHeap<Run<D>>,
    /// Events in no run yet, in no order.
    gathered: Vec<Event<D>>,
    first_gathered: EventTime,
    next_number: u64,
}

/// What is known of an event besides its time and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Distinguishes it from all others.
    pub(super) number: u64,
    /// What had become of it when it was saved, if it comes from a checkpoint.
    pub(super) status: Status,
}

/// What has become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Status {
    /// The watermark has not passed it.
    Waiting,
    /// The watermark has passed it, and it has met no partner so far.
    Passed,
    /// It has met a partner.
    Matched,
}

/// Events in the order of their times.
struct Run<D> {
    first: EventTime,
    events: vec::IntoIter<Event<D>>,
    tags: Tags,
}

/// The tags of a run's events.
enum Tags {
    /// Ascending numbers from this one, of events that came as they are.
    From(u64),
    /// One for each, of events from a checkpoint.
    Each(vec::IntoIter<Tag>),
}

impl Tags {
    #[inline]
    fn next(&mut self) -> Tag {
        match self {
            Tags::From(number) => {
                *number += 1;
                Tag { number: *number - 1, status: Status::Waiting }
            }
            Tags::Each(tags) => tags.next().expect("each event of a run has a tag"),
        }
    }

    fn skip(&mut self, count: usize) {
        match self {
            Tags::From(number) => *number += count as u64,
            Tags::Each(tags) => {
                tags.nth(count.saturating_sub(1));
            }
        }
    }
}

impl<D> Waiting<D> {
    pub(super) fn new() -> Waiting<D> {
        Waiting { runs: BinaryHeap::new(), gathered: Vec::new(), first_gathered: EventTime::MAX, next_number: 0 }
    }

    /// Adds the events of a batch.
    pub(super) fn add(&mut self, mut events: Vec<Event<D>>) {
        if events.len() >= RUN {
            return self.add_run(events);
        }
        let first = events.iter().map(|event| event.time).min().unwrap_or(EventTime::MAX);
        self.first_gathered = self.first_gathered.min(first);
        self.gathered.append(&mut events);
        if self.gathered.len() >= RUN {
            self.close();
        }
    }

    /// Adds what a checkpoint had, before anything else.
    pub(super) fn restore(&mut self, mut saved: Vec<(Event<D>, Tag)>) {
        saved.sort_by_key(|(event, _)| event.time);
        self.next_number = saved.iter().map(|(_, tag)| tag.number + 1).max().unwrap_or(0);
        let (events, tags): (Vec<_>, Vec<_>) = saved.into_iter().unzip();
        if let Some(first) = events.first().map(|event| event.time) {
            self.runs.push(Run { first, events: events.into_iter(), tags: Tags::Each(tags.into_iter()) });
        }
    }

    /// Makes a run of what is gathered, so that each event has its number.
    pub(super) fn close(&mut self) {
        self.first_gathered = EventTime::MAX;
        if !self.gathered.is_empty() {
            let events = std::mem::take(&mut self.gathered);
            self.add_run(events);
        }
    }

    fn add_run(&mut self, mut events: Vec<Event<D>>) {
        if !events.is_sorted_by_key(|event| event.time) {
            events.sort_by_key(|event| event.time); // finds the runs already there
        }
        let tags = Tags::From(self.next_number);
        self.next_number += events.len() as u64;
        self.runs.push(Run { first: events[0].time, events: events.into_iter(), tags });
    }

    /// The number that the next event will have.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// The time of the earliest event.
    #[inline]
    pub(super) fn first(&self) -> Option<EventTime> {
        let gathered = (!self.gathered.is_empty()).then_some(self.first_gathered);
        self.runs.peek().map(|run| run.first).into_iter().chain(gathered).min()
    }

    /// Takes out the events for whose times `passed` holds, run by run.
    #[inline]
    pub(super) fn take(&mut self, passed: impl Fn(EventTime) -> bool, mut each: impl FnMut(Event<D>, Tag)) {
        self.close_if(&passed);
        while let Some(mut run) = self.runs.peek_mut() {
            if !passed(run.first) {
                break;
            }
            if !run.give(&passed, usize::MAX, &mut each).1 {
                PeekMut::pop(run);
            }
        }
    }

    /// Shows the events for whose times `passed` holds, run by run, and drops them.
    #[inline]
    pub(super) fn pass(&mut self, passed: impl Fn(EventTime) -> bool, mut each: impl FnMut(&Event<D>)) {
        self.close_if(&passed);
        while let Some(mut run) = self.runs.peek_mut() {
            if !passed(run.first) {
                break;
            }
            let events = run.events.as_slice();
            let count = events.partition_point(|event| passed(event.time));
            events[..count].iter().for_each(&mut each);
            if !run.skip(count) {
                PeekMut::pop(run);
            }
        }
    }

    /// Takes out at most `count` of the events for whose times `passed` holds, in the order of event time.
    pub(super) fn take_in_order(
        &mut self,
        passed: impl Fn(EventTime) -> bool,
        mut count: usize,
        mut each: impl FnMut(Event<D>, Tag),
    ) {
        self.close_if(&passed);
        while count > 0 {
            // The run stays first as long as no other has an earlier event; the next in a heap is one of two.
            let rival = self.runs.as_slice().iter().skip(1).take(2).map(|run| run.first).min();
            let Some(mut run) = self.runs.peek_mut().filter(|run| passed(run.first)) else { break };
            let goes = |time| passed(time) && rival.is_none_or(|rival| time <= rival);
            let (given, more) = run.give(goes, count, &mut each);
            count -= given;
            if !more {
                PeekMut::pop(run);
            }
        }
    }

    /// The events numbered `from` or higher; gathered events have no number until they are closed.
    pub(super) fn since(&self, from: u64) -> impl Iterator<Item = (&Event<D>, u64)> {
        let fresh = self.runs.iter().filter_map(move |run| match run.tags {
            Tags::From(first) if first >= from => Some(run.events.as_slice().iter().zip(first..)),
            _ => None,
        });
        fresh.flatten()
    }

    fn close_if(&mut self, passed: impl Fn(EventTime) -> bool) {
        if !self.gathered.is_empty() && passed(self.first_gathered) {
            self.close();
        }
    }
}

impl<D> Run<D> {
    /// Gives events while `goes` holds for their times, and says how many it gave and whether there are more.
    #[inline]
    fn give(
        &mut self,
        goes: impl Fn(EventTime) -> bool,
        count: usize,
        mut each: impl FnMut(Event<D>, Tag),
    ) -> (usize, bool) {
        for given in 0..count {
            match self.events.as_slice().first() {
                None => return (given, false),
                Some(event) if !goes(event.time) => {
                    self.first = event.time;
                    return (given, true);
                }
                Some(_) => {}
            }
            let event = self.events.next().expect("it was just seen");
            each(event, self.tags.next());
        }
        (count, self.skip(0))
    }

    /// Drops the next `count` events, and says whether there are more.
    fn skip(&mut self, count: usize) -> bool {
        if count > 0 {
            self.events.nth(count - 1);
            self.tags.skip(count);
        }
        match self.events.as_slice().first() {
            None => false,
            Some(event) => {
                self.first = event.time;
                true
            }
        }
    }
}

/// The run with the earliest event is the greatest, so it is on top of the heap.
impl<D> Ord for Run<D> {
    fn cmp(&self, other: &Run<D>) -> std::cmp::Ordering {
        other.first.cmp(&self.first)
    }
}

impl<D> PartialOrd for Run<D> {
    fn partial_cmp(&self, other: &Run<D>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<D> PartialEq for Run<D> {
    fn eq(&self, other: &Run<D>) -> bool {
        self.first == other.first
    }
}

impl<D> Eq for Run<D> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(times: &[i64]) -> Vec<Event<i64>> {
        times.iter().map(|&time| Event::new(EventTime::from_micros(time), time)).collect()
    }

    fn below(end: i64) -> impl Fn(EventTime) -> bool {
        move |time| time < EventTime::from_micros(end)
    }

    fn in_order(waiting: &mut Waiting<i64>, end: i64, count: usize) -> Vec<i64> {
        let mut taken = Vec::new();
        waiting.take_in_order(below(end), count, |event, _| taken.push(event.data));
        taken
    }

    #[test]
    fn runs_are_merged_and_what_is_not_passed_stays() {
        let mut waiting = Waiting::new();
        waiting.add_run(events(&[1, 4, 9]));
        waiting.add(events(&[7, 2, 5]));
        waiting.add_run(events(&[3, 3, 8]));
        assert_eq!(waiting.first(), Some(EventTime::from_micros(1)));
        assert_eq!(in_order(&mut waiting, 6, 4), [1, 2, 3, 3]);
        assert_eq!(in_order(&mut waiting, 6, 4), [4, 5]);
        assert_eq!(waiting.first(), Some(EventTime::from_micros(7)));
        let mut taken = Vec::new();
        waiting.pass(below(8), |event| taken.push(event.data));
        waiting.take(below(9), |event, _| taken.push(event.data));
        assert_eq!(taken, [7, 8]);
        assert_eq!(in_order(&mut waiting, 100, 4), [9]);
        assert_eq!(waiting.first(), None);
    }

    #[test]
    fn every_event_has_a_number_of_its_own_and_keeps_it() {
        let mut waiting = Waiting::new();
        let saved =
            |time, number| (Event::new(EventTime::from_micros(time), time), Tag { number, status: Status::Passed });
        waiting.restore(vec![saved(5, 7), saved(2, 9)]);
        waiting.add_run(events(&[1, 3]));
        waiting.add(events(&[4, 0]));
        assert_eq!(
            waiting.since(10).map(|(event, number)| (event.data, number)).collect::<Vec<_>>(),
            [(1, 10), (3, 11)]
        );
        waiting.close();
        let mut taken = Vec::new();
        waiting.take_in_order(below(4), 100, |event, tag| taken.push((event.data, tag.number)));
        assert_eq!(taken, [(0, 12), (1, 10), (2, 9), (3, 11)]);
        let mut rest = waiting.since(0).map(|(event, number)| (event.data, number)).collect::<Vec<_>>();
        rest.sort();
        assert_eq!(rest, [(4, 13)], "what a checkpoint had is not new to it");
    }
}
