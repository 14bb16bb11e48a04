//! A stream of events between two operators.

use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator, OutputBuilder};
use timely::progress::operate::FrontierInterest;

use super::context::Flow;
use super::drive::{by_owner, drive, drive_two, to_all};
use super::graph::{NodeId, NodeSpec};
use super::read::SourceEnds;
use super::step::{Step, TwoInputStep, enter};
use crate::time::Stamp;
use crate::{Batch, Data, Error, KeyGroup, Record};

/// Timely's stream beneath ours.
pub(super) type Inner<'s, D> = timely::dataflow::Stream<'s, Stamp, Batch<D>>;

/// The late records of a stream that has none.
#[derive(Clone, Copy, Debug)]
pub enum NoLate {}

/// A stream of events of type `D`, on its way from one operator to the next.
///
/// The operators are methods that extension traits hang on it; they come with the prelude. `L` is the type of the
/// records that came too late for the step that made the stream; [`Stream::late`] gives them. For a second consumer,
/// clone the stream.
#[doc(alias = "fork")]
#[doc(alias = "DataStream")]
pub struct Stream<'s, D: Data, L = NoLate> {
    inner: Inner<'s, D>,
    flow: Flow<'s>,
    node: NodeId,
    upserts: bool,
    late: Option<Rc<LateStream<'s, L>>>,
    /// What may still be set on the source whose stream this is; `None` behind a step.
    source: Option<Rc<SourceEnds<'s, D>>>,
}

/// The second output of a step, kept until somebody asks for it.
type LateStream<'s, L> = dyn Fn() -> (Inner<'s, L>, NodeId) + 's;

/// One stream may have any number of consumers: each gets a clone, and sees every event.
impl<D: Data, L> Clone for Stream<'_, D, L> {
    fn clone(&self) -> Self {
        Stream {
            inner: self.inner.clone(),
            flow: self.flow.clone(),
            node: self.node,
            upserts: self.upserts,
            late: self.late.clone(),
            source: self.source.clone(),
        }
    }
}

impl<'s, D: Data, L: 'static> Stream<'s, D, L> {
    /// The flow that the stream is part of.
    pub fn flow(&self) -> &Flow<'s> {
        &self.flow
    }

    /// Adds an operator without memory, as a function of whole batches.
    ///
    /// What it returns has the same stamp, so it may not move an event below the event time it came with.
    pub fn transform<R: Data>(
        self,
        spec: NodeSpec,
        mut each: impl FnMut(Batch<D>) -> Batch<R> + 'static,
    ) -> Stream<'s, R> {
        let (flow, upserts) = (self.flow.clone(), self.upserts);
        let node = flow.add(spec, vec![self.node]);
        let inner = self.inner.unary::<NoopBuilder<Batch<R>>, _, _, _>(Pipeline, &flow.label(node), move |_, _| {
            move |input, output| {
                enter(node);
                input.for_each(|capability, batch| {
                    let mut made = each(std::mem::take(batch));
                    if !made.is_empty() {
                        output.session_with_builder(&capability).give_container(&mut made);
                    }
                });
            }
        });
        Stream::of(inner, flow, node, upserts)
    }

    /// The same for an operator that puts a step's results into another form: what was late for the step still leaves
    /// by [`Stream::late`].
    pub fn transform_results<R: Data>(
        self,
        spec: NodeSpec,
        each: impl FnMut(Batch<D>) -> Batch<R> + 'static,
    ) -> Stream<'s, R, L> {
        let late = self.late.clone();
        let Stream { inner, flow, node, upserts, .. } = self.transform(spec, each);
        Stream { inner, flow, node, upserts, late, source: None }
    }

    /// Adds an operator without memory that has two outputs.
    pub fn transform_two<A: Data, B: Data>(
        self,
        spec: NodeSpec,
        mut each: impl FnMut(Batch<D>) -> (Batch<A>, Batch<B>) + 'static,
    ) -> (Stream<'s, A>, Stream<'s, B>) {
        let (flow, upserts) = (self.flow.clone(), self.upserts);
        let node = flow.add(spec, vec![self.node]);
        let mut builder = OperatorBuilder::new(flow.label(node), flow.scope());
        let mut input = builder.new_input(self.inner, Pipeline);
        builder.set_notify_for(0, FrontierInterest::Never);
        let (first, first_stream) = builder.new_output();
        let (second, second_stream) = builder.new_output();
        let mut first = OutputBuilder::<_, NoopBuilder<Batch<A>>>::from(first);
        let mut second = OutputBuilder::<_, NoopBuilder<Batch<B>>>::from(second);
        builder.build(move |_| {
            move |_| {
                enter(node);
                let (mut first, mut second) = (first.activate(), second.activate());
                input.for_each(|capability, batch| {
                    let (mut a, mut b) = each(std::mem::take(batch));
                    if !a.is_empty() {
                        first.session_with_builder(&capability).give_container(&mut a);
                    }
                    if !b.is_empty() {
                        second.session_with_builder(&capability).give_container(&mut b);
                    }
                });
            }
        });
        (Stream::of(first_stream, flow.clone(), node, upserts), Stream::of(second_stream, flow, node, upserts))
    }

    /// Adds the events of `other`.
    pub fn concat<M: 'static>(self, spec: NodeSpec, other: Stream<'s, D, M>) -> Stream<'s, D> {
        let flow = self.flow.clone();
        if self.upserts != other.upserts {
            flow.refuse(&spec, "one of the streams may still correct its results and the other may not");
        }
        let node = flow.add(spec, vec![self.node, other.node]);
        Stream::of(self.inner.concat(other.inner), flow, node, self.upserts)
    }

    /// Adds a stateful step; each event goes to the worker that owns its `group`.
    pub fn step<S: Step<In = D>>(
        self,
        spec: NodeSpec,
        group: impl Fn(&D) -> KeyGroup + 'static,
        step: S,
    ) -> Stream<'s, S::Out, S::Late> {
        let spec = NodeSpec { keyed: true, ..spec };
        let (flow, node) = self.enter_step(spec);
        let (owner, counts) = (move |data: &D, workers| group(data).owner(workers), flow.step_counts(node));
        let (results, late) = drive(self, node, by_owner(node, owner), step, counts);
        Stream::of_step(results, late, flow, node)
    }

    /// Adds a stateful step whose input can be combined before it is dealt.
    ///
    /// With several workers, each first runs `combine` on what it has and deals only what that emits; with one, `alone`
    /// does everything. Either way it is one node of the graph. Late records are found before the exchange.
    pub fn combined_step<A, C, S>(
        self,
        spec: NodeSpec,
        alone: A,
        combine: C,
        group: impl Fn(&C::Out) -> KeyGroup + 'static,
        step: S,
    ) -> Stream<'s, S::Out, A::Late>
    where
        A: Step<In = D>,
        C: Step<In = D, Late = A::Late>,
        S: Step<In = C::Out, Out = A::Out>,
    {
        let (flow, node) = self.enter_step(NodeSpec { keyed: true, ..spec });
        let counts = flow.step_counts(node);
        if flow.workers() == 1 {
            let (results, late) = drive(self, node, Pipeline, alone, counts);
            return Stream::of_step(results, late, flow, node);
        }
        let (parts, late) = drive(self, node, Pipeline, combine, counts.before_the_deal());
        let parts = Stream::of(parts, flow.clone(), node, false);
        let owner = by_owner(node, move |part, workers| group(part).owner(workers));
        let (results, _) = drive(parts, node, owner, step, counts.behind_the_deal());
        Stream::of_step(results, late, flow, node)
    }

    /// Adds a stateful step that takes the events of `other` on its right; each event goes to the worker that owns its
    /// group.
    pub fn step_with<R: Data, M: 'static, S: TwoInputStep<Left = D, Right = R>>(
        self,
        other: Stream<'s, R, M>,
        spec: NodeSpec,
        left_group: impl Fn(&D) -> KeyGroup + 'static,
        right_group: impl Fn(&R) -> KeyGroup + 'static,
        step: S,
    ) -> Stream<'s, S::Out, S::Late> {
        let spec = NodeSpec { keyed: true, ..spec };
        self.check_step(&spec);
        other.check_step(&spec);
        let flow = self.flow.clone();
        let node = flow.add(spec, vec![self.node, other.node]);
        let left = by_owner(node, move |data, workers| left_group(data).owner(workers));
        let right = by_owner(node, move |data, workers| right_group(data).owner(workers));
        let (results, late) = drive_two((self, left), (other, right), node, step, true);
        Stream::of_step(results, late, flow, node)
    }

    /// Adds a stateful step that each worker runs on its own events, and on a copy of every event of `other` on its
    /// right.
    ///
    /// So the right is the same on every worker, except that each is only as far with it as its own watermark. What the
    /// step keeps of it is a part of which [every worker loads all](crate::state::Kept::is_replicated).
    pub fn step_with_broadcast<R: Data, M: 'static, S: TwoInputStep<Left = D, Right = R>>(
        self,
        other: Stream<'s, R, M>,
        spec: NodeSpec,
        step: S,
    ) -> Stream<'s, S::Out, S::Late> {
        self.check_step(&spec);
        other.check_step(&spec);
        let flow = self.flow.clone();
        let node = flow.add(spec, vec![self.node, other.node]);
        let counts_right = flow.scope().index() == 0;
        let (results, late) = drive_two((self, Pipeline), (other, to_all(node)), node, step, counts_right);
        Stream::of_step(results, late, flow, node)
    }

    /// Adds a stateful step that each worker runs on its own events.
    pub fn local_step<S: Step<In = D>>(self, spec: NodeSpec, step: S) -> Stream<'s, S::Out, S::Late> {
        let (flow, node) = self.enter_step(spec);
        let (results, late) = drive(self, node, Pipeline, step, flow.step_counts(node));
        Stream::of_step(results, late, flow, node)
    }

    /// Marks the stream as one of upserts: its rows carry versions, and a later firing replaces an earlier one.
    pub fn into_upserts(mut self) -> Stream<'s, D, L> {
        self.upserts = true;
        self
    }

    /// Whether the rows carry versions that later rows may replace.
    pub fn is_upserts(&self) -> bool {
        self.upserts
    }

    /// Writes the stream to the sink that is bound to `name`.
    #[doc(alias = "sinkTo")]
    #[doc(alias = "addSink")]
    #[doc(alias = "writeTo")]
    #[track_caller]
    pub fn sink(self, name: &str)
    where
        D: Record,
    {
        super::write::sink(self, name);
    }

    /// The records that came too late for the step behind this stream, as they were when they came.
    ///
    /// They are counted whether or not this is called.
    #[doc(alias = "sideOutputLateData")]
    #[doc(alias = "getSideOutput")]
    #[track_caller]
    pub fn late(&self) -> Stream<'s, L>
    where
        L: Data,
    {
        let late = self.late.as_ref().expect("only a step has a type of late records, and a step has the stream");
        let (inner, from) = late();
        let node = self.flow.add(NodeSpec::stateless("late"), vec![from]);
        Stream::of(inner, self.flow.clone(), node, false)
    }

    fn enter_step(&self, spec: NodeSpec) -> (Flow<'s>, NodeId) {
        self.check_step(&spec);
        (self.flow.clone(), self.flow.add(spec, vec![self.node]))
    }

    fn check_step(&self, spec: &NodeSpec) {
        if self.upserts {
            let why = "its input may still correct its results (allowed lateness or early firing), which no stateful \
                       step but a sink accepts; drop the lateness, or put the step before the window";
            self.flow.refuse(spec, why);
        }
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn into_inner(self) -> Inner<'s, D> {
        self.inner
    }

    fn of_step(results: Inner<'s, D>, late: Inner<'s, L>, flow: Flow<'s>, node: NodeId) -> Stream<'s, D, L>
    where
        L: Data,
    {
        let late: Rc<LateStream<'s, L>> = Rc::new(move || (late.clone(), node));
        Stream { inner: results, flow, node, upserts: false, late: Some(late), source: None }
    }
}

impl<'s, D: Data> Stream<'s, D> {
    pub(super) fn of(inner: Inner<'s, D>, flow: Flow<'s>, node: NodeId, upserts: bool) -> Stream<'s, D> {
        Stream { inner, flow, node, upserts, late: None, source: None }
    }

    pub(super) fn of_source(
        inner: Inner<'s, D>,
        flow: Flow<'s>,
        node: NodeId,
        source: SourceEnds<'s, D>,
    ) -> Stream<'s, D> {
        Stream { source: Some(Rc::new(source)), ..Stream::of(inner, flow, node, false) }
    }

    pub(super) fn source(&self) -> Option<Rc<SourceEnds<'s, D>>> {
        self.source.clone()
    }
}

impl<D: Data, L> std::fmt::Debug for Stream<'_, D, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("node", &self.node).field("upserts", &self.upserts).finish_non_exhaustive()
    }
}

/// Refused graphs are collected, so that one start names them all.
impl Flow<'_> {
    /// Refuses the graph once all of it is built: the operator's arguments make no step.
    ///
    /// ```
    /// use dualgauge_engine::Flow;
    /// use dualgauge_engine::flow::NodeSpec;
    ///
    /// fn every(flow: &Flow<'_>, rows: usize) {
    ///     let spec = NodeSpec::stateful("sample", "one in many");
    ///     if rows == 0 {
    ///         flow.refuse(&spec, "one row in 0 is none; how many should it be?");
    ///     }
    /// }
    /// ```
    pub fn refuse(&self, spec: &NodeSpec, why: &str) {
        self.context().refuse(Error::usage(format!("{spec} at {}: {why}", spec.location)));
    }
}
