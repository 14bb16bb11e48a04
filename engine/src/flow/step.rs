//! A stateful step: what it does with a batch, what it does when the watermark moves, and what it keeps.
//!
//! A step handles no stamps, epochs or checkpoints; its driver does (see `engine/src/flow/drive/mod.rs`).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::NodeId;
use crate::data::Version;
use crate::state::Parts;
use crate::time::Stamp;
use crate::{Batch, Data, Duration, Epoch, Event, EventTime};

/// A step that remembers something from one event to the next.
///
/// - **Apply judges.** Late records are found in [`Step::apply`], against the watermark each one comes with, and leave
///   by [`Outputs::late`]; the step's own idea of the present watermark decides nothing.
/// - **Advance fires.** When the watermark moves, everything that can no longer change leaves by [`Outputs::emit`].
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

    /// An epoch is about to close. A step that must keep nothing beyond an epoch releases it here.
    fn close_epoch(&mut self, _out: &mut Outputs<Self::Out, Self::Late>) {}

    /// All that it keeps from one epoch to the next, by the names under which a checkpoint stores it.
    ///
    /// The parts and their order are the same at every call.
    fn kept(&mut self) -> Parts<'_>;

    /// Every part has been loaded: rebuild whatever is derived from them.
    fn loaded(&mut self) {}
}

/// A step that remembers something of two inputs: a join.
///
/// The promises of [`Step`] hold here too. The watermark is that of both inputs together.
pub trait TwoInputStep: 'static {
    /// What flows in on the left.
    type Left: Data;
    /// What flows in on the right.
    type Right: Data;
    /// What flows out.
    type Out: Data;
    /// What flows out as late.
    type Late: Data;

    /// Takes the events of a message that was sent on the left under `watermark`.
    fn apply_left(&mut self, batch: Batch<Self::Left>, watermark: EventTime, out: &mut Outputs<Self::Out, Self::Late>);

    /// Takes the events of a message that was sent on the right under `watermark`.
    fn apply_right(
        &mut self,
        batch: Batch<Self::Right>,
        watermark: EventTime,
        out: &mut Outputs<Self::Out, Self::Late>,
    );

    /// As [`Step::advance`].
    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Self::Out, Self::Late>);

    /// As [`Step::holds`].
    fn holds(&self) -> Option<EventTime>;

    /// As [`Step::lag`].
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// As [`Step::close_epoch`].
    fn close_epoch(&mut self, _out: &mut Outputs<Self::Out, Self::Late>) {}

    /// As [`Step::kept`].
    fn kept(&mut self) -> Parts<'_>;

    /// As [`Step::loaded`].
    fn loaded(&mut self) {}
}

/// Where a step puts what it emits.
#[derive(Debug)]
pub struct Outputs<O, L> {
    /// Results, by event time.
    pub emit: Emitter<O>,
    /// Records that came too late, as they were.
    pub late: Emitter<L>,
    /// How many records were taken that belong to no window: they are not late, and go nowhere.
    pub in_no_window: u64,
}

/// Batches on their way out, each with the smallest event time in it.
#[derive(Debug)]
pub struct Emitter<D> {
    full: Vec<(EventTime, Batch<D>)>,
    open: Batch<D>,
    least: EventTime,
    /// Numbers the firings of one result: a later one has a greater stamp, even after a restart.
    firing: Stamp,
}

/// Nothing on its way out.
impl<O, L> Default for Outputs<O, L> {
    fn default() -> Outputs<O, L> {
        Outputs { emit: Emitter::default(), late: Emitter::default(), in_no_window: 0 }
    }
}

/// Nothing on its way out.
impl<D> Default for Emitter<D> {
    fn default() -> Emitter<D> {
        Emitter { full: Vec::new(), open: Batch::default(), least: EventTime::MAX, firing: Stamp::default() }
    }
}

/// How many bytes a batch on its way out holds: few enough that the next operator finds it in the cache.
const BATCH_BYTES: usize = 1 << 18;

impl<D> Emitter<D> {
    /// How many events make a batch.
    const BATCH: usize = {
        let fit = BATCH_BYTES / size_of::<Event<D>>();
        if fit < 1024 { 1024 } else { fit }
    };

    /// Emits one event.
    #[inline]
    pub fn give(&mut self, time: EventTime, data: D) {
        self.least = self.least.min(time);
        self.open.events.push(Event { time, data });
        if self.open.len() >= Self::BATCH {
            self.cut();
        }
    }

    /// Emits one event that is behind `watermark`, so that the next step will judge it late too.
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

    /// Numbers the firings that follow by the stamp under which they fire.
    pub(super) fn begin_firing(&mut self, stamp: Stamp) {
        self.firing = stamp;
    }

    /// The batches on their way out, each with the smallest event time in it. The step's driver sends them on; a test
    /// of a single step looks at them.
    pub fn take_full(&mut self) -> impl ExactSizeIterator<Item = (EventTime, Batch<D>)> + '_ {
        self.cut();
        self.full.drain(..)
    }

    fn cut(&mut self) {
        if !self.open.is_empty() {
            // A step that emits a lot will do so again, and growing from nothing would copy it all once more.
            let next = Batch::with_capacity(if self.open.len() >= Self::BATCH / 8 { Self::BATCH } else { 0 });
            self.full.push((self.least, std::mem::replace(&mut self.open, next)));
        }
        self.least = EventTime::MAX;
    }
}

thread_local! {
    /// The node whose code is running on this thread: the culprit, should it panic.
    static RUNNING: Cell<Option<NodeId>> = const { Cell::new(None) };
}

/// How far a worker has read: lets an error in a later step say where its records came from.
#[derive(Clone, Debug)]
pub(crate) struct LastRead {
    /// The source and the partition.
    pub(super) place: Rc<str>,
    pub(super) rows: u64,
    pub(super) epoch: Epoch,
}

impl fmt::Display for LastRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this worker had read last: {} up to row {}, in epoch {}", self.place, self.rows, self.epoch)
    }
}

thread_local! {
    static LAST_READ: RefCell<Option<LastRead>> = const { RefCell::new(None) };
}

/// How far this thread has read.
pub(crate) fn last_read() -> Option<LastRead> {
    LAST_READ.with_borrow(Clone::clone)
}

/// Notes how far this thread has read.
pub(super) fn note_read(read: LastRead) {
    LAST_READ.set(Some(read));
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
