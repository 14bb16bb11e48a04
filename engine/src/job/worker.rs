//! The step loop of a worker.
//!
//! A panic in a closure ends the job, never the process. We own the loop, so that a panic or a stop ends every worker within the time of a step: a panic is caught in its worker, the
//! stop flag is raised, and each worker drops its dataflows and returns. An embedding host lives on.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use timely::worker::Worker;

use super::{BoundSink, BoundSource, Shared, Turns};
use crate::flow::{Context, Control, Flow, Graph, Mode};
use crate::{Error, ErrorKind};

/// How long a worker with nothing to do sleeps before it looks at the stop flag again.
const PARK: Duration = Duration::from_millis(20);

/// A user's graph as a function that anyone may call.
pub(super) type GraphFn = dyn Fn(&Flow<'_>) + Send + Sync;

/// What every worker gets.
pub(super) struct WorkerPlan {
    pub(super) graph_fn: Arc<GraphFn>,
    pub(super) graph: Graph,
    pub(super) shared: Arc<Shared>,
    pub(super) sources: BTreeMap<String, BoundSource>,
    pub(super) sinks: BTreeMap<String, BoundSink>,
    pub(super) turns: Arc<dyn Turns>,
}

/// Builds the dataflows on this worker and steps them until they have ended or the job stops.
pub(super) fn run(worker: &mut Worker, plan: &WorkerPlan) {
    let shared = &plan.shared;
    let mut control = match catch_unwind(AssertUnwindSafe(|| build(worker, plan))) {
        Ok(control) => Some(control),
        Err(panic) => {
            shared.fail(panicked(&*panic, plan));
            None
        }
    };
    let data = 0; // `build` adds the data graph first
    while worker.has_dataflows() && !shared.stopping() {
        plan.turns.take(worker.index());
        let park = if plan.turns.may_park() { PARK } else { Duration::ZERO };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| worker.step_or_park(Some(park)))) {
            shared.fail(panicked(&*panic, plan));
        }
        if let Some(control) = &mut control {
            control.pump();
            if !worker.installed_dataflows().contains(&data) {
                control.close();
            }
        }
        plan.turns.pass(worker.index(), false);
    }
    for dataflow in worker.installed_dataflows() {
        // What a user's value does when it is dropped may panic too; the failure that led here is the one to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| worker.drop_dataflow(dataflow)));
    }
    plan.turns.pass(worker.index(), true);
}

fn build(worker: &mut Worker, plan: &WorkerPlan) -> crate::flow::ControlDataflow {
    let control = Rc::new(RefCell::new(Control::new(worker.index(), worker.peers(), plan.sources.len())));
    let mode = Mode::Run { shared: Arc::clone(&plan.shared), sources: plan.sources.clone(), sinks: plan.sinks.clone() };
    let context = Rc::new(Context::new(mode, Rc::clone(&control)));
    worker.dataflow_named("data", |scope| (plan.graph_fn)(&Flow::new(scope, context)));
    crate::flow::ControlDataflow::build(worker, control)
}

/// Names the step whose code panicked, where one was running.
fn panicked(panic: &(dyn Any + Send), plan: &WorkerPlan) -> Error {
    match crate::flow::running().filter(|node| node.0 < plan.graph.nodes().len()) {
        Some(node) => {
            let (spec, message) = (&plan.graph.node(node).spec, message_of(panic));
            Error::new(ErrorKind::Panic, format!("{spec} at {} panicked: {message}", spec.location))
        }
        None => building_panicked(panic),
    }
}

/// The function that builds the graph panicked, before any step ran.
pub(super) fn building_panicked(panic: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Panic, format!("building the graph panicked: {}", message_of(panic)))
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}
