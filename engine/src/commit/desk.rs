//! Where the drivers of one worker learn of checkpoints, and leave what they owe them.
//!
//! Which epochs are checkpoints is decided in advance, so a driver knows at the end of each epoch whether it has to
//! save. It leaves what it saved here and carries on at once; when every driver of the worker has been here for an
//! epoch, everything is stored together, and nobody waits for the disk.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use timely::scheduling::Activator;

use crate::checkpoint::{BucketCut, LayerPart, PartitionCut};
use crate::{Epoch, PartitionId, Result};

/// What a worker knows of checkpoints, and what its drivers have left for them.
pub(crate) struct Desk {
    /// Every decision on an epoch below this one is known.
    decided: Epoch,
    /// Checkpoints that some driver of this worker still owes something to.
    open: BTreeMap<Epoch, Owed>,
    last: Option<Last>,
    committed: Option<Epoch>,
    drivers: usize,
    wakers: Vec<Activator>,
    outputs: Vec<Box<dyn Output>>,
    ready: VecDeque<(Epoch, Contribution)>,
}

/// The last checkpoint of a run, and why none follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) epoch: Epoch,
    /// Whether the input has ended; otherwise the job was asked to stop, and will resume another time.
    pub(crate) ended: bool,
}

/// What worker 0 announces to all workers, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Announcement {
    /// This epoch is a checkpoint.
    Checkpoint(Epoch),
    /// This epoch is a checkpoint, and none follows.
    Last(Last),
    /// The manifest of this epoch is stored: its output may be seen.
    Committed { epoch: Epoch, savepoint: bool },
}

/// What a worker's drivers save for one checkpoint.
#[derive(Default)]
pub(crate) struct Contribution {
    pub(crate) layers: Vec<LayerPart>,
    pub(crate) partitions: Vec<(String, PartitionId, PartitionCut)>,
    pub(crate) buckets: Vec<(String, BucketCut)>,
}

#[derive(Default)]
struct Owed {
    arrived: usize,
    contribution: Contribution,
}

/// What waits on this worker for an epoch to be committed: the output of a sink, or the readers of a source.
pub(crate) trait Output {
    /// All up to `epoch` is committed, maybe as a savepoint: publishes what was prepared for it, or reports it to
    /// readers.
    fn publish(&mut self, epoch: Epoch, savepoint: bool) -> Result<()>;
}

impl Desk {
    /// The desk of a job without checkpoints: everything is decided, and nobody owes anything.
    pub(crate) fn without_checkpoints() -> Desk {
        Desk { decided: Epoch::MAX, ..Desk::before(Epoch(0)) }
    }

    /// The desk of a job whose first epoch is `first`.
    pub(crate) fn before(first: Epoch) -> Desk {
        Desk {
            decided: first,
            open: BTreeMap::new(),
            last: None,
            committed: None,
            drivers: 0,
            wakers: Vec::new(),
            outputs: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// Adds a driver, which from now on owes something to every checkpoint.
    pub(crate) fn join(&mut self) {
        self.drivers += 1;
    }

    /// Runs `waker`'s operator whenever there is news here.
    pub(crate) fn wake(&mut self, waker: Activator) {
        self.wakers.push(waker);
    }

    /// Adds what waits for commits, in the order in which it will hear of them.
    pub(crate) fn add_output(&mut self, output: Box<dyn Output>) {
        self.outputs.push(output);
    }

    /// Every decision on an epoch below this one is known.
    pub(crate) fn decided(&self) -> Epoch {
        self.decided
    }

    /// The first known checkpoint at or after `epoch`.
    pub(crate) fn next_checkpoint(&self, epoch: Epoch) -> Option<Epoch> {
        self.open.range(epoch..).next().map(|(epoch, _)| *epoch)
    }

    /// The last checkpoint of the run, once it is known.
    pub(crate) fn last(&self) -> Option<Last> {
        self.last
    }

    /// The newest epoch whose output may be seen.
    pub(crate) fn committed(&self) -> Option<Epoch> {
        self.committed
    }

    /// Takes what one driver owes to the checkpoint `epoch`.
    pub(crate) fn contribute(&mut self, epoch: Epoch, contribution: Contribution) {
        let owed = self.open.get_mut(&epoch).expect("a driver saves at checkpoints only, and once at each");
        owed.contribution.layers.extend(contribution.layers);
        owed.contribution.partitions.extend(contribution.partitions);
        owed.contribution.buckets.extend(contribution.buckets);
        owed.arrived += 1;
        if owed.arrived == self.drivers {
            // Checkpoints are completed in order, since every driver passes them in order.
            let owed = self.open.remove(&epoch).expect("it was just there");
            self.ready.push_back((epoch, owed.contribution));
        }
    }

    /// A checkpoint to which nobody owes anything any more.
    pub(crate) fn take_ready(&mut self) -> Option<(Epoch, Contribution)> {
        self.ready.pop_front()
    }

    /// Takes the news from worker 0.
    pub(crate) fn hear(&mut self, announcement: Announcement) -> Result<()> {
        match announcement {
            Announcement::Checkpoint(epoch) => self.expect(epoch),
            Announcement::Last(last) => {
                self.last = Some(last);
                self.expect(last.epoch);
            }
            Announcement::Committed { epoch, savepoint } => {
                self.outputs.iter_mut().try_for_each(|output| output.publish(epoch, savepoint))?;
                self.committed = Some(epoch);
            }
        }
        self.wake_all();
        Ok(())
    }

    /// Notes that all decisions on epochs below `decided` have been heard.
    pub(crate) fn decide(&mut self, decided: Epoch) {
        if decided > self.decided {
            self.decided = decided;
            self.wake_all();
        }
    }

    fn expect(&mut self, epoch: Epoch) {
        assert!(epoch >= self.decided, "checkpoint {epoch} is announced after all below {} were decided", self.decided);
        self.decided = epoch.next(); // announcements come in order, so nothing below is open any more
        match self.drivers {
            0 => self.ready.push_back((epoch, Contribution::default())),
            _ => drop(self.open.insert(epoch, Owed::default())),
        }
    }

    fn wake_all(&self) {
        self.wakers.iter().for_each(Activator::activate);
    }
}

/// The checkpoints that a driver has passed, and the epochs that it may work on until the next.
pub(crate) struct Passage {
    /// Every checkpoint below it has been passed.
    next: Epoch,
}

impl Passage {
    /// Nothing has been passed.
    pub(crate) fn new() -> Passage {
        Passage { next: Epoch(0) }
    }

    /// The next checkpoint, where it is known.
    pub(crate) fn checkpoint(&self, desk: &Desk) -> Option<Epoch> {
        desk.next_checkpoint(self.next)
    }

    /// Whether what belongs to `epoch` may be worked on: it is known to lie before the end of the next checkpoint.
    pub(crate) fn admits(&self, epoch: Epoch, desk: &Desk) -> bool {
        (epoch < desk.decided || desk.decided == Epoch::MAX) && self.checkpoint(desk).is_none_or(|next| epoch <= next)
    }

    /// This driver has saved for the checkpoint `epoch`.
    pub(crate) fn pass(&mut self, epoch: Epoch) {
        self.next = epoch.next();
    }
}
