//! Records by key, a million of them, without a moment at which all of them move.
//!
//! A table that doubles moves everything at once: 10 ms at a million records, in the middle of one decision. This one is
//! made of segments of at most 512 slots, and only a segment that is full is cut in two (extendible hashing, Fagin 1979):
//! no insertion pays for more than that, and now and then for a copy of the list of segments. Records are not removed
//! one by one, which would cost a cache miss for each: tables are made for a slice of time and emptied as a whole, by
//! moving their age on; a segment of an earlier age is empty, and its room is used again.
//!
//! Keys are keyed hashes already and are not hashed again. Of each record a byte of its hash lies in a slot of tags, so
//! that looking for what is not there touches no record. Most look-ups are of that kind, and all that they cost is
//! waiting for memory. So the tags of 64 segments lie together, and what leads to them is dense: with them in a vector
//! for each segment, behind a pointer in it, a look-up among a million waited 100 ns, for the processor's cache of
//! addresses too.

use super::touched::touch;
use crate::memory::fetch;

/// Something to be found by its key, which is a keyed hash or has one.
pub trait Record: Copy {
    type Key: Copy + Eq;
    /// What fills empty slots.
    const EMPTY: Self;
    fn key(&self) -> Self::Key;
    fn hash(key: Self::Key) -> u64;
}

/// Slots of the only segment at first, and of all segments once there are several.
const SMALLEST: usize = 32;
const LARGEST: usize = 512;
/// Segments whose tags lie together.
const TOGETHER: usize = 64;
/// Slots that are looked at together.
const GROUP: usize = 8;
/// Of so many slots one stays free.
const FREE: usize = 8;
/// Bits of a hash that may choose a segment; a full table has some 13.
const DEEPEST: u32 = 24;

/// Records by key.
#[derive(Clone, Debug)]
pub struct Table<R> {
    /// The segment of each ending that hashes have.
    places: Vec<u32>,
    segments: Vec<Segment>,
    /// A byte of the hash of what is in each slot, or 0: of [`TOGETHER`] segments side by side.
    tags: Vec<Vec<u8>>,
    /// The records of each segment.
    slots: Vec<Vec<R>>,
    /// Slots of a segment: fewer than [`LARGEST`] only where there is one.
    size: usize,
    /// Records of segments that are no longer needed: those of one are given back with each insertion.
    waste: Vec<Vec<R>>,
    len: usize,
    age: u32,
}

/// Records whose hashes end alike.
#[derive(Clone, Copy, Debug)]
struct Segment {
    age: u32,
    len: u16,
    /// Bits that their hashes share.
    depth: u8,
    /// Records have come, or gone to another segment, since it was last written down.
    changed: bool,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        let (places, segments, tags, slots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Table { places, segments, tags, slots, size: SMALLEST, waste: Vec::new(), len: 0, age: 0 }
    }
}

impl<R: Record> Table<R> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all records. Their room is kept where at least a quarter of it was needed, so that a table that is filled
    /// as before cuts no segment.
    pub fn clear(&mut self) {
        if self.segments.len() > 1 && self.len < self.segments.len() * LARGEST / 4 {
            let waste = std::mem::take(&mut self.slots);
            *self = Table { waste, age: self.age, ..Table::default() };
        }
        self.len = 0;
        self.age = self.age.wrapping_add(1);
    }

    /// Gives back all room but that of a small table, at once. There must be no records.
    pub fn shed(&mut self) {
        if self.segments.len() > 1 || !self.waste.is_empty() {
            *self = Table { age: self.age, ..Table::default() };
        }
    }

    #[inline]
    pub fn find(&self, key: R::Key) -> Option<&R> {
        let (segment, at) = self.look_for(key)?;
        Some(&self.slots[segment][at])
    }

    /// Fetches where a record of that key most likely lies, or would be put.
    pub fn look_ahead(&self, key: R::Key) {
        let hash = R::hash(key);
        let Some(segment) = self.segment(hash) else { return };
        let tags = self.tags_of(segment);
        let group = first_group(hash, tags.len());
        let eight = group_of(tags, group);
        let marks = zeros(eight ^ (u64::from(tag(hash)) * ONES)) | zeros(eight);
        let at = if marks == 0 { group } else { group + byte(marks) };
        fetch(&self.slots[segment][at]);
    }

    /// Puts in a record whose key is not there yet.
    pub fn insert(&mut self, record: R) {
        if self.segments.is_empty() {
            self.places.push(0);
            self.add_segment(0);
        }
        let hash = R::hash(record.key());
        self.len += 1;
        self.waste.pop();
        loop {
            let segment = self.segment(hash).expect("there is a segment");
            self.freshen(segment);
            if usize::from(self.segments[segment].len) < self.size - self.size / FREE {
                return self.put(segment, record, hash);
            }
            if self.size < LARGEST {
                self.grow();
            } else {
                self.cut(segment, hash);
            }
        }
    }

    /// All records.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        let alive = (0..self.segments.len()).filter(|segment| self.segments[*segment].age == self.age);
        alive.flat_map(|segment| self.records(segment))
    }

    /// A label for each segment that has records: the bits that end its hashes, behind a 1.
    pub fn labels(&self) -> impl Iterator<Item = u32> {
        self.labelled().map(|(label, _)| label)
    }

    fn labelled(&self) -> impl Iterator<Item = (u32, usize)> {
        let endings = self.places.iter().zip(0_u32..).map(|(segment, ending)| {
            let segment = usize::try_from(*segment).expect("32 bits");
            (1 << self.segments[segment].depth, ending, segment)
        });
        // Of the endings that lead to one segment the lowest is as long as it is deep.
        let own = endings.filter(|(bit, ending, _)| ending < bit).map(|(bit, ending, segment)| (bit | ending, segment));
        own.filter(|(_, segment)| self.segments[*segment].age == self.age && self.segments[*segment].len > 0)
    }

    /// Shows the records of the segments that have changed since this was done last.
    pub fn write_segments(&mut self, mut write: impl FnMut(u32, &mut dyn Iterator<Item = &R>)) {
        let changed = self.labelled().filter(|(_, segment)| self.segments[*segment].changed);
        for (label, segment) in changed.collect::<Vec<_>>() {
            self.segments[segment].changed = false;
            write(label, &mut self.records(segment));
        }
    }

    /// The segment of a hash; nothing in a table that has none.
    #[inline]
    fn segment(&self, hash: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        Some(self.places[low(hash >> 8) & mask] as usize)
    }

    #[inline]
    fn look_for(&self, key: R::Key) -> Option<(usize, usize)> {
        let hash = R::hash(key);
        let segment = self.segment(hash)?;
        if self.segments[segment].age != self.age {
            return None;
        }
        let tags = self.tags_of(segment);
        let alike = u64::from(tag(hash)) * ONES;
        let mut group = first_group(hash, tags.len());
        loop {
            touch(1);
            let eight = group_of(tags, group);
            let mut marks = zeros(eight ^ alike);
            while marks != 0 {
                let at = group + byte(marks);
                // A mark may be false, and what lies in a free slot may be of an earlier age.
                if tags[at] == tag(hash) && self.slots[segment][at].key() == key {
                    return Some((segment, at));
                }
                marks &= marks - 1;
            }
            if zeros(eight) != 0 {
                return None;
            }
            group = next_group(group, tags.len());
        }
    }

    #[inline]
    fn tags_of(&self, segment: usize) -> &[u8] {
        &self.tags[segment / TOGETHER][segment % TOGETHER * LARGEST..][..self.size]
    }

    fn tags_of_mut(&mut self, segment: usize) -> &mut [u8] {
        &mut self.tags[segment / TOGETHER][segment % TOGETHER * LARGEST..][..self.size]
    }

    fn records(&self, segment: usize) -> impl Iterator<Item = &R> {
        let slots = self.slots[segment].iter().zip(self.tags_of(segment));
        slots.filter(|(_, tag)| **tag != 0).map(|(record, _)| record)
    }

    /// Forgets what a segment has of an earlier age.
    fn freshen(&mut self, segment: usize) {
        if self.segments[segment].age != self.age {
            self.empty(segment);
        }
    }

    fn empty(&mut self, segment: usize) {
        let Segment { age, len, .. } = &mut self.segments[segment];
        (*age, *len) = (self.age, 0);
        self.tags_of_mut(segment).fill(0);
    }

    /// Puts a record into the first free slot of its hash.
    fn put(&mut self, segment: usize, record: R, hash: u64) {
        let tags = self.tags_of_mut(segment);
        let mut group = first_group(hash, tags.len());
        let free = loop {
            let free = zeros(group_of(tags, group));
            if free != 0 {
                break free;
            }
            group = next_group(group, tags.len());
        };
        let at = group + byte(free);
        tags[at] = tag(hash);
        self.slots[segment][at] = record;
        let Segment { len, changed, .. } = &mut self.segments[segment];
        *len += 1;
        *changed = true;
    }

    /// One more segment, without records; gives its number.
    fn add_segment(&mut self, depth: u8) -> usize {
        let segment = self.segments.len();
        self.segments.push(Segment { age: self.age, len: 0, depth, changed: true });
        self.slots.push(vec![R::EMPTY; self.size]);
        match segment % TOGETHER {
            // The only segment needs no room for others.
            0 if segment == 0 => self.tags.push(vec![0; self.size]),
            0 => self.tags.push(vec![0; TOGETHER * LARGEST]),
            _ => self.tags[segment / TOGETHER].resize(TOGETHER * LARGEST, 0),
        }
        segment
    }

    /// Makes the only segment twice as large.
    fn grow(&mut self) {
        touch(self.len);
        let records = self.take_records(0);
        self.size *= 2;
        self.slots[0].resize(self.size, R::EMPTY);
        self.tags[0].resize(self.size, 0);
        self.refill(records);
    }

    /// Cuts the full segment of a hash in two, by one more bit of the hashes.
    fn cut(&mut self, segment: usize, hash: u64) {
        let depth = self.segments[segment].depth;
        assert!(u32::from(depth) < DEEPEST, "no two keys of a table have the same hash");
        if self.places.len() >> depth == 1 {
            self.places.extend_from_within(..);
        }
        let new = self.add_segment(depth + 1);
        self.segments[segment].depth = depth + 1;
        // Of the endings that led to the old segment, those with the new bit lead to the new one.
        let step = 1 << depth;
        let first = (low(hash >> 8) & (step - 1)) | step;
        for ending in (first..self.places.len()).step_by(2 * step) {
            self.places[ending] = u32::try_from(new).expect("segments are counted in 32 bits");
        }
        touch(usize::from(self.segments[segment].len));
        let records = self.take_records(segment);
        self.refill(records);
    }

    /// Empties a segment of which all records are of this age.
    fn take_records(&mut self, segment: usize) -> Vec<R> {
        let mut records = Vec::with_capacity(self.size);
        records.extend(self.records(segment).copied());
        self.empty(segment);
        records
    }

    /// Puts records back that were taken out of a segment.
    fn refill(&mut self, records: Vec<R>) {
        for record in records {
            let hash = R::hash(record.key());
            let segment = self.segment(hash).expect("there is a segment");
            self.put(segment, record, hash);
        }
    }
}

/// The first slot of the group in which a hash is looked for first.
#[inline]
fn first_group(hash: u64, slots: usize) -> usize {
    (low(hash) * GROUP) & (slots - 1)
}

#[inline]
fn next_group(group: usize, slots: usize) -> usize {
    (group + GROUP) & (slots - 1)
}

#[inline]
fn group_of(tags: &[u8], group: usize) -> u64 {
    u64::from_le_bytes(tags[group..group + GROUP].try_into().expect("a group is eight tags"))
}

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// A high bit for each byte that is zero; one behind such a byte may be marked without being so.
fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(ONES) & !bytes & (ONES << 7)
}

/// The number of the first byte that is marked.
fn byte(marks: u64) -> usize {
    usize::try_from(marks.trailing_zeros() / 8).expect("a u64 has eight")
}

/// The byte of a hash that chooses neither segment nor group; never 0.
fn tag(hash: u64) -> u8 {
    u8::try_from(hash >> 56).expect("eight bits are left").max(1)
}

/// The low half of a hash.
fn low(hash: u64) -> usize {
    usize::try_from(hash & u64::from(u32::MAX)).expect("32 bits")
}

/// A value that is a keyed hash itself.
impl Record for u128 {
    type Key = u128;
    const EMPTY: u128 = 0;
    fn key(&self) -> u128 {
        *self
    }
    fn hash(key: u128) -> u64 {
        u64::try_from(key & u128::from(u64::MAX)).expect("masked to 64 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Pair(u64, usize);

    impl Record for Pair {
        type Key = u64;
        const EMPTY: Pair = Pair(0, 0);
        fn key(&self) -> u64 {
            self.0
        }
        fn hash(key: u64) -> u64 {
            key
        }
    }

    /// Tables that are emptied and filled with the same keys again, to other sizes each time, must be what a plain map is;
    /// also where all tags are alike.
    #[test]
    fn agrees_with_a_plain_map() {
        let mut seed = 5_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 20
        };
        let mixed = |number: u64| {
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        let mut table: Table<Pair> = Table::default();
        for (round, size) in [10, 3_000, 100, 60_000, 50_000, 50_000, 7, 7, 0, 40].into_iter().enumerate() {
            let mut plain: HashMap<u64, usize> = HashMap::new();
            let mask = if round % 2 == 0 { u64::MAX } else { u64::MAX >> 7 };
            let keys: Vec<u64> = (0..size).map(|number| mixed(number) & mask).collect();
            for (number, key) in keys.iter().enumerate() {
                assert_eq!(table.find(*key), None);
                if number % 3 > 0 {
                    table.insert(Pair(*key, number));
                    plain.insert(*key, number);
                }
                let earlier = keys[low(random()) % (number + 1)];
                assert_eq!(table.find(earlier).map(|pair| pair.1), plain.get(&earlier).copied());
            }
            for key in &keys {
                assert_eq!(table.find(*key).map(|pair| pair.1), plain.get(key).copied());
            }
            assert_eq!((table.len(), table.iter().count()), (plain.len(), plain.len()));
            table.clear();
            assert_eq!(keys.first().and_then(|key| table.find(*key)), None);
        }
    }

    /// What a key of the largest table costs in room and in one insertion.
    #[test]
    fn room_is_bounded_and_given_back() {
        let mut table: Table<u128> = Table::default();
        let mut number = 0_u64;
        let mut fill = |table: &mut Table<u128>, records: usize| {
            for _ in 0..records {
                number += 1;
                table.insert(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            }
        };
        fill(&mut table, 200_000);
        let full = table.segments.len() * LARGEST;
        assert!(full < 3 * 200_000, "{full} slots for 200 000 records");
        table.clear();
        fill(&mut table, 200_000);
        assert_eq!(table.segments.len() * LARGEST, full);
        table.clear();
        fill(&mut table, 1_000);
        table.clear();
        fill(&mut table, 1_000);
        assert!(table.segments.len() < 10 && table.waste.is_empty(), "what a busier time needed has been given back");
    }
}
