//! Keyed 128-bit hashes that stand for wallets, ids and other keys in the state.
//!
//! Keyed SipHash-1-3, so that nobody who chooses wallet numbers can choose collisions; 128 bits, so that an
//! accident among 10^10 keys has a chance below 10^-18. Nothing in a decision depends on the value of a hash.

use siphasher::{sip, sip128};

/// The secret of a deployment; stable over restarts, since state is addressed by it.
#[derive(Clone, Copy, Debug)]
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
        sip128::SipHasher13::new_with_keys(self.0, self.1).hash(bytes).as_u128()
    }

    /// A hash of 64 bits, for what is told apart among the few million events of one wallet.
    #[must_use]
    #[inline]
    pub fn short_hash(self, bytes: &[u8]) -> u64 {
        sip::SipHasher13::new_with_keys(self.0, self.1).hash(bytes)
    }
}
