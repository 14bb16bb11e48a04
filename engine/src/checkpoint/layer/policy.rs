//! When to merge which layers of a chain.

use std::ops::Range;

use crate::checkpoint::LayerRef;

/// The fewest young layers that are merged.
const FEW: usize = 8;

/// Which layers of a chain should be merged now; `None` where none should.
///
/// - **All of them** once the others have twice the bytes of the oldest: what is stored stays within three times what
///   is held.
/// - **The youngest that are one save each** once there are eight, and more of them than of those that are several: a
///   byte is merged once on its way to the oldest layer, and a chain with `n` saves not yet merged into the oldest has
///   about `2 √(2n)` layers.
///
/// Together with the save itself, this writes at most three times the bytes that changed while the held state does not
/// grow, and at most three and a half times while all of it is new.
///
/// ```
/// use dualgauge_engine::checkpoint::{LayerRef, compaction_due};
///
/// let layer = |size, saves| LayerRef { name: "layers/a".into(), size, checksum: 0, saves };
/// assert_eq!(compaction_due(&[layer(100, 9), layer(100, 1), layer(50, 1)]), None);
/// assert_eq!(compaction_due(&[layer(100, 9), layer(100, 1), layer(100, 1)]), Some(0..3));
/// assert_eq!(compaction_due(&[vec![layer(100, 9)], vec![layer(1, 1); 8]].concat()), Some(1..9));
/// ```
pub fn compaction_due(chain: &[LayerRef]) -> Option<Range<usize>> {
    let (oldest, others) = chain.split_first()?;
    let bytes: u64 = others.iter().map(|layer| layer.size).sum();
    if !others.is_empty() && bytes >= oldest.size.saturating_mul(2) {
        return Some(0..chain.len());
    }
    let single = others.iter().rev().take_while(|layer| layer.saves == 1).count();
    let several = others.len() - single;
    (single >= FEW.max(several + 1)).then(|| chain.len() - single..chain.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saves of `change(n)` bytes into a state that holds at most `held` bytes: bytes changed, bytes written, longest chain.
    fn run(saves: u64, held: u64, change: impl Fn(u64) -> u64) -> (u64, u64, usize) {
        let (mut chain, mut changed, mut written, mut longest) = (Vec::<LayerRef>::new(), 0, 0, 0);
        for save in 0..saves {
            chain.push(LayerRef { name: String::new(), size: change(save), checksum: 0, saves: 1 });
            changed += change(save);
            written += change(save);
            while let Some(range) = compaction_due(&chain) {
                let merged: Vec<_> = chain.drain(range.clone()).collect();
                let size = merged.iter().map(|layer| layer.size).sum::<u64>().min(held);
                let saves = merged.iter().map(|layer| layer.saves).sum();
                written += size;
                chain.insert(range.start, LayerRef { size, saves, ..merged[0].clone() });
            }
            longest = longest.max(chain.len());
        }
        (changed, written, longest)
    }

    #[test]
    fn a_state_that_does_not_grow_is_written_at_most_three_times_and_its_chain_is_short() {
        for (held, longest_allowed) in [(10, 12), (100, 45), (1_000, 130)] {
            let first = |save| if save == 0 { held * 1_000 } else { 1_000 };
            let (changed, written, longest) = run(20_000, held * 1_000, first);
            assert!(written <= 3 * changed, "{held}: {written} for {changed}");
            assert!(longest <= longest_allowed, "{held}: {longest}");
        }
    }

    #[test]
    fn a_state_that_only_grows_is_written_at_most_three_and_a_half_times() {
        for uneven in [1, 7, 100] {
            let (changed, written, longest) = run(5_000, u64::MAX, |save| 1_000 + save * 7919 % uneven * 1_000);
            assert!(written * 2 <= 7 * changed, "{written} for {changed}");
            assert!(longest <= 300, "{longest}");
        }
    }

    #[test]
    fn a_huge_save_among_small_ones_does_not_make_the_chain_grow_for_ever() {
        let (_, _, longest) = run(20_000, 1_000_000, |save| if save % 100 == 0 { 100_000 } else { 100 });
        assert!(longest <= 130, "{longest}");
    }
}
