//! Adds a source to a flow: its operator, with an output for its rows and one for its bad records.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::SourceDriver;
use super::committed::Committed;
use super::handle::SourceEnds;
use super::made_time::SourceOf;
use super::outlet::{Hold, Outlets};
use super::pace::Pace;
use crate::Record;
use crate::flow::context::{Flow, Mode, SourceDeclaration};
use crate::flow::graph::NodeSpec;
use crate::flow::step::enter;
use crate::flow::stream::Stream;

/// Adds the source that `options` name.
#[track_caller]
pub(in crate::flow) fn source<'s, D: Record>(flow: &Flow<'s>, source: SourceOf<D>) -> Stream<'s, D> {
    let SourceOf { options, time } = source;
    let context = flow.context();
    let index = context.sources.borrow().len();
    let (name, quarantine) = (options.name.clone(), options.quarantine.clone());
    let node = flow.add(NodeSpec { name: Some(name.clone()), ..NodeSpec::stateless("source") }, Vec::new());
    let declaration = SourceDeclaration { node, options, schema: D::wanted(), event_time: D::event_time_column() };
    context.sources.borrow_mut().push(declaration);
    context.desk.borrow_mut().join();

    let mut builder = OperatorBuilder::new(flow.label(node), flow.scope());
    let address = builder.operator_info().address;
    let activator = flow.scope().activator_for(Rc::clone(&address));
    context.desk.borrow_mut().wake(activator.clone());
    context.control.borrow_mut().wake(index, activator.clone());
    let waking = flow.scope().worker().sync_activator_for(address.to_vec());
    let pace = Pace::of(activator, flow.scope().worker().timer());
    let (rows, stream) = builder.new_output();
    let (bad, bad_records) = builder.new_output();
    let made_time = Rc::new(OnceCell::new());
    let mut outlets =
        Outlets { rows: OutputBuilder::from(rows), bad: OutputBuilder::from(bad), time: Rc::clone(&made_time) };
    let (worker, workers) = (flow.scope().index(), flow.scope().peers());
    let context = Rc::clone(context);
    builder.build(move |capabilities| {
        let hold = Hold::of(capabilities);
        let mut driver = match &context.mode {
            Mode::Describe => None,
            Mode::Run { shared, sources, .. } => {
                let (bound, shared) = (sources[&name].clone(), Arc::clone(shared));
                let context = Rc::clone(&context);
                let driver = SourceDriver::new(index, worker, workers, bound, shared, context, hold, pace, waking);
                let context = &driver.context;
                if context.checkpointing().is_some() {
                    let commits = Rc::clone(&driver.commits);
                    context.desk.borrow_mut().add_output(Box::new(Committed { node, commits }));
                }
                Some(driver)
            }
        };
        move |_| {
            enter(node);
            if let Some(driver) = &mut driver {
                driver.activate::<D>(&mut outlets.activate());
            }
        }
    });
    let ends = SourceEnds { index, bad_records, made_time };
    let mut source = Stream::of_source(stream, flow.clone(), node, ends);
    if let Some(make) = time {
        source = source.made_by(make);
    }
    match quarantine {
        Some(sink) => source.quarantined(&sink),
        None => source,
    }
}
