//! `graph`: text, DOT and SVG.

use dualgauge::cli::Exit;

use crate::support::call;

#[test]
fn the_listing_names_every_operator_in_order() {
    let answer = call(&["graph"]);
    assert_eq!((answer.exit, answer.err.as_str()), (Exit::Done, ""));
    let listing = "  0  source bids\n  1  aggregate bids_per_auction (tumbling 10s) <= 0 by key\n  2  map <- 1\n  \
                   3  sink hot_items <- 2\n";
    assert_eq!(answer.out, listing);
}

#[test]
fn dot_and_svg_show_the_same_operators() {
    let dot = call(&["graph", "--format", "dot"]).out;
    assert!(dot.starts_with("digraph flow {") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains("n0 -> n1 [label=\"by key\"]"), "{dot}");
    let svg = call(&["graph", "--format", "svg"]).out;
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"), "{svg}");
    for name in ["bids", "bids_per_auction", "hot_items"] {
        assert!(dot.contains(name) && svg.contains(&format!(">{name}</text>")), "{name}");
    }
    assert_eq!(svg.matches("<rect ").count(), 4);
    assert!(svg.contains("class=\"stateful\""), "{svg}");
}
