//! The driver of a stateful step: stamps, holds, and the two-sided cut of a checkpoint.
//!
//! Everything to do with stamps stands here once, whatever the step:
//!
//! - **A waiting pane holds event time, never an epoch.** When an epoch closes, the driver moves the step's one
//!   capability from `(e, t)` to `(e + 1, t)`.
//! - **Nothing is sent below the hold.** What a step emits has an event time at or above the earliest it said it may
//!   still emit.
//! - **A checkpoint cuts between epochs.** What belongs to a later epoch waits beside the step until the step has been
//!   saved, and only then does the step act on the watermark of later epochs.

mod exchange;

use std::cell::RefCell;
use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

pub(super) use self::exchange::{by_identity, by_owner, staying, to_all};
use super::context::Flow;
use super::step::{Emitter, Outputs, Step, TwoInputStep, enter};
use super::stream::Inner;
use super::{NodeId, Stream};
use crate::checkpoint::LayerPart;
use crate::commit::{Contribution, Desk, Passage};
use crate::run::{Counter, StepCounts};
use crate::state::{Changes, Kept, Parts};
use crate::time::Stamp;
use crate::{Batch, Data, Duration, Epoch, EventTime, Frontier};

/// Puts a step behind `stream`, dealt by `pact`, and returns its results and its late records. What comes and goes is
/// counted on `counts`.
pub(super) fn drive<'s, S: Step, L: 'static>(
    stream: Stream<'s, S::In, L>,
    node: NodeId,
    pact: impl ParallelizationContract<Stamp, Batch<S::In>> + 'static,
    step: S,
    counts: StepCounts,
) -> (Inner<'s, S::Out>, Inner<'s, S::Late>) {
    let flow = stream.flow().clone();
    drive_one(&flow, stream.into_inner(), node, pact, One(step), counts)
}

/// Puts anything that takes batches behind `inner`.
pub(super) fn drive_one<'s, D: Data, S: Driven<Message = Batch<D>>>(
    flow: &Flow<'s>,
    inner: Inner<'s, D>,
    node: NodeId,
    pact: impl ParallelizationContract<Stamp, Batch<D>> + 'static,
    driven: S,
    counts: StepCounts,
) -> (Inner<'s, S::Out>, Inner<'s, S::Late>) {
    let mut builder = OperatorBuilder::new(flow.label(node), flow.scope());
    let mut input = builder.new_input(inner, pact);
    run(builder, flow, node, driven, counts, move |driver, send| {
        input.for_each(|capability, batch| {
            driver.take(*capability.stamp().expect_singleton(), std::mem::take(batch));
            // A backlog of messages may fire a lot: what is full is sent before the next one is taken.
            send(driver);
        });
    })
}

/// Puts a step of two inputs behind `left` and `right`. With `counts_right` off, the right is not counted here.
pub(super) fn drive_two<'s, S: TwoInputStep, L: 'static, M: 'static>(
    (left, left_pact): (Stream<'s, S::Left, L>, impl ParallelizationContract<Stamp, Batch<S::Left>> + 'static),
    (right, right_pact): (Stream<'s, S::Right, M>, impl ParallelizationContract<Stamp, Batch<S::Right>> + 'static),
    node: NodeId,
    step: S,
    counts_right: bool,
) -> (Inner<'s, S::Out>, Inner<'s, S::Late>) {
    let flow = left.flow().clone();
    let counts = flow.step_counts(node);
    let mut builder = OperatorBuilder::new(flow.label(node), flow.scope());
    let mut left = builder.new_input(left.into_inner(), left_pact);
    let mut right = builder.new_input(right.into_inner(), right_pact);
    run(builder, &flow, node, Two(step, counts_right), counts, move |driver, send| {
        left.for_each(|capability, batch| {
            driver.take(*capability.stamp().expect_singleton(), Side::Left(std::mem::take(batch)));
            send(driver);
        });
        right.for_each(|capability, batch| {
            driver.take(*capability.stamp().expect_singleton(), Side::Right(std::mem::take(batch)));
            send(driver);
        });
    })
}

/// A step as its driver sees it, whatever the number of its inputs.
pub(super) trait Driven: 'static {
    /// What comes in as one message.
    type Message;
    type Out: Data;
    type Late: Data;
    /// Whether it ever emits anything: what emits nothing holds nobody up.
    const EMITS: bool = true;

    fn apply(&mut self, message: Self::Message, watermark: EventTime, out: &mut Outputs<Self::Out, Self::Late>);
    /// How many records of a message count as coming in.
    fn records(&self, message: &Self::Message) -> usize;
    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, Self::Late>);
    fn holds(&self) -> Option<EventTime>;
    fn lag(&self) -> Duration;
    fn close_epoch(&mut self, epoch: Epoch, out: &mut Outputs<Self::Out, Self::Late>);
    /// Everything has come that will come before the job stops or ends.
    fn rest(&mut self) {}
    fn kept(&mut self) -> Parts<'_>;
    fn loaded(&mut self);

    /// Leaves what a checkpoint needs: all that has changed since the last one.
    fn save(&mut self, name: &str, epoch: Epoch, contribution: &mut Contribution) {
        contribution.layers.extend(freeze(name, self.kept(), epoch));
    }
}

/// A step of one input.
struct One<S>(S);

/// A step of two inputs, and whether what comes in on the right is counted here.
struct Two<S>(S, bool);

/// A batch of one of two inputs.
enum Side<L, R> {
    Left(Batch<L>),
    Right(Batch<R>),
}

macro_rules! forward {
    () => {
        fn advance(&mut self, watermark: EventTime, out: &mut Outputs<S::Out, S::Late>) {
            self.0.advance(watermark, out);
        }
        fn holds(&self) -> Option<EventTime> {
            self.0.holds()
        }
        fn lag(&self) -> Duration {
            self.0.lag()
        }
        fn close_epoch(&mut self, _: Epoch, out: &mut Outputs<S::Out, S::Late>) {
            self.0.close_epoch(out);
        }
        fn kept(&mut self) -> Parts<'_> {
            self.0.kept()
        }
        fn loaded(&mut self) {
            self.0.loaded();
        }
    };
}

impl<S: Step> Driven for One<S> {
    type Message = Batch<S::In>;
    type Out = S::Out;
    type Late = S::Late;

    fn apply(&mut self, batch: Batch<S::In>, watermark: EventTime, out: &mut Outputs<S::Out, S::Late>) {
        self.0.apply(batch, watermark, out);
    }
    fn records(&self, batch: &Batch<S::In>) -> usize {
        batch.len()
    }
    forward!();
}

impl<S: TwoInputStep> Driven for Two<S> {
    type Message = Side<S::Left, S::Right>;
    type Out = S::Out;
    type Late = S::Late;

    fn apply(&mut self, side: Self::Message, watermark: EventTime, out: &mut Outputs<S::Out, S::Late>) {
        match side {
            Side::Left(batch) => self.0.apply_left(batch, watermark, out),
            Side::Right(batch) => self.0.apply_right(batch, watermark, out),
        }
    }
    fn records(&self, side: &Self::Message) -> usize {
        match side {
            Side::Left(batch) => batch.len(),
            Side::Right(batch) if self.1 => batch.len(),
            Side::Right(_) => 0,
        }
    }
    forward!();
}

/// Builds the operator: `intake` hands the driver whatever has come in.
fn run<'s, S: Driven>(
    mut builder: OperatorBuilder<'s, Stamp>,
    flow: &Flow<'s>,
    node: NodeId,
    step: S,
    counts: StepCounts,
    mut intake: impl FnMut(&mut Driver<S>, &mut dyn FnMut(&mut Driver<S>)) + 'static,
) -> (Inner<'s, S::Out>, Inner<'s, S::Late>) {
    let (results, results_stream) = builder.new_output();
    let (late, late_stream) = builder.new_output();
    let mut results = OutputBuilder::<_, NoopBuilder<Batch<S::Out>>>::from(results);
    let mut late = OutputBuilder::<_, NoopBuilder<Batch<S::Late>>>::from(late);
    let mut driver = Driver::new(flow, node, step, counts);
    let first = flow.context().checkpointing().map(|checkpointing| checkpointing.first_epoch());
    flow.context().desk.borrow_mut().wake(flow.scope().activator_for(builder.operator_info().address));
    builder.build(move |capabilities| {
        let mut hold = Hold::of(capabilities);
        // Results of this generation are younger than everything stored, from the first on.
        hold.move_to(Progress::To(Stamp::new(first.unwrap_or_default(), EventTime::MIN)));
        if !S::EMITS {
            hold.capabilities.clear();
        }
        move |frontiers| {
            enter(node);
            driver.hold_epoch = hold.stamp.epoch;
            intake(&mut driver, &mut |driver| hold.send(driver, &mut results, &mut late));
            let frontier = Frontier::of_all(frontiers);
            while let Some(progress) = driver.follow(frontier) {
                hold.send(&mut driver, &mut results, &mut late);
                hold.move_to(progress);
                driver.hold_epoch = hold.stamp.epoch;
            }
        }
    });
    (results_stream, late_stream)
}

/// A step, and where it stands between the epochs.
struct Driver<S: Driven> {
    step: S,
    name: String,
    desk: Rc<RefCell<Desk>>,
    passage: Passage,
    /// What belongs to epochs that may not be worked on yet.
    stash: Vec<(Stamp, S::Message)>,
    /// What has been acted on.
    seen: Frontier,
    /// The epoch under which results leave now.
    hold_epoch: Epoch,
    out: Outputs<S::Out, S::Late>,
    counts: StepCounts,
}

/// Where the hold goes once what was emitted has been sent.
enum Progress {
    /// To this stamp, but never back in event time.
    To(Stamp),
    /// Away: nothing will ever be sent again.
    Done,
}

impl<S: Driven> Driver<S> {
    fn new(flow: &Flow<'_>, node: NodeId, mut step: S, counts: StepCounts) -> Driver<S> {
        let name = flow.state_name(node);
        if flow.enter_state(&name, step.kept()) {
            step.loaded();
        }
        Driver {
            step,
            name,
            desk: Rc::clone(&flow.context().desk),
            passage: Passage::new(),
            stash: Vec::new(),
            seen: Frontier::START,
            hold_epoch: Epoch(0),
            out: Outputs::default(),
            counts,
        }
    }

    /// Takes a message, now or once its epoch may be worked on.
    #[inline]
    fn take(&mut self, stamp: Stamp, message: S::Message) {
        self.counts.records_in.add(self.step.records(&message) as u64);
        if self.passage.admits(stamp.epoch, &self.desk.borrow()) {
            return self.step.apply(message, stamp.event_time, &mut self.out);
        }
        self.stash.push((stamp, message));
    }

    /// Acts on the next thing that `frontier` allows; `None` when there is nothing left.
    fn follow(&mut self, frontier: Frontier) -> Option<Progress> {
        self.unstash();
        let checkpoint = self.passage.checkpoint(&self.desk.borrow());
        if let Some(epoch) = checkpoint.filter(|epoch| frontier.epoch_closed(*epoch)) {
            return Some(self.pass(epoch, frontier));
        }
        // What lies behind an epoch has to wait while nobody knows yet whether that epoch is a checkpoint.
        let known = frontier.open_epoch() <= self.desk.borrow().decided();
        if !known || frontier == self.seen && self.stash.is_empty() {
            return None;
        }
        let watermark =
            self.stashed_watermark().map_or(frontier.watermark(), |stashed| stashed.min(frontier.watermark()));
        let reached = frontier.held_back_to(watermark);
        if reached == self.seen {
            return None;
        }
        self.advance(watermark);
        if frontier.open_epoch() > self.seen.open_epoch() {
            self.step.close_epoch(self.seen.open_epoch(), &mut self.out);
        }
        if frontier.open_epoch() >= Epoch::REST && self.seen.open_epoch() < Epoch::REST {
            self.step.rest();
        }
        self.seen = reached;
        Some(if frontier.is_done() { Progress::Done } else { self.hold_at(frontier.open_epoch()) })
    }

    /// Saves what the step keeps at the end of the checkpoint `epoch`.
    fn pass(&mut self, epoch: Epoch, frontier: Frontier) -> Progress {
        let left = self.stash.iter().find(|(stamp, _)| stamp.epoch <= epoch);
        assert!(
            left.is_none(),
            "A checkpoint cuts between epochs: something of epoch {:?} is left",
            left.map(|left| left.0)
        );
        let last = self.desk.borrow().last().is_some_and(|last| last.epoch == epoch && last.ended);
        if last && frontier.is_done() {
            // Nothing follows the last epoch, so what the end of input fires belongs to it.
            assert!(self.stash.is_empty(), "A checkpoint cuts between epochs: there is none behind the last");
            self.advance(EventTime::MAX);
            self.seen = frontier;
        }
        self.step.close_epoch(epoch, &mut self.out);
        let mut contribution = Contribution::default();
        self.step.save(&self.name, epoch, &mut contribution);
        self.desk.borrow_mut().contribute(epoch, contribution);
        self.passage.pass(epoch);
        if last && frontier.is_done() { Progress::Done } else { self.hold_at(epoch.next()) }
    }

    /// Applies what may be worked on by now.
    fn unstash(&mut self) {
        let (passage, desk) = (&self.passage, self.desk.borrow());
        for (stamp, message) in self.stash.extract_if(.., |(stamp, _)| passage.admits(stamp.epoch, &desk)) {
            self.step.apply(message, stamp.event_time, &mut self.out);
        }
    }

    fn stashed_watermark(&self) -> Option<EventTime> {
        self.stash.iter().map(|(stamp, _)| stamp.event_time).min()
    }

    fn advance(&mut self, watermark: EventTime) {
        if watermark > self.seen.watermark() {
            self.out.emit.begin_firing(Stamp::new(self.hold_epoch, watermark));
            self.step.advance(watermark, &mut self.out);
        }
    }

    /// The least stamp that may still be sent in `epoch`.
    fn hold_at(&self, epoch: Epoch) -> Progress {
        let watermark = match self.seen.watermark() {
            EventTime::MAX => EventTime::MAX, // nothing is late any more, so there is nothing to wait for
            watermark => watermark - self.step.lag(),
        };
        Progress::To(Stamp::new(epoch, self.step.holds().map_or(watermark, |held| held.min(watermark))))
    }
}

/// Writes down what has changed: the data path waits for no more than this.
pub(super) fn freeze(name: &str, parts: Parts<'_>, epoch: Epoch) -> Vec<LayerPart> {
    let save = |(part, kept): (&'static str, &mut dyn Kept)| {
        let mut changes = Changes::new(epoch);
        kept.save(&mut changes);
        let (step, part) = (name.to_string(), part.to_string());
        (!changes.is_empty()).then(|| LayerPart { step, part, fingerprint: kept.fingerprint(), changes })
    };
    parts.into_iter().filter_map(save).collect()
}

/// The port of the results, and the port of the late records.
const RESULTS: usize = 0;
const LATE: usize = 1;

/// The step's capabilities, one an output, always at the same stamp; none after the end of input.
struct Hold {
    stamp: Stamp,
    capabilities: Vec<Capability<Stamp>>,
}

impl Hold {
    fn of(capabilities: Vec<Capability<Stamp>>) -> Hold {
        Hold { stamp: *capabilities[0].time(), capabilities }
    }

    /// Sends what the step has emitted, and counts it: every late record of every step passes here exactly once.
    fn send<S: Driven>(
        &self,
        driver: &mut Driver<S>,
        results: &mut OutputBuilder<Stamp, NoopBuilder<Batch<S::Out>>>,
        late: &mut OutputBuilder<Stamp, NoopBuilder<Batch<S::Late>>>,
    ) {
        self.send_on(RESULTS, &mut driver.out.emit, results, &driver.counts.records_out);
        self.send_on(LATE, &mut driver.out.late, late, &driver.counts.late);
        driver.counts.in_no_window.add(std::mem::take(&mut driver.out.in_no_window));
    }

    fn send_on<D: Data>(
        &self,
        port: usize,
        emitter: &mut Emitter<D>,
        output: &mut OutputBuilder<Stamp, NoopBuilder<Batch<D>>>,
        count: &Counter,
    ) {
        let full = emitter.take_full();
        if full.len() == 0 {
            return;
        }
        let mut session = output.activate();
        for (least, mut batch) in full {
            count.add(batch.len() as u64);
            // A late record is by nature behind every promise: it travels under the hold itself.
            let least = if port == LATE { self.stamp.event_time } else { least };
            assert!(
                least >= self.stamp.event_time,
                "Nothing is sent below the hold: an event at {least} after a hold at {}",
                self.stamp.event_time
            );
            let capability = self.capabilities[port].delayed(&Stamp::new(self.stamp.epoch, least));
            session.session_with_builder(&capability).give_container(&mut batch);
        }
    }

    fn move_to(&mut self, progress: Progress) {
        match progress {
            Progress::Done => self.capabilities.clear(),
            Progress::To(stamp) => {
                let event_time = stamp.event_time.max(self.stamp.event_time);
                self.stamp = Stamp::new(stamp.epoch.max(self.stamp.epoch), event_time);
                self.capabilities.iter_mut().for_each(|capability| capability.downgrade(&self.stamp));
            }
        }
    }
}
