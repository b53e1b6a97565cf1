//! Where the record of a keyed hash lies: one line of the cache for a look-up, eight bytes for an entry.
//!
//! Extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): a directory of segments of 512 entries, told apart
//! by the first bits of a hash. A segment that is full is split in two, so that no event ever waits for all of a
//! table to be moved: with ten million entries that would be a third of a second, a split is some microseconds. An
//! entry is a handle and 32 bits of the hash, which nearly always tell records apart without a look at them; the hash
//! itself stands in the record.
//!
//! A library's map takes two lines for a look-up, tags and entry, and moves everything when it grows.

use super::{Hash, arena::Handle, directory::Directory, pages::Pages};
use crate::{memory::Supply, window::touched::touch};

const ENTRY: usize = 8;
/// Entries that share a line of the cache, where a look-up begins.
const LINE: usize = 8;
const LINES: usize = 64;
const SEGMENT: usize = LINE * LINES * ENTRY;
/// Entries at which a segment is split: beyond nine in ten, runs of full lines grow long.
const FULL: u16 = 460;

/// Handles by hash.
#[derive(Debug, Default)]
pub struct Table {
    segments: Pages<SEGMENT>,
    /// Of each segment: how many first bits its hashes share, and how many entries it has.
    depths: Vec<u32>,
    counts: Vec<u16>,
    /// Segments by the first bits.
    directory: Directory,
    len: usize,
}

/// The bits of a hash that an entry holds: the first choose the segment, the last the line.
fn tag_of(hash: Hash) -> u32 {
    u32::try_from(hash & u128::from(u32::MAX)).expect("masked to 32 bits")
}

/// An entry; none is 0.
fn entry(tag: u32, handle: Handle) -> u64 {
    u64::from(tag) << 32 | (u64::from(handle.0) + 1)
}

fn tag(entry: u64) -> u32 {
    (entry >> 32) as u32
}

fn handle(entry: u64) -> Handle {
    Handle(u32::try_from(entry & u64::from(u32::MAX)).expect("masked to 32 bits") - 1)
}

/// The entries of the line number `line`; those that are free come last.
#[inline]
fn line_of(segment: &[u8; SEGMENT], line: usize) -> [u64; LINE] {
    let (lines, _) = segment.as_chunks::<{ LINE * ENTRY }>();
    let (words, _) = lines[line].as_chunks::<ENTRY>();
    std::array::from_fn(|place| u64::from_le_bytes(words[place]))
}

/// A bit for each entry of a line that bears the tag. No entry is asked before the next: which of them it is nobody can
/// guess, and a processor that guesses wrong loses as much time as all eight take.
#[inline]
fn bearers(line: &[u64; LINE], wanted: u32) -> u32 {
    line.iter().zip(0..).fold(0, |bearers, (entry, place)| bearers | u32::from(tag(*entry) == wanted) << place)
}

fn put_entry(segment: &mut [u8; SEGMENT], place: usize, entry: u64) {
    segment[place * ENTRY..(place + 1) * ENTRY].copy_from_slice(&entry.to_le_bytes());
}

/// Puts an entry at the first free place from its line on; a segment is never full.
fn insert_into(segment: &mut [u8; SEGMENT], entry: u64) {
    let mut line = tag(entry) as usize % LINES;
    loop {
        let free = line_of(segment, line).iter().position(|known| *known == 0);
        if let Some(free) = free {
            return put_entry(segment, line * LINE + free, entry);
        }
        line = (line + 1) % LINES;
    }
}

impl Table {
    /// Where the memory comes from.
    pub fn supply(&mut self, supply: &Supply) {
        self.segments.supply(supply);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn segment_of(&self, tag: u32) -> Option<usize> {
        self.directory.find(tag)
    }

    /// The place in its segment of the entry of `hash` that `is_it`.
    #[inline]
    fn find_place(&self, hash: Hash, is_it: impl Fn(Handle) -> bool) -> Option<(usize, usize, u64)> {
        let wanted = tag_of(hash);
        let number = self.segment_of(wanted)?;
        let segment = self.segments.page(number);
        let mut line = wanted as usize % LINES;
        loop {
            let entries = line_of(segment, line);
            let mut bearers = bearers(&entries, wanted);
            while bearers != 0 {
                let place = bearers.trailing_zeros() as usize;
                let entry = entries[place];
                // A tag of 0 is that of a free entry, too.
                if entry != 0 && is_it(handle(entry)) {
                    return Some((number, line * LINE + place, entry));
                }
                bearers &= bearers - 1;
            }
            if entries[LINE - 1] == 0 {
                return None;
            }
            line = (line + 1) % LINES;
        }
    }

    /// The handle of `hash`, if `is_it` says that its record bears it.
    #[inline]
    pub fn find(&self, hash: Hash, is_it: impl Fn(Handle) -> bool) -> Option<Handle> {
        self.find_place(hash, is_it).map(|(_, _, entry)| handle(entry))
    }

    /// Reads where a look-up of `hash` will begin, and nothing of what it says.
    #[inline]
    pub fn touch(&self, hash: Hash) -> u64 {
        let tag = tag_of(hash);
        let Some(segment) = self.segment_of(tag) else { return 0 };
        u64::from(self.segments.page(segment)[tag as usize % LINES * LINE * ENTRY])
    }

    /// The handle that a look-up of `hash` will most likely ask about, if any.
    #[inline]
    pub fn guess(&self, hash: Hash) -> Option<Handle> {
        let wanted = tag_of(hash);
        let segment = self.segments.page(self.segment_of(wanted)?);
        let entries = line_of(segment, wanted as usize % LINES);
        let bearers = bearers(&entries, wanted);
        let first = entries.get(bearers.trailing_zeros() as usize)?;
        (*first != 0).then(|| handle(*first))
    }

    /// Takes in a hash that is not there.
    pub fn insert(&mut self, hash: Hash, handle: Handle) {
        let tag = tag_of(hash);
        if self.counts.is_empty() {
            self.segments.add();
            self.depths.push(0);
            self.counts.push(0);
            self.directory.begin();
        }
        let segment = loop {
            let segment = self.segment_of(tag).expect("the directory covers all hashes");
            if self.counts[segment] < FULL {
                break segment;
            }
            self.split(segment, tag);
        };
        insert_into(self.segments.page_mut(segment), entry(tag, handle));
        self.counts[segment] += 1;
        self.len += 1;
    }

    /// Splits the segment of `tag` by one more bit.
    fn split(&mut self, segment: usize, tag_of_it: u32) {
        let depth = self.depths[segment];
        let other = self.segments.add();
        self.directory.split(tag_of_it, depth, other);
        touch(usize::from(self.counts[segment]));
        let entries = *self.segments.page(segment);
        self.segments.page_mut(segment).fill(0);
        let mut counts = [0_u16; 2];
        let (words, _) = entries.as_chunks::<ENTRY>();
        for word in words.iter().map(|word| u64::from_le_bytes(*word)).filter(|word| *word != 0) {
            let half = (tag(word) >> (31 - depth) & 1) as usize;
            insert_into(self.segments.page_mut([segment, other][half]), word);
            counts[half] += 1;
        }
        self.depths[segment] = depth + 1;
        self.counts[segment] = counts[0];
        self.depths.push(depth + 1);
        self.counts.push(counts[1]);
    }

    /// The record of `hash` has moved.
    ///
    /// # Panics
    /// If there is none at `from`.
    pub fn move_to(&mut self, hash: Hash, from: Handle, to: Handle) {
        let (segment, place, old) =
            self.find_place(hash, |handle| handle == from).expect("a record moves from its place");
        put_entry(self.segments.page_mut(segment), place, entry(tag(old), to));
    }

    /// Lets go of the hash at a handle.
    pub fn remove(&mut self, hash: Hash, gone: Handle) {
        if let Some((segment, _, _)) = self.find_place(hash, |handle| handle == gone) {
            self.retain(segment, |handle| handle != gone);
        }
    }

    /// How many segments there are.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.counts.len()
    }

    /// How many handles one segment holds.
    #[must_use]
    pub fn len_of(&self, segment: usize) -> usize {
        self.counts[segment].into()
    }

    /// Lets go of those handles of one segment that `keep` does not want. All others are put anew, since an entry may
    /// stand behind its line only as long as the lines before are full.
    pub fn retain(&mut self, segment: usize, mut keep: impl FnMut(Handle) -> bool) {
        let entries = *self.segments.page(segment);
        let page = self.segments.page_mut(segment);
        page.fill(0);
        let before = self.counts[segment];
        let mut count = 0;
        let (words, _) = entries.as_chunks::<ENTRY>();
        for word in words.iter().map(|word| u64::from_le_bytes(*word)).filter(|word| *word != 0) {
            if keep(handle(word)) {
                insert_into(page, word);
                count += 1;
            }
        }
        self.counts[segment] = count;
        self.len -= usize::from(before - count);
    }

    /// All handles.
    pub fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        (0..self.segments()).flat_map(|segment| self.handles_of(segment))
    }

    /// All handles of one segment.
    pub fn handles_of(&self, segment: usize) -> impl Iterator<Item = Handle> + '_ {
        let (words, _) = self.segments.page(segment).as_chunks::<ENTRY>();
        words.iter().map(|word| u64::from_le_bytes(*word)).filter(|word| *word != 0).map(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Against a plain map: insertions, moves and removals, with hashes that share what entries hold of them.
    #[test]
    fn agrees_with_a_plain_map() {
        let mut table = Table::default();
        let mut plain: HashMap<Hash, Handle> = HashMap::new();
        let mut seed = 3_u128;
        let mut random = || {
            seed = seed.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(0x5851_f42d_4c95_7f2d);
            seed >> 40
        };
        for number in 0..60_000_u32 {
            // One hash in a hundred has the tag of another.
            let hash = if number % 100 == 99 {
                u128::from(number / 2) << 70 | u128::from(number % 64) << 26
            } else {
                random()
            };
            if plain.insert(hash, Handle(number)).is_none() {
                table.insert(hash, Handle(number));
            } else {
                plain.remove(&hash);
                continue;
            }
        }
        let mut expected: HashMap<Handle, Hash> = plain.iter().map(|(hash, handle)| (*handle, *hash)).collect();
        for (place, (hash, at)) in plain.clone().into_iter().enumerate() {
            match place % 5 {
                0 => {
                    table.remove(hash, at);
                    plain.remove(&hash);
                    expected.remove(&at);
                }
                1 => {
                    let to = Handle(at.0 + 1_000_000);
                    table.move_to(hash, at, to);
                    plain.insert(hash, to);
                    expected.remove(&at);
                    expected.insert(to, hash);
                }
                _ => {}
            }
        }
        assert_eq!(table.len(), plain.len());
        for (hash, at) in &plain {
            assert_eq!(table.find(*hash, |handle| expected.get(&handle) == Some(hash)), Some(*at));
        }
        assert_eq!(table.find(1 << 100, |_| false), None);
        let mut handles: Vec<u32> = table.handles().map(|handle| handle.0).collect();
        handles.sort_unstable();
        let mut known: Vec<u32> = plain.values().map(|handle| handle.0).collect();
        known.sort_unstable();
        assert_eq!(handles, known);
    }
}
