//! The state as records of a compacted topic: what a key and a value look like, and how they are told from damage.
//!
//! A record here is a pair of bytes, [`StateRecord`]; a value of nothing is a tombstone. Whoever keeps the newest value of
//! each key has the whole state. Nothing of a process is in them: instants are whole, measures and names are numbers of a
//! dictionary that is a record itself. What a wallet or a memory says is written by [`wallet`] and [`memory`]; which
//! records there are is the engine's business.
//!
//! A value is the version (1 byte), the seal (8), and the body. The seal is a keyed hash of key and body, with the key by
//! which wallets are hashed: bytes that were damaged, that stand under another key, or that another deployment wrote, are
//! refused. A body that is longer than [`limits::STATE_PART_BYTES`] goes in parts, each a record of its own.

use crate::limits;

/// One record: what a producer sends and a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    pub key: Vec<u8>,
    /// Nothing is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// The version that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// Why records are not a state. The operator must act; nothing is decided upon a state that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Written by another version of Kuzet.
    Version { key: String, found: u8 },
    /// Not the bytes that were written, or written with another hash key.
    Damaged { key: String },
    /// Sealed, and yet it says what cannot be.
    Wrong { key: String, what: String },
    /// Part of what belongs together is not there.
    Missing { key: String, what: String },
}

/// What one tick leaves in the `state` topic of each of its partitions: how far the input is decided, by whom, and how far
/// the restrictions of other partitions had been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickRecord {
    /// The offset of the next record to decide on.
    pub next: i64,
    pub incarnation: u64,
    pub tick: u64,
    /// By partition of `restrictions`, the next offset to apply.
    pub positions: Vec<i64>,
}
