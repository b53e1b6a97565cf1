//! Chance by seed: SplitMix64 (Steele, Lea and Flood, 2014), whole numbers only.
//!
//! Written here so that a seed gives the same bytes on every machine and after every update of a dependency. Nothing is
//! drawn as a floating-point number, whose last bits differ between machines.

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A stream of its own for each `(seed, number)`: what is fixed about wallet `number`.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Random {
        let mut mixer = Random(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        Random(mixer.draw())
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number in `0..bound`, by Lemire's multiplication; its bias is below `bound / 2^64`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        let product = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half of 128 bits is 64 bits")
    }

    /// A place in `0..length`.
    pub fn place(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).expect("lengths fit 64 bits");
        usize::try_from(self.below(bound)).expect("a number below a length is a length")
    }

    /// A number in `0..bound`, for times and money.
    pub fn below_signed(&mut self, bound: i64) -> i64 {
        let bound = u64::try_from(bound).expect("bounds are positive");
        i64::try_from(self.below(bound)).expect("a number below an i64 is one")
    }

    /// True `part` times of `whole`.
    pub fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// One of the values, as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, values: &[(u64, T)]) -> T {
        let total = values.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.below(total);
        for (weight, value) in values {
            if drawn < *weight {
                return *value;
            }
            drawn -= weight;
        }
        unreachable!("what is drawn is below the sum of all weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of seed 1234567, from the author's own `splitmix64.c`.
    #[test]
    fn is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.draw()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn keeps_its_bounds_and_weights() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 3];
        for _ in 0..9_000 {
            assert!(random.below(10) < 10);
            counts[random.weighted(&[(1, 0), (0, 1), (2, 2)])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((2_700..3_300).contains(&counts[0]), "{counts:?}");
    }
}
