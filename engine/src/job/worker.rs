//! The step loop of a worker.
//!
//! A panic in a closure ends the job, never the process. We own the loop, so that a panic or a stop ends every worker
//! within the time of a step: a panic is caught in its worker, the stop flag is raised, and each worker drops its
//! dataflows and returns. An embedding host lives on.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use timely::worker::Worker;

use crate::commit::{CheckpointDataflow, Checkpointing, Control, ControlDataflow, Desk};
use crate::flow::{BoundSink, BoundSource, Context, Flow, Graph, LoadedTable, Mode, SinkDeclaration};
use crate::run::{Shared, Turns, Whose, message_of};
use crate::{Error, ErrorKind, Result, Writing};

/// How long a worker with nothing to do sleeps before it checks the stop flag again.
const PARK: Duration = Duration::from_millis(20);

/// How long the sinks have to write what has come, once a stop is requested.
const REST: crate::Duration = crate::Duration::from_micros(800_000);

/// A user's graph as a function that anyone may call.
pub(super) type GraphFn = dyn Fn(&Flow<'_>) + Send + Sync;

/// What every worker gets.
pub(super) struct WorkerPlan {
    pub(super) graph_fn: Arc<GraphFn>,
    pub(super) graph: Graph,
    pub(super) shared: Arc<Shared>,
    pub(super) sources: BTreeMap<String, BoundSource>,
    pub(super) tables: BTreeMap<String, LoadedTable>,
    pub(super) sinks: BTreeMap<String, BoundSink>,
    pub(super) turns: Arc<dyn Turns>,
    pub(super) checkpointing: Option<Arc<Checkpointing>>,
}

impl WorkerPlan {
    /// Publishes what a run whose input has ended had prepared, in case that run did not get to it.
    pub(super) fn publish_again(&self, declared: &[SinkDeclaration]) -> Result<()> {
        let Some(checkpointing) = &self.checkpointing else { return Ok(()) };
        for SinkDeclaration { name, schema, kept_rows } in declared {
            let sink = &self.sinks[name].sink;
            let writing = Writing { retry: self.shared.retry(Whose::Sink(name)), ..checkpointing.writing(name) };
            let mut rows = match sink.keeps_rows() {
                true => kept_rows(checkpointing, &format!("sink {name}"), sink.buckets())?,
                false => Default::default(),
            };
            for bucket in 0..sink.buckets() {
                let mut writer = sink.open(bucket, schema, &writing)?;
                for ((_, epoch), rows) in rows.extract_if(.., |(of, _), _| *of == bucket) {
                    rows.into_iter().try_for_each(|rows| writer.restore(epoch, rows))?;
                }
                let kept = checkpointing.kept(name, bucket);
                writer
                    .keep(&kept.iter().map(|(_, prepared)| prepared).collect::<Vec<_>>())
                    .and_then(|()| writer.recover(&checkpointing.prepared(name, bucket)))
                    .map_err(|error| error.at(format_args!("sink {name}")))?;
            }
        }
        Ok(())
    }
}

/// Builds the dataflows on this worker and steps them until they have ended or the job stops.
pub(super) fn run(worker: &mut Worker, plan: &WorkerPlan) {
    let shared = &plan.shared;
    if let Some(moves) = plan.turns.moves() {
        crate::run::count_moves(worker, &moves);
    }
    let mut beside = match catch_unwind(AssertUnwindSafe(|| build(worker, plan))) {
        Ok(beside) => Some(beside),
        Err(panic) => {
            shared.fail(panicked(panic, plan));
            None
        }
    };
    let data = 0; // `build` adds the data graph first
    let mut go_on = true;
    let mut resting_since = None;
    while go_on && worker.has_dataflows() {
        plan.turns.take(worker.index());
        shared.pulses.beat(worker.index());
        if plan.turns.killed() {
            shared.fail(Error::new(ErrorKind::Stopped, "the job was killed"));
        }
        if shared.resting() {
            let now = shared.clock.elapsed();
            if now - *resting_since.get_or_insert(now) >= REST && !shared.rested() {
                shared.stop();
            }
        }
        // Checked within the turn, so that a scheduler decides what each worker still does.
        if shared.stopping() {
            break;
        }
        let park = if plan.turns.may_park() { PARK } else { Duration::ZERO };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| worker.step_or_park(Some(park)))) {
            shared.fail(panicked(panic, plan));
        }
        let has_data = worker.installed_dataflows().contains(&data);
        if let Some(beside) = &mut beside {
            match catch_unwind(AssertUnwindSafe(|| beside.pump(has_data))) {
                Ok(Ok(more)) => go_on = more,
                Ok(Err(error)) => shared.fail(error),
                Err(panic) => shared.fail(panicked(panic, plan)),
            }
        }
        plan.turns.pass(worker.index(), false);
    }
    shared.pulses.ends(worker.index());
    for dataflow in worker.installed_dataflows() {
        // A user's value may panic when it is dropped, too; the failure that led here is the one to report.
        let _ = catch_unwind(AssertUnwindSafe(|| worker.drop_dataflow(dataflow)));
    }
    plan.turns.pass(worker.index(), true);
    if let Some(checkpointing) = &plan.checkpointing {
        shared.explain(|error| checkpointing.explained(error));
    }
}

/// What runs beside the data graph on a worker.
struct Beside {
    control: ControlDataflow,
    checkpoints: Option<CheckpointDataflow>,
}

impl Beside {
    /// Carries on what goes against the stream; returns whether the worker should keep stepping.
    fn pump(&mut self, has_data: bool) -> Result<bool> {
        self.control.pump();
        let Some(checkpoints) = &mut self.checkpoints else {
            if !has_data {
                self.control.close();
            }
            return Ok(true);
        };
        checkpoints.pump()?;
        let over = checkpoints.is_over();
        if over && !has_data {
            self.control.close();
            checkpoints.close();
        }
        // A job that was asked to stop has data left, which it reads another time.
        Ok(!over || !has_data)
    }
}

fn build(worker: &mut Worker, plan: &WorkerPlan) -> Beside {
    let control = Rc::new(RefCell::new(Control::new(worker.index(), worker.peers(), plan.sources.len())));
    let desk = match &plan.checkpointing {
        Some(checkpointing) => Desk::before(checkpointing.first_epoch()),
        None => Desk::without_checkpoints(),
    };
    let desk = Rc::new(RefCell::new(desk));
    let mode = Mode::Run {
        shared: Arc::clone(&plan.shared),
        sources: plan.sources.clone(),
        tables: plan.tables.clone(),
        sinks: plan.sinks.clone(),
        checkpointing: plan.checkpointing.clone(),
    };
    let context = Rc::new(Context::new(mode, Rc::clone(&control), Rc::clone(&desk)));
    worker.dataflow_named("data", |scope| (plan.graph_fn)(&Flow::new(scope, context)));
    let checkpoints = plan
        .checkpointing
        .as_ref()
        .map(|checkpointing| CheckpointDataflow::build(worker, checkpointing, &plan.shared, Rc::clone(&control), desk));
    Beside { control: ControlDataflow::build(worker, control), checkpoints }
}

/// Names the step whose code panicked, where one was running.
fn panicked(panic: Box<dyn Any + Send>, plan: &WorkerPlan) -> Error {
    // Where timely lets nothing else through, an error travels as the payload of a panic.
    let panic = match panic.downcast::<Error>() {
        Ok(error) => return *error,
        Err(panic) => panic,
    };
    match crate::flow::running().filter(|node| node.0 < plan.graph.nodes().len()) {
        Some(node) => {
            let (spec, message) = (&plan.graph.node(node).spec, message_of(&*panic));
            let error = Error::new(ErrorKind::Panic, format!("{spec} at {} panicked: {message}", spec.location));
            match crate::flow::last_read() {
                Some(read) => error.with_note(read.to_string()),
                None => error,
            }
        }
        None => building_panicked(&*panic),
    }
}

/// The function that builds the graph panicked, before any step ran.
pub(super) fn building_panicked(panic: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Panic, format!("building the graph panicked: {}", message_of(panic)))
}
