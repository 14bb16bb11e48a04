//! A graph as a picture: rounded boxes in layers, sources at the top; no other program is needed to draw it.
//!
//! Bold frames remember something; thick arrows deal their events to the workers by key; a dashed frame depends on the
//! order of arrival.

use std::fmt::Write as _;

use super::layout::{Point, Route, Size, layout};
use super::{Graph, Node, NodeSpec};

/// Space around the picture.
const MARGIN: f64 = 20.0;

/// The font's size, and the width of a letter relative to it: wide enough for most sans-serif fonts.
const FONT: f64 = 13.0;
const LETTER: f64 = 0.6;
const LINE: f64 = 18.0;

const STYLE: &str = "\
text { font: 13px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2933; text-anchor: middle }
.kind { fill: #52606d } .name { font-weight: 600 } .detail { font-size: 11.5px; fill: #52606d }
rect { fill: #ffffff; stroke: #9aa5b1; stroke-width: 1.2 }
.source rect { fill: #e3f5ec; stroke: #3a9d6e } .sink rect { fill: #fdf1dc; stroke: #d08a1d }
.stateful rect { fill: #eaf1fd; stroke: #2f6fd0; stroke-width: 2.8 } .timing rect { stroke: #c23b3b; stroke-dasharray: 6 4 }
path { fill: none; stroke: #7b8794; stroke-width: 1.4 } .keyed { stroke: #2f6fd0; stroke-width: 2.6 }
.label { font-size: 11px; fill: #2f6fd0; stroke: #ffffff; stroke-width: 4; paint-order: stroke }
";

pub(super) fn draw(graph: &Graph) -> String {
    let texts: Vec<_> = graph.nodes().iter().map(|node| lines(&node.spec)).collect();
    let sizes: Vec<_> = texts.iter().map(|lines| size(lines)).collect();
    let inputs: Vec<_> = graph.nodes().iter().map(|node| node.inputs.iter().map(|input| input.0).collect()).collect();
    let layout = layout(&sizes, &inputs);
    let (width, height) = (layout.size.0 + 2.0 * MARGIN, layout.size.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"{:.0} {:.0} {width:.0} {height:.0}\">\n<style>\n{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 1L10 5L0 9z\" \
         style=\"fill:context-stroke;stroke:none\"/></marker></defs>\n",
        -MARGIN, -MARGIN
    );
    for edge in &layout.edges {
        draw_edge(&mut svg, edge, graph.nodes()[edge.to].spec.keyed);
    }
    for (node, ((lines, size), top)) in graph.nodes().iter().zip(texts.iter().zip(&sizes).zip(&layout.tops)) {
        draw_box(&mut svg, node, lines, *size, *top);
    }
    svg + "</svg>\n"
}

/// The lines of a box, each with its class.
fn lines(spec: &NodeSpec) -> Vec<(&'static str, String)> {
    let mut lines = vec![("kind", spec.kind.to_string())];
    lines.extend(spec.name.clone().map(|name| ("name", name)));
    lines.extend(Some(spec.detail.clone()).filter(|detail| !detail.is_empty()).map(|detail| ("detail", detail)));
    if spec.timing_dependent {
        lines.push(("detail", "timing-dependent".to_string()));
    }
    lines
}

fn size(lines: &[(&str, String)]) -> Size {
    let longest = lines.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0) as f64;
    ((longest * FONT * LETTER + 28.0).max(90.0), lines.len() as f64 * LINE + 14.0)
}

fn draw_box(svg: &mut String, node: &Node, lines: &[(&str, String)], (width, height): Size, (x, y): Point) {
    let mut class = match node.spec.kind {
        "source" => "source".to_string(),
        "sink" => "sink".to_string(),
        _ => String::new(),
    };
    if node.spec.stateful {
        class += " stateful";
    }
    if node.spec.timing_dependent {
        class += " timing";
    }
    let title = escaped(&format!("{} at {}", node.spec, node.spec.location));
    let left = x - width / 2.0;
    write!(
        svg,
        "<g class=\"{}\"><title>{title}</title>\
         <rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"9\"/>",
        class.trim()
    )
    .expect("a string takes all");
    for (at, (class, text)) in lines.iter().enumerate() {
        let base = y + 7.0 + LINE * (at as f64 + 0.75);
        write!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{base:.1}\">{}</text>", escaped(text))
            .expect("a string takes all");
    }
    svg.push_str("</g>\n");
}

fn draw_edge(svg: &mut String, edge: &Route, keyed: bool) {
    let (x, y) = edge.points[0];
    let mut path = format!("M{x:.1} {y:.1}");
    for pair in edge.points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let middle = (y0 + y1) / 2.0;
        write!(path, "C{x0:.1} {middle:.1} {x1:.1} {middle:.1} {x1:.1} {y1:.1}").expect("a string takes all");
    }
    let class = if keyed { " class=\"keyed\"" } else { "" };
    writeln!(svg, "<path{class} d=\"{path}\" marker-end=\"url(#tip)\"/>").expect("a string takes all");
    if keyed {
        let (x, y) = edge.points[edge.points.len() - 1];
        let (x0, y0) = edge.points[edge.points.len() - 2];
        let (x, y) = ((x + x0) / 2.0, (y + y0) / 2.0 + 4.0);
        writeln!(svg, "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\">by key</text>").expect("a string takes all");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::NodeId;
    use super::*;

    #[test]
    fn every_operator_and_every_edge_is_drawn_and_names_are_escaped() {
        let mut graph = Graph::default();
        let source = graph.add(NodeSpec { name: Some("a<b".into()), ..NodeSpec::stateless("source") }, vec![]);
        let step = NodeSpec { keyed: true, ..NodeSpec::stateful("aggregate", "per_key").detail("tumbling 10s") };
        let step = graph.add(step, vec![source]);
        graph.add(NodeSpec::stateless("sink"), vec![step, NodeId(0)]);
        let svg = graph.to_svg();
        assert_eq!(svg.matches("<rect ").count(), 3);
        assert_eq!(svg.matches("marker-end").count(), 3);
        assert_eq!(svg.matches("class=\"keyed\"").count(), 1);
        assert!(svg.contains("a&lt;b") && svg.contains("tumbling 10s") && svg.contains(">by key<"), "{svg}");
    }
}
