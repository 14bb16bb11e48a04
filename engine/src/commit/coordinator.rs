//! Worker 0's part in checkpoints: it decides which epochs are checkpoints, and appends the manifest of each.
//!
//! Every worker reports in the control dataflow which of its checkpoints it has stored, by releasing its input. When
//! the frontier of these passes an epoch, everything of that epoch is durable everywhere: timely has counted the
//! acknowledgements. Then the manifest is appended, which is the commit.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::desk::{Announcement, Last};
use super::generation::Checkpointing;
use super::state_bytes::StateBytes;
use super::storing::{Background, WorkerPart, again, append};
use crate::checkpoint::{self, Chain, Commit, CommitKind, Entry, KeptOutput, ManifestLog, SourceCut, StepBytes};
use crate::run::{LastCheckpoint, Shared};
use crate::{Code, Duration, Epoch, Result};

/// How many epochs beyond the highest open one are decided in advance, so that no source waits for a decision.
const AHEAD: u64 = 4;

/// How many checkpoints may be on their way to the disk before the sources pause.
const UNSTORED_MAX: usize = 2;

/// For how many steps an error says how much they keep.
const TOLD: usize = 3;

/// How often to check whether a savepoint has been requested: one small read of the store.
const LOOK: Duration = Duration::from_micros(1_000_000);

/// What is done with the store, in order.
enum Task {
    /// Append a manifest.
    Append(Box<Commit>),
    /// Check whether a savepoint is requested.
    Look,
}

/// What came of it.
enum Done {
    Appended(LastCheckpoint),
    /// Whether a savepoint is requested.
    Looked(bool),
}

/// What has come in from the workers.
#[derive(Default)]
pub(super) struct Inbox {
    /// For each checkpoint, what the workers have stored.
    pub(super) parts: BTreeMap<Epoch, Vec<WorkerPart>>,
    /// Every worker has stored all checkpoints below this.
    pub(super) stored: Epoch,
}

/// Worker 0's part in checkpoints.
pub(super) struct Coordinator {
    checkpointing: Arc<Checkpointing>,
    shared: Arc<Shared>,
    inbox: Rc<RefCell<Inbox>>,
    store: Background<Task, Result<Done>>,
    /// The next epoch about which nothing is decided.
    undecided: Epoch,
    last: Option<Last>,
    /// Announced and not yet committed, oldest first; those in front may be with the log already.
    uncommitted: VecDeque<(Epoch, CommitKind)>,
    appended: usize,
    due: Duration,
    /// When to check next for a savepoint request; never while a check is running.
    look_due: Duration,
    sources: BTreeMap<String, SourceCut>,
    state_bytes: StateBytes,
}

impl Coordinator {
    pub(super) fn new(
        checkpointing: Arc<Checkpointing>,
        shared: Arc<Shared>,
        inbox: Rc<RefCell<Inbox>>,
        mut log: ManifestLog,
    ) -> Coordinator {
        let again_shared = Arc::clone(&shared);
        let (mut known, notes) = (checkpointing.layers(), Arc::clone(&checkpointing));
        let mut store_commit = move |commit: Commit| -> Result<LastCheckpoint> {
            let sizes: BTreeMap<_, _> = commit.layers().map(|layer| (layer.name.clone(), layer.size)).collect();
            let bytes = sizes.iter().filter(|(name, _)| !known.contains(*name)).map(|(_, size)| size).sum();
            let Commit { epoch, kind, taken, .. } = commit;
            let savepoint = (kind == CommitKind::Savepoint).then(|| KeptOutput::of(&commit));
            known = sizes.into_keys().collect();
            let entry = Entry::Commit(Box::new(commit));
            append(&again_shared, &mut log, &entry)?;
            savepoint.into_iter().for_each(|savepoint| notes.note_savepoint(savepoint));
            checkpoint::collect(&**log.store(), &log, checkpoint::KEPT)?;
            log.shorten(checkpoint::KEPT)?;
            Ok(LastCheckpoint { epoch, kind, taken, bytes })
        };
        let (store, met_shared, mut wanted) = (Arc::clone(&checkpointing.store), Arc::clone(&shared), false);
        let work = move |task| match task {
            Task::Look => {
                // If the store does not answer, it is asked again later: a request is no reason to fail.
                wanted = checkpoint::is_wanted(&*store).unwrap_or(false);
                Ok(Done::Looked(wanted))
            }
            Task::Append(commit) => {
                let last = store_commit(*commit)?;
                if last.kind == CommitKind::Savepoint && std::mem::take(&mut wanted) {
                    again(&met_shared, || checkpoint::met(&*store))?;
                }
                Ok(Done::Appended(last))
            }
        };
        let first = checkpointing.first_epoch();
        Coordinator {
            store: Background::new("checkpoints".to_string(), &shared, work),
            look_due: shared.clock.elapsed() + LOOK,
            undecided: Epoch(first.0 + AHEAD),
            last: None,
            uncommitted: VecDeque::new(),
            appended: 0,
            due: shared.clock.elapsed() + checkpointing.every,
            sources: checkpointing.first_cut(),
            state_bytes: StateBytes::default(),
            checkpointing,
            shared,
            inbox,
        }
    }

    /// Every epoch below this is decided.
    pub(super) fn decided(&self) -> Epoch {
        self.undecided
    }

    /// Decides and commits what is due; returns what all workers must hear.
    pub(super) fn turn(&mut self, highest: Epoch, all_done: bool) -> Result<Vec<Announcement>> {
        let mut told = Vec::new();
        if self.last.is_none() {
            told.extend(self.decide(highest, all_done));
        }
        while let Some(&(epoch, kind)) = self.uncommitted.get(self.appended)
            && self.inbox.borrow().stored > epoch
        {
            let commit = self.manifest(epoch, kind);
            self.store.ask(Task::Append(Box::new(commit)));
            self.appended += 1;
        }
        // Where a scheduler decides who may run, nobody is there to ask.
        if self.shared.may_park && self.last.is_none() && self.shared.clock.elapsed() >= self.look_due {
            self.look_due = Duration::MAX;
            self.store.ask(Task::Look);
        }
        while let Some(done) = self.store.poll() {
            let committed = match done? {
                Done::Appended(committed) => committed,
                Done::Looked(wanted) => {
                    if wanted && !self.savepoint_comes() {
                        self.shared.ask_savepoint();
                    }
                    self.look_due = self.shared.clock.elapsed() + LOOK;
                    continue;
                }
            };
            let epoch = committed.epoch;
            self.shared.metrics.note_checkpoint(committed);
            if committed.kind == CommitKind::Savepoint {
                self.shared.metrics.note_savepoint(epoch);
            }
            self.uncommitted.pop_front();
            self.appended -= 1;
            self.shared.committed(self.last == Some(Last { epoch, ended: true }));
            self.shared.metrics.note_commit();
            told.push(Announcement::Committed { epoch, savepoint: committed.kind == CommitKind::Savepoint });
        }
        Ok(told)
    }

    /// Whether a savepoint is on its way already.
    fn savepoint_comes(&self) -> bool {
        self.uncommitted.iter().any(|(_, kind)| *kind == CommitKind::Savepoint)
    }

    fn decide(&mut self, highest: Epoch, all_done: bool) -> Option<Announcement> {
        let stop = self.shared.stop_asked();
        let savepoint = self.shared.savepoint_asked();
        if all_done || stop {
            let last = Last { epoch: self.undecided, ended: all_done };
            self.last = Some(last);
            let kind = if all_done {
                CommitKind::Ended
            } else if savepoint {
                CommitKind::Savepoint
            } else {
                CommitKind::Checkpoint
            };
            self.uncommitted.push_back((last.epoch, kind));
            self.undecided = Epoch::MAX;
            return Some(Announcement::Last(last));
        }
        let now = self.shared.clock.elapsed();
        let due = savepoint || now >= self.due;
        if due && self.uncommitted.len() >= UNSTORED_MAX {
            return None; // nothing is decided, so the sources will pause
        }
        if due {
            let epoch = self.undecided;
            let kind = if savepoint { CommitKind::Savepoint } else { CommitKind::Checkpoint };
            self.shared.savepoint_taken();
            self.due = now + self.checkpointing.every;
            self.uncommitted.push_back((epoch, kind));
            self.undecided = Epoch(epoch.0 + 1 + AHEAD);
            return Some(Announcement::Checkpoint(epoch));
        }
        self.undecided = self.undecided.max(Epoch(highest.0 + 1 + AHEAD));
        None
    }

    /// Requests a stop after a checkpoint where the state has outgrown its limit, before the machine runs out of
    /// memory.
    fn limit_state(&self, chains: &[Chain], steps: &StepBytes) {
        let layers: BTreeMap<&str, u64> =
            chains.iter().flat_map(|chain| &chain.layers).map(|layer| (layer.name.as_str(), layer.size)).collect();
        let (bytes, limit) = (layers.values().sum::<u64>(), self.shared.limits.state_bytes_max);
        if bytes > limit {
            let reason = Code::StateLimit.error(format!(
                "the state has {bytes} bytes{}, and its limit is {limit}: it was stopped after a checkpoint. \
                 Do keys come without end, or windows never close? Raise the limit to go on from there",
                largest(steps)
            ));
            self.shared.ask_stop_for(reason.for_good());
        }
    }

    /// The manifest of `epoch`, from what all workers have stored.
    fn manifest(&mut self, epoch: Epoch, kind: CommitKind) -> Commit {
        let parts = self.inbox.borrow_mut().parts.remove(&epoch).unwrap_or_default();
        let (mut chains, mut sinks) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for part in parts {
            chains.extend(part.chains);
            self.state_bytes.hear(part.measured);
            for (source, partition, cut) in part.partitions {
                let source = self.sources.get_mut(&source).expect("every source of the graph has its cut");
                source.partitions.insert(partition, cut);
            }
            for (sink, cut) in part.buckets {
                sinks.entry(sink).or_default().push(cut);
            }
        }
        chains.sort_by_key(|chain| chain.groups);
        sinks.values_mut().for_each(|cuts| cuts.sort_by_key(|cut| cut.bucket));
        let steps = self.state_bytes.of(&chains);
        self.limit_state(&chains, &steps);
        self.shared.metrics.note_state(steps);
        self.checkpointing.commit(epoch, kind, self.shared.clock.now(), chains, self.sources.clone(), sinks)
    }
}

/// The steps with the largest state, in words, to follow a number of bytes.
fn largest(steps: &StepBytes) -> String {
    let mut steps: Vec<_> = steps.iter().filter(|(_, bytes)| **bytes > 0).collect();
    steps.sort_by_key(|(name, bytes)| (std::cmp::Reverse(**bytes), *name));
    let told: Vec<_> = steps.iter().take(TOLD).map(|(name, bytes)| format!("{name} {bytes}")).collect();
    match steps.len() {
        0 => String::new(),
        1..=TOLD => format!(" ({})", told.join(", ")),
        more => format!(" ({}, and {} others less)", told.join(", "), more - TOLD),
    }
}
