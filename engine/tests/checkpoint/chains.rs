//! A chain holds what the changes told, as a map that was told the same holds it.

use dualgauge_engine::checkpoint::{Becomes, ChainReader, GroupRange, LayerRef, compact, rewrite, write_layer};
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::state::Fingerprint;
use dualgauge_engine::testing::Random;

use crate::common::{ALL, Held, Told, held, layer, part, store};

/// Some changes, and the map told of them: ranges remove what was there before.
pub fn random_layer(random: &mut Random, map: &mut Held) -> (Vec<Told>, Vec<(u8, u8)>) {
    let ranges: Vec<(u8, u8)> =
        (0..random.below(3)).map(|_| (random.below(20) as u8, random.below(20) as u8)).collect();
    map.retain(|(_, key), _| !ranges.iter().any(|(from, to)| (*from..*to).contains(&key[0])));
    let tell = |_| {
        let (group, key) = (random.below(3) as u16 * 100, random.below(20) as u8);
        let value = (random.below(3) > 0).then(|| random.below(1 << 20) as u32);
        match value {
            Some(value) => map.insert((group, vec![key]), postcard::to_stdvec(&value).unwrap()),
            None => map.remove(&(group, vec![key])),
        };
        (group, key, value)
    };
    let told = (0..20).map(tell).collect();
    (told, ranges)
}

#[test]
fn a_chain_holds_what_a_map_holds_that_was_told_the_same() {
    for seed in 0..200 {
        let (mut random, mut map, mut layers) = (Random(seed), Held::new(), Vec::<LayerRef>::new());
        let store = store(&FaultFs::new());
        for number in 0..random.below(8) {
            let (told, ranges) = random_layer(&mut random, &mut map);
            layers.push(layer(&store, &format!("layers/{number}"), &told, &ranges));
            assert_eq!(held(&store, &layers, "part", ALL).unwrap(), map, "seed {seed}, layer {number}");
            let some = GroupRange::new(50, 150);
            let of_some: Held =
                map.iter().filter(|((group, _), _)| *group == 100).map(|(k, v)| (k.clone(), v.clone())).collect();
            assert_eq!(held(&store, &layers, "part", some).unwrap(), of_some);
        }
    }
}

#[test]
fn a_chain_holds_the_same_after_any_of_its_layers_were_merged() {
    for seed in 0..200 {
        let (mut random, mut map, mut layers) = (Random(seed), Held::new(), Vec::<LayerRef>::new());
        let store = store(&FaultFs::new());
        for number in 0..12 {
            let (told, ranges) = random_layer(&mut random, &mut map);
            layers.push(layer(&store, &format!("layers/{number}"), &told, &ranges));
            if random.below(2) == 0 {
                let start = random.below(layers.len() as u64) as usize;
                let end = start + 1 + random.below((layers.len() - start) as u64) as usize;
                let name = format!("layers/{number}-merged");
                let merged = compact(&store, &layers, start..end, ALL, &name).unwrap();
                layers.splice(start..end, [merged]);
                assert_eq!(held(&store, &layers, "part", ALL).unwrap(), map, "seed {seed}, {start}..{end} at {number}");
            }
        }
    }
}

#[test]
fn merging_a_whole_chain_leaves_nothing_of_what_was_removed_and_nothing_of_other_groups() {
    let store = store(&FaultFs::new());
    let told = |value| (0..100).flat_map(move |key| [(1, key, value), (2, key, value)]).collect::<Vec<_>>();
    let layers = [
        layer(&store, "layers/1", &told(Some(7)), &[]),
        layer(&store, "layers/2", &told(None), &[(0, 50)]),
        layer(&store, "layers/3", &[(1, 1, Some(8)), (2, 1, Some(9))], &[]),
    ];
    let groups = GroupRange::new(0, 2);
    let merged = compact(&store, &layers, 0..3, groups, "layers/4").unwrap();
    let alone = layer(&store, "layers/5", &[(1, 1, Some(8))], &[]);
    assert_eq!(store.get("layers/4").unwrap(), store.get("layers/5").unwrap());
    assert_eq!(merged.checksum, alone.checksum);
    let dropped = rewrite(&store, &layers, ALL, "layers/6", &|_, part| {
        if part == "part" { Becomes::Nothing } else { Becomes::Same }
    })
    .unwrap();
    assert!(ChainReader::open(store, &[dropped]).unwrap().shapes().is_empty());
}

#[test]
fn layers_that_hold_a_part_in_different_shapes_are_refused_by_both_names() {
    let store = store(&FaultFs::new());
    let one = layer(&store, "layers/1", &[(0, 1, Some(2))], &[]);
    let mut other = part("part", &[], &[]);
    other.fingerprint = Fingerprint::of::<(u8, String)>();
    let other = write_layer(&*store, "layers/2", &[other]).unwrap();
    let error = ChainReader::open(store, &[one, other]).unwrap_err().to_string();
    for named in ["step step", "part part", "layers/1", "layers/2", "(u8, u32)", "(u8, String)"] {
        assert!(error.contains(named), "{named} is not in {error}");
    }
}
