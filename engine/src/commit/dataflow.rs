//! The dataflow of checkpoints: announcements from worker 0 to all, what they have stored back to it.
//!
//! It is apart from the data graph, which has no loops, and its time is the epoch alone.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Input;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::progress::frontier::MutableAntichain;
use timely::worker::Worker;

use super::control::{Control, In};
use super::coordinator::{Coordinator, Inbox};
use super::desk::{Announcement, Contribution, Desk};
use super::generation::Checkpointing;
use super::storing::{Background, Storing, WorkerPart};
use crate::failpoint::{Point, around};
use crate::run::Shared;
use crate::{Epoch, Result};

/// The worker's end of the checkpoint dataflow.
pub(crate) struct CheckpointDataflow {
    desk: Rc<RefCell<Desk>>,
    control: Rc<RefCell<Control>>,
    storing: Background<(Epoch, Contribution), Result<WorkerPart>>,
    parts: Option<In<WorkerPart>>,
    announcements: Option<In<Announcement>>,
    /// On worker 0.
    coordinator: Option<Coordinator>,
}

impl CheckpointDataflow {
    /// Adds the dataflow to the worker.
    pub(crate) fn build(
        worker: &mut Worker,
        checkpointing: &Arc<Checkpointing>,
        shared: &Arc<Shared>,
        control: Rc<RefCell<Control>>,
        desk: Rc<RefCell<Desk>>,
    ) -> CheckpointDataflow {
        let inbox = Rc::new(RefCell::new(Inbox::default()));
        let (index, workers) = (worker.index(), worker.peers());
        let (parts, announcements) = worker.dataflow_named::<u64, _, _>("checkpoints", |scope| {
            let (parts, stored) = scope.new_input::<Vec<WorkerPart>>();
            let filled = Rc::clone(&inbox);
            stored.sink(Exchange::new(|_: &WorkerPart| 0), "stored", move |(input, frontier)| {
                let mut inbox = filled.borrow_mut();
                input.for_each(|_, parts| {
                    parts.drain(..).for_each(|part| inbox.parts.entry(part.epoch).or_default().push(part));
                });
                inbox.stored = least(frontier);
            });
            let (announcements, heard) = scope.new_input::<Vec<Announcement>>();
            let (desk, shared, mut failed) = (Rc::clone(&desk), Arc::clone(shared), false);
            heard.broadcast().sink(Pipeline, "announced", move |(input, frontier)| {
                let mut desk = desk.borrow_mut();
                input.for_each(|_, announcements| {
                    for announcement in announcements.drain(..) {
                        if failed {
                            continue; // output of a later epoch must not be seen without that which failed
                        }
                        if let Err(error) = desk.hear(announcement) {
                            failed = true;
                            shared.fail(error);
                        }
                    }
                });
                desk.decide(least(frontier));
            });
            (parts, announcements)
        });
        let mut store = Storing::new(Arc::clone(checkpointing), Arc::clone(shared), index, workers);
        let work = move |(epoch, contribution)| store.store(epoch, contribution);
        let log = if index == 0 { checkpointing.take_log() } else { None };
        let coordinate = |log| Coordinator::new(Arc::clone(checkpointing), Arc::clone(shared), inbox, log);
        let coordinator = log.map(coordinate);
        CheckpointDataflow {
            desk,
            control,
            storing: Background::new(format!("layers-{index}"), shared, work),
            parts: Some(parts),
            announcements: Some(announcements).filter(|_| index == 0),
            coordinator,
        }
    }

    /// Carries what the drivers have left to the store, and what is stored to worker 0.
    pub(crate) fn pump(&mut self) -> Result<()> {
        while let Some(ready) = self.desk.borrow_mut().take_ready() {
            self.storing.ask(ready);
        }
        while let Some(part) = self.storing.poll() {
            let part = part?;
            let Some(parts) = &mut self.parts else { break };
            let epoch = part.epoch;
            around(Point::Report, || {
                parts.send(part);
                parts.advance_to(epoch.next().0);
                parts.flush();
            });
        }
        let Some(coordinator) = &mut self.coordinator else { return Ok(()) };
        let (highest, all_done) = {
            let control = self.control.borrow();
            (control.highest_epoch(), control.all_done())
        };
        let told = coordinator.turn(highest, all_done)?;
        if let Some(announcements) = &mut self.announcements
            && (!told.is_empty() || *announcements.time() != coordinator.decided().0)
        {
            told.into_iter().for_each(|announcement| announcements.send(announcement));
            announcements.advance_to(coordinator.decided().0);
            announcements.flush();
        }
        Ok(())
    }

    /// Whether the last checkpoint of the run has been committed, and its output published.
    pub(crate) fn is_over(&self) -> bool {
        let desk = self.desk.borrow();
        desk.last().is_some_and(|last| desk.committed() == Some(last.epoch))
    }

    /// Says nothing more.
    pub(crate) fn close(&mut self) {
        self.parts = None;
        self.announcements = None;
    }
}

/// The least epoch that may still come; no epoch is as great as the one after all.
fn least(frontier: &MutableAntichain<u64>) -> Epoch {
    frontier.frontier().first().map_or(Epoch::MAX, |epoch| Epoch(*epoch))
}
