//! A job between its bindings and its run: the graph has been looked at once, and what it reads has been listed once,
//! for whatever is done with it next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::bind::Bindings;
use super::end::End;
use super::look::Look;
use super::running::Present;
use super::{Attempt, Job, Outcome, Plan, Running, SourcePlan, TablePlan};
use crate::cluster::Terms;
use crate::commit::Keeping;
use crate::flow::{BoundSource, BoundTable, Graph, LoadedTable, SinkDeclaration, SourceDeclaration, UNCOMMITTED};
use crate::run::Metrics;
use crate::{Error, Listing, Result};

/// A job whose graph has been looked at and whose sources are listed, from [`Job::bind`]. It can show what it would
/// read, and run; neither looks or lists again.
///
/// What comes into a directory after it was listed is not read. So bind a job when it is to start, not long before.
#[must_use = "a job that is bound does nothing until it is started"]
pub struct Bound {
    pub(super) job: Job,
    pub(super) look: Arc<Look>,
    pub(super) sources: BTreeMap<String, BoundSource>,
    tables: BTreeMap<String, BoundTable>,
    /// Those of the graph, with the columns that they are written with.
    pub(super) sinks: Vec<SinkDeclaration>,
}

impl Bound {
    /// Binds all that a run needs.
    pub(super) fn of(job: Job) -> Result<Bound> {
        job.check()?;
        let look = job.look()?;
        let mut sinks = look.sinks.clone();
        job.bindings.check_sources(&look.sources, &look.tables)?;
        job.bindings.check_sinks(&sinks)?;
        job.bindings.widen(&mut sinks)?;
        Bound::list(job, look, sinks)
    }

    /// Binds what a plan needs; that includes no sink.
    pub(super) fn to_read(job: Job) -> Result<Bound> {
        let look = job.look()?;
        job.bindings.check_sources(&look.sources, &look.tables)?;
        if !job.bindings.sinks.is_empty() {
            job.bindings.check_sinks(&look.sinks)?; // a plan needs none, but a wrong name is wrong
        }
        Bound::list(job, look, Vec::new())
    }

    /// Lists what is bound to the names that were compared.
    fn list(job: Job, look: Arc<Look>, sinks: Vec<SinkDeclaration>) -> Result<Bound> {
        super::apart::check(&job.bindings, job.checkpoints.as_ref().map(|checkpoints| &*checkpoints.store))?;
        // What is gone is reported as a gap if the job has read of it.
        let told = |name: &str, error: Error| match &job.checkpoints {
            Some(checkpoints) => checkpoints.told_of_gap(name, error),
            None => error,
        };
        let source = |declared: &SourceDeclaration| {
            let (name, bound) = (declared.options.name(), job.bindings.bind_source(declared, job.limits.batch_rows));
            Ok((name.to_string(), bound.map_err(|error| told(name, error))?))
        };
        let sources = look.sources.iter().map(source).collect::<Result<_>>()?;
        let tables = look.tables.iter().map(|declared| {
            let (name, bound) = (&declared.name, job.bindings.bind_table(declared, job.limits.batch_rows));
            Ok((name.clone(), bound.map_err(|error| told(name, error))?))
        });
        let tables = tables.collect::<Result<_>>()?;
        Ok(Bound { job, look, sources, tables, sinks })
    }

    /// What the steps and sinks keep; only sinks that are bound that way keep rows until they are committed.
    pub(super) fn keeping(&self) -> Keeping {
        let mut keeping = self.look.keeping.clone();
        for SinkDeclaration { name, .. } in &self.sinks {
            if !self.job.bindings.bind_sink(name).sink.keeps_rows() {
                keeping.leave_out(&format!("sink {name}"), UNCOMMITTED);
            }
        }
        keeping
    }

    /// The operators of the graph.
    pub fn graph(&self) -> &Graph {
        &self.look.graph
    }

    /// What a run reads.
    pub fn plan(&self) -> Plan {
        let sources = self.look.sources.iter().map(|declared| {
            let name = declared.options.name().to_string();
            let bound = &self.sources[&name];
            let (binding, noun) = (bound.source.describe(), bound.source.noun());
            let (disorder, listing) = (bound.options.disorder, Listing::clone(&bound.listing));
            SourcePlan { name, binding, noun, disorder, listing }
        });
        let tables = self.look.tables.iter().map(|declared| {
            let (name, bound) = (declared.name.clone(), &self.tables[&declared.name]);
            let (binding, noun) = (bound.source.describe(), bound.source.noun());
            TablePlan { name, binding, noun, listing: bound.listing.clone() }
        });
        Plan { sources: sources.collect(), tables: tables.collect(), graph: self.look.graph.clone() }
    }

    /// Runs the job to the end of its input, as [`Job::run`] does.
    ///
    /// # Errors
    /// Whatever ended it early.
    pub fn run(self) -> Result<Outcome> {
        self.start()?.join()
    }

    /// Starts the workers and returns while they run, as [`Job::start`] does.
    ///
    /// # Errors
    /// A table that cannot be read, a sink that cannot be written to, a checkpoint that the job cannot resume from.
    pub fn start(self) -> Result<Running> {
        self.start_counting(Arc::default())
    }

    /// The same, counting into `metrics`, as [`Job::start_counting`] does.
    ///
    /// # Errors
    /// As [`Bound::start`].
    pub fn start_counting(mut self, metrics: Arc<Metrics>) -> Result<Running> {
        match self.job.restart.take() {
            None => {
                // The thread comes first: if there is no room for it, nothing starts.
                let (give, given) = channel::<Attempt>();
                let end = End::of("job-end", move || match given.recv() {
                    Ok(attempt) => attempt.join(),
                    Err(_) => Err(Error::environment("the job did not start")), // whoever would start it says why
                })?;
                let mut attempt = self.attempt(Arc::clone(&metrics))?;
                let (present, notes) = (Present::of(&attempt), std::mem::take(&mut attempt.notes));
                give.send(attempt).expect("the thread waits for it");
                Ok(Running::new(metrics, present, notes, end))
            }
            Some(policy) => super::restart::start(self, policy, metrics),
        }
    }

    /// The rows of the tables, as the graph wants them.
    pub(super) fn read_tables(&self) -> Result<BTreeMap<String, LoadedTable>> {
        let read = self.look.tables.iter().map(|declared| {
            let read = (declared.read)(&self.tables[&declared.name]);
            let read = read.map_err(|error: Error| error.at(format_args!("table {}", declared.name)))?;
            Ok((declared.name.clone(), read))
        });
        read.collect()
    }

    /// The terms on which this job would join a cluster.
    #[cfg(test)]
    pub(crate) fn terms_of_a_cluster(&self) -> Result<Terms> {
        Ok(self.terms(&self.read_tables()?))
    }

    /// What must be the same in all processes of a cluster.
    pub(super) fn terms(&self, tables: &BTreeMap<String, LoadedTable>) -> Terms {
        let Bindings { sources: _, sinks, from, to, until } = &self.job.bindings;
        let graph = format!("{}{:?}", self.look.graph, self.look.keeping);
        let bound = self.sources.iter().map(|(name, bound)| (name, bound.source.describe(), &bound.options));
        let mut sinks: Vec<_> = sinks.iter().map(|(name, sink)| (name, sink.describe())).collect();
        sinks.sort();
        let read = tables.iter().map(|(name, table)| (name, &table.binding));
        let bindings = format!("{:?}{:?}{sinks:?}", bound.collect::<Vec<_>>(), read.collect::<Vec<_>>());
        let options = format!("{:?}", (from, to, until, self.job.limits, &self.job.checkpoints));
        let listed = self.sources.iter().map(|(name, bound)| (name, &bound.listing.partitions, &bound.listing.pruned));
        let held = tables.iter().map(|(name, table)| (name, table.digest));
        let listed = format!("{:?}{:?}", listed.collect::<Vec<_>>(), held.collect::<Vec<_>>());
        Terms::new(self.job.workers, [env!("CARGO_PKG_VERSION"), &graph, &bindings, &options, &listed])
    }
}
