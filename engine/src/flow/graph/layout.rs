//! Where the boxes of a graph go: layers from the sources down, and few crossings.
//!
//! A box lies one layer below the lowest of its inputs. An edge that crosses a layer takes a slot in it, as a box
//! without width, so that it runs between boxes and not across them. Order and positions come from a few sweeps down
//! and up, each pulling every box towards the mean of its neighbours.

use std::collections::BTreeMap;

/// How far apart the boxes of a layer are.
const GAP: f64 = 28.0;

/// How far apart two layers are: room for an arrow and its label.
const LAYER_GAP: f64 = 46.0;

/// How many times the boxes are pulled towards their neighbours. Small graphs settle long before.
const SWEEPS: usize = 12;

/// The width and height of a box.
pub(super) type Size = (f64, f64);

/// A point of the picture, from its upper left corner.
pub(super) type Point = (f64, f64);

/// A graph in the plane.
pub(super) struct Layout {
    /// The middle of the upper edge of each box.
    pub(super) tops: Vec<Point>,
    /// For each edge the points that it goes through, from the lower edge of one box to the upper edge of another.
    pub(super) edges: Vec<Route>,
    /// The picture's width and height.
    pub(super) size: Size,
}

/// An edge and its way.
pub(super) struct Route {
    pub(super) to: usize,
    pub(super) points: Vec<Point>,
}

/// A box, or the slot that an edge takes in a layer it crosses.
struct Slot {
    layer: usize,
    width: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Places boxes of these sizes, each of which comes after its inputs.
pub(super) fn layout(sizes: &[Size], inputs: &[Vec<usize>]) -> Layout {
    let mut slots: Vec<Slot> = Vec::new();
    for (node, size) in sizes.iter().enumerate() {
        let layer = inputs[node].iter().map(|&input| slots[input].layer + 1).max().unwrap_or(0);
        slots.push(Slot { layer, width: size.0, x: 0.0, above: Vec::new(), below: Vec::new() });
    }
    let mut chains = Vec::new();
    for (to, froms) in inputs.iter().enumerate() {
        for &from in froms {
            chains.push((to, chain(&mut slots, from, to)));
        }
    }
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (id, slot) in slots.iter().enumerate() {
        layers.entry(slot.layer).or_default().push(id);
    }
    let mut layers: Vec<Vec<usize>> = layers.into_values().collect();
    for sweep in 0..SWEEPS {
        let reorder = sweep < SWEEPS / 2;
        for layer in &mut layers {
            settle(&mut slots, layer, reorder, |slot| &slot.above);
        }
        for layer in layers.iter_mut().rev() {
            settle(&mut slots, layer, reorder, |slot| &slot.below);
        }
    }
    draw(slots, &layers, sizes, chains)
}

/// Connects two boxes through every layer between them; returns the slots from end to end.
fn chain(slots: &mut Vec<Slot>, from: usize, to: usize) -> Vec<usize> {
    let mut chain = vec![from];
    for layer in slots[from].layer + 1..slots[to].layer {
        slots.push(Slot { layer, width: 0.0, x: 0.0, above: Vec::new(), below: Vec::new() });
        chain.push(slots.len() - 1);
    }
    chain.push(to);
    for pair in chain.windows(2) {
        slots[pair[0]].below.push(pair[1]);
        slots[pair[1]].above.push(pair[0]);
    }
    chain
}

/// Pulls a layer's slots towards the mean of their neighbours on one side, and apart where they would overlap.
fn settle(slots: &mut [Slot], layer: &mut [usize], reorder: bool, neighbours: impl Fn(&Slot) -> &Vec<usize>) {
    for &id in layer.iter() {
        let near = neighbours(&slots[id]);
        if !near.is_empty() {
            slots[id].x = near.iter().map(|&other| slots[other].x).sum::<f64>() / near.len() as f64;
        }
    }
    if reorder {
        layer.sort_by(|&a, &b| slots[a].x.total_cmp(&slots[b].x));
    }
    // Those that would overlap become a block at the mean of the places they are pulled to; the rest stay where they
    // are. A block is the number of its slots and the sum of where each would have the layer start.
    let mut blocks: Vec<(usize, f64)> = Vec::new();
    let mut places = Vec::with_capacity(layer.len());
    let mut place = 0.0;
    for (at, &id) in layer.iter().enumerate() {
        if at > 0 {
            place += (slots[layer[at - 1]].width + slots[id].width) / 2.0 + GAP;
        }
        places.push(place);
        let mut block = (1, slots[id].x - place);
        while let Some(&(count, sum)) = blocks.last().filter(|last| last.1 / last.0 as f64 > block.1 / block.0 as f64) {
            block = (block.0 + count, block.1 + sum);
            blocks.pop();
        }
        blocks.push(block);
    }
    let starts = blocks.iter().flat_map(|&(count, sum)| std::iter::repeat_n(sum / count as f64, count));
    for ((&id, place), start) in layer.iter().zip(places).zip(starts) {
        slots[id].x = start + place;
    }
}

fn draw(mut slots: Vec<Slot>, layers: &[Vec<usize>], sizes: &[Size], chains: Vec<(usize, Vec<usize>)>) -> Layout {
    let left = slots.iter().map(|slot| slot.x - slot.width / 2.0).fold(f64::INFINITY, f64::min).min(f64::MAX);
    for slot in &mut slots {
        slot.x -= left;
    }
    let width = slots.iter().map(|slot| slot.x + slot.width / 2.0).fold(0.0, f64::max);
    let height_of = |id: &usize| sizes.get(*id).map_or(0.0, |size| size.1);
    let (mut y, mut spans) = (0.0, Vec::new());
    for layer in layers {
        let height = layer.iter().map(height_of).fold(0.0, f64::max);
        spans.push((y, y + height));
        y += height + LAYER_GAP;
    }
    let top = |id: usize| (slots[id].x, spans[slots[id].layer].0);
    let route = |(to, chain): (usize, Vec<usize>)| {
        let mut points = vec![(slots[chain[0]].x, top(chain[0]).1 + sizes[chain[0]].1)];
        for &passed in &chain[1..chain.len() - 1] {
            let (from, to) = spans[slots[passed].layer];
            points.extend([(slots[passed].x, from), (slots[passed].x, to)]);
        }
        points.push(top(to));
        Route { to, points }
    };
    Layout {
        tops: (0..sizes.len()).map(top).collect(),
        edges: chains.into_iter().map(route).collect(),
        size: (width, (y - LAYER_GAP).max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Size = (100.0, 40.0);

    #[test]
    fn a_box_lies_below_its_inputs_and_beside_no_other() {
        let inputs = vec![vec![], vec![], vec![0], vec![0, 1], vec![2, 3], vec![4], vec![4]];
        let layout = layout(&[BOX; 7], &inputs);
        for (node, froms) in inputs.iter().enumerate() {
            for &from in froms {
                assert!(layout.tops[from].1 + BOX.1 < layout.tops[node].1, "{from} above {node}");
            }
        }
        for a in 0..7 {
            for b in 0..a {
                let ((ax, ay), (bx, by)) = (layout.tops[a], layout.tops[b]);
                assert!(ay != by || (ax - bx).abs() >= BOX.0 + GAP - 1e-6, "{a} and {b} overlap");
            }
            let x = layout.tops[a].0;
            assert!(x - 50.0 >= -1e-6 && x + 50.0 <= layout.size.0 + 1e-6, "{a} leaves the picture");
        }
    }

    #[test]
    fn an_edge_that_passes_a_layer_runs_between_its_boxes() {
        // 0 → 1 → 2 and 0 → 2 past 1.
        let layout = layout(&[BOX; 3], &[vec![], vec![0], vec![1, 0]]);
        let long = layout.edges.iter().find(|edge| edge.points.len() > 2).unwrap();
        let passing = long.points[1].0;
        assert!((passing - layout.tops[1].0).abs() >= 50.0, "{passing} crosses the box at {:?}", layout.tops[1]);
    }

    #[test]
    fn a_chain_is_straight() {
        let layout = layout(&[(80.0, 40.0), (200.0, 40.0), (120.0, 40.0)], &[vec![], vec![0], vec![1]]);
        assert!(layout.tops.iter().all(|top| (top.0 - 100.0).abs() < 1e-6), "{:?}", layout.tops);
    }
}
