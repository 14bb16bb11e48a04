//! One truth of event time: the `#[event_time]` field of a row is the time by which it is sorted and files are cut.
//!
//! A step keeps the event time of what it is given, or has its own rule for it, and a closure fills the field. If the
//! two differed, a reader of the output would find rows out of order, and files that lack rows they should hold. So the
//! sink refuses such a row, and names the step that made it.

use std::collections::BTreeSet;

use crate::flow::graph::{Graph, NodeId, NodeSpec};
use crate::{Code, Error, Event, Record, Result};

/// How much of a row a message shows.
const ROW_CHARS: usize = 300;

/// What a sink knows of the event time of its rows.
#[derive(Debug)]
pub(super) struct Truth {
    /// The column that holds it.
    column: &'static str,
    /// The steps that make the rows, for a message.
    makers: String,
}

impl Truth {
    /// For the rows that reach `sink`; `None` where they do not hold their event time.
    pub(super) fn of<D: Record>(graph: &Graph, sink: NodeId) -> Option<Truth> {
        let column = D::event_time_column()?;
        let mut found = BTreeSet::new();
        makers(graph, sink, &mut found);
        let of = |id: &NodeId| {
            let spec = &graph.node(*id).spec;
            format!("{spec} at {}", spec.location)
        };
        let makers = found.iter().map(of).collect::<Vec<_>>().join(" or ");
        Some(Truth { column, makers })
    }

    /// Refuses rows whose field says another time than the one they have.
    pub(super) fn check<D: Record>(&self, events: &[Event<D>]) -> Result<()> {
        match events.iter().find(|event| event.data.event_time() != Some(event.time)) {
            None => Ok(()),
            Some(event) => Err(self.lie(event)),
        }
    }

    #[cold]
    fn lie<D: Record>(&self, event: &Event<D>) -> Error {
        let said = event.data.event_time().map_or("nothing".to_string(), |time| time.to_string());
        let row = format!("{:?}", event.data);
        let (shown, more) = match row.char_indices().nth(ROW_CHARS) {
            Some((end, _)) => (&row[..end], "…"),
            None => (&row[..], ""),
        };
        Code::EventTime.error(format!(
            "{} gives a row whose `#[event_time]` field `{}` says {said}, and whose event time is {}: {shown}{more}; rows are \
             sorted and files are cut by the event time. Give the field the event time (of a pane `pane.time`, of a pair the \
             later of the two), or take `#[event_time]` off it",
            self.makers, self.column, event.time
        ))
    }
}

/// The steps that make the rows that reach `node`: the nearest ones that do not only pass rows on.
fn makers(graph: &Graph, node: NodeId, found: &mut BTreeSet<NodeId>) {
    for &input in &graph.node(node).inputs {
        match graph.node(input).spec {
            NodeSpec { passes_rows: true, .. } => makers(graph, input, found),
            // Late records leave a step as they came: those before it made them.
            NodeSpec { kind: "late", .. } => {
                graph.node(input).inputs.iter().for_each(|&step| makers(graph, step, found))
            }
            _ => drop(found.insert(input)),
        }
    }
}
