//! The driver of a sink: settles rows, sorts them, deals them to buckets, and publishes what is closed.
//!
//! A row waits until the watermark has passed its event time; rows leave sorted by event time and then by the record's
//! own order, unless the sink wants none, or is to show them as soon as they come. A result never depends on arrival, batch
//! borders, worker count or hash order; this is the last place where one of them could show.

mod firings;
mod outbox;
mod output;
mod settle;
mod truth;
mod unsettled;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use timely::dataflow::operators::Probe;

use self::firings::{ShowAll, only};
pub(crate) use self::outbox::{KeptRows, UNCOMMITTED};
use self::outbox::{Outbox, kept_rows};
use self::output::{Published, SinkOutput, Through, Writers};
use self::settle::Settle;
use self::truth::Truth;
use self::unsettled::Unsettled;
use super::context::{Flow, Mode, SinkDeclaration};
use super::drive::{Driven, by_identity, by_owner, drive, drive_one, freeze, staying};
use super::graph::{NodeId, NodeSpec};
use super::step::Outputs;
use super::stream::{Inner, Stream};
use crate::commit::Contribution;
use crate::connector::Firings;
use crate::data::KEY_GROUPS;
use crate::run::{StepCounts, Whose};
use crate::state::Parts;
use crate::{Batch, Duration, Epoch, EventTime, KeyGroup, Record, Result, Writing};

/// How many rows are encoded at once, or fewer where they are large.
const ROWS: usize = 8192;

/// Ends `stream` in the sink that is bound to `name`.
#[track_caller]
pub(super) fn sink<D: Record, L: 'static>(stream: Stream<'_, D, L>, name: &str) {
    let flow = stream.flow().clone();
    let context = flow.context();
    context.sinks.borrow_mut().push(SinkDeclaration {
        name: name.to_string(),
        schema: D::schema(),
        kept_rows: kept_rows::<D>,
    });
    let spec = NodeSpec { name: Some(name.to_string()), ..NodeSpec::stateless("sink") };
    let node = flow.add(spec, vec![stream.node()]);
    match (firings(&flow, name), stream.is_upserts()) {
        (Firings::Last, true) => {
            write(drive(stream, node, by_identity(node), Settle::new(), StepCounts::default()).0, &flow, node, name)
        }
        (Firings::Last, false) => write(stream.into_inner(), &flow, node, name),
        (Firings::All, true) => {
            write(drive(stream, node, by_identity(node), ShowAll::new(), StepCounts::default()).0, &flow, node, name)
        }
        (Firings::All, false) => write(only(stream.into_inner(), &flow, node), &flow, node, name),
    }
}

/// Which firings the bound sink asks for; the last where nothing is bound.
fn firings(flow: &Flow<'_>, name: &str) -> Firings {
    match &flow.context().mode {
        Mode::Run { sinks, .. } => sinks[name].sink.firings(),
        Mode::Describe => Firings::Last,
    }
}

/// Adds the last step: the one that writes.
fn write<'s, D: Record>(inner: Inner<'s, D>, flow: &Flow<'s>, node: NodeId, name: &str) {
    let writing = SinkStep::<D>::new(flow, node, name);
    let buckets = writing.buckets;
    let not_counted = StepCounts::default(); // as those of a step: what is written is counted where it is written
    let (written, _) = match writing.own_bucket {
        Some(_) => drive_one(flow, inner, node, staying(node, flow.scope().index()), writing, not_counted),
        None => {
            let owner = move |row: &D, workers: usize| group_of(bucket_of(row, buckets), buckets).owner(workers);
            drive_one(flow, inner, node, by_owner(node, owner), writing, not_counted)
        }
    };
    written.probe_with(&Rc::clone(flow.context()).probe);
}

/// The bucket to which a row is dealt, by its own bytes.
pub(super) fn bucket_of<D: Record>(row: &D, buckets: usize) -> usize {
    match buckets {
        1 => 0,
        many => KeyGroup::of(row).0 as usize % many,
    }
}

/// The key group with which a bucket moves between workers.
pub(super) fn group_of(bucket: usize, buckets: usize) -> KeyGroup {
    KeyGroup((bucket as u64 * KEY_GROUPS / buckets as u64) as u16)
}

/// A sink on one worker, as the last step of its stream.
struct SinkStep<D> {
    unsettled: Unsettled<D>,
    /// Where the sink keeps rows until they are committed.
    outbox: Option<Outbox<D>>,
    buckets: usize,
    /// Where all rows of this worker go at once, if the sink wants no order.
    own_bucket: Option<usize>,
    /// Whether rows are written as they come.
    at_once: bool,
    /// What their event time is compared with, where the rows hold one.
    truth: Option<Truth>,
    /// How far rows have settled.
    watermark: EventTime,
    /// Gone when the flow is only looked at.
    output: Option<SinkOutput>,
}

impl<D: Record> SinkStep<D> {
    fn new(flow: &Flow<'_>, node: NodeId, name: &str) -> SinkStep<D> {
        let Mode::Run { shared, sinks, checkpointing, .. } = &flow.context().mode else {
            let (unsettled, watermark) = (Unsettled::new(1), EventTime::MIN);
            return SinkStep {
                unsettled,
                outbox: Some(Outbox::new(1)),
                buckets: 1,
                own_bucket: None,
                at_once: false,
                truth: None,
                watermark,
                output: None,
            };
        };
        let sink = Arc::clone(&sinks[name].sink);
        let buckets = sink.buckets();
        let writing = checkpointing.as_ref().map(|checkpointing| checkpointing.writing(name)).unwrap_or_default();
        let mut output = SinkOutput {
            name: name.to_string(),
            schema: D::schema(),
            sink,
            writing: Writing {
                retry: shared.retry(Whose::Sink(name)),
                stopping: shared.stopping_of_sinks(),
                said: Some(D::wanted()),
                ..writing
            },
            shared: Arc::clone(shared),
            writers: Rc::new(RefCell::new(Writers::new(name, buckets))),
            counts: shared.metrics.sink_counts(name, flow.scope().index()),
            checkpointing: checkpointing.clone(),
            owned: Vec::new(),
        };
        shared.sink_opens();
        let (worker, workers) = (flow.scope().index(), flow.workers());
        let owned = (0..buckets).filter(|bucket| group_of(*bucket, buckets).owner(workers) == worker);
        output.owned = owned.collect();
        let first = output.owned.first().copied();
        let own_bucket = first.filter(|_| workers <= buckets && !output.sink.wants_order());
        let mut outbox = None;
        if let Some(checkpointing) = checkpointing {
            outbox = output.sink.keeps_rows().then(|| Outbox::new(buckets));
            // What was kept of the rows must be loaded before they can be recovered.
            if outbox.is_none() || checkpointing.resume.is_none() {
                output.open_owned(KeptRows::new());
            }
            let committed = outbox.as_ref().map(Outbox::committed).unwrap_or_default();
            flow.context().desk.borrow_mut().add_output(Box::new(Published {
                node,
                writers: Rc::clone(&output.writers),
                committed,
            }));
        }
        let (unsettled, watermark) = (Unsettled::new(buckets), EventTime::MIN);
        let at_once = output.sink.writes_at_once() || output.sink.firings() == Firings::All;
        let truth = Truth::of::<D>(&flow.graph(), node);
        SinkStep { unsettled, outbox, buckets, own_bucket, at_once, truth, watermark, output: Some(output) }
    }

    /// Writes the rows that the watermark has passed.
    fn settle(&mut self) {
        // Where rows do not wait, only an earlier checkpoint's can be there; once they are gone, none will come.
        if self.at_once && self.unsettled.is_empty() {
            return;
        }
        let watermark = self.watermark;
        self.with_output(|unsettled, mut output| {
            unsettled.settle(watermark, |bucket, rows| output.write_all(bucket, rows))
        });
    }

    /// Does `work` unless the job is stopping; a failure ends the job.
    fn with_output(&mut self, work: impl FnOnce(&mut Unsettled<D>, Through<'_, D>) -> Result<()>) {
        let Some(output) = self.output.as_mut().filter(|output| !output.shared.stopping()) else { return };
        let through = Through { output: &mut *output, outbox: self.outbox.as_mut() };
        if let Err(error) = work(&mut self.unsettled, through) {
            output.shared.fail(error.at(format_args!("sink {}", output.name)));
        }
    }
}

impl<D: Record> Driven for SinkStep<D> {
    type Message = Batch<D>;
    type Out = ();
    type Late = ();
    const EMITS: bool = false;

    fn apply(&mut self, batch: Batch<D>, _: EventTime, _: &mut Outputs<(), ()>) {
        if let Some(Err(lie)) = self.truth.as_ref().map(|truth| truth.check(&batch.events)) {
            return self.with_output(|_, _| Err(lie));
        }
        match self.own_bucket {
            Some(bucket) => self.with_output(|_, mut output| output.write_all(bucket, &batch.events)),
            None if self.at_once => {
                let buckets = self.buckets;
                self.with_output(|_, mut output| output.write_dealt(buckets, batch.events));
            }
            None => self.unsettled.take(batch.events),
        }
    }

    fn records(&self, batch: &Batch<D>) -> usize {
        batch.len()
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Outputs<(), ()>) {
        self.watermark = watermark;
        self.settle();
    }

    fn holds(&self) -> Option<EventTime> {
        None
    }

    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// Without checkpoints, what is prepared at the end of an epoch is committed at once.
    fn close_epoch(&mut self, epoch: Epoch, _: &mut Outputs<(), ()>) {
        self.settle(); // stragglers do not wait for the watermark to move again
        let watermark = self.watermark;
        self.with_output(|_, Through { output, .. }| match output.writing.job {
            Some(_) => Ok(()),
            None => output.publish(epoch, watermark),
        });
    }

    /// If the job is to stop without a checkpoint, what waits for the watermark would be lost: it is written now.
    fn rest(&mut self) {
        let Some(shared) = self.output.as_ref().map(|output| Arc::clone(&output.shared)) else { return };
        if shared.resting() {
            self.with_output(|unsettled, mut output| {
                unsettled.settle(EventTime::MAX, |bucket, rows| output.write_all(bucket, rows))?;
                output.output.publish(Epoch::REST, EventTime::MAX)
            });
        }
        shared.sink_rests();
    }

    fn kept(&mut self) -> Parts<'_> {
        let mut parts: Parts<'_> = vec![("unsettled", &mut self.unsettled)];
        if let Some(outbox) = &mut self.outbox {
            parts.push((UNCOMMITTED, outbox));
        }
        parts
    }

    fn loaded(&mut self) {
        let (Some(outbox), Some(output)) = (&mut self.outbox, &mut self.output) else { return };
        match outbox.take_loaded() {
            Ok(rows) => output.open_owned(rows),
            Err(error) => output.shared.fail(error.at(format_args!("sink {}", output.name))),
        }
        // Everything that was prepared is in the store now.
        let resumed = output.checkpointing.as_ref().and_then(|checkpointing| checkpointing.resume.as_ref());
        outbox.committed().set(resumed.map(|commit| commit.epoch));
    }

    fn save(&mut self, name: &str, epoch: Epoch, contribution: &mut Contribution) {
        contribution.layers.extend(freeze(name, self.kept(), epoch));
        let watermark = self.watermark;
        self.with_output(|unsettled, Through { output, .. }| {
            output.counts.waiting.store(unsettled.len() as u64, Ordering::Relaxed);
            contribution.buckets.extend(output.prepare(epoch, watermark)?);
            Ok(())
        });
    }
}
