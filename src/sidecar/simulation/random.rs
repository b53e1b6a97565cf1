//! Chance by seed, in the words of a simulation: ranges with both ends in, and parts of a thousand.

#[derive(Clone, Debug)]
pub struct Random(crate::random::Random);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(crate::random::Random::new(seed))
    }

    /// A number in `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    /// True `part` times of 1,000.
    pub fn permille(&mut self, part: u64) -> bool {
        self.0.chance(part, 1_000)
    }
}
