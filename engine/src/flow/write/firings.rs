//! All firings of each result, for a sink that asks for them: each with its number, and whether it is the last.
//!
//! A firing is shown when it has fired, not when it can no longer change. Which one was the last is known only then, so
//! the last is shown once more, marked as the last.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::{DataType, SchemaRef};
use serde::{Deserialize, Serialize};
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

use super::settle::Latest;
use crate::connector::{FIRING, LAST, widened};
use crate::flow::context::Flow;
use crate::flow::graph::NodeId;
use crate::flow::step::{Outputs, Step, enter};
use crate::flow::stream::Inner;
use crate::state::Parts;
use crate::{Batch, Data, DecodeError, Event, EventTime, Record, Result};

/// A row of one firing of a result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "D: Data")]
pub(super) struct Fired<D> {
    data: D,
    firing: u64,
    last: bool,
}

impl<D: Record> Record for Fired<D> {
    fn schema() -> SchemaRef {
        widened(&D::schema())
    }

    fn event_time_column() -> Option<&'static str> {
        D::event_time_column()
    }

    fn event_time(&self) -> Option<EventTime> {
        self.data.event_time()
    }

    fn weight(&self) -> usize {
        self.data.weight()
    }

    fn decode(batch: &RecordBatch, rows: &mut Vec<Event<Fired<D>>>) -> Result<(), DecodeError> {
        let column = |name: &str, data_type: DataType| {
            let found = batch.column_by_name(name).filter(|column| column.data_type() == &data_type);
            found.ok_or_else(|| DecodeError::missing(name, &data_type, batch.schema().fields()))
        };
        let firings = column(FIRING, DataType::UInt64)?.as_primitive::<UInt64Type>();
        let lasts = column(LAST, DataType::Boolean)?.as_boolean();
        let mut data = Vec::new();
        D::decode(batch, &mut data)?;
        let numbered = data.into_iter().zip(firings.values().iter().zip(lasts.values().iter()));
        rows.extend(
            numbered.map(|(event, (&firing, last))| Event::new(event.time, Fired { data: event.data, firing, last })),
        );
        Ok(())
    }

    fn encode<'a>(rows: impl Iterator<Item = &'a Fired<D>> + Clone) -> RecordBatch
    where
        D: 'a,
    {
        let data = D::encode(rows.clone().map(|row| &row.data));
        let firings = UInt64Array::from_iter_values(rows.clone().map(|row| row.firing));
        let lasts = BooleanArray::from(rows.map(|row| row.last).collect::<Vec<_>>());
        let mut columns = data.columns().to_vec();
        columns.extend([Arc::new(firings) as _, Arc::new(lasts) as _]);
        RecordBatch::try_new(widened(&data.schema()), columns).expect("a column for each field, of as many rows")
    }
}

/// in: rows with versions; out: the rows of every firing of each identity, and those of the last once more when no
/// other can follow.
///
/// Remembers each result from its first firing until the watermark passes its event time. Nothing is late here: the step
/// that fires holds the watermark back for as long as it may fire again.
pub(super) struct ShowAll<D> {
    latest: Latest<D>,
    /// Results whose latest firing has not been shown.
    fresh: BTreeSet<(EventTime, u128)>,
    /// Firings that another one followed before they were shown.
    passed: Vec<(EventTime, Fired<D>)>,
}

impl<D: Data> ShowAll<D> {
    pub(super) fn new() -> ShowAll<D> {
        ShowAll { latest: Latest::new(), fresh: BTreeSet::new(), passed: Vec::new() }
    }

    /// Shows what has fired and may fire again.
    fn show(&mut self, out: &mut Outputs<Fired<D>, D>) {
        self.passed.drain(..).for_each(|(time, row)| out.emit.give(time, row));
        for (time, identity) in std::mem::take(&mut self.fresh) {
            if let Some((firing, rows)) = self.latest.get(time, identity) {
                rows.iter().for_each(|data| out.emit.give(time, Fired { data: data.clone(), firing, last: false }));
            }
        }
    }
}

impl<D: Data> Step for ShowAll<D> {
    type In = D;
    type Out = Fired<D>;
    type Late = D;

    fn apply(&mut self, batch: Batch<D>, _: EventTime, _: &mut Outputs<Fired<D>, D>) {
        let ShowAll { latest, fresh, passed } = self;
        latest.apply(batch, |time, identity, before| {
            let was_shown = fresh.insert((time, identity));
            if let Some((firing, rows)) = before.filter(|_| !was_shown) {
                passed.extend(rows.map(|data| (time, Fired { data, firing, last: false })));
            }
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Fired<D>, D>) {
        self.show(out);
        self.latest.settle(watermark, |time, firing, rows| {
            rows.into_iter().for_each(|data| out.emit.give(time, Fired { data, firing, last: true }));
        });
    }

    fn close_epoch(&mut self, out: &mut Outputs<Fired<D>, D>) {
        self.show(out);
    }

    fn kept(&mut self) -> Parts<'_> {
        self.latest.kept()
    }

    fn holds(&self) -> Option<EventTime> {
        self.latest.first()
    }
}

/// The rows of a stream that fires once.
pub(super) fn only<'s, D: Data>(inner: Inner<'s, D>, flow: &Flow<'s>, node: NodeId) -> Inner<'s, Fired<D>> {
    inner.unary::<NoopBuilder<Batch<Fired<D>>>, _, _, _>(Pipeline, &flow.label(node), move |_, _| {
        move |input, output| {
            enter(node);
            input.for_each(|capability, batch| {
                let fired = |Event { time, data }, out: &mut Vec<_>| {
                    out.push(Event::new(time, Fired { data, firing: 1, last: true }));
                };
                let mut fired = std::mem::take(batch).transform(fired);
                if !fired.is_empty() {
                    output.session_with_builder(&capability).give_container(&mut fired);
                }
            });
        }
    })
}
