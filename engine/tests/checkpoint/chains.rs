//! A chain holds what the changes told, as a map that was told the same holds it.

use dualgauge_engine::checkpoint::{GroupRange, LayerRef};
use dualgauge_engine::fs::FaultFs;

use crate::common::{ALL, Dice, Held, Told, held, layer, store};

/// Some changes, and the map told of them: ranges remove what was there before.
pub fn random_layer(dice: &mut Dice, map: &mut Held) -> (Vec<Told>, Vec<(u8, u8)>) {
    let ranges: Vec<(u8, u8)> = (0..dice.roll(3)).map(|_| (dice.roll(20) as u8, dice.roll(20) as u8)).collect();
    map.retain(|(_, key), _| !ranges.iter().any(|(from, to)| (*from..*to).contains(&key[0])));
    let tell = |_| {
        let (group, key) = (dice.roll(3) as u16 * 100, dice.roll(20) as u8);
        let value = (dice.roll(3) > 0).then(|| dice.roll(1 << 20) as u32);
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
        let (mut dice, mut map, mut layers) = (Dice(seed), Held::new(), Vec::<LayerRef>::new());
        let store = store(&FaultFs::new());
        for number in 0..dice.roll(8) {
            let (told, ranges) = random_layer(&mut dice, &mut map);
            layers.push(layer(&store, &format!("layers/{number}"), &told, &ranges));
            assert_eq!(held(&store, &layers, "part", ALL).unwrap(), map, "seed {seed}, layer {number}");
            let some = GroupRange::new(50, 150);
            let of_some: Held =
                map.iter().filter(|((group, _), _)| *group == 100).map(|(k, v)| (k.clone(), v.clone())).collect();
            assert_eq!(held(&store, &layers, "part", some).unwrap(), of_some);
        }
    }
}
