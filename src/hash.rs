//! Keyed 128-bit hashes that stand for wallets, ids and other keys in the state.
//!
//! Keyed SipHash-1-3, so that nobody who chooses wallet numbers can choose collisions; 128 bits, so that an
//! accident among 10^10 keys has a chance below 10^-18. Nothing in a decision depends on the value of a hash.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

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
    /// The hash of several texts, each told apart from the next by its length.
    #[must_use]
    pub fn hash_parts(self, parts: [&[u8]; 3]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }

    /// The hash of `bytes`.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write(bytes);
        hasher.finish128().as_u128()
    }
}
