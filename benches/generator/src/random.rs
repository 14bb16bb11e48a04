//! Random numbers that are a function of a seed and an event's number.

/// The step between the states of SplitMix64: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of random numbers that belongs to one event.
pub struct Random(u64);

impl Random {
    /// The sequence of event `number` under `seed`.
    pub fn new(seed: u64, number: u64) -> Random {
        // Mixed twice, so that neighbouring numbers (or seeds) do not walk along one sequence a step apart.
        Random(mix(mix(seed.wrapping_add(GOLDEN)) ^ number.wrapping_mul(GOLDEN)))
    }

    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "numbers without an end, drawn one by one: no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `end`, which is above zero.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// One of `choices`.
    pub fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A price in cents between one and a million units; each doubling is equally likely.
    pub fn price(&mut self) -> u64 {
        let (doublings, within) = (self.below(20), self.next() >> 32);
        ((100 << doublings) * ((1 << 32) + within)) >> 32
    }
}

/// The output function of SplitMix64.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
