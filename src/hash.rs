//! Keyed 128-bit hashes that stand for wallets, ids and other keys in the state.
//!
//! Keyed SipHash-1-3, so that nobody who chooses wallet numbers can choose collisions; 128 bits, so that an
//! accident among 10^10 keys has a chance below 10^-18. Nothing in a decision depends on the value of a hash.

mod sip;

/// The secret of a deployment; stable over restarts, since state is addressed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKey(pub u64, pub u64);

impl Default for HashKey {
    /// The key of `replay`, where state dies with the process.
    fn default() -> Self {
        HashKey(0x6b75_7a65_745f_6b31, 0x6b75_7a65_745f_6b32)
    }
}

impl HashKey {
    /// The hash of `bytes`.
    #[must_use]
    #[inline]
    pub fn hash(self, bytes: &[u8]) -> u128 {
        sip::hash128([self.0, self.1], bytes)
    }

    /// A hash of 64 bits, for what is told apart among the few million events of one wallet.
    #[must_use]
    #[inline]
    pub fn short_hash(self, bytes: &[u8]) -> u64 {
        sip::hash64([self.0, self.1], bytes)
    }

    /// A hash of texts one after the other, each with the hash of those before it in its key, by which it is seen whether
    /// they are as they were.
    #[must_use]
    pub fn seal(self, texts: &[&[u8]]) -> u64 {
        texts.iter().fold(0, |before, text| sip::hash64([self.0 ^ before, self.1], text))
    }

    /// A mark by which two records of one event are told apart: words multiplied and folded, the idea of wyhash
    /// (Wang Yi). Cheaper than a hash that withstands an attack, of which there is none here: whoever makes two
    /// events alike has only his own repeat taken for one.
    #[must_use]
    #[inline]
    pub fn fingerprint(self, words: [u64; 2], text: &[u8]) -> u64 {
        let mut mark = self.0;
        let mut take = |word: u64| mark = fold(mark ^ word, self.1 ^ MULTIPLIER);
        words.into_iter().for_each(&mut take);
        let (whole, rest) = text.as_chunks::<8>();
        whole.iter().for_each(|word| take(u64::from_le_bytes(*word)));
        // The rest and the length are one word: a rest is at most seven bytes.
        let rest = rest.iter().fold(text.len() as u64, |word, byte| word << 8 | u64::from(*byte));
        take(rest);
        fold(mark, MULTIPLIER)
    }
}

/// An odd number without a pattern: the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of a product, one upon the other.
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    let [low, high] = [product, product >> 64].map(|half| half & u128::from(u64::MAX));
    u64::try_from(low ^ high).expect("masked to 64 bits")
}
