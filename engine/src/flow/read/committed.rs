//! Reports to the readers of a source's partitions what of it has been committed.
//!
//! A driver notes at each checkpoint how far its partitions were read. When the manifest of that checkpoint is stored,
//! the desk tells the readers, on the thread that reads: never before, and in the order of their offsets.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::partition::OpenPartition;
use crate::commit::Output;
use crate::flow::graph::NodeId;
use crate::flow::step::within;
use crate::{Epoch, Next, Offset, PartitionReader, Result, Waker};

/// A reader: its driver asks it for rows and the desk reports commits to it, one after the other.
pub(super) struct Reader {
    reader: Box<dyn PartitionReader>,
    /// The last offset reported to it.
    told: Option<Offset>,
}

impl Reader {
    pub(super) fn of(reader: Box<dyn PartitionReader>) -> Rc<RefCell<Reader>> {
        Rc::new(RefCell::new(Reader { reader, told: None }))
    }

    pub(super) fn next(&mut self) -> Result<Next> {
        self.reader.next()
    }

    pub(super) fn wake_by(&mut self, waker: &Waker) -> bool {
        self.reader.wake_by(waker)
    }

    /// Reports the commit to it, unless it knows.
    pub(super) fn committed(&mut self, offset: &Offset) -> Result<()> {
        if self.told.as_ref() != Some(offset) {
            self.reader.committed(offset)?;
            self.told = Some(offset.clone());
        }
        Ok(())
    }
}

/// Which readers hear what when a checkpoint is committed.
#[derive(Default)]
pub(super) struct Commits {
    due: VecDeque<(Epoch, Vec<Told>)>,
    /// Followed partitions that have ended since the last checkpoint.
    ended: Vec<Told>,
}

/// One partition whose reader hears of commits.
struct Told {
    /// The source and the partition, for messages.
    place: Rc<str>,
    reader: Rc<RefCell<Reader>>,
    offset: Offset,
}

impl Told {
    fn of(open: &OpenPartition) -> Option<Told> {
        let offset = open.offset.clone()?;
        Some(Told { place: Rc::clone(&open.place), reader: Rc::clone(&open.reader), offset })
    }
}

impl Commits {
    /// Notes how far the partitions are at the end of a checkpoint.
    pub(super) fn save(&mut self, epoch: Epoch, open: &[OpenPartition]) {
        let told = self.ended.drain(..).chain(open.iter().filter_map(Told::of)).collect();
        self.due.push_back((epoch, told));
    }

    /// Keeps the reader of a partition that has ended until the end is committed. The reader of a bounded partition is
    /// dropped: there may be thousands of them, each with what it has read ahead.
    pub(super) fn ends(&mut self, open: &OpenPartition) {
        self.ended.extend(Told::of(open).filter(|_| open.partition.followed));
    }
}

/// Reports commits to the readers of one source on this worker.
pub(super) struct Committed {
    pub(super) node: NodeId,
    pub(super) commits: Rc<RefCell<Commits>>,
}

impl Output for Committed {
    fn publish(&mut self, epoch: Epoch, _: bool) -> Result<()> {
        within(self.node, || {
            let mut commits = self.commits.borrow_mut();
            let due = commits.due.iter().take_while(|(due, _)| *due <= epoch).count();
            for (_, all) in commits.due.drain(..due) {
                for told in all {
                    let outcome = told.reader.borrow_mut().committed(&told.offset);
                    outcome.map_err(|error| error.at(format_args!("{}: committed at {}", told.place, told.offset)))?;
                }
            }
            Ok(())
        })
    }
}
