//! What the engine remembers: of each wallet one short record, of foreign keys one memory each, of addresses and of
//! all the restrictions that stand there.
//!
//! Nothing of a rule is stored for a wallet that it never matched. What has passed is left out when a record is
//! packed, so that memory follows what is still needed. No clock, no input: the engine says what is over.
//!
//! [`wallets`] and [`foreign`] are the ways in; below them `records`, `table` and `arena` say where a record lies, `bytes`, `cells`, [`memory`],
//! [`packed`] and [`special`] how it is written.

mod arena;
mod bytes;
mod cells;
mod directory;
pub mod foreign;
pub mod ids;
mod many;
pub mod map;
pub mod memory;
pub mod packed;
mod pages;
pub mod record;
mod records;
mod slab;
pub mod special;
mod table;
pub mod wallets;

use hashbrown::HashMap;

/// The hash of a wallet or another key.
pub type Hash = u128;

/// A hasher for keys that are keyed hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsIs(u64);

impl std::hash::Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u128(&mut self, hash: u128) {
        let low = u64::try_from(hash & u128::from(u64::MAX)).expect("masked to 64 bits");
        // A key may be an amount, whose high bits, from which a table takes its tags, are all alike.
        self.0 = (self.0 ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = self.0.rotate_left(29) ^ hash;
    }
    fn write_u16(&mut self, number: u16) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map from keyed hashes.
pub type HashedMap<K, V> = HashMap<K, V, std::hash::BuildHasherDefault<AsIs>>;

/// A measure's place in the engine's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u16);
