//! A stateful step and its driver.
//!
//! A [`Step`] says what it does with a batch and what it does when the watermark moves. The driver owns everything that
//! has to do with stamps, so that each rule stands once:
//!
//! - **A waiting pane holds event time, never an epoch.** When an epoch closes, the driver moves the step's one
//!   capability from `(e, t)` to `(e + 1, t)`.
//! - **Nothing is sent below the hold.** What a step emits has an event time at or above the earliest it said it may
//!   still emit.

use std::cell::Cell;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::{NodeId, Stream};
use crate::data::Version;
use crate::state::Parts;
use crate::time::Stamp;
use crate::{Batch, Data, Duration, Event, EventTime, Frontier};

/// A step that remembers something from one event to the next.
///
/// - **Apply judges.** Late records are found in [`Step::apply`], against the watermark each is handed with, and leave by
///   [`Outputs::late`]; what the step itself knows of the present watermark decides nothing.
/// - **Advance fires.** When the watermark moves, everything that can change no more leaves by [`Outputs::emit`].
/// - **Holds is honest.** [`Step::holds`] names the smallest event time that what is kept can still emit.
pub trait Step: 'static {
    /// What flows in.
    type In: Data;
    /// What flows out.
    type Out: Data;
    /// What flows out as late.
    type Late: Data;

    /// Takes the events of a message that was sent under `watermark`.
    fn apply(&mut self, batch: Batch<Self::In>, watermark: EventTime, out: &mut Outputs<Self::Out, Self::Late>);

    /// No on-time record below `watermark` will be applied any more; at the end of input it is [`EventTime::MAX`].
    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, Self::Late>);

    /// The smallest event time that what the step keeps can still emit; `None` when it keeps nothing.
    fn holds(&self) -> Option<EventTime>;

    /// How far the watermark of the step's output stays behind its input's, even when it keeps nothing.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// An epoch is about to close. A step that must keep nothing beyond an epoch lets go here.
    fn close_epoch(&mut self, _out: &mut Outputs<Self::Out, Self::Late>) {}

    /// All that it keeps from one epoch to the next, by the names under which a checkpoint stores it.
    ///
    /// The parts and their order are the same at every call.
    fn kept(&mut self) -> Parts<'_>;

    /// Every part has been loaded: what follows from them is to be made anew.
    fn loaded(&mut self) {}
}

/// Where a step puts what it emits.
#[derive(Debug)]
pub struct Outputs<O, L> {
    /// Results, by event time.
    pub emit: Emitter<O>,
    /// Records that came too late, as they were.
    pub late: Emitter<L>,
}

/// Batches on their way out, each with the smallest event time in it.
#[derive(Debug)]
pub struct Emitter<D> {
    full: Vec<(EventTime, Batch<D>)>,
    open: Batch<D>,
    least: EventTime,
    /// Numbers the firings of one result: a later one has a greater stamp, also after a restart.
    firing: Stamp,
}

/// How many events a batch on its way out holds: some hundred kilobytes, which the next operator finds in the cache.
const BATCH: usize = 8192;

impl<D> Emitter<D> {
    pub(super) fn new() -> Emitter<D> {
        Emitter { full: Vec::new(), open: Batch::default(), least: EventTime::MAX, firing: Stamp::default() }
    }

    /// Emits one event.
    #[inline]
    pub fn give(&mut self, time: EventTime, data: D) {
        self.least = self.least.min(time);
        self.open.events.push(Event { time, data });
        if self.open.len() >= BATCH {
            self.cut();
        }
    }

    /// Emits one event that is behind `watermark`, as which the next step will judge it too.
    pub fn give_behind(&mut self, time: EventTime, data: D, watermark: EventTime) {
        self.open.set_behind(self.open.len(), watermark);
        self.give(time, data);
    }

    /// Emits one firing of the result `identity`, which a later firing replaces.
    pub fn upsert(&mut self, time: EventTime, data: D, identity: u128) {
        let version = Version { identity, firing: self.firing };
        self.open.versions.get_or_insert_default().rows.push(version);
        self.give(time, data);
    }

    fn cut(&mut self) {
        if !self.open.is_empty() {
            self.full.push((self.least, std::mem::take(&mut self.open)));
        }
        self.least = EventTime::MAX;
    }
}

thread_local! {
    /// The node whose code runs on this thread now: the culprit, should it panic.
    static RUNNING: Cell<Option<NodeId>> = const { Cell::new(None) };
}

/// The node that ran last on this thread.
pub(crate) fn running() -> Option<NodeId> {
    RUNNING.get()
}

/// Notes that `node` runs on this thread from here on.
pub(super) fn enter(node: NodeId) {
    RUNNING.set(Some(node));
}

/// Runs a part of `node` in the midst of another.
pub(super) fn within<R>(node: NodeId, part: impl FnOnce() -> R) -> R {
    let around = RUNNING.replace(Some(node));
    let result = part(); // a panic leaves the culprit noted
    RUNNING.set(around);
    result
}

/// Puts a step behind `stream`, dealt by `pact`, and returns its results and its late records.
pub(super) fn drive<'s, S: Step, L: 'static>(
    stream: Stream<'s, S::In, L>,
    node: NodeId,
    pact: impl ParallelizationContract<Stamp, Batch<S::In>> + 'static,
    mut step: S,
) -> (super::stream::Inner<'s, S::Out>, super::stream::Inner<'s, S::Late>) {
    let mut builder = OperatorBuilder::new(stream.flow().label(node), stream.flow().scope());
    let mut input = builder.new_input(stream.into_inner(), pact);
    let (results, results_stream) = builder.new_output();
    let (late, late_stream) = builder.new_output();
    let mut results = OutputBuilder::<_, NoopBuilder<Batch<S::Out>>>::from(results);
    let mut late = OutputBuilder::<_, NoopBuilder<Batch<S::Late>>>::from(late);

    builder.build(move |capabilities| {
        let mut hold = Hold::of(capabilities);
        let mut out = Outputs { emit: Emitter::new(), late: Emitter::new() };
        let mut seen = Frontier::START;
        move |frontiers| {
            enter(node);
            input.for_each(|capability, batch| {
                let stamp = *capability.stamp().expect_singleton();
                step.apply(std::mem::take(batch), stamp.event_time, &mut out);
                // A backlog of messages may fire much: what is full goes on before the next one is taken.
                hold.send(&mut out, &mut results, &mut late);
            });
            let frontier = Frontier::of_all(frontiers);
            if frontier == seen {
                return;
            }
            if frontier.watermark() > seen.watermark() {
                out.emit.firing = Stamp::new(hold.stamp.epoch, frontier.watermark());
                step.advance(frontier.watermark(), &mut out);
            }
            if frontier.open_epoch() > seen.open_epoch() {
                step.close_epoch(&mut out);
            }
            hold.send(&mut out, &mut results, &mut late);
            seen = frontier;
            let watermark = frontier.watermark() - step.lag();
            hold.move_to(frontier, step.holds().map_or(watermark, |held| held.min(watermark)));
        }
    });
    (results_stream, late_stream)
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

    fn send<O: Data, L: Data>(
        &self,
        out: &mut Outputs<O, L>,
        results: &mut OutputBuilder<Stamp, NoopBuilder<Batch<O>>>,
        late: &mut OutputBuilder<Stamp, NoopBuilder<Batch<L>>>,
    ) {
        self.send_on(RESULTS, &mut out.emit, results);
        self.send_on(LATE, &mut out.late, late);
    }

    fn send_on<D: Data>(
        &self,
        port: usize,
        emitter: &mut Emitter<D>,
        output: &mut OutputBuilder<Stamp, NoopBuilder<Batch<D>>>,
    ) {
        emitter.cut();
        if emitter.full.is_empty() {
            return;
        }
        let mut session = output.activate();
        for (least, mut batch) in emitter.full.drain(..) {
            // A late record is behind every promise by its nature: it travels under the hold itself.
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

    fn move_to(&mut self, frontier: Frontier, event_time: EventTime) {
        if frontier.is_done() {
            return self.capabilities.clear();
        }
        self.stamp = Stamp::new(frontier.open_epoch(), event_time.max(self.stamp.event_time));
        self.capabilities.iter_mut().for_each(|capability| capability.downgrade(&self.stamp));
    }
}
