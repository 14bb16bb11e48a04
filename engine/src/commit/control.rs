//! What must go against the stream: a second, small dataflow with the epoch as its time.
//!
//! The data graph has no loops, so what a source must know of the others travels here: how far each one is in event
//! time, whether it still has something to read, and the highest open epoch. Each worker reports to all others, and
//! each keeps the same table.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::scheduling::Activator;
use timely::worker::Worker;

use super::holding::Holding;
use crate::{Epoch, EventTime};

/// One source on one worker.
pub(crate) type SourceOnWorker = (usize, usize);

/// What a source on one worker reports to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The epoch it reads into.
    pub(crate) epoch: Epoch,
    /// How far it has read, in event time.
    pub(crate) progress: EventTime,
    /// What its own partitions hold by themselves: two that followed each other would stand still.
    pub(crate) holding: Holding,
    /// The greatest watermark that any of its partitions has reached.
    pub(crate) reached: EventTime,
    /// The largest event time of its partitions that have ended.
    pub(crate) ended: EventTime,
    /// Whether any of its partitions is idle.
    pub(crate) idle: bool,
    /// Whether there is something to read.
    pub(crate) state: State,
}

/// Whether a source has something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// It is reading.
    Active,
    /// It has read all there is for now; its watermark still holds.
    Waiting,
    /// Nothing here holds its watermark: its partitions are idle, or have ended while others of the source are idle.
    Idle,
    /// It has ended.
    Done,
    /// It has ended, since it has passed everything that is wanted of it.
    Passed,
}

/// What a worker knows of all sources.
#[derive(Debug)]
pub(crate) struct Control {
    worker: usize,
    sources: usize,
    reports: BTreeMap<SourceOnWorker, Report>,
    outbox: Vec<(SourceOnWorker, Report)>,
    /// The sources on this worker, to wake when the epochs and watermarks of others move.
    wakers: Vec<(usize, Activator)>,
}

impl Control {
    /// A table in which each of `sources` on each of `workers` stands at the beginning, until it reports.
    pub(crate) fn new(worker: usize, workers: usize, sources: usize) -> Control {
        let first = EventTime::MIN;
        let (progress, reached, ended, holding) = (first, first, first, Holding::UNKNOWN);
        let start = Report { epoch: Epoch(0), progress, holding, reached, ended, idle: false, state: State::Active };
        let all = (0..sources).flat_map(|source| (0..workers).map(move |worker| (source, worker)));
        Control {
            worker,
            sources,
            reports: all.map(|place| (place, start)).collect(),
            outbox: Vec::new(),
            wakers: Vec::new(),
        }
    }

    /// Gives `source` a turn whenever another one has news.
    pub(crate) fn wake(&mut self, source: usize, waker: Activator) {
        self.wakers.push((source, waker));
    }

    fn wake_but(&self, who: Option<usize>) {
        let others = self.wakers.iter().filter(|(source, _)| Some(*source) != who);
        others.for_each(|(_, waker)| waker.activate());
    }

    /// Notes what `source` on this worker reports, and passes it on to the others.
    pub(crate) fn report(&mut self, source: usize, report: Report) {
        let place = (source, self.worker);
        if self.reports.insert(place, report) != Some(report) {
            self.outbox.push((place, report));
            self.wake_but(Some(source));
        }
    }

    /// The highest epoch that any source has opened.
    pub(crate) fn highest_epoch(&self) -> Epoch {
        self.reports.values().map(|report| report.epoch).max().unwrap_or_default()
    }

    /// How far the slowest of the sources that have something to read has read, and which one it is.
    pub(crate) fn slowest(&self) -> Option<(EventTime, usize)> {
        let active = self.reports.iter().filter(|(_, report)| report.state == State::Active);
        active.map(|(place, report)| (report.progress, place.0)).min_by_key(|(progress, _)| *progress)
    }

    /// Whether `source` has passed everything that is wanted of it, on any worker.
    pub(crate) fn has_passed(&self, source: usize) -> bool {
        self.reports.iter().any(|(place, report)| place.0 == source && report.state == State::Passed)
    }

    /// Whether every source has ended, on every worker.
    pub(crate) fn all_done(&self) -> bool {
        self.reports.values().all(|report| matches!(report.state, State::Done | State::Passed))
    }

    /// Whether no partition of any source holds its watermark.
    pub(crate) fn nothing_holds(&self) -> bool {
        self.reports.values().all(|report| report.holding.over)
    }

    /// What the partitions of `source` hold on all workers; here they hold `own`.
    pub(crate) fn held_of(&self, source: usize, own: Holding) -> Holding {
        let others = self.of(source).filter(|(place, _)| place.1 != self.worker);
        Holding::together(others.map(|(_, report)| report.holding).chain([own]))
    }

    /// What all sources hold together; `source` itself holds `own`.
    pub(crate) fn held_by_all(&self, source: usize, own: Holding) -> Holding {
        let of = |other: usize| Holding::together(self.of(other).map(|(_, report)| report.holding));
        let others = (0..self.sources).filter(|other| *other != source);
        Holding::together(others.map(of).chain([own]))
    }

    /// When the last one known to have stopped holding did so. Whoever still holds says so, and for how long.
    pub(crate) fn last_over(&self) -> EventTime {
        let over = self.reports.values().filter(|report| report.holding.over);
        over.map(|report| report.holding.until).max().unwrap_or(EventTime::MIN)
    }

    /// Whether somebody follows every move of `source`: one of its partitions is idle, or all of another source's are.
    pub(crate) fn is_followed(&self, source: usize) -> bool {
        self.reports.values().any(|report| report.idle)
            && (0..self.sources).any(|other| {
                self.has_idle(other) && (other == source || self.of(other).all(|(_, report)| report.holding.over))
            })
    }

    fn of(&self, source: usize) -> impl Iterator<Item = (&SourceOnWorker, &Report)> {
        self.reports.range((source, 0)..(source + 1, 0))
    }

    /// Whether a partition of `source` is idle on any worker.
    fn has_idle(&self, source: usize) -> bool {
        self.of(source).any(|(_, report)| report.idle)
    }

    /// Whether a partition of `source` is idle on another worker.
    pub(crate) fn has_idle_elsewhere(&self, source: usize) -> bool {
        self.of(source).any(|(place, report)| report.idle && place.1 != self.worker)
    }

    /// The greatest watermark that any partition of `source` has reached.
    pub(crate) fn reached(&self, source: usize) -> EventTime {
        self.of(source).map(|(_, report)| report.reached).max().unwrap_or(EventTime::MIN)
    }

    /// The largest event time of all partitions that have ended, of any source; [`EventTime::MIN`] where none gave a row.
    pub(crate) fn ended_at(&self) -> EventTime {
        self.reports.values().map(|report| report.ended).max().unwrap_or(EventTime::MIN)
    }
}

/// The worker's end of the control dataflow.
pub(crate) struct ControlDataflow {
    control: Rc<RefCell<Control>>,
    reports: Option<In<(SourceOnWorker, Report)>>,
}

/// Where records of the control dataflow go in, by epoch.
pub(crate) type In<T> = InputHandle<u64, CapacityContainerBuilder<Vec<T>>>;

impl ControlDataflow {
    /// Adds the control dataflow to the worker.
    pub(crate) fn build(worker: &mut Worker, control: Rc<RefCell<Control>>) -> ControlDataflow {
        let table = Rc::clone(&control);
        let reports = worker.dataflow_named::<u64, _, _>("control", |scope| {
            let (input, reports) = scope.new_input::<Vec<(SourceOnWorker, Report)>>();
            reports.broadcast().sink(Pipeline, "control", move |(input, _)| {
                input.for_each(|_, reports| {
                    let mut table = table.borrow_mut();
                    let own = table.worker; // what this worker said of itself was noted at once
                    let others: Vec<_> = reports.drain(..).filter(|(place, _)| place.1 != own).collect();
                    if !others.is_empty() {
                        table.reports.extend(others);
                        table.wake_but(None);
                    }
                });
            });
            input
        });
        ControlDataflow { control, reports: Some(reports) }
    }

    /// Sends what has been reported since the last call.
    pub(crate) fn pump(&mut self) {
        let mut control = self.control.borrow_mut();
        if let Some(input) = &mut self.reports
            && !control.outbox.is_empty()
        {
            let epoch = control.highest_epoch().0;
            control.outbox.drain(..).for_each(|report| input.send(report));
            input.advance_to(epoch.max(*input.time()));
            input.flush();
        }
    }

    /// Reports nothing more: this worker's sources have ended.
    pub(crate) fn close(&mut self) {
        self.reports = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    fn report(epoch: u64, seconds: i64, state: State) -> Report {
        let time = EventTime::default() + seconds.seconds();
        let idle = state == State::Idle;
        let holding = Holding { over: idle, until: EventTime::MAX, watermark: time };
        Report { epoch: Epoch(epoch), progress: time, holding, reached: time, ended: EventTime::MIN, idle, state }
    }

    #[test]
    fn a_source_that_has_not_spoken_holds_everything_back() {
        let mut control = Control::new(0, 2, 1);
        control.report(0, report(3, 50, State::Active));
        assert_eq!(control.slowest(), Some((EventTime::MIN, 0)));
        assert!(!control.nothing_holds());
        assert_eq!(control.held_of(0, report(3, 50, State::Active).holding).watermark, EventTime::MIN);
        assert_eq!(control.highest_epoch(), Epoch(3));
    }

    #[test]
    fn one_that_waits_holds_the_watermark_but_not_the_lockstep_and_an_idle_one_neither() {
        let mut control = Control::new(0, 1, 3);
        control.report(0, report(1, 50, State::Active));
        control.report(1, report(1, 20, State::Waiting));
        let mut idle = report(1, 10, State::Idle);
        idle.holding.until = EventTime::default();
        control.report(2, idle);
        assert_eq!(control.slowest(), Some((EventTime::default() + 50.seconds(), 0)));
        assert_eq!(control.held_of(2, idle.holding), idle.holding);
        assert_eq!(control.held_by_all(2, idle.holding).watermark, EventTime::default() + 20.seconds());
        assert!([0, 1, 2].iter().all(|source| control.is_followed(*source)));
    }
}
