//! From a graph and its bindings to a result.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use super::bind::Bindings;
use super::worker::{GraphFn, WorkerPlan, building_panicked};
use super::{Attempt, Checkpoints, Outcome, Plan, Restart, Running, SourcePlan, TablePlan};
use crate::cluster::{Cluster, Member, Start, Terms};
use crate::commit::{Checkpointing, Control, Desk, Keeping};
use crate::data::KEY_GROUPS;
use crate::flow::{
    BoundSink, BoundSource, Context, Flow, Graph, LoadedTable, Mode, SinkDeclaration, SourceDeclaration, SourceOptions,
    TableDeclaration,
};
use crate::run::{AnyOrder, Limits, Metrics, Shared, Turns};
use crate::{Claim, Clock, Duration, Error, EventTime, Listing, Result, Sink, Source, SystemClock, Writing};

/// A graph and what its names are bound to: `Job::new(graph).source(…).sink(…).run()`.
#[derive(Clone)]
pub struct Job {
    graph_fn: Arc<GraphFn>,
    bindings: Bindings,
    workers: usize,
    limits: Limits,
    clock: Arc<dyn Clock>,
    turns: Arc<dyn Turns>,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) cluster: Option<Cluster>,
    restart: Option<Restart>,
}

/// A graph that was looked at: its operators, and the names to bind.
struct Description {
    graph: Graph,
    sources: Vec<SourceDeclaration>,
    tables: Vec<TableDeclaration>,
    sinks: Vec<SinkDeclaration>,
    keeping: Keeping,
}

/// What a graph reads, with all names bound: sources that were listed, and tables that were read.
struct Inputs {
    sources: BTreeMap<String, BoundSource>,
    tables: BTreeMap<String, LoadedTable>,
}

impl Job {
    /// A job that runs `graph` on one worker.
    ///
    /// The function is called once per worker and once to look at it, and must build the same graph each time.
    pub fn new(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> Job {
        Job {
            graph_fn: Arc::new(graph),
            bindings: Bindings::default(),
            workers: 1,
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            turns: Arc::new(AnyOrder),
            checkpoints: None,
            cluster: None,
            restart: None,
        }
    }

    /// Binds a source to its name in the graph: that of a source or of a table.
    pub fn source(self, name: &str, source: impl Source + 'static) -> Job {
        self.source_with(name, Arc::new(source), SourceOptions::default())
    }

    /// Binds a source to its name, with options that override the graph's.
    pub fn source_with(mut self, name: &str, source: Arc<dyn Source>, options: SourceOptions) -> Job {
        self.bindings.sources.push((name.to_string(), source, options));
        self
    }

    /// Binds a sink to its name in the graph.
    pub fn sink(self, name: &str, sink: impl Sink + 'static) -> Job {
        self.sink_with(name, Arc::new(sink))
    }

    /// Binds a shared sink to its name in the graph.
    pub fn sink_with(mut self, name: &str, sink: Arc<dyn Sink>) -> Job {
        self.bindings.sinks.push((name.to_string(), sink));
        self
    }

    /// Runs on this many worker threads, 256 at most. The answer is the same for any number.
    pub fn workers(mut self, workers: usize) -> Job {
        self.workers = workers;
        self
    }

    /// Leaves out events before `from`.
    pub fn from(mut self, from: EventTime) -> Job {
        self.bindings.from = Some(from);
        self
    }

    /// Leaves out events at or after `to`; a followed source ends when its watermark reaches it.
    pub fn to(mut self, to: EventTime) -> Job {
        self.bindings.to = Some(to);
        self
    }

    /// Ends followed sources when their watermark reaches `until`, and leaves out what they have at or after it.
    ///
    /// Other than [`Job::to`] it leaves bounded sources alone.
    pub fn until(mut self, until: EventTime) -> Job {
        self.bindings.until = Some(until);
        self
    }

    /// Bounds how far the job may run ahead of itself.
    pub fn limits(mut self, limits: Limits) -> Job {
        self.limits = limits;
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Job {
        self.clock = clock;
        self
    }

    /// Lets `turns` decide which worker steps next.
    pub fn turns(mut self, turns: Arc<dyn Turns>) -> Job {
        self.turns = turns;
        self
    }

    /// Takes checkpoints, and goes on from the newest one that is there: a job that is killed at any moment and started
    /// again gives the output that it would have given without.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Job {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Runs as one of several processes. [`Job::start`] then waits for the others, and [`Job::run`] ends when all do.
    pub fn cluster(mut self, cluster: Cluster) -> Job {
        self.cluster = Some(cluster);
        self
    }

    /// Starts the job again from its last checkpoint when a closure panics or the machine refuses, until the policy has
    /// enough of it; for jobs with checkpoints, in one process.
    pub fn restart(mut self, policy: Restart) -> Job {
        self.restart = Some(policy);
        self
    }

    /// The operators of the graph; nothing needs to be bound.
    ///
    /// # Errors
    /// Every reason why the graph cannot be run.
    pub fn graph(&self) -> Result<Graph> {
        Ok(self.describe()?.graph)
    }

    /// The names of the sources, tables behind them, and of the sinks that the graph wants bound.
    pub fn names(&self) -> Result<(Vec<String>, Vec<String>)> {
        let Description { sources, tables, sinks, .. } = self.describe()?;
        let sources = sources.iter().map(|source| source.options.name().to_string());
        let sources = sources.chain(tables.into_iter().map(|table| table.name)).collect();
        Ok((sources, sinks.into_iter().map(|sink| sink.name).collect()))
    }

    /// What a run would read. Looks at metadata, not at rows (but where a file has no statistics, which it says).
    pub fn plan(&self) -> Result<Plan> {
        let description = self.describe()?;
        self.bindings.check_sources(&description.sources, &description.tables)?;
        if !self.bindings.sinks.is_empty() {
            self.bindings.check_sinks(&description.sinks)?; // a plan needs none, but a wrong name is wrong
        }
        self.check_places()?;
        let mut sources = Vec::new();
        for declared in &description.sources {
            let bound = self.bind_source(declared)?;
            sources.push(SourcePlan {
                name: declared.options.name().to_string(),
                binding: bound.source.describe(),
                disorder: bound.options.disorder,
                listing: Listing::clone(&bound.listing),
            });
        }
        let mut tables = Vec::new();
        for declared in &description.tables {
            let bound = self.bindings.bind_table(declared, self.limits.batch_rows)?;
            tables.push(TablePlan {
                name: declared.name.clone(),
                binding: bound.source.describe(),
                listing: bound.listing,
            });
        }
        Ok(Plan { sources, tables, graph: description.graph })
    }

    /// Runs the job to the end of its input.
    ///
    /// # Errors
    /// Whatever ended it early. A panic in one of the graph's closures is an error of kind [`Panic`](crate::ErrorKind::Panic) that
    /// names the step; the process lives on.
    pub fn run(self) -> Result<Outcome> {
        self.start()?.join()
    }

    /// Starts the workers and returns while they run.
    ///
    /// # Errors
    /// What can be known before anything is read: a refused graph, a wrong name, a source or sink that is not there.
    pub fn start(self) -> Result<Running> {
        self.start_counting(Arc::default())
    }

    /// The same, counting into `metrics`, which somebody else looks at meanwhile: a start may stand still too, before a full
    /// disk for example.
    ///
    /// # Errors
    /// As [`Job::start`].
    pub fn start_counting(mut self, metrics: Arc<Metrics>) -> Result<Running> {
        match self.restart.take() {
            None => Ok(Running::once(self.attempt(metrics)?)),
            Some(policy) => super::restart::start(self, policy, metrics),
        }
    }

    /// Starts the workers, once.
    pub(super) fn attempt(self, metrics: Arc<Metrics>) -> Result<Attempt> {
        let all_workers = self.workers.saturating_mul(self.cluster.as_ref().map_or(1, Cluster::processes));
        if !(1..=KEY_GROUPS as usize).contains(&all_workers) {
            return Err(Error::usage(format!("{all_workers} workers: a job has 1 to {KEY_GROUPS}")));
        }
        self.limits.check()?;
        // Nothing between two is for tests and the hasty: the next one begins when the last is stored.
        let negative = |every: &Duration| *every < Duration::ZERO;
        if let Some(every) = self.checkpoints.as_ref().map(|checkpoints| checkpoints.every).filter(negative) {
            return Err(Error::usage(format!("checkpoints every {every}: the time between two is not negative")));
        }
        let (description, inputs) = self.bind()?;
        let shared =
            Arc::new(Shared::new(self.limits, Arc::clone(&self.clock), self.turns.may_park()).counting(metrics));
        let mut member = match &self.cluster {
            Some(cluster) => Some(Member::join(cluster, self.terms(&description, &inputs), self.workers, &shared)?),
            None => None,
        };
        match (self.start_workers(description, inputs, shared, all_workers, member.as_mut()), member) {
            (Ok(attempt), member) => Ok(Attempt { member, ..attempt }),
            (Err(error), Some(member)) => Err(member.fail(error)),
            (Err(error), None) => Err(error),
        }
    }

    /// The graph and what it reads, with all names bound.
    fn bind(&self) -> Result<(Description, Inputs)> {
        let mut description = self.describe()?;
        self.bindings.check_sources(&description.sources, &description.tables)?;
        self.bindings.check_sinks(&description.sinks)?;
        self.bindings.widen(&mut description.sinks)?;
        self.check_places()?;
        let mut sources = BTreeMap::new();
        for declared in &description.sources {
            let bound = self.bind_source(declared)?;
            sources.insert(declared.options.name().to_string(), bound);
        }
        let mut tables = BTreeMap::new();
        for declared in &description.tables {
            let bound = self.bindings.bind_table(declared, self.limits.batch_rows)?;
            let read = (declared.read)(&bound).map_err(|error| error.at(format_args!("table {}", declared.name)))?;
            tables.insert(declared.name.clone(), read);
        }
        Ok((description, Inputs { sources, tables }))
    }

    /// A source that is not there any more is told as a gap where the job has read of it.
    fn bind_source(&self, declared: &SourceDeclaration) -> Result<BoundSource> {
        let bound = self.bindings.bind_source(declared, self.limits.batch_rows);
        bound.map_err(|error| match &self.checkpoints {
            Some(checkpoints) => checkpoints.told_of_gap(declared.options.name(), error),
            None => error,
        })
    }

    fn check_places(&self) -> Result<()> {
        super::apart::check(&self.bindings, self.checkpoints.as_ref().map(|checkpoints| &*checkpoints.store))
    }

    /// The terms on which this job would join a cluster.
    #[cfg(test)]
    pub(crate) fn terms_of_a_cluster(&self) -> Result<Terms> {
        let (description, inputs) = self.bind()?;
        Ok(self.terms(&description, &inputs))
    }

    /// What must be the same in all processes of a cluster.
    fn terms(&self, description: &Description, Inputs { sources, tables }: &Inputs) -> Terms {
        let Bindings { sources: _, sinks, from, to, until } = &self.bindings;
        let graph = format!("{}{:?}", description.graph, description.keeping);
        let bound = sources.iter().map(|(name, bound)| (name, bound.source.describe(), &bound.options));
        let mut sinks: Vec<_> = sinks.iter().map(|(name, sink)| (name, sink.describe())).collect();
        sinks.sort();
        let read = tables.iter().map(|(name, table)| (name, &table.binding));
        let bindings = format!("{:?}{:?}{sinks:?}", bound.collect::<Vec<_>>(), read.collect::<Vec<_>>());
        let options = format!("{:?}", (from, to, until, self.limits, &self.checkpoints));
        let listed = sources.iter().map(|(name, bound)| (name, &bound.listing.partitions, &bound.listing.pruned));
        let held = tables.iter().map(|(name, table)| (name, table.digest));
        let listed = format!("{:?}{:?}", listed.collect::<Vec<_>>(), held.collect::<Vec<_>>());
        Terms::new(self.workers, [env!("CARGO_PKG_VERSION"), &graph, &bindings, &options, &listed])
    }

    /// Where the job goes on, if it takes checkpoints. Alone or in process 0 the generation is started, the sinks are looked
    /// at and the state is made that of this graph; the other processes are told.
    fn begin(
        &self,
        description: &Description,
        inputs: &Inputs,
        workers: usize,
        member: Option<&Member>,
        shared: &Arc<Shared>,
    ) -> Result<(Option<Arc<Checkpointing>>, Vec<Claim>)> {
        let Inputs { sources, tables } = inputs;
        if let Some(member) = member.filter(|member| !member.is_first()) {
            return match (member.hear_start()?, &self.checkpoints) {
                (Start { generation: Some(started) }, Some(checkpoints)) => {
                    let steps = description.keeping.steps.clone();
                    let checkpointing = Checkpointing::of(checkpoints, started, None, steps, sources, tables)?;
                    Ok((Some(Arc::new(checkpointing)), Vec::new()))
                }
                _ => Ok((None, Vec::new())),
            };
        }
        let mut checkpointing = match &self.checkpoints {
            None => None,
            Some(checkpoints) => {
                let (graph, keeping) = (&description.graph, &description.keeping);
                Some(Checkpointing::start(checkpoints, workers, graph, keeping, sources, tables)?)
            }
        };
        let claims = self.take_places(description, checkpointing.as_mut(), shared)?;
        if let Some(checkpointing) = &mut checkpointing {
            checkpointing.upgrade(shared)?; // when nothing else can be refused
        }
        if let Some(member) = member {
            member.say_start(Start { generation: checkpointing.as_ref().map(|checkpointing| checkpointing.started()) });
        }
        Ok((checkpointing.map(Arc::new), claims))
    }

    /// Looks at every sink, and only then takes their places: a run that is refused has taken nothing.
    fn take_places(
        &self,
        description: &Description,
        mut checkpointing: Option<&mut Checkpointing>,
        shared: &Arc<Shared>,
    ) -> Result<Vec<Claim>> {
        let endless = self.bindings.may_never_end();
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
        for SinkDeclaration { name, schema } in &description.sinks {
            let bound = self.bindings.bind_sink(name);
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
        let claim = |SinkDeclaration { name, schema }: &SinkDeclaration| {
            let writing = Writing { patience: shared.patience(name), ..writing(checkpointing.as_deref(), name) };
            let claimed = self.bindings.bind_sink(name).sink.claim(schema, &writing);
            claimed.map_err(|error| explained(checkpointing.as_deref(), name, error))
        };
        let claims = description.sinks.iter().map(claim).collect::<Result<Vec<_>>>()?;
        if let Some(checkpointing) = checkpointing.filter(|_| goes_back) {
            checkpointing.settle_back(shared)?;
            for SinkDeclaration { name, .. } in &description.sinks {
                let writing = Writing { patience: shared.patience(name), ..writing(Some(checkpointing), name) };
                let back = self.bindings.bind_sink(name).sink.take_back(&writing);
                back.map_err(|error| explained(Some(checkpointing), name, error))?;
            }
        }
        Ok(claims)
    }

    /// Starts the workers of this process.
    fn start_workers(
        self,
        description: Description,
        inputs: Inputs,
        shared: Arc<Shared>,
        all_workers: usize,
        member: Option<&mut Member>,
    ) -> Result<Attempt> {
        let (checkpointing, claims) = self.begin(&description, &inputs, all_workers, member.as_deref(), &shared)?;
        let sinks: BTreeMap<_, _> =
            description.sinks.iter().map(|sink| (sink.name.clone(), self.bindings.bind_sink(&sink.name))).collect();
        let declared = description.sinks.iter();
        let written = declared.map(|sink| (sink.clone(), Arc::clone(&sinks[&sink.name].sink))).collect();
        let started = self.clock.elapsed();
        let plan = WorkerPlan {
            graph_fn: self.graph_fn,
            graph: description.graph,
            shared: Arc::clone(&shared),
            sources: inputs.sources,
            tables: inputs.tables,
            sinks,
            turns: self.turns,
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
                plan.publish_again(&description.sinks)?;
            }
            return Ok(attempt);
        }
        let run = move |worker: &mut timely::worker::Worker| super::worker::run(worker, &plan);
        let workers = match member {
            Some(member) => member.execute(run)?,
            None => timely::execute(timely::Config::process(self.workers), run)
                .map_err(|error| Error::environment("the worker threads do not start").caused_by(error).for_good())?,
        };
        Ok(Attempt { workers: Some(workers), ..attempt })
    }

    /// Builds the graph on a worker of its own that never steps.
    fn describe(&self) -> Result<Description> {
        let control = Rc::new(RefCell::new(Control::new(0, 1, 0)));
        let desk = Rc::new(RefCell::new(Desk::without_checkpoints()));
        let context = Rc::new(Context::new(Mode::Describe, control, desk));
        let build = || {
            let allocator = timely::communication::Allocator::Thread(Default::default());
            let mut worker = timely::worker::Worker::new(timely::WorkerConfig::default(), allocator, None);
            worker.dataflow(|scope| (self.graph_fn)(&Flow::new(scope, Rc::clone(&context))));
        };
        catch_unwind(AssertUnwindSafe(build)).map_err(|panic| building_panicked(&*panic))?;
        let graph = context.finished_graph()?;
        let (sources, tables) = (context.sources.take(), context.tables.take());
        let (sinks, keeping) = (context.sinks.take(), context.keeping.take());
        Ok(Description { graph, sources, tables, sinks, keeping })
    }
}
