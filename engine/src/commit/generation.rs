//! One generation of a job with checkpoints: where it stores them, and where it resumes from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::back::Back;
use super::joined::Joined;
use super::upgrade::Upgrade;
use crate::checkpoint::{
    self, BucketCut, Chain, ChainReader, Commit, CommitKind, GroupRange, KeptOutput, ManifestLog, PartitionCut,
    SourceCut, StepShape, Store,
};
use crate::cluster::Generation;
use crate::connector::Basis;
use crate::data::KEY_GROUPS;
use crate::failpoint::{Point, around};
use crate::run::{LastCheckpoint, Shared};
use crate::state::Parts;
use crate::{After, Code, Duration, Epoch, Error, ErrorKind, EventTime, PartitionId, Prepared, Result, Writing};

/// One generation of a job with checkpoints.
pub(crate) struct Checkpointing {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) generation: u64,
    pub(crate) every: Duration,
    pub(crate) job: String,
    pub(crate) steps: Vec<StepShape>,
    /// What stands behind each source of the graph.
    pub(crate) bindings: BTreeMap<String, String>,
    /// What was read of each table of the graph, as a commit records it.
    pub(crate) tables: BTreeMap<String, SourceCut>,
    /// The partitions of each source.
    pub(crate) listed: BTreeMap<String, BTreeSet<PartitionId>>,
    /// What sources, steps and sinks stand on; known where commits are written.
    pub(crate) bases: BTreeMap<String, Basis>,
    /// The partitions that have come since the commit from which the job resumes, by source.
    pub(crate) joined: BTreeMap<String, Joined>,
    pub(crate) resume: Option<Commit>,
    /// What must be done to the state before the job resumes from it.
    pub(crate) upgrade: Upgrade,
    /// What a person should know of that, once it is done.
    pub(crate) upgraded: Vec<String>,
    pub(crate) log: Mutex<Option<ManifestLog>>,
    pub(crate) back: Back,
    /// What commits to which the job may go back have prepared for the sinks, as it was at the start.
    pub(crate) kept: Vec<KeptOutput>,
    /// What savepoints taken since have prepared; known where commits are written.
    pub(crate) savepoints: Mutex<Vec<KeptOutput>>,
}

impl Checkpointing {
    /// The watermark that a source had when the job stopped, for a partition that was not there then.
    pub(crate) fn joined_behind(&self, source: &str, partition: &PartitionId) -> Option<EventTime> {
        let joined = self.joined.get(source)?;
        joined.partitions.contains(partition).then_some(joined.watermark)
    }

    /// Brings the state from which the job resumes to this graph.
    pub(crate) fn upgrade(&mut self, shared: &Arc<Shared>) -> Result<()> {
        let Some(commit) = &self.resume else { return Ok(()) };
        let chains = self.upgrade.chains(&self.store, commit, self.generation, shared);
        if let Some(chains) = chains.map_err(|error| self.explained(error))? {
            self.upgraded = self.upgrade.notes(commit);
            self.resume = Some(Commit { chains, steps: self.steps.clone(), ..commit.clone() });
        }
        Ok(())
    }

    /// What the other processes of a cluster must know to take part.
    pub(crate) fn started(&self) -> Generation {
        let (resume, kept) = (self.resume.clone(), self.kept.clone());
        Generation { job: self.job.clone(), generation: self.generation, resume, kept }
    }

    /// Whether the input had ended before this generation.
    pub(crate) fn has_ended(&self) -> bool {
        self.resume.as_ref().is_some_and(|commit| commit.kind == CommitKind::Ended)
    }

    /// The checkpoint from which the job resumes.
    pub(crate) fn standing(&self) -> Option<LastCheckpoint> {
        let Commit { epoch, kind, taken, .. } = *self.resume.as_ref()?;
        Some(LastCheckpoint { epoch, kind, taken, bytes: 0 })
    }

    /// The names of the layers that hold the state from which the job resumes.
    pub(crate) fn layers(&self) -> BTreeSet<String> {
        self.resume.iter().flat_map(Commit::layers).map(|layer| layer.name.clone()).collect()
    }

    /// The failure of this generation, to be reported: once a younger one has started, that is why anything fails.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let told = matches!(error.kind(), ErrorKind::Stopped | ErrorKind::Panic) || error.code() == Some(Code::Fenced);
        match !told && checkpoint::is_fenced(&*self.store, self.generation).unwrap_or(false) {
            true => checkpoint::fenced().caused_by(error),
            false => error,
        }
    }

    /// The log of manifests, for whoever appends to it.
    pub(crate) fn take_log(&self) -> Option<ManifestLog> {
        self.log.lock().expect("no panic holds it").take()
    }

    /// The first epoch of this generation.
    pub(crate) fn first_epoch(&self) -> Epoch {
        self.resume.as_ref().map_or(Epoch(0), |commit| commit.epoch.next())
    }

    /// Who writes a sink.
    pub(crate) fn writing(&self, sink: &str) -> Writing {
        let known = self.resume.as_ref().filter(|commit| commit.sinks.contains_key(sink));
        let before = known.map(|commit| commit.bases.get(&format!("sink {sink}")).cloned().unwrap_or_default());
        let (job, resumes) = (Some(self.job.clone()), self.resume.is_some());
        let after = self.resume.as_ref().map(|commit| After { epoch: commit.epoch, generation: commit.generation });
        let checkpoints = Some(self.store.describe());
        let ended = self.has_ended();
        let sink = Some(sink.to_string());
        Writing {
            job,
            sink,
            generation: self.generation,
            resumes,
            after,
            ended,
            before,
            checkpoints,
            ..Writing::default()
        }
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

    /// Loads what the step `name` kept of a worker's key groups, and the copies of all workers where each has one;
    /// returns whether the job resumes from a checkpoint.
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
        around(Point::Load, || {
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
