//! The operator graph as data: what `graph` prints and what an error message points to.

mod layout;
mod svg;

use std::fmt::{self, Write as _};
use std::panic::Location;

use crate::{Basis, Duration};

/// The operators of a flow in the order they were added, each after its inputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
}

/// The place of an operator in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// One operator.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is and what it is called.
    pub spec: NodeSpec,
    /// Where its input comes from.
    pub inputs: Vec<NodeId>,
}

/// What an operator is, before it has a place in a graph.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// The method that adds it: `map`, `aggregate`, `source`.
    pub kind: &'static str,
    /// Its durable name, for sources, sinks and stateful steps.
    pub name: Option<String>,
    /// What a reader of the listing should know: window, aggregate, lateness.
    pub detail: String,
    /// The part of the detail that the state depends on, where that is not all of it.
    pub state_detail: Option<String>,
    /// What it accumulates, where that is an aggregate.
    pub aggregate: Option<String>,
    /// Whether its input is dealt to the workers by key.
    pub keyed: bool,
    /// Whether it remembers something from one event to the next.
    pub stateful: bool,
    /// Whether its answer depends on the order of arrival.
    pub timing_dependent: bool,
    /// Whether it passes its rows on unchanged: a message then names the steps before it as their makers.
    pub passes_rows: bool,
    /// The windows that it keeps open, where they have a fixed size.
    pub windows: Option<Windows>,
    /// The line of the user's program.
    pub location: &'static Location<'static>,
}

/// Windows of one size at fixed places: what a plan needs in order to say how many are open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How long after its start a window is held: its size plus the allowed lateness.
    pub held: Duration,
    /// How long after one window the next one starts.
    pub slide: Duration,
}

impl Windows {
    /// The most windows that are held while events of a span this long are read in any order.
    pub fn open_over(&self, span: Duration) -> u64 {
        // Each window whose start is in (first event - held, last event] is open.
        let starts = (span + self.held).as_micros().max(0) as u64;
        starts.div_ceil(self.slide.as_micros().max(1) as u64)
    }
}

impl NodeSpec {
    /// An operator without memory.
    #[track_caller]
    pub fn stateless(kind: &'static str) -> NodeSpec {
        NodeSpec {
            kind,
            name: None,
            detail: String::new(),
            state_detail: None,
            aggregate: None,
            keyed: false,
            stateful: false,
            timing_dependent: false,
            passes_rows: false,
            windows: None,
            location: Location::caller(),
        }
    }

    /// A step with memory, under its durable name.
    #[track_caller]
    pub fn stateful(kind: &'static str, name: impl Into<String>) -> NodeSpec {
        NodeSpec { name: Some(name.into()), stateful: true, ..NodeSpec::stateless(kind) }
    }

    /// With something a reader should know.
    pub fn detail(mut self, detail: impl Into<String>) -> NodeSpec {
        self.detail = detail.into();
        self
    }

    /// With a detail of which only this decides what the state means: the rest may differ when a job resumes.
    pub fn state_detail(mut self, detail: impl Into<String>) -> NodeSpec {
        self.state_detail = Some(detail.into());
        self
    }

    /// With the aggregate whose accumulators it keeps: those of another aggregate mean something else.
    pub fn aggregate(mut self, name: impl Into<String>) -> NodeSpec {
        self.aggregate = Some(name.into());
        self
    }

    /// What its state depends on: in a graph that says something else here, nothing it keeps means the same.
    pub(crate) fn basis(&self) -> Basis {
        let order = if self.timing_dependent { "arrival" } else { "event time" };
        let detail = self.state_detail.as_ref().unwrap_or(&self.detail);
        let basis = Basis::new().with("operator", self.kind).with("order", order).with("detail", detail);
        self.aggregate.iter().fold(basis, |basis, name| basis.with("aggregate", name))
    }

    /// With windows at fixed places.
    pub fn windows(mut self, held: Duration, slide: Duration) -> NodeSpec {
        self.windows = Some(Windows { held, slide });
        self
    }

    /// Says that it passes its rows on unchanged.
    pub fn passes_rows(mut self) -> NodeSpec {
        self.passes_rows = true;
        self
    }

    /// Marked as depending on the order of arrival.
    pub fn timing_dependent(mut self) -> NodeSpec {
        self.timing_dependent = true;
        self
    }

    /// The name that messages, metrics and listings use: the durable name, else the kind.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind)
    }
}

impl fmt::Display for NodeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        if self.timing_dependent {
            f.write_str(" [timing-dependent]")?;
        }
        Ok(())
    }
}

impl Graph {
    pub(crate) fn add(&mut self, spec: NodeSpec, inputs: Vec<NodeId>) -> NodeId {
        self.nodes.push(Node { spec, inputs });
        NodeId(self.nodes.len() - 1)
    }

    /// The operators, each after its inputs.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node at `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The graph in the DOT language of Graphviz.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph flow {\n  rankdir=TB;\n  node [shape=box, style=rounded];\n");
        for (id, node) in self.nodes.iter().enumerate() {
            let label = node.spec.to_string().replace('"', "\\\"");
            let shape = if node.spec.stateful { ", penwidth=2" } else { "" };
            writeln!(dot, "  n{id} [label=\"{label}\"{shape}];").expect("a string takes all");
            for input in &node.inputs {
                let style = if node.spec.keyed { " [label=\"by key\"]" } else { "" };
                writeln!(dot, "  n{} -> n{id}{style};", input.0).expect("a string takes all");
            }
        }
        dot + "}\n"
    }
}

impl Graph {
    /// The graph as a picture: sources at the top, sinks at the bottom, steps with memory drawn bold.
    pub fn to_svg(&self) -> String {
        svg::draw(self)
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<_> = node.inputs.iter().map(|input| format!("{}", input.0)).collect();
            let arrow = match (inputs.is_empty(), node.spec.keyed) {
                (true, _) => String::new(),
                (false, false) => format!(" <- {}", inputs.join(", ")),
                (false, true) => format!(" <= {} by key", inputs.join(", ")),
            };
            writeln!(f, "{id:>3}  {}{arrow}", node.spec)?;
        }
        Ok(())
    }
}
