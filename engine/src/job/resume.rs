//! Where a job resumes: a generation is started or joined, and what it finds is compared with what is bound now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;

use super::{Checkpoints, checks};
use crate::checkpoint::{
    self, Commit, CommitKind, ManifestLog, PartitionCut, Retained, SourceCut, Started, StepShape, Wish,
};
use crate::cluster::Generation;
use crate::commit::{Back, Checkpointing, Keeping, Upgrade};
use crate::flow::{BoundSink, BoundSource, Graph, LoadedTable};
use crate::{Delivery, Error, EventTime, Offset, PartitionId, Result, Sink};

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
    SourceCut { binding: table.binding.clone(), partitions: BTreeMap::from([(PartitionId(checks::TABLE.into()), cut)]) }
}

/// Whether the sources can resume from a commit: asked before a damaged one is abandoned for the one before it.
fn retained_by(sources: BTreeMap<String, BoundSource>) -> Retained {
    Retained(Arc::new(move |commit: &Commit| {
        commit.sources.iter().all(|(name, cut)| {
            // What has ended, and so any table, is not read from where it was left.
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
    /// Starts a generation: fences older ones off, and finds out where to resume.
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
            from: checkpoints.from,
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

    /// Notes what a sink stands on, and refuses one that would not finish what is staged as it was begun.
    pub(super) fn check_sink(&mut self, name: &str, bound: &BoundSink, schema: &SchemaRef) -> Result<()> {
        let now = bound.sink.basis(schema);
        self.resume.as_ref().map_or(Ok(()), |commit| checks::check_sink(commit, name, bound, &now))?;
        self.bases.insert(format!("sink {name}"), now);
        Ok(())
    }

    /// Takes part in a generation that was started: whoever started it has the log; the state is that of this graph.
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

    /// What a person should know: where the job resumes, and which sinks promise less than the others.
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
}
