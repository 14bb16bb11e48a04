//! A job as a program describes it: a graph, what its names are bound to, and how it is to run.

use std::sync::{Arc, OnceLock};

use super::bind::Bindings;
use super::look::Look;
use super::worker::GraphFn;
use super::{Bound, Checkpoints, Outcome, Plan, Restart, Running};
use crate::cluster::Cluster;
use crate::data::KEY_GROUPS;
use crate::flow::{Flow, Graph, SourceOptions};
use crate::run::{AnyOrder, Limits, Metrics, Turns};
use crate::{Clock, Duration, Error, EventTime, Result, Sink, Source, SystemClock};

/// A graph and what its names are bound to: `Job::new(graph).source(…).sink(…).run()`.
#[derive(Clone)]
pub struct Job {
    pub(super) graph_fn: Arc<GraphFn>,
    /// What a look at the graph has found. Copies of a job have the same graph, so one look serves all of them.
    look: Arc<OnceLock<Arc<Look>>>,
    pub(super) bindings: Bindings,
    pub(super) workers: usize,
    pub(super) limits: Limits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) turns: Arc<dyn Turns>,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) cluster: Option<Cluster>,
    pub(super) restart: Option<Restart>,
}

impl Job {
    /// A job that runs `graph` on one worker.
    ///
    /// The function is called once to look at it and once per worker, and must build the same graph each time.
    pub fn new(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> Job {
        Job {
            graph_fn: Arc::new(graph),
            look: Arc::default(),
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
    #[doc(alias = "parallelism")]
    #[doc(alias = "setParallelism")]
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
    /// Unlike [`Job::to`] it leaves bounded sources alone.
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

    /// Takes checkpoints, and resumes from the newest one there is: a job that is killed at any moment and started
    /// again gives the output that it would have given without.
    #[doc(alias = "enableCheckpointing")]
    #[doc(alias = "state.checkpoints.dir")]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Job {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Runs as one of several processes. [`Job::start`] then waits for the others, and [`Job::run`] ends when all do.
    pub fn cluster(mut self, cluster: Cluster) -> Job {
        self.cluster = Some(cluster);
        self
    }

    /// Starts the job again from its last checkpoint when a closure panics or the machine refuses, until the policy
    /// gives up; for jobs with checkpoints, in one process.
    pub fn restart(mut self, policy: Restart) -> Job {
        self.restart = Some(policy);
        self
    }

    /// The operators of the graph; nothing needs to be bound.
    ///
    /// # Errors
    /// Every reason why the graph cannot be run.
    pub fn graph(&self) -> Result<Graph> {
        Ok(self.look()?.graph.clone())
    }

    /// The names that the graph wants bound: of the sources, followed by the tables, and of the sinks.
    pub fn names(&self) -> Result<(Vec<String>, Vec<String>)> {
        let look = self.look()?;
        let sources = look.sources.iter().map(|source| source.options.name().to_string());
        let sources = sources.chain(look.tables.iter().map(|table| table.name.clone())).collect();
        Ok((sources, look.sinks.iter().map(|sink| sink.name.clone()).collect()))
    }

    /// What a run would read; no sink needs to be bound. Looks at metadata, not at rows (except where a file has no
    /// statistics, which it says).
    pub fn plan(&self) -> Result<Plan> {
        Ok(Bound::to_read(self.clone())?.plan())
    }

    /// Looks at the graph and lists what it reads, once for everything that follows: a plan to show, a run, or both.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, Lines, Script};
    /// use dualgauge_engine::Job;
    ///
    /// let job = Job::new(|flow| flow.source::<Item>("items").sink("copies"));
    /// let bound = job.source("items", Script::from("a:1@1")).sink("copies", Lines::default()).bind().unwrap();
    /// assert_eq!(bound.plan().sources[0].listing.partitions.len(), 1);
    /// let running = bound.start().unwrap(); // it reads what was listed for the plan
    /// # running.stop_handle().stop();
    /// ```
    ///
    /// # Errors
    /// What can be known before anything is read: a refused graph, a wrong name, a source that is not there.
    pub fn bind(self) -> Result<Bound> {
        Bound::of(self)
    }

    /// Runs the job to the end of its input.
    ///
    /// # Errors
    /// Whatever ended it early. A panic in one of the graph's closures is an error of kind
    /// [`Panic`](crate::ErrorKind::Panic) that names the step; the process lives on.
    #[doc(alias = "execute")]
    pub fn run(self) -> Result<Outcome> {
        self.bind()?.run()
    }

    /// Starts the workers and returns while they run.
    ///
    /// # Errors
    /// What can be known before anything is read: a refused graph, a wrong name, a source or sink that is not there.
    pub fn start(self) -> Result<Running> {
        self.start_counting(Arc::default())
    }

    /// The same, counting into `metrics`, which others can watch meanwhile: a start may stand still too, before a full
    /// disk for example.
    ///
    /// # Errors
    /// As [`Job::start`].
    pub fn start_counting(self, metrics: Arc<Metrics>) -> Result<Running> {
        self.bind()?.start_counting(metrics)
    }

    /// Refuses what cannot be run whatever is bound.
    pub(super) fn check(&self) -> Result<()> {
        if let (Some(_), Some(why)) = (&self.restart, super::restart::refusal(self)) {
            return Err(why);
        }
        let all_workers = self.all_workers();
        if !(1..=KEY_GROUPS as usize).contains(&all_workers) {
            return Err(Error::usage(format!("{all_workers} workers: a job has 1 to {KEY_GROUPS}")));
        }
        self.limits.check()?;
        // No interval at all is for tests and the hasty: the next one begins when the last is stored.
        let negative = |every: &Duration| *every < Duration::ZERO;
        match self.checkpoints.as_ref().map(|checkpoints| checkpoints.every).filter(negative) {
            None => Ok(()),
            Some(every) => {
                Err(Error::usage(format!("checkpoints every {every}: the time between two is not negative")))
            }
        }
    }

    /// The workers of all processes.
    pub(super) fn all_workers(&self) -> usize {
        self.workers.saturating_mul(self.cluster.as_ref().map_or(1, Cluster::processes))
    }

    /// The graph, looked at when somebody first asks.
    pub(super) fn look(&self) -> Result<Arc<Look>> {
        if let Some(look) = self.look.get() {
            return Ok(Arc::clone(look));
        }
        let look = Arc::new(Look::at(&*self.graph_fn)?);
        Ok(Arc::clone(self.look.get_or_init(|| look)))
    }
}
