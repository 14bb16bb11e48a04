//! The outputs of a source: its rows, and beside them its bad records where they go to a sink.
//!
//! Both leave under the same stamps, by capabilities that move together. So a bad record is in the same epoch as the rows
//! around it and as the offset behind it, and a checkpoint has either all of these or none.

use std::cell::OnceCell;
use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::{OutputBuilder, OutputBuilderSession};

use super::bad_record::BadRecord;
use super::made_time::MakeTime;
use crate::time::Stamp;
use crate::{Batch, Data, EventTime};

/// One output that is being written.
type Session<'a, D> = OutputBuilderSession<'a, Stamp, NoopBuilder<Batch<D>>>;

/// The outputs of a source.
pub(super) struct Outlets<D: Data> {
    pub(super) rows: OutputBuilder<Stamp, NoopBuilder<Batch<D>>>,
    /// Not used where the graph names no sink for bad records.
    pub(super) bad: OutputBuilder<Stamp, NoopBuilder<Batch<BadRecord>>>,
    /// How the event time of a row is made, where the row has none.
    pub(super) time: Rc<OnceCell<MakeTime<D>>>,
}

/// The outputs during one turn. Dropping this sends what was given, before the source looks at its epochs again.
pub(super) struct Outlet<'a, D: Data> {
    rows: Session<'a, D>,
    bad: Session<'a, BadRecord>,
    time: Option<&'a MakeTime<D>>,
}

/// The capabilities of a source, one for each output, always at the same stamp.
pub(super) struct Hold {
    rows: Capability<Stamp>,
    bad: Capability<Stamp>,
}

impl<D: Data> Outlets<D> {
    pub(super) fn activate(&mut self) -> Outlet<'_, D> {
        Outlet { rows: self.rows.activate(), bad: self.bad.activate(), time: self.time.get() }
    }
}

impl<'a, D: Data> Outlet<'a, D> {
    /// How the event time of a row is made, where the row has none.
    pub(super) fn time(&self) -> Option<&'a MakeTime<D>> {
        self.time
    }

    /// Sends rows under `stamp`.
    pub(super) fn give(&mut self, hold: &Hold, stamp: &Stamp, mut events: Batch<D>) {
        if !events.is_empty() {
            self.rows.session_with_builder(&hold.rows.delayed(stamp)).give_container(&mut events);
        }
    }

    /// Sends bad records under `stamp`.
    pub(super) fn give_bad(&mut self, hold: &Hold, stamp: &Stamp, mut records: Batch<BadRecord>) {
        if !records.is_empty() {
            self.bad.session_with_builder(&hold.bad.delayed(stamp)).give_container(&mut records);
        }
    }
}

impl Hold {
    /// Made from the capabilities that timely gives out, one for each output in order.
    pub(super) fn of(capabilities: Vec<Capability<Stamp>>) -> Hold {
        let mut capabilities = capabilities.into_iter();
        let mut next = || capabilities.next().expect("a source has two outputs");
        Hold { rows: next(), bad: next() }
    }

    pub(super) fn stamp(&self) -> Stamp {
        *self.rows.time()
    }

    pub(super) fn event_time(&self) -> EventTime {
        self.rows.time().event_time
    }

    pub(super) fn downgrade(&mut self, stamp: &Stamp) {
        self.rows.downgrade(stamp);
        self.bad.downgrade(stamp);
    }
}
