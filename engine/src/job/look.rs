//! A look at a graph: which operators it has, which names it wants bound and what it keeps. Nothing is bound, nothing runs.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::worker::{GraphFn, building_panicked};
use crate::Result;
use crate::commit::{Control, Desk, Keeping};
use crate::flow::{Context, Flow, Graph, Mode, SinkDeclaration, SourceDeclaration, TableDeclaration};

/// What a look at a graph has found.
pub(super) struct Look {
    pub(super) graph: Graph,
    pub(super) sources: Vec<SourceDeclaration>,
    pub(super) tables: Vec<TableDeclaration>,
    pub(super) sinks: Vec<SinkDeclaration>,
    pub(super) keeping: Keeping,
}

impl Look {
    /// Builds the graph on a worker of its own that never steps.
    pub(super) fn at(graph_fn: &GraphFn) -> Result<Look> {
        let control = Rc::new(RefCell::new(Control::new(0, 1, 0)));
        let desk = Rc::new(RefCell::new(Desk::without_checkpoints()));
        let context = Rc::new(Context::new(Mode::Describe, control, desk));
        let build = || {
            let allocator = timely::communication::Allocator::Thread(Default::default());
            let mut worker = timely::worker::Worker::new(timely::WorkerConfig::default(), allocator, None);
            worker.dataflow(|scope| graph_fn(&Flow::new(scope, Rc::clone(&context))));
        };
        catch_unwind(AssertUnwindSafe(build)).map_err(|panic| building_panicked(&*panic))?;
        let graph = context.finished_graph()?;
        let (sources, tables) = (context.sources.take(), context.tables.take());
        let (sinks, keeping) = (context.sinks.take(), context.keeping.take());
        Ok(Look { graph, sources, tables, sinks, keeping })
    }
}
