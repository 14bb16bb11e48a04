//! From a bound job to its workers: the place among other processes, the checkpoint that it goes on from, the places of its
//! sinks, and then the threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::worker::WorkerPlan;
use super::{Attempt, Bound};
use crate::cluster::{Member, Start};
use crate::commit::Checkpointing;
use crate::flow::{BoundSink, LoadedTable, SinkDeclaration};
use crate::run::{Metrics, Shared, Whose};
use crate::{Claim, Error, Result, Writing};

impl Bound {
    /// Starts the workers, once.
    pub(super) fn attempt(self, metrics: Arc<Metrics>) -> Result<Attempt> {
        let tables = self.read_tables()?;
        let job = &self.job;
        let shared = Shared::new(job.limits, Arc::clone(&job.clock), job.turns.may_park());
        let shared = Arc::new(shared.leaving_alone(job.turns.left_alone()).counting(metrics));
        let mut member = match &job.cluster {
            Some(cluster) => Some(Member::join(cluster, self.terms(&tables), job.workers, &shared)?),
            None => None,
        };
        match (self.start_workers(tables, shared, member.as_mut()), member) {
            (Ok(attempt), member) => Ok(Attempt { member, ..attempt }),
            (Err(error), Some(member)) => Err(member.fail(error)),
            (Err(error), None) => Err(error),
        }
    }

    /// Where the job goes on, if it takes checkpoints. Alone or in process 0 the generation is started, the sinks are looked
    /// at and the state is made that of this graph; the other processes are told.
    fn begin(
        &self,
        tables: &BTreeMap<String, LoadedTable>,
        member: Option<&Member>,
        shared: &Arc<Shared>,
    ) -> Result<(Option<Arc<Checkpointing>>, Vec<Claim>)> {
        let sources = &self.sources;
        if let Some(member) = member.filter(|member| !member.is_first()) {
            return match (member.hear_start()?, &self.job.checkpoints) {
                (Start { generation: Some(started) }, Some(checkpoints)) => {
                    let steps = self.keeping().steps;
                    let checkpointing = Checkpointing::of(checkpoints, started, None, steps, sources, tables)?;
                    Ok((Some(Arc::new(checkpointing)), Vec::new()))
                }
                _ => Ok((None, Vec::new())),
            };
        }
        let mut checkpointing = match &self.job.checkpoints {
            None => None,
            Some(checkpoints) => {
                let (graph, keeping) = (&self.look.graph, self.keeping());
                Some(Checkpointing::start(checkpoints, self.job.all_workers(), graph, &keeping, sources, tables)?)
            }
        };
        let claims = self.take_places(checkpointing.as_mut(), shared)?;
        if let Some(checkpointing) = &mut checkpointing {
            checkpointing.upgrade(shared)?; // when nothing else can be refused
        }
        if let Some(member) = member {
            member.say_start(Start { generation: checkpointing.as_ref().map(|checkpointing| checkpointing.started()) });
        }
        Ok((checkpointing.map(Arc::new), claims))
    }

    /// Looks at every sink, and only then takes their places: a run that is refused has taken nothing.
    fn take_places(&self, mut checkpointing: Option<&mut Checkpointing>, shared: &Arc<Shared>) -> Result<Vec<Claim>> {
        let endless = self.job.bindings.may_never_end();
        let writing = |checkpointing: Option<&Checkpointing>, name: &str| Writing {
            endless,
            ..checkpointing.map(|checkpointing| checkpointing.writing(name)).unwrap_or_default()
        };
        let explained = |checkpointing: Option<&Checkpointing>, name: &str, error: Error| {
            let error = error.at(format_args!("sink {name}"));
            match checkpointing {
                Some(checkpointing) => checkpointing.explained(error),
                None => error,
            }
        };
        for SinkDeclaration { name, schema, .. } in &self.sinks {
            let bound = self.job.bindings.bind_sink(name);
            let checked = bound.sink.check(schema, &writing(checkpointing.as_deref(), name));
            checked.map_err(|error| explained(checkpointing.as_deref(), name, error))?;
            if let Some(checkpointing) = checkpointing.as_deref_mut() {
                checkpointing.check_rows(name, &*bound.sink)?;
                checkpointing.check_sink(name, &bound, schema)?;
                let writing = writing(Some(checkpointing), name);
                let looked = checkpointing.look_back(name, &*bound.sink, &writing);
                looked.map_err(|error| explained(Some(checkpointing), name, error))?;
            }
        }
        let goes_back = checkpointing.as_deref().is_some_and(Checkpointing::goes_back);
        let claim = |SinkDeclaration { name, schema, .. }: &SinkDeclaration| {
            let writing = Writing { retry: shared.retry(Whose::Sink(name)), ..writing(checkpointing.as_deref(), name) };
            let claimed = self.job.bindings.bind_sink(name).sink.claim(schema, &writing);
            claimed.map_err(|error| explained(checkpointing.as_deref(), name, error))
        };
        let claims = self.sinks.iter().map(claim).collect::<Result<Vec<_>>>()?;
        if let Some(checkpointing) = checkpointing.filter(|_| goes_back) {
            checkpointing.settle_back(shared)?;
            for SinkDeclaration { name, .. } in &self.sinks {
                let writing = Writing { retry: shared.retry(Whose::Sink(name)), ..writing(Some(checkpointing), name) };
                let back = self.job.bindings.bind_sink(name).sink.take_back(&writing);
                back.map_err(|error| explained(Some(checkpointing), name, error))?;
            }
        }
        Ok(claims)
    }

    /// Starts the workers of this process.
    fn start_workers(
        self,
        tables: BTreeMap<String, LoadedTable>,
        shared: Arc<Shared>,
        member: Option<&mut Member>,
    ) -> Result<Attempt> {
        let (checkpointing, claims) = self.begin(&tables, member.as_deref(), &shared)?;
        let sinks: BTreeMap<_, _> =
            self.sinks.iter().map(|sink| (sink.name.clone(), self.job.bindings.bind_sink(&sink.name))).collect();
        let declared = self.sinks.iter();
        let written = declared.map(|sink| (sink.clone(), Arc::clone(&sinks[&sink.name].sink))).collect();
        let started = self.job.clock.elapsed();
        let plan = WorkerPlan {
            graph_fn: self.job.graph_fn,
            graph: self.look.graph.clone(),
            shared: Arc::clone(&shared),
            sources: self.sources,
            tables,
            sinks,
            turns: self.job.turns,
            checkpointing: checkpointing.clone(),
        };
        let mut notes = checkpointing.as_ref().map(|all| all.notes(&plan.sinks)).unwrap_or_default();
        if plan.sources.values().any(|bound| !bound.source.bounded()) {
            let seen =
                |(name, bound): (&String, &BoundSink)| Some(format!("sink {name}: {}", bound.sink.first_seen()?));
            notes.extend(plan.sinks.iter().filter_map(seen));
        }
        notes.extend(claims.iter().filter_map(Claim::note).map(str::to_string));
        if let Some(standing) = checkpointing.as_ref().and_then(|all| all.standing()) {
            shared.metrics.note_checkpoint(standing);
        }
        let attempt = Attempt {
            shared,
            workers: None,
            checkpointing: checkpointing.clone(),
            written,
            started,
            notes,
            claims,
            member: None,
        };
        if checkpointing.is_some_and(|checkpointing| checkpointing.has_ended()) {
            if member.is_none_or(|member| member.is_first()) {
                plan.publish_again(&self.sinks)?;
            }
            return Ok(attempt);
        }
        let run = move |worker: &mut timely::worker::Worker| super::worker::run(worker, &plan);
        let workers = match member {
            Some(member) => member.execute(run)?,
            None => timely::execute(timely::Config::process(self.job.workers), run)
                .map_err(|error| Error::environment("the worker threads do not start").caused_by(error).for_good())?,
        };
        Ok(Attempt { workers: Some(workers), ..attempt })
    }
}
