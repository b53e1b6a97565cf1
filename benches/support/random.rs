//! SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine, from a seed and nothing else.

/// A stream of numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. The bias of the remainder is below 2^-40 for all bounds in use.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Spread evenly over octaves from 2^`from` to 2^`to`, and evenly within each: about one over x, in integers.
    pub fn octaves(&mut self, from: u32, to: u32) -> u64 {
        let octave = from + u32::try_from(self.below(u64::from(to - from))).expect("below 64");
        (1 << octave) + self.below(1 << octave)
    }
}
