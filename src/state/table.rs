//! Where the record of a keyed hash lies: eight bytes and a tag for each, in many small tables.
//!
//! The hash itself stands in the record; here are 32 bits of it, which nearly always tell records apart without a
//! look at them, and which are all that a table needs when it grows. One table of ten million entries would stop the
//! engine for a third of a second when it does; of [`TABLES`] each holds some ten thousand, and grows in a tenth of
//! a millisecond.

use super::{Hash, arena::Handle};
use hashbrown::HashTable;

/// How many tables share the hashes evenly; a power of two.
const TABLES: usize = 1_024;

/// Handles by hash.
#[derive(Debug)]
pub struct Table {
    tables: Vec<HashTable<Entry>>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bits: u32,
    handle: Handle,
}

impl Default for Table {
    fn default() -> Self {
        Table { tables: (0..TABLES).map(|_| HashTable::new()).collect(), len: 0 }
    }
}

/// The parts of a hash: which table, and the bits that stand in it.
fn parts(hash: Hash) -> (usize, u32) {
    let [low, _, _, high] = std::array::from_fn(|part| {
        u32::try_from(hash >> (32 * part) & u128::from(u32::MAX)).expect("masked to 32 bits")
    });
    (high as usize % TABLES, low)
}

/// What a table goes by: it takes its tag from the highest bits and the place from the lowest.
fn spread(bits: u32) -> u64 {
    u64::from(bits) << 32 | u64::from(bits)
}

impl Table {
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The handle of `hash`, if `is_it` says that its record bears it.
    #[inline]
    pub fn find(&self, hash: Hash, is_it: impl Fn(Handle) -> bool) -> Option<Handle> {
        let (table, bits) = parts(hash);
        let entry = self.tables[table].find(spread(bits), |entry| entry.bits == bits && is_it(entry.handle))?;
        Some(entry.handle)
    }

    /// Takes in a hash that is not there.
    pub fn insert(&mut self, hash: Hash, handle: Handle) {
        let (table, bits) = parts(hash);
        self.tables[table].insert_unique(spread(bits), Entry { bits, handle }, |entry| spread(entry.bits));
        self.len += 1;
    }

    /// The record of `hash` has moved.
    ///
    /// # Panics
    /// If there is none at `from`.
    pub fn move_to(&mut self, hash: Hash, from: Handle, to: Handle) {
        let (table, bits) = parts(hash);
        let entry = self.tables[table].find_mut(spread(bits), |entry| entry.handle == from);
        entry.expect("a record moves from where it is").handle = to;
    }

    /// Lets go of the hash at a handle.
    pub fn remove(&mut self, hash: Hash, handle: Handle) {
        let (table, bits) = parts(hash);
        if let Ok(entry) = self.tables[table].find_entry(spread(bits), |entry| entry.handle == handle) {
            entry.remove();
            self.len -= 1;
        }
    }

    /// How many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// How many handles one table holds.
    #[must_use]
    pub fn len_of(&self, table: usize) -> usize {
        self.tables[table].len()
    }

    /// Lets go of those handles of one table that `keep` does not want.
    pub fn retain(&mut self, table: usize, mut keep: impl FnMut(Handle) -> bool) {
        let table = &mut self.tables[table];
        let before = table.len();
        table.retain(|entry| keep(entry.handle));
        self.len -= before - table.len();
    }

    /// All handles.
    pub fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        self.tables.iter().flatten().map(|entry| entry.handle)
    }
}
