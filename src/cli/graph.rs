//! `graph`: the operators, as text, DOT or SVG.

use crate::Graph;

/// The graph in a format that the command line names.
pub(super) fn show(graph: &Graph, format: &str) -> String {
    match format {
        "dot" => graph.to_dot(),
        "svg" => graph.to_svg(),
        _ => graph.to_string(),
    }
}
