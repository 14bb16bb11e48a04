//! One generation of a job with checkpoints: where it stores them, and where it goes on from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;

use super::back::Back;
use super::checks::{self, Joined};
use super::upgrade::Upgrade;
use super::{BoundSink, BoundSource, LastCheckpoint, Shared};
use crate::checkpoint::{
    self, Basis, BucketCut, Chain, ChainReader, Commit, CommitKind, CommitName, GroupRange, KeptOutput, ManifestLog,
    PartitionCut, Retained, SourceCut, Started, StepShape, Store, Wish,
};
use crate::cluster::Generation;
use crate::data::KEY_GROUPS;
use crate::failpoint::{Step, around};
use crate::flow::{Graph, Keeping, LoadedTable};
use crate::state::Parts;
use crate::{
    After, Delivery, Duration, Durations, Epoch, Error, ErrorKind, EventTime, Offset, PartitionId, Prepared, Result,
    Sink, Writing,
};

/// How a job takes checkpoints, and what it does with those that are there.
#[derive(Clone)]
pub struct Checkpoints {
    pub(super) store: Arc<dyn Store>,
    pub(super) every: Duration,
    pub(super) fresh: bool,
    pub(super) from: Option<CommitName>,
    pub(super) dropped: Vec<String>,
    pub(super) replaces: bool,
}

impl Checkpoints {
    /// Checkpoints in `store`, every ten seconds; a job goes on from the newest one there is.
    pub fn in_store(store: Arc<dyn Store>) -> Checkpoints {
        Checkpoints { store, every: 10.seconds(), fresh: false, from: None, dropped: Vec::new(), replaces: false }
    }

    /// How long after one checkpoint the next one is due.
    pub fn every(mut self, every: Duration) -> Checkpoints {
        self.every = every;
        self
    }

    /// Starts anew, and refuses a store that holds a checkpoint.
    pub fn fresh(mut self) -> Checkpoints {
        self.fresh = true;
        self
    }

    /// Goes on from the checkpoint at the end of an epoch, and not from the newest. Where the job went back and has taken
    /// another one at the end of the same epoch, a [`CommitName`] says which is meant.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use dualgauge_engine::checkpoint::{CommitName, LocalStore};
    /// use dualgauge_engine::fs::FaultFs;
    /// use dualgauge_engine::{Checkpoints, Epoch};
    ///
    /// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    /// let checkpoints = Checkpoints::in_store(store).from(Epoch(310));
    /// let checkpoints = checkpoints.from("310@2".parse::<CommitName>().unwrap());
    /// ```
    pub fn from(mut self, epoch: impl Into<CommitName>) -> Checkpoints {
        self.from = Some(epoch.into());
        self
    }

    /// Replaces what was published since the checkpoint from which the job goes on, where that is not the newest; otherwise
    /// such a start is refused.
    pub fn replace_output(mut self) -> Checkpoints {
        self.replaces = true;
        self
    }

    /// An error of a source, told as the gap that it is where what it was to read [is not there](Error::is_absent), and a
    /// job that resumes here has read of it and not to its end. Any other error is as it was.
    pub fn told_of_gap(&self, source: &str, error: Error) -> Error {
        if !error.is_absent() || self.fresh {
            return error;
        }
        let was_read = |_: u64, commit: &Commit| Ok(checks::is_unfinished(commit, source));
        // What cannot be looked at now is told when the job starts.
        match checkpoint::look_at_named(&*self.store, self.from, was_read) {
            Ok(true) => Error::data(format!("E-SOURCE-GAP: {error}")).with_note(
                "it was there when the job was started; put it back to go on, or start from the beginning, with a new place \
                 for checkpoints and for the output",
            ),
            _ => error,
        }
    }

    /// Forgets what a step kept which is no longer in the graph; otherwise that is an error.
    pub fn drop_state(mut self, step: impl Into<String>) -> Checkpoints {
        self.dropped.push(step.into());
        self
    }
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints")
            .field("store", &self.store.describe())
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

/// One generation of a job with checkpoints.
pub(crate) struct Checkpointing {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) generation: u64,
    pub(crate) every: Duration,
    pub(super) job: String,
    pub(super) steps: Vec<StepShape>,
    /// What stands behind each source of the graph.
    pub(super) bindings: BTreeMap<String, String>,
    /// What was read of each table of the graph, as a commit tells it.
    pub(super) tables: BTreeMap<String, SourceCut>,
    /// The partitions of each source.
    listed: BTreeMap<String, BTreeSet<PartitionId>>,
    /// On what sources, steps and sinks stand; known where commits are written.
    bases: BTreeMap<String, Basis>,
    /// The partitions that have come since the commit from which the job resumes, by source.
    joined: BTreeMap<String, Joined>,
    pub(super) resume: Option<Commit>,
    /// What must be done to the state before the job goes on from it.
    upgrade: Upgrade,
    /// What a person should know of that, once it is done.
    upgraded: Vec<String>,
    pub(super) log: Mutex<Option<ManifestLog>>,
    pub(super) back: Back,
    /// What commits to which the job may go back have prepared of the sinks, as it was at the start.
    pub(super) kept: Vec<KeptOutput>,
    /// What savepoints have prepared that were taken since; known where commits are written.
    pub(super) savepoints: Mutex<Vec<KeptOutput>>,
}

/// The one part of a table, as a commit tells it.
const TABLE: &str = "table";

fn listed(bound: &BoundSource) -> BTreeSet<PartitionId> {
    bound.listing.partitions.iter().map(|partition| partition.id.clone()).collect()
}

/// What was read of a table: its rows are the position, and their digest is the proof.
fn cut_of(table: &LoadedTable) -> SourceCut {
    let mut proof = [0; 32];
    proof[..16].copy_from_slice(&table.digest.sum.to_le_bytes());
    let rows = table.digest.rows;
    let cut = PartitionCut {
        offset: Some(Offset { position: rows, proof: Some(proof) }),
        rows,
        largest: EventTime::MIN,
        floor: EventTime::MIN,
        ended: true,
        passed: true,
    };
    SourceCut { binding: table.binding.clone(), partitions: BTreeMap::from([(PartitionId(TABLE.into()), cut)]) }
}

/// Whether the sources can go on from a commit: asked before a damaged one is left for the one before it.
fn retained_by(sources: BTreeMap<String, BoundSource>) -> Retained {
    Retained(Arc::new(move |commit: &Commit| {
        commit.sources.iter().all(|(name, cut)| {
            // Of what has ended, and so of a table, nothing is read from where it was left.
            cut.partitions.iter().filter(|(_, cut)| !cut.ended).all(|(id, cut)| {
                let Some(bound) = sources.get(name) else { return false };
                let partition = bound.listing.partitions.iter().find(|partition| partition.id == *id);
                partition
                    .is_some_and(|partition| bound.source.open(partition, cut.offset.as_ref(), &bound.scan).is_ok())
            })
        })
    }))
}

impl Checkpointing {
    /// Starts a generation: fences older ones off, and finds out where to go on.
    pub(super) fn start(
        checkpoints: &Checkpoints,
        workers: usize,
        graph: &Graph,
        keeping: &Keeping,
        sources: &BTreeMap<String, BoundSource>,
        tables: &BTreeMap<String, LoadedTable>,
    ) -> Result<Checkpointing> {
        let wish = Wish {
            fresh: checkpoints.fresh,
            from: checkpoints.from.map(|name| name.epoch),
            of_generation: checkpoints.from.and_then(|name| name.generation),
            workers: workers as u32,
            version: env!("CARGO_PKG_VERSION").to_string(),
            retained: Some(retained_by(sources.clone())),
        };
        let started = checkpoint::start(Arc::clone(&checkpoints.store), wish)?;
        let Started { log, generation, job, resume, kept, left } = started;
        let back = Back::new(checkpoints.replaces, left, resume.as_ref());
        let bases = checks::bases(graph, sources);
        let upgrade = |commit| Upgrade::of(commit, keeping, &bases, &checkpoints.dropped);
        let upgrade = resume.as_ref().map(upgrade).transpose()?;
        let started = Generation { job, generation, resume, kept };
        let checkpointing = Checkpointing::of(checkpoints, started, Some(log), keeping.steps.clone(), sources, tables)?;
        let upgrade = upgrade.filter(|_| !checkpointing.has_ended()).unwrap_or_default();
        Ok(Checkpointing { upgrade, bases, back, ..checkpointing })
    }

    /// Refuses rows of another type for a sink whose unfinished output could not hold both.
    pub(super) fn check_rows(&self, name: &str, sink: &dyn Sink) -> Result<()> {
        if !self.upgrade.changes(&format!("sink {name}")) || sink.takes_other_columns() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "sink {name}: {} may still have to finish output with rows of the type that they had before the checkpoint, and \
             it cannot hold those of another type beside them. Make them the old type where they go to this sink, and write \
             the new ones to a sink of another name and place",
            sink.describe()
        )))
    }

    /// Notes on what a sink stands, and refuses one that would not finish what is staged as it was begun.
    pub(super) fn check_sink(&mut self, name: &str, bound: &BoundSink, schema: &SchemaRef) -> Result<()> {
        let now = bound.sink.basis(schema);
        self.resume.as_ref().map_or(Ok(()), |commit| checks::check_sink(commit, name, bound, &now))?;
        self.bases.insert(format!("sink {name}"), now);
        Ok(())
    }

    /// The watermark that a source had when the job stopped, for a partition that was not there then.
    pub(crate) fn joined_behind(&self, source: &str, partition: &PartitionId) -> Option<EventTime> {
        let joined = self.joined.get(source)?;
        joined.partitions.contains(partition).then_some(joined.watermark)
    }

    /// Makes the state from which the job goes on that of this graph.
    pub(super) fn upgrade(&mut self, shared: &Shared) -> Result<()> {
        let Some(commit) = &self.resume else { return Ok(()) };
        let chains = self.upgrade.chains(&self.store, commit, self.generation, shared);
        if let Some(chains) = chains.map_err(|error| self.explained(error))? {
            self.upgraded = self.upgrade.notes(commit);
            self.resume = Some(Commit { chains, steps: self.steps.clone(), ..commit.clone() });
        }
        Ok(())
    }

    /// Takes part in a generation that was started: the log is with who has started it, and the state is that of this graph.
    pub(super) fn of(
        checkpoints: &Checkpoints,
        started: Generation,
        log: Option<ManifestLog>,
        steps: Vec<StepShape>,
        sources: &BTreeMap<String, BoundSource>,
        tables: &BTreeMap<String, LoadedTable>,
    ) -> Result<Checkpointing> {
        let Generation { job, generation, resume, kept } = started;
        let bindings = sources.iter().map(|(name, bound)| (name.clone(), bound.source.describe())).collect();
        let checkpointing = Checkpointing {
            store: Arc::clone(&checkpoints.store),
            generation,
            every: checkpoints.every,
            job,
            steps,
            bindings,
            tables: tables.iter().map(|(name, table)| (name.clone(), cut_of(table))).collect(),
            listed: sources.iter().map(|(name, bound)| (name.clone(), listed(bound))).collect(),
            bases: BTreeMap::new(),
            joined: BTreeMap::new(),
            resume,
            upgrade: Upgrade::default(),
            upgraded: Vec::new(),
            log: Mutex::new(log),
            back: Back::default(),
            kept,
            savepoints: Mutex::default(),
        };
        let Some(commit) = &checkpointing.resume else { return Ok(checkpointing) };
        checks::check_sources(commit, sources)?;
        if !checkpointing.has_ended() {
            checkpointing.tables.iter().try_for_each(|(name, now)| checks::check_table(commit, name, now))?;
        }
        let joined = checks::joined(commit, sources)?;
        Ok(Checkpointing { joined, ..checkpointing })
    }

    /// What the other processes of a cluster must know to take part.
    pub(super) fn started(&self) -> Generation {
        let (resume, kept) = (self.resume.clone(), self.kept.clone());
        Generation { job: self.job.clone(), generation: self.generation, resume, kept }
    }

    /// Whether the input had ended before this generation.
    pub(super) fn has_ended(&self) -> bool {
        self.resume.as_ref().is_some_and(|commit| commit.kind == CommitKind::Ended)
    }

    /// What a person should know: where the job goes on, and which sinks promise less than the others.
    pub(super) fn notes(&self, sinks: &BTreeMap<String, BoundSink>) -> Vec<String> {
        let place = self.store.describe();
        let start = match &self.resume {
            None => format!("checkpoints in {place} every {}", self.every),
            Some(commit) if commit.kind == CommitKind::Ended => {
                format!("the input had ended with epoch {} in {place}: what it had prepared is published", commit.epoch)
            }
            Some(commit) => {
                format!("goes on after epoch {} in {place}, as generation {}", commit.epoch, self.generation)
            }
        };
        let twice = sinks.iter().filter(|(_, bound)| bound.sink.delivery() == Delivery::AtLeastOnce);
        let twice = twice.map(|(name, bound)| {
            let what = bound.sink.describe();
            format!("sink {name} ({what}) shows rows at once: what it showed since the last checkpoint, it shows again after a crash")
        });
        let joined = self.joined.iter().map(|(source, joined)| joined.note(source, self.has_ended()));
        [start]
            .into_iter()
            .chain(self.store.note())
            .chain(self.back.notes())
            .chain(joined)
            .chain(self.upgraded.iter().cloned())
            .chain(twice)
            .collect()
    }

    /// The checkpoint from which the job goes on.
    pub(super) fn standing(&self) -> Option<LastCheckpoint> {
        let Commit { epoch, kind, taken, .. } = *self.resume.as_ref()?;
        Some(LastCheckpoint { epoch, kind, taken, bytes: 0 })
    }

    /// The names of the layers that hold the state from which the job goes on.
    pub(crate) fn layers(&self) -> BTreeSet<String> {
        self.resume.iter().flat_map(Commit::layers).map(|layer| layer.name.clone()).collect()
    }

    /// The failure of this generation as it is to be told: what fails after a younger one has started fails for that.
    pub(super) fn explained(&self, error: Error) -> Error {
        let told =
            matches!(error.kind(), ErrorKind::Stopped | ErrorKind::Panic) || error.to_string().contains("E-FENCED");
        match !told && checkpoint::is_fenced(&*self.store, self.generation).unwrap_or(false) {
            true => checkpoint::fenced().caused_by(error),
            false => error,
        }
    }

    /// The log of manifests, for the one who appends to it.
    pub(crate) fn take_log(&self) -> Option<ManifestLog> {
        self.log.lock().expect("no panic holds it").take()
    }

    /// The first epoch of this generation.
    pub(crate) fn first_epoch(&self) -> Epoch {
        self.resume.as_ref().map_or(Epoch(0), |commit| commit.epoch.next())
    }

    /// By whom a sink is written.
    pub(crate) fn writing(&self, sink: &str) -> Writing {
        let known = self.resume.as_ref().filter(|commit| commit.sinks.contains_key(sink));
        let before = known.map(|commit| commit.bases.get(&format!("sink {sink}")).cloned().unwrap_or_default());
        let (job, resumes) = (Some(self.job.clone()), self.resume.is_some());
        let after = self.resume.as_ref().map(|commit| After { epoch: commit.epoch, generation: commit.generation });
        let checkpoints = Some(self.store.describe());
        Writing { job, generation: self.generation, resumes, after, before, checkpoints, ..Writing::default() }
    }

    /// How far the sources were read before this generation.
    pub(crate) fn first_cut(&self) -> BTreeMap<String, SourceCut> {
        let before = |name: &String| self.resume.as_ref()?.sources.get(name).map(|cut| cut.partitions.clone());
        let cut = |(name, binding): (&String, &String)| {
            (name.clone(), SourceCut { binding: binding.clone(), partitions: before(name).unwrap_or_default() })
        };
        self.bindings.iter().map(cut).chain(self.tables.clone()).collect()
    }

    /// How far a partition was read before this generation.
    pub(crate) fn partition(&self, source: &str, partition: &PartitionId) -> Option<&PartitionCut> {
        self.resume.as_ref()?.sources.get(source)?.partitions.get(partition)
    }

    /// What was prepared of a sink's bucket before this generation.
    pub(crate) fn prepared(&self, sink: &str, bucket: usize) -> Vec<Prepared> {
        let cuts = self.resume.as_ref().and_then(|commit| commit.sinks.get(sink));
        let cut = cuts.and_then(|cuts| cuts.iter().find(|cut| cut.bucket as usize == bucket));
        cut.map(|cut| cut.prepared.clone()).unwrap_or_default()
    }

    /// The state of a worker's key groups, as it was before this generation.
    pub(crate) fn chains(&self, worker: usize, workers: usize) -> Vec<Chain> {
        let mine = GroupRange::of_worker(worker, workers);
        let before = self.resume.iter().flat_map(|commit| &commit.chains);
        let shared = before.map(|chain| Chain { groups: chain.groups.and(mine), layers: chain.layers.clone() });
        let chains: Vec<_> = shared.filter(|chain| !chain.groups.is_empty()).collect();
        if chains.is_empty() { vec![Chain { groups: mine, layers: Vec::new() }] } else { chains }
    }

    /// Loads what the step `name` kept of a worker's key groups, and the copies of all workers where each has one; whether
    /// the job goes on from a checkpoint.
    pub(crate) fn load(&self, name: &str, parts: Parts<'_>, worker: usize, workers: usize) -> Result<bool> {
        if self.resume.is_none() {
            return Ok(false);
        }
        let open = |chains: Vec<Chain>| -> Result<Vec<_>> {
            let reader = |chain: &Chain| ChainReader::open(Arc::clone(&self.store), &chain.layers);
            chains.into_iter().map(|chain| reader(&chain).map(|reader| (chain, reader))).collect()
        };
        let own = open(self.chains(worker, workers))?;
        let replicated = parts.iter().any(|(_, kept)| kept.is_replicated());
        let all = if replicated { open(self.chains(0, 1))? } else { Vec::new() };
        around(Step::Load, || {
            for (part, kept) in parts {
                for (chain, reader) in if kept.is_replicated() { &all } else { &own } {
                    reader.entries(name, part, chain.groups, &mut |group, key, value| kept.load(group, key, value))?;
                }
            }
            Ok(true)
        })
    }

    /// The manifest of a checkpoint.
    pub(crate) fn commit(
        &self,
        epoch: Epoch,
        kind: CommitKind,
        taken: EventTime,
        chains: Vec<Chain>,
        sources: BTreeMap<String, SourceCut>,
        sinks: BTreeMap<String, Vec<BucketCut>>,
    ) -> Commit {
        Commit {
            generation: self.generation,
            epoch,
            kind,
            taken,
            key_groups: KEY_GROUPS as u16,
            steps: self.steps.clone(),
            chains,
            sources,
            sinks,
            counters: Vec::new(),
            bases: self.bases.clone(),
            listed: self.listed.clone(),
        }
    }
}
