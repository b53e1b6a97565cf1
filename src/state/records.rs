//! Records by keyed hash: short runs of bytes, each of which begins with its hash.
//!
//! What a wallet or a foreign key is remembered by lies in a block of the arena, and the table says in which. A record
//! that outgrows its block moves to another. When many do so at once, as on the first event of a new day, they would
//! leave pages behind in which a few blocks hold the room of all; so a page that is less than half in use is emptied, two
//! blocks an event.

use super::{
    Hash,
    arena::{Arena, Handle, with_room_to_grow},
    table::Table,
};
use crate::memory::Supply;

/// Bytes of the hash that a record begins with.
pub const HASH_BYTES: usize = 16;
/// Bytes of a record's own length, which stands in its head.
pub const LENGTH_BYTES: usize = 3;
/// Bytes that a processor fetches at once.
const LINE: usize = 64;
/// Records whose first lines are asked for before the first of their others.
const TOGETHER: usize = 16;
/// Blocks of a page in little use that one event moves.
const MOVED_AT_ONCE: usize = 2;

/// The length that stands at `at` in the head of a record.
#[must_use]
#[inline]
pub fn length_at(record: &[u8], at: usize) -> usize {
    let [a, b, c] = *record[at..].first_chunk().expect("a record begins with its head");
    u32::from_le_bytes([a, b, c, 0]) as usize
}

/// Puts a record's length at `at` in its head.
#[inline]
pub fn put_length(record: &mut [u8], at: usize) {
    let length = u32::try_from(record.len()).ok().filter(|length| *length < 1 << (8 * LENGTH_BYTES));
    let [a, b, c, _] = length.expect("what is long leaves the record").to_le_bytes();
    record[at..at + LENGTH_BYTES].copy_from_slice(&[a, b, c]);
}

/// All records of one kind.
#[derive(Debug, Default)]
pub struct Records {
    table: Table,
    arena: Arena,
}

impl Records {
    /// Where the memory comes from that records and their table lie in.
    pub fn supply(&mut self, supply: &Supply) {
        self.table.supply(supply);
        self.arena.supply(supply);
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Where a record lies, if there is one.
    #[must_use]
    #[inline]
    pub fn find(&self, hash: Hash) -> Option<Handle> {
        self.table.find(hash, |handle| self.arena.bytes(handle).first_chunk() == Some(&hash.to_le_bytes()))
    }

    /// A record's bytes, and behind them others, which are no part of it.
    #[must_use]
    #[inline]
    pub fn bytes(&self, handle: Handle) -> &[u8] {
        self.arena.bytes(handle)
    }

    /// The record of `hash`, if the first that a look-up would ask about is its.
    #[inline]
    pub fn guess(&self, hash: Hash) -> Option<&[u8]> {
        let block = self.bytes(self.table.guess(hash)?);
        (block.first_chunk() == Some(&hash.to_le_bytes())).then_some(block)
    }

    /// Reads records that will be asked for soon, and nothing of what they say: what a processor does not have at hand
    /// comes for many at once, where one after the other would wait for each. `length_of` says how long a record is.
    pub fn look_ahead(&self, hashes: impl Iterator<Item = Hash> + Clone, length_of: fn(&[u8]) -> usize) -> u64 {
        let mut read = 0;
        for hash in hashes.clone() {
            read ^= self.table.touch(hash);
        }
        let mut found = hashes.filter_map(|hash| self.table.guess(hash)).map(|handle| self.arena.bytes(handle));
        loop {
            let (mut together, mut count): ([&[u8]; TOGETHER], usize) = ([&[]; TOGETHER], 0);
            for (place, record) in together.iter_mut().zip(&mut found) {
                (*place, count) = (record, count + 1);
            }
            // The first line of each says how many more there are.
            let together = &together[..count];
            read ^= together.iter().fold(0, |read, record| read ^ u64::from(record[0]));
            for record in together {
                let lines = record[..length_of(record)].iter().skip(LINE).step_by(LINE);
                read ^= lines.fold(0, |read, byte| read ^ u64::from(*byte));
            }
            if count < TOGETHER {
                return read;
            }
        }
    }

    /// Writes a record to the block that it is `known` to have, or to another where it has none, has outgrown it or has
    /// shrunk; gives the block.
    #[inline]
    pub fn write(&mut self, hash: Hash, known: Option<Handle>, record: &[u8]) -> Handle {
        let Records { table, arena } = self;
        let handle = match known {
            Some(handle) if arena.fits(handle, record.len()) => handle,
            Some(known) => {
                let handle = arena.allocate(with_room_to_grow(record.len()));
                table.move_to(hash, known, handle);
                arena.release(known);
                handle
            }
            None => {
                let handle = arena.allocate(record.len());
                table.insert(hash, handle);
                handle
            }
        };
        arena.bytes_mut(handle)[..record.len()].copy_from_slice(record);
        handle
    }

    /// Lets go of a record.
    pub fn remove(&mut self, hash: Hash, handle: Handle) {
        self.table.remove(hash, handle);
        self.arena.release(handle);
    }

    /// Moves a few records out of a page that is in little use. No handle from before is good any more.
    #[inline]
    pub fn settle(&mut self) {
        if self.arena.has_sparse() {
            self.move_some();
        }
    }

    #[cold]
    fn move_some(&mut self) {
        let Records { table, arena } = self;
        for _ in 0..MOVED_AT_ONCE {
            let Some(sparse) = arena.next_sparse() else { return };
            let hash = Hash::from_le_bytes(*arena.bytes(sparse).first_chunk().expect("a block holds a hash"));
            // A block that is free is nobody's.
            if table.find(hash, |handle| handle == sparse).is_some() {
                let handle = arena.copy(sparse);
                table.move_to(hash, sparse, handle);
                arena.release(sparse);
            }
        }
    }

    /// How many segments there are to be looked through.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.table.segments()
    }

    /// How many records one segment holds.
    #[must_use]
    pub fn count_in(&self, segment: usize) -> usize {
        self.table.len_of(segment)
    }

    /// Lets go of those records of one segment that `keep` does not want.
    pub fn retain(&mut self, segment: usize, mut keep: impl FnMut(&[u8]) -> bool) {
        let Records { table, arena } = self;
        // Here, too, all are asked for before the first is waited for.
        let first_bytes = table.handles_of(segment).map(|handle| u64::from(arena.bytes(handle)[0]));
        std::hint::black_box(first_bytes.fold(0, |read, byte| read ^ byte));
        table.retain(segment, |handle| {
            let kept = keep(arena.bytes(handle));
            if !kept {
                arena.release(handle);
            }
            kept
        });
    }

    /// Where all records lie.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        self.table.handles().collect()
    }

    /// All records, so that each can be put in again under another hash; there are none then.
    #[must_use]
    pub fn take_all(&mut self) -> Records {
        let mut none = Records::default();
        none.supply(self.arena.supplied());
        std::mem::replace(self, none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::BTreeMap;

    fn hash_of(number: u64) -> Hash {
        (u128::from(number) + 1).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
    }

    /// A record of so many bytes that tells its number.
    fn record(number: u64, length: usize) -> Vec<u8> {
        let mut record = hash_of(number).to_le_bytes().to_vec();
        record.resize(length, number.to_le_bytes()[0]);
        record
    }

    /// All records grow by a class, one by one and in no order: at no time do they take much more room than they need.
    #[test]
    fn pages_that_records_leave_are_emptied() {
        const COUNT: u64 = 20_000;
        let mut records = Records::default();
        let mut random = Random::new(3);
        let mut lengths = BTreeMap::new();
        for number in 0..COUNT {
            records.write(hash_of(number), None, &record(number, 90));
            lengths.insert(number, 90);
        }
        let before = records.arena.pages_in_use();
        let mut most = before;
        let mut order: Vec<u64> = (0..COUNT).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, random.place(place + 1));
        }
        for number in order {
            let known = records.find(hash_of(number));
            assert!(known.is_some());
            records.write(hash_of(number), known, &record(number, 200));
            lengths.insert(number, 200);
            records.settle();
            most = most.max(records.arena.pages_in_use());
        }
        let after = records.arena.pages_in_use();
        assert!(after < 5 * before / 2, "{after} pages, {before} before");
        assert!(most <= after + after / 8, "{most} pages at most, {after} at the end, {before} at the beginning");
        for (number, length) in lengths {
            let handle = records.find(hash_of(number)).expect("none was lost");
            assert_eq!(records.bytes(handle)[..length], record(number, length));
        }
    }

    /// Records come, go, grow and shrink as in a plain map, whatever is moved meanwhile.
    #[test]
    fn records_are_those_of_a_plain_map() {
        let mut records = Records::default();
        let mut plain: BTreeMap<u64, usize> = BTreeMap::new();
        let mut random = Random::new(4);
        let mut moved = 0;
        for step in 0..240_000_u64 {
            // Lengths go up and down together, so that pages of one class are left for those of another.
            let length = 20 + 90 * usize::try_from(step / 20_000 % 4).expect("small") + random.place(30);
            let number = random.below(6_000);
            let known = records.find(hash_of(number));
            assert_eq!(known.is_some(), plain.contains_key(&number));
            match known {
                Some(handle) if random.below(10) == 0 => {
                    records.remove(hash_of(number), handle);
                    plain.remove(&number);
                }
                _ => {
                    records.write(hash_of(number), known, &record(number, length));
                    plain.insert(number, length);
                }
            }
            moved += u64::from(records.arena.has_sparse());
            records.settle();
        }
        assert!(moved > 10_000, "pages were emptied {moved} times");
        assert_eq!(records.count(), plain.len());
        for (number, length) in plain {
            let handle = records.find(hash_of(number)).expect("none was lost");
            assert_eq!(records.bytes(handle)[..length], record(number, length));
        }
    }
}
