//! The flow under construction, and what all its drivers on one worker share.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use timely::dataflow::operators::probe::Handle as Probe;

use super::bound::{BoundSink, BoundSource};
use super::graph::{Graph, NodeId, NodeSpec};
use super::options::SourceOptions;
use super::read::SourceOf;
use super::stream::Stream;
use super::table::{LoadedTable, Table, TableDeclaration};
use super::write::KeptRows;
use crate::checkpoint::GroupRange;
use crate::commit::{Checkpointing, Control, Desk, Keeping};
use crate::run::{Shared, StepCounts};
use crate::state::Parts;
use crate::time::Stamp;
use crate::{Error, Record, Result};

/// The graph under construction: names its inputs and outputs, not where they live.
///
/// A function `fn(&Flow)` is the program; it is called once per worker and once to look at the graph, so it must build
/// the same graph each time.
#[derive(Clone)]
pub struct Flow<'s> {
    scope: timely::dataflow::Scope<'s, Stamp>,
    context: Rc<Context>,
}

/// What the drivers of one flow on one worker share.
pub(crate) struct Context {
    pub(crate) mode: Mode,
    graph: RefCell<Graph>,
    errors: RefCell<Vec<Error>>,
    pub(crate) sources: RefCell<Vec<SourceDeclaration>>,
    /// Not among the sources: a table is read before there is a stream, and reports to nobody.
    pub(crate) tables: RefCell<Vec<TableDeclaration>>,
    pub(crate) sinks: RefCell<Vec<SinkDeclaration>>,
    pub(crate) probe: Probe<Stamp>,
    pub(crate) control: Rc<RefCell<Control>>,
    pub(crate) desk: Rc<RefCell<Desk>>,
    /// What the graph's steps and sinks keep.
    pub(crate) keeping: RefCell<Keeping>,
}

/// Whether the flow will run or is only being looked at.
pub(crate) enum Mode {
    /// Only looked at: nothing is bound and nothing runs.
    Describe,
    /// Runs with these bindings.
    Run {
        shared: Arc<Shared>,
        sources: BTreeMap<String, BoundSource>,
        tables: BTreeMap<String, LoadedTable>,
        sinks: BTreeMap<String, BoundSink>,
        checkpointing: Option<Arc<Checkpointing>>,
    },
}

/// An input that the graph names.
#[derive(Clone, Debug)]
pub(crate) struct SourceDeclaration {
    pub(super) node: NodeId,
    pub(crate) options: SourceOptions,
    pub(crate) schema: SchemaRef,
    /// The column of the event time, empty where the time is made; a source with neither is refused.
    pub(crate) event_time: Option<&'static str>,
}

/// An output that the graph names.
#[derive(Clone, Debug)]
pub(crate) struct SinkDeclaration {
    pub(crate) name: String,
    pub(crate) schema: SchemaRef,
    /// Reads the rows that a checkpoint keeps of it; takes what the job stands on, its name in the state, its buckets.
    pub(crate) kept_rows: fn(&Checkpointing, &str, usize) -> Result<KeptRows>,
}

impl<'s> Flow<'s> {
    pub(crate) fn new(scope: timely::dataflow::Scope<'s, Stamp>, context: Rc<Context>) -> Flow<'s> {
        Flow { scope, context }
    }

    /// The events of the source that is bound to a name.
    ///
    /// Its options follow right behind it, `flow.source::<Bid>("bids").disorder(5.seconds())`, and so does how event
    /// times are made where no field is one ([`Stream::event_time_by`]). Options that are a value come with the name:
    /// `flow.source::<Bid>(options)`, of [`SourceOptions`].
    #[doc(alias = "fromSource")]
    #[doc(alias = "addSource")]
    #[doc(alias = "KStream")]
    #[track_caller]
    pub fn source<D: Record>(&self, source: impl Into<SourceOf<D>>) -> Stream<'s, D> {
        super::read::source(self, source.into())
    }

    /// The rows of the bounded source that is bound to a name, read to the end before the first event.
    ///
    /// They have no time: the record needs no `#[event_time]`, and a run's limits of event time leave none of them out.
    /// Every process holds them all, sorted. A job that resumes from a checkpoint refuses rows other than those it had.
    ///
    /// ```
    /// use dualgauge_engine::{Job, record};
    ///
    /// #[record]
    /// struct Category { id: u64, name: String }
    /// # #[record]
    /// # struct Bid { #[event_time] time: dualgauge_engine::EventTime }
    ///
    /// let job = Job::new(|flow| {
    ///     let categories = flow.table::<Category>("categories");
    ///     assert!(categories.rows().is_empty()); // none while the graph is only looked at
    ///     flow.source::<Bid>("bids").sink("out");
    /// });
    /// assert_eq!(job.names().unwrap().0, ["bids", "categories"]);
    /// ```
    #[doc(alias = "side input")]
    #[doc(alias = "broadcast variable")]
    #[track_caller]
    pub fn table<D: Record + Sync>(&self, name: impl Into<String>) -> Table<D> {
        super::table::table(self, name.into())
    }

    /// Declares that state of the type `Old` became state of the type `New`, which is made from it by `From`.
    ///
    /// A job that resumes from a checkpoint that holds an `Old` where the graph now keeps a `New` *up-casts* it: as
    /// what a step keeps for a key, in an accumulator, as a record that waits, or within any of these. Declare it once
    /// per type; a type that changed twice is up-cast from the first to the second, and from that to the third. The old
    /// type is recognised by its parts, and by its name or that of the new one, so this program may call it `StatsV1`.
    ///
    /// Keys are not up-cast: they say where their state lies. Declaring one costs nothing where there is no old state.
    ///
    /// ```
    /// use dualgauge_engine::{Job, record};
    /// use serde::{Deserialize, Serialize};
    /// # #[record]
    /// # struct Bid { #[event_time] time: dualgauge_engine::EventTime }
    ///
    /// #[derive(Deserialize)]
    /// struct StatsV1 { count: u32 }
    /// #[derive(Serialize, Deserialize)]
    /// struct Stats { count: u64, total: Option<u64> }
    /// impl From<StatsV1> for Stats {
    ///     fn from(StatsV1 { count }: StatsV1) -> Stats {
    ///         Stats { count: count.into(), total: None }
    ///     }
    /// }
    ///
    /// let job = Job::new(|flow| {
    ///     flow.upcast::<StatsV1, Stats>();
    ///     flow.source::<Bid>("bids").sink("out");
    /// });
    /// assert!(job.graph().is_ok());
    ///
    /// // What is stored must say which of the two it is.
    /// let job = Job::new(|flow| flow.upcast::<Stats, Stats>());
    /// assert!(job.graph().unwrap_err().to_string().contains("both are `struct Stats { count: u64, total: Option<u64> }`"));
    /// ```
    #[track_caller]
    pub fn upcast<Old, New>(&self)
    where
        Old: DeserializeOwned + 'static,
        New: From<Old> + Serialize + DeserializeOwned + 'static,
    {
        if let Mode::Run { .. } = self.context.mode {
            return; // it was declared when the graph was looked at
        }
        let location = Location::caller();
        if let Err(error) = self.context.keeping.borrow_mut().upcasts.declare::<Old, New>() {
            self.context.refuse(error.at(location));
        }
    }

    /// How many workers run the flow; one when it is only looked at.
    pub fn workers(&self) -> usize {
        self.scope.peers()
    }

    /// The key groups that this worker owns; what belongs to no key is stored under one of them. Never empty.
    pub fn key_groups(&self) -> GroupRange {
        GroupRange::of_worker(self.scope.index(), self.scope.peers())
    }

    /// A counter of the program's own, or of an operator: by any name, and by what it counts; shared by all workers.
    ///
    /// What every step counts (records in and out, late ones) needs none: see
    /// [`Metrics::snapshot`](crate::job::Metrics::snapshot).
    pub fn counter(&self, step: &str, what: &'static str) -> crate::run::Counter {
        match &self.context.mode {
            Mode::Describe => crate::run::Counter::default(),
            Mode::Run { shared, .. } => shared.metrics.counter(step, what),
        }
    }

    /// What the step at `node` counts on this worker.
    pub(super) fn step_counts(&self, node: NodeId) -> StepCounts {
        match &self.context.mode {
            Mode::Describe => StepCounts::default(),
            Mode::Run { shared, .. } => shared.metrics.step_counts(&self.label(node), self.scope.index()),
        }
    }

    /// Whether the job takes checkpoints, so that what is kept will be saved. Never when the flow is only looked at.
    pub fn is_checkpointed(&self) -> bool {
        self.context.checkpointing().is_some()
    }

    /// The name under which what a node keeps is stored.
    pub(super) fn state_name(&self, node: NodeId) -> String {
        let graph = self.context.graph.borrow();
        let spec = &graph.node(node).spec;
        match spec.kind {
            // A step and a sink may have the same name.
            "sink" => format!("sink {}", spec.label()),
            _ => spec.label().to_string(),
        }
    }

    /// Notes what `name` keeps, and loads it where the job resumes from a checkpoint; returns whether it does.
    pub(super) fn enter_state(&self, name: &str, parts: Parts<'_>) -> bool {
        self.context.desk.borrow_mut().join();
        let Mode::Run { shared, checkpointing, .. } = &self.context.mode else {
            self.context.keeping.borrow_mut().note(name, &parts);
            return false;
        };
        let Some(checkpointing) = checkpointing else { return false };
        match checkpointing.load(name, parts, self.scope.index(), self.scope.peers()) {
            Ok(resumes) => resumes,
            Err(error) => {
                shared.fail(error.at(format_args!("step {name}")));
                false
            }
        }
    }

    pub(super) fn scope(&self) -> timely::dataflow::Scope<'s, Stamp> {
        self.scope
    }

    pub(super) fn context(&self) -> &Rc<Context> {
        &self.context
    }

    pub(super) fn add(&self, spec: NodeSpec, inputs: Vec<NodeId>) -> NodeId {
        self.context.check_name(&spec);
        self.context.graph.borrow_mut().add(spec, inputs)
    }

    /// The operators added so far.
    pub(super) fn graph(&self) -> Ref<'_, Graph> {
        self.context.graph.borrow()
    }

    /// The name under which timely and messages know a node.
    pub(super) fn label(&self, node: NodeId) -> String {
        self.context.graph.borrow().node(node).spec.label().to_string()
    }
}

impl Context {
    pub(crate) fn new(mode: Mode, control: Rc<RefCell<Control>>, desk: Rc<RefCell<Desk>>) -> Context {
        Context {
            mode,
            desk,
            keeping: RefCell::default(),
            graph: RefCell::default(),
            errors: RefCell::default(),
            sources: RefCell::default(),
            tables: RefCell::default(),
            sinks: RefCell::default(),
            probe: Probe::new(),
            control,
        }
    }

    pub(super) fn checkpointing(&self) -> Option<&Arc<Checkpointing>> {
        match &self.mode {
            Mode::Run { checkpointing, .. } => checkpointing.as_ref(),
            Mode::Describe => None,
        }
    }

    pub(crate) fn refuse(&self, error: Error) {
        self.errors.borrow_mut().push(error);
    }

    /// The graph, once it is built, or every reason why it is refused.
    pub(crate) fn finished_graph(&self) -> Result<Graph, Error> {
        if self.sinks.borrow().is_empty() && self.errors.borrow().is_empty() {
            self.refuse(Error::usage(
                "the graph has no sink, so nothing it computes could be seen; end a stream with `.sink(\"name\")`",
            ));
        }
        for source in self.sources.borrow().iter().filter(|source| source.event_time.is_none()) {
            let graph = self.graph.borrow();
            let spec = &graph.node(source.node).spec;
            self.refuse(Error::usage(format!(
                "{spec} at {}: its record has no field marked #[event_time], so the source could not tell when a row \
                 happened; mark one, or make the time of several by `event_time_by`",
                spec.location
            )));
        }
        let errors = self.errors.borrow();
        match errors.as_slice() {
            [] => Ok(self.graph.borrow().clone()),
            [one] => Err(Error::usage(one.to_string())),
            many => Err(Error::usage(many.iter().map(|error| format!("\n  {error}")).collect::<String>())
                .at("the graph is refused")),
        }
    }

    /// A durable name belongs to one step: it is the key to its snapshots and its counts.
    fn check_name(&self, spec: &NodeSpec) {
        let graph = self.graph.borrow();
        let Some(name) = &spec.name else { return };
        // Sources and tables are bound in the same way, and so share their names.
        let scope = |kind: &str| match kind {
            "source" | "table" => Some("input"),
            "sink" => Some("output"),
            _ => None,
        };
        // What a sink keeps is stored under such a name.
        if scope(spec.kind).is_none() && name.starts_with("sink ") {
            let at = spec.location;
            self.refuse(Error::usage(format!(
                "the step `{name}`, at {at}: a name that begins with `sink ` is a sink's own"
            )));
        }
        let same = |other: &&super::graph::Node| {
            other.spec.name.as_ref() == Some(name) && scope(other.spec.kind) == scope(spec.kind)
        };
        if let Some(other) = graph.nodes().iter().find(same) {
            let (first, second) = (other.spec.location, spec.location);
            self.refuse(Error::usage(format!(
                "the name `{name}` is used twice, at {first} and at {second}; each step needs its own"
            )));
        }
    }
}

impl std::fmt::Debug for Flow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("graph", &self.context.graph.borrow()).finish_non_exhaustive()
    }
}
