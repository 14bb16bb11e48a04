//! The driver of a sink: settles rows, sorts them, deals them to buckets, and publishes what is closed.
//!
//! A row waits until the watermark has passed its event time; rows leave sorted by event time and then by the record's
//! own order. A result never depends on arrival, batch borders, worker count or hash order; this is the last place where
//! one of them could show.

use crate::sink::Writing;
use std::rc::Rc;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::context::{Mode, SinkDeclaration};
use super::exchange::{by_identity, by_owner};
use super::graph::NodeSpec;
use super::settle::Settle;
use super::step::{drive, enter};
use super::stream::Stream;
use crate::job::{BoundSink, Counter, Shared};
use crate::{Epoch, Event, EventTime, Frontier, KeyGroup, Record, Result, SinkWriter};

/// How many rows are encoded at once.
const ROWS: usize = 8192;

/// Ends `stream` in the sink that is bound to `name`.
#[track_caller]
pub(super) fn sink<D: Record, L: 'static>(stream: Stream<'_, D, L>, name: &str) {
    let flow = stream.flow().clone();
    let context = flow.context();
    context.sinks.borrow_mut().push(SinkDeclaration { name: name.to_string(), schema: D::schema() });
    let spec = NodeSpec { name: Some(name.to_string()), ..NodeSpec::stateless("sink") };
    let node = flow.add(spec, vec![stream.node()]);
    let inner = match stream.is_upserts() {
        true => drive(stream, node, by_identity(node), Settle::new()).0,
        false => stream.into_inner(),
    };
    let buckets = match &context.mode {
        Mode::Describe => 1,
        Mode::Run { sinks, .. } => sinks[name].sink.buckets(),
    };

    let mut builder = OperatorBuilder::new(flow.label(node), flow.scope());
    let owner = move |row: &D, workers: usize| bucket_of(row, buckets) % workers;
    let mut input = builder.new_input(inner, by_owner(node, owner));
    let (_, written) = builder.new_output::<Vec<()>>();
    let mut driver = match &context.mode {
        Mode::Describe => None,
        Mode::Run { shared, sinks, .. } => {
            Some(SinkDriver::<D>::new(name, buckets, sinks[name].clone(), Arc::clone(shared)))
        }
    };
    builder.build(move |_| {
        let mut seen = Frontier::START;
        move |frontiers| {
            enter(node);
            let Some(driver) = &mut driver else { return };
            if driver.shared.stopping() {
                return input.for_each(|_, batch| batch.events.clear());
            }
            input.for_each(|_, batch| driver.take(&mut batch.events));
            let frontier = Frontier::of_all(frontiers);
            if frontier != seen {
                driver.follow(seen, frontier);
                seen = frontier;
            }
        }
    });
    written.probe_with(&Rc::clone(context).probe);
}

/// The bucket a row is dealt to, by its own bytes.
fn bucket_of<D: Record>(row: &D, buckets: usize) -> usize {
    match buckets {
        1 => 0,
        many => KeyGroup::of(row).0 as usize % many,
    }
}

/// A sink on one worker.
struct SinkDriver<D> {
    name: String,
    sink: BoundSink,
    schema: SchemaRef,
    shared: Arc<Shared>,
    buckets: Vec<Bucket<D>>,
    rows: Counter,
}

/// The part of a sink that its rows' hash leads to.
struct Bucket<D> {
    unsettled: Vec<Event<D>>,
    earliest: EventTime,
    writer: Option<Box<dyn SinkWriter>>,
}

impl<D: Record> SinkDriver<D> {
    fn new(name: &str, buckets: usize, sink: BoundSink, shared: Arc<Shared>) -> SinkDriver<D> {
        let bucket = || Bucket { unsettled: Vec::new(), earliest: EventTime::MAX, writer: None };
        SinkDriver {
            name: name.to_string(),
            schema: D::schema(),
            buckets: (0..buckets).map(|_| bucket()).collect(),
            rows: shared.metrics.counter(name, "written"),
            sink,
            shared,
        }
    }

    fn take(&mut self, events: &mut Vec<Event<D>>) {
        let count = self.buckets.len();
        for event in events.drain(..) {
            let bucket = &mut self.buckets[bucket_of(&event.data, count)];
            bucket.earliest = bucket.earliest.min(event.time);
            bucket.unsettled.push(event);
        }
    }

    fn follow(&mut self, seen: Frontier, frontier: Frontier) {
        let outcome =
            self.settle(frontier.watermark()).and_then(|()| match frontier.open_epoch() > seen.open_epoch() {
                true => self.publish(seen.open_epoch(), frontier.watermark()),
                false => Ok(()),
            });
        if let Err(error) = outcome {
            self.shared.fail(error.at(format_args!("sink {}", self.name)));
        }
    }

    /// Writes the rows that the watermark has passed.
    fn settle(&mut self, watermark: EventTime) -> Result<()> {
        for (number, bucket) in self.buckets.iter_mut().enumerate() {
            let settled = bucket.settled_before(watermark);
            if settled.is_empty() {
                continue;
            }
            let writer = match &mut bucket.writer {
                Some(writer) => writer,
                none => none.insert(self.sink.sink.open(number, &self.schema, &Writing::default())?),
            };
            for rows in settled.chunks(ROWS) {
                let times: Vec<_> = rows.iter().map(|event| event.time).collect();
                writer.write(&times, &D::encode(rows.iter().map(|event| &event.data)))?;
            }
            self.rows.add(settled.len() as u64);
        }
        Ok(())
    }

    /// Ends `epoch`. Without a checkpoint, what is prepared is committed at once.
    fn publish(&mut self, epoch: Epoch, watermark: EventTime) -> Result<()> {
        for writer in self.buckets.iter_mut().filter_map(|bucket| bucket.writer.as_mut()) {
            let prepared = writer.prepare(epoch, watermark)?;
            if !prepared.is_empty() {
                writer.commit(epoch, &prepared)?;
            }
        }
        Ok(())
    }
}

impl<D: Record> Bucket<D> {
    /// Takes the rows below `watermark` out, in the order in which they are written.
    fn settled_before(&mut self, watermark: EventTime) -> Vec<Event<D>> {
        // At the end of input even a row at the end of time has settled.
        let settled = |time: EventTime| time < watermark || watermark == EventTime::MAX;
        if self.unsettled.is_empty() || !settled(self.earliest) {
            return Vec::new();
        }
        let mut rows: Vec<_> = self.unsettled.extract_if(.., |event| settled(event.time)).collect();
        self.earliest = self.unsettled.iter().map(|event| event.time).min().unwrap_or(EventTime::MAX);
        rows.sort_unstable_by(|a, b| (a.time, &a.data).cmp(&(b.time, &b.data)));
        rows
    }
}
