//! Numbers that a seed decides, the same on every machine.

/// A small generator: SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014).
///
/// ```
/// use dualgauge_engine::testing::Random;
///
/// let drawn = |seed| (0..5).map(|_| Random(seed).below(6)).collect::<Vec<_>>();
/// assert_eq!(drawn(7), drawn(7));
/// ```
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number, from 0 up to, but not including, `end`.
    ///
    /// # Panics
    /// When there is no such number: `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
