//! Where in a log of arrivals things of a hash lie: a look-up reads one line of the cache, and so does an insertion, the same.
//!
//! An entry is 32 bits of a hash and a place of the log; seven of them fill a line with the newest place that had to go on
//! to the next line because this one was full. Nothing is ever removed: places only rise, so an entry whose place the log
//! has let go of is free, and a line from which nothing went on that is still kept ends a search.
//!
//! Lines lie in pieces of 64, a page each. The index grows and shrinks by one piece at a time (linear hashing, Litwin 1980):
//! a piece is split in two, or put together with the one that was split off, so that no insertion looks at more than some
//! hundred entries, or moves more than half of them. Hashes are kept beside places for that: an entry finds its new line
//! without what it stands for being read.

use super::touched::touch;
use crate::memory::fetch;
use wide::u32x8;

/// Entries of a line, and what of the two arrays' last elements is not one.
const ENTRIES: usize = 7;
const ALL_ENTRIES: u32 = (1 << ENTRIES) - 1;
/// Lines of the only piece at first, and of all pieces once there are several.
const FEWEST: usize = 4;
const LINES: usize = 64;
/// Bits of a hash that choose a line; those at its other end choose the piece.
const LINE_BITS: u32 = LINES.ilog2();
/// Entries of a line, on average, at which the index grows, and an eighth of which it shrinks at.
const FULL: usize = 5;
const SHRINK: usize = 8;
/// While the number of pieces is no power of two, so many insertions pay for one split: each piece has been split by the
/// time that the whole has grown by a twentieth.
const PACE: u32 = 16;

/// The places that the log keeps: so many from the first on, around the end of the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub first: u32,
    pub count: u32,
}

impl Kept {
    /// How many places are kept before that one.
    #[inline]
    fn before(self, place: u32) -> u32 {
        place.wrapping_sub(self.first)
    }

    #[inline]
    pub fn holds(self, place: u32) -> bool {
        self.before(place) < self.count
    }

    /// A line without entries.
    fn empty_line(self) -> Line {
        Line { hashes: [0; 8], places: [self.first.wrapping_sub(1); 8] }
    }
}

/// Seven entries, and what went on from here.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    /// The last is of no entry.
    hashes: [u32; 8],
    /// The last is the newest place that found no room here. Of an entry that is free it is one that is not kept.
    places: [u32; 8],
}

impl Line {
    /// A bit for each entry of that hash, those that are free among them.
    #[inline]
    fn alike(&self, hash: u32) -> u32 {
        u32x8::new(self.hashes).simd_eq(u32x8::splat(hash)).to_bitmask() & ALL_ENTRIES
    }

    /// A bit for each entry that is kept.
    #[inline]
    fn taken(&self, kept: Kept) -> u32 {
        let before = u32x8::new(self.places) - u32x8::splat(kept.first);
        before.simd_lt(u32x8::splat(kept.count)).to_bitmask() & ALL_ENTRIES
    }

    #[inline]
    fn goes_on(&self, kept: Kept) -> bool {
        kept.holds(self.places[ENTRIES])
    }

    /// Takes an entry if there is room for it, or notes that it goes on to the next line.
    #[inline]
    fn take(&mut self, entry: Entry, kept: Kept) -> bool {
        let free = !self.taken(kept) & ALL_ENTRIES;
        if free == 0 {
            let newest = &mut self.places[ENTRIES];
            if !kept.holds(*newest) || kept.before(*newest) < kept.before(entry.place) {
                *newest = entry.place;
            }
            return false;
        }
        let at = free.trailing_zeros() as usize;
        (self.hashes[at], self.places[at]) = (entry.hash, entry.place);
        true
    }

    /// Takes out the entries that are not its own; from what is left none has gone on.
    fn take_strays(&mut self, kept: Kept, is_own: impl Fn(u32) -> bool, strays: &mut Vec<Entry>) {
        let Line { hashes, places } = self;
        let free = kept.first.wrapping_sub(1);
        places[ENTRIES] = free;
        for (hash, place) in hashes.iter().zip(places).take(ENTRIES) {
            if kept.holds(*place) && !is_own(*hash) {
                strays.push(Entry { hash: *hash, place: std::mem::replace(place, free) });
            }
        }
    }

    /// The entries that are kept.
    fn entries(&self, kept: Kept) -> impl Iterator<Item = Entry> {
        let all = self.hashes.iter().zip(&self.places).take(ENTRIES);
        all.map(|(hash, place)| Entry { hash: *hash, place: *place }).filter(move |entry| kept.holds(entry.place))
    }
}

/// Something that is found by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub hash: u32,
    pub place: u32,
}

/// Places by hash.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pieces: Vec<Vec<Line>>,
    /// Entries for which their whole piece had no room: none unless hundreds of hashes end alike, which only somebody who knows
    /// their key could bring about.
    crowded: Vec<Entry>,
}

impl Index {
    /// The place of that hash that it is, among those kept.
    #[inline]
    pub fn find(&self, hash: u32, kept: Kept, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let lines = self.pieces.get(self.piece_of(hash))?;
        let mut at = line_of(hash, lines.len());
        for _ in 0..lines.len() {
            touch(1);
            let line = &lines[at];
            let mut alike = line.alike(hash);
            while alike != 0 {
                let place = line.places[alike.trailing_zeros() as usize];
                if kept.holds(place) && is_it(place) {
                    return Some(place);
                }
                alike &= alike - 1;
            }
            if !line.goes_on(kept) {
                return None;
            }
            at = next_line(at, lines);
        }
        let mut crowded = self.crowded.iter().filter(|entry| entry.hash == hash && kept.holds(entry.place));
        crowded.find(|entry| is_it(entry.place)).map(|entry| entry.place)
    }

    /// Fetches the line that a look-up reads first.
    #[inline]
    pub fn fetch(&self, hash: u32) {
        if let Some(lines) = self.pieces.get(self.piece_of(hash)) {
            fetch(&lines[line_of(hash, lines.len())]);
        }
    }

    /// Puts in the newest of the places that are kept.
    #[inline]
    pub fn insert(&mut self, entry: Entry, kept: Kept) {
        self.resize(entry.place, kept);
        self.put(entry, kept);
    }

    /// Gives back all room but that of one piece. No place is kept.
    pub fn clear(&mut self) {
        self.pieces.truncate(1);
        self.crowded.clear();
    }

    #[inline]
    fn piece_of(&self, hash: u32) -> usize {
        piece_of(hash, self.pieces.len())
    }

    #[inline]
    fn put(&mut self, entry: Entry, kept: Kept) {
        let piece = self.piece_of(entry.hash);
        let lines = &mut self.pieces[piece];
        let mut at = line_of(entry.hash, lines.len());
        for _ in 0..lines.len() {
            touch(1);
            if lines[at].take(entry, kept) {
                return;
            }
            at = next_line(at, lines);
        }
        self.crowded.retain(|other| kept.holds(other.place));
        self.crowded.push(entry);
    }

    /// Goes a step towards the size that is best for what is kept.
    #[inline]
    fn resize(&mut self, place: u32, kept: Kept) {
        let count = usize_of(kept.count);
        let pieces = self.pieces.len();
        let half = half_of(pieces);
        if pieces < 2 {
            let lines = self.pieces.first().map_or(0, Vec::len);
            if count > lines * FULL {
                self.widen(lines, kept);
            }
        } else if pieces > half {
            // On the way from one power of two to the next, and perhaps back.
            if 2 * count < half * LINES * FULL {
                self.merge(kept);
            } else if place.is_multiple_of(PACE) {
                self.split(kept);
            }
        } else if count > half * LINES * FULL {
            self.split(kept);
        } else if SHRINK * count < half * LINES * FULL {
            self.merge(kept);
        }
    }

    /// Makes the only piece twice as large, or splits it.
    fn widen(&mut self, lines: usize, kept: Kept) {
        match lines {
            0 => self.pieces.push(vec![kept.empty_line(); FEWEST]),
            LINES => self.split(kept),
            _ => {
                let before = std::mem::replace(&mut self.pieces[0], vec![kept.empty_line(); lines * 2]);
                self.put_all(entries_of(&before, kept), kept);
            }
        }
    }

    /// Adds a piece, to which one more bit of their hashes sends entries of another.
    fn split(&mut self, kept: Kept) {
        let piece = self.pieces.len() - half_of(self.pieces.len());
        self.pieces.push(vec![kept.empty_line(); LINES]);
        let entries = self.take_strays(piece, kept);
        self.put_all(entries, kept);
    }

    /// Puts the last piece together with the one it was split from.
    fn merge(&mut self, kept: Kept) {
        let last = self.pieces.pop().expect("one is the first");
        self.put_all(entries_of(&last, kept), kept);
    }

    /// Takes out of a piece what is of another now, and what had to go on from its own line: of what is left nothing has.
    fn take_strays(&mut self, piece: usize, kept: Kept) -> Vec<Entry> {
        let pieces = self.pieces.len();
        let lines = &mut self.pieces[piece];
        let count = lines.len();
        touch(count * ENTRIES);
        let mut strays = Vec::with_capacity(count * ENTRIES);
        for (at, line) in lines.iter_mut().enumerate() {
            line.take_strays(kept, |hash| piece_of(hash, pieces) == piece && line_of(hash, count) == at, &mut strays);
        }
        strays
    }

    /// Puts entries back, and tries again those that found no room.
    fn put_all(&mut self, entries: Vec<Entry>, kept: Kept) {
        let crowded = std::mem::take(&mut self.crowded);
        for entry in entries.into_iter().chain(crowded) {
            self.put(entry, kept);
        }
    }
}

/// The piece of a hash: as many of its bits as pieces are split by already.
#[inline]
fn piece_of(hash: u32, pieces: usize) -> usize {
    let split = usize_of(hash) & ((half_of(pieces) << 1).wrapping_sub(1));
    if split < pieces { split } else { split & (half_of(pieces).wrapping_sub(1)) }
}

/// The entries of some lines that are kept.
fn entries_of(lines: &[Line], kept: Kept) -> Vec<Entry> {
    touch(lines.len() * ENTRIES);
    let mut entries = Vec::with_capacity(lines.len() * ENTRIES);
    entries.extend(lines.iter().flat_map(|line| line.entries(kept)));
    entries
}

/// The line of a hash, of a number of lines that is a power of two.
#[inline]
fn line_of(hash: u32, lines: usize) -> usize {
    usize_of(hash >> (u32::BITS - LINE_BITS)) & (lines - 1)
}

#[inline]
fn next_line(line: usize, lines: &[Line]) -> usize {
    (line + 1) & (lines.len() - 1)
}

/// The greatest power of two that is no more than a number; of 0 it is 1.
#[inline]
fn half_of(pieces: usize) -> usize {
    1 << (pieces | 1).ilog2()
}

#[inline]
fn usize_of(number: u32) -> usize {
    usize::try_from(number).expect("32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::Random, window::touched};
    use std::collections::HashMap;

    /// Places by hash that come and go by the hundred thousand, around the end of the numbers, must be those of a plain map;
    /// where hashes are few, too.
    #[test]
    fn agrees_with_a_plain_map() {
        for (mask, most_kept, crowds) in [(u32::MAX, 60_000, false), (0xfff0_0003, 3_000, true), (0xff, 2_000, false)] {
            let mut random = Random::new(5);
            let mut index = Index::default();
            let mut plain: HashMap<u32, Vec<u32>> = HashMap::new();
            let mut kept = Kept { first: u32::MAX - 30_000, count: 0 };
            let mut hashes: std::collections::VecDeque<u32> = std::collections::VecDeque::new();
            touched::take();
            for step in 0..200_000_u32 {
                let drawn = u32::try_from(random.below(1 << 32)).expect("32 bits");
                let hash = drawn & mask;
                let entry = Entry { hash, place: kept.first.wrapping_add(kept.count) };
                kept.count += 1;
                index.insert(entry, kept);
                plain.entry(hash).or_default().push(entry.place);
                hashes.push_back(hash);
                // Many come, then many go.
                let most = if step / 70_000 == 1 { most_kept / 50 } else { most_kept };
                for _ in 0..3 {
                    if kept.count > most {
                        let gone = hashes.pop_front().expect("as many as are kept");
                        plain.get_mut(&gone).expect("it is kept").remove(0);
                        kept = Kept { first: kept.first.wrapping_add(1), count: kept.count - 1 };
                    }
                }
                assert!(mask != u32::MAX || touched::take() <= 2 * LINES * (ENTRIES + 1), "step {step}");
                let asked = if step % 2 == 0 { hash } else { hashes[usize_of(drawn) % hashes.len()] };
                let places = plain.get(&asked).map_or(&[][..], Vec::as_slice);
                for place in places.iter().take(3).chain(places.last()) {
                    assert_eq!(index.find(asked, kept, |other| other == *place), Some(*place), "step {step}");
                }
                assert_eq!(index.find(drawn, kept, |place| !kept.holds(place)), None);
            }
            assert_eq!(index.crowded.is_empty(), !crowds, "{mask:x}");
        }
    }

    /// A line has some entries on average, however many there are; and what they needed is given back.
    #[test]
    fn room_is_bounded_and_given_back() {
        let mut index = Index::default();
        let mut random = Random::new(6);
        let mut kept = Kept { first: 1, count: 0 };
        let mut insert = |index: &mut Index, kept: Kept| {
            let hash = u32::try_from(random.below(1 << 32)).expect("32 bits");
            index.insert(Entry { hash, place: kept.first + kept.count - 1 }, kept);
            index.pieces.iter().map(Vec::len).sum::<usize>()
        };
        for _ in 0..300_000_usize {
            kept.count += 1;
            let lines = insert(&mut index, kept);
            let count = usize_of(kept.count);
            assert!(lines * FULL * 11 / 10 >= count, "{lines} lines for {count}");
            assert!(lines * FULL / 2 <= count + FEWEST * FULL, "{lines} lines for {count}");
        }
        assert!(index.crowded.is_empty());
        for _ in 0..2_000 {
            kept = Kept { first: kept.first + 1 + kept.count / 100, count: kept.count - kept.count / 100 };
            insert(&mut index, kept);
        }
        assert!(index.pieces.len() < 8, "{} pieces for {}", index.pieces.len(), kept.count);
    }
}
