//! Records by key, a million of them, without a moment at which all of them move.
//!
//! A table that doubles moves everything at once: 10 ms at a million records, in the middle of one decision. This one is
//! made of segments of at most 512 slots, and only a segment that is full is cut in two (extendible hashing, Fagin 1979):
//! no insertion pays for more than that, and now and then for a copy of the list of segments. Records are not removed
//! one by one, which would cost a cache miss for each: tables are made for a slice of time and emptied as a whole, by
//! moving their age on; a segment of an earlier age is empty, and its room is used again.
//!
//! Keys are keyed hashes already and are not hashed again. Beside the slots lies a byte of each record's hash, so that
//! looking for what is not there touches one line of a megabyte that mostly is in the cache, and no record.

use super::touched::touch;

/// Something to be found by its key, which is a keyed hash or has one.
pub trait Record: Copy {
    type Key: Copy + Eq;
    /// What fills empty slots.
    const EMPTY: Self;
    fn key(&self) -> Self::Key;
    fn hash(key: Self::Key) -> u64;
}

/// Slots of the smallest and of the largest segment.
const SMALLEST: usize = 32;
const LARGEST: usize = 512;
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
    segments: Vec<Segment<R>>,
    /// Segments that are no longer needed: one is given back with each insertion.
    waste: Vec<Segment<R>>,
    len: usize,
    age: u32,
}

/// Records whose hashes end alike.
#[derive(Clone, Debug)]
struct Segment<R> {
    /// Bits that their hashes share.
    depth: u32,
    age: u32,
    /// Records have come, or gone to another segment, since it was last written down.
    changed: bool,
    len: usize,
    /// A byte of the hash of what is in each slot, or 0.
    tags: Vec<u8>,
    slots: Vec<R>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Table { places: Vec::new(), segments: Vec::new(), waste: Vec::new(), len: 0, age: 0 }
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
        let slots: usize = self.segments.len() * LARGEST;
        if self.segments.len() > 1 && self.len < slots / 4 {
            self.places.clear();
            self.waste = std::mem::take(&mut self.segments);
        }
        self.len = 0;
        self.age = self.age.wrapping_add(1);
    }

    pub fn find(&self, key: R::Key) -> Option<&R> {
        let hash = R::hash(key);
        let segment = self.segments.get(self.place(hash)?)?;
        let found = segment.find(self.age, key, hash)?;
        Some(&segment.slots[found])
    }

    /// As [`Table::find`], to be changed in what is not its key.
    pub fn find_mut(&mut self, key: R::Key) -> Option<&mut R> {
        let hash = R::hash(key);
        let place = self.place(hash)?;
        let segment = self.segments.get_mut(place)?;
        let found = segment.find(self.age, key, hash)?;
        Some(&mut segment.slots[found])
    }

    /// Puts in a record whose key is not there yet.
    pub fn insert(&mut self, record: R) {
        if self.segments.is_empty() {
            self.places.push(0);
            self.segments.push(Segment::new(0, self.age, SMALLEST));
        }
        let hash = R::hash(record.key());
        self.len += 1;
        self.waste.pop();
        loop {
            let place = self.place(hash).expect("there is a segment");
            let segment = &mut self.segments[place];
            segment.freshen(self.age);
            if !segment.is_full() {
                return segment.put(record, hash);
            }
            if segment.slots.len() < LARGEST {
                segment.grow();
            } else {
                self.cut(place, hash);
            }
        }
    }

    /// All records.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.segments.iter().filter(|segment| segment.age == self.age).flat_map(Segment::records)
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
            write(label, &mut self.segments[segment].records());
        }
    }

    /// The segment of a hash; nothing in a table that has none.
    fn place(&self, hash: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let place = self.places[low(hash >> 8) & mask];
        Some(usize::try_from(place).expect("32 bits"))
    }

    /// Cuts the full segment of a hash in two, by one more bit of the hashes.
    fn cut(&mut self, place: usize, hash: u64) {
        let depth = self.segments[place].depth;
        assert!(depth < DEEPEST, "no two keys of a table have the same hash");
        if self.places.len() >> depth == 1 {
            self.places.extend_from_within(..);
        }
        let new = u32::try_from(self.segments.len()).expect("segments are counted in 32 bits");
        let mut far = Segment::new(depth + 1, self.age, LARGEST);
        let mut near = Segment::new(depth + 1, self.age, LARGEST);
        std::mem::swap(&mut near, &mut self.segments[place]);
        touch(near.len);
        for record in near.records() {
            let hash = R::hash(record.key());
            let side = if (low(hash >> 8) >> depth) & 1 == 1 { &mut far } else { &mut self.segments[place] };
            side.put(*record, hash);
        }
        self.segments.push(far);
        // Of the endings that led to the old segment, those with the new bit lead to the new one.
        let step = 1 << depth;
        let first = (low(hash >> 8) & (step - 1)) | step;
        for ending in (first..self.places.len()).step_by(2 * step) {
            self.places[ending] = new;
        }
    }
}

impl<R: Record> Segment<R> {
    fn new(depth: u32, age: u32, slots: usize) -> Self {
        Segment { depth, age, changed: true, len: 0, tags: vec![0; slots], slots: vec![R::EMPTY; slots] }
    }

    /// Forgets what is of an earlier age.
    fn freshen(&mut self, age: u32) {
        if self.age != age {
            (self.age, self.len) = (age, 0);
            self.tags.fill(0);
        }
    }

    fn is_full(&self) -> bool {
        self.len >= self.slots.len() - self.slots.len() / FREE
    }

    fn records(&self) -> impl Iterator<Item = &R> {
        self.slots.iter().zip(&self.tags).filter(|(_, tag)| **tag != 0).map(|(record, _)| record)
    }

    fn grow(&mut self) {
        touch(self.len);
        let mut larger = Segment::new(self.depth, self.age, 2 * self.slots.len());
        for record in self.records() {
            larger.put(*record, R::hash(record.key()));
        }
        *self = larger;
    }

    /// Puts a record into the first free slot of its hash.
    fn put(&mut self, record: R, hash: u64) {
        let mut group = self.group(hash);
        let free = loop {
            let free = zeros(self.tags_of(group));
            if free != 0 {
                break free;
            }
            group = self.next(group);
        };
        let at = group + byte(free);
        self.changed = true;
        self.tags[at] = tag(hash);
        self.slots[at] = record;
        self.len += 1;
    }

    fn find(&self, age: u32, key: R::Key, hash: u64) -> Option<usize> {
        if self.age != age {
            return None;
        }
        let mut group = self.group(hash);
        loop {
            touch(1);
            let tags = self.tags_of(group);
            let mut alike = zeros(tags ^ (u64::from(tag(hash)) * ONES));
            while alike != 0 {
                let at = group + byte(alike);
                // A mark may be false, and what lies in a free slot may be of an earlier age.
                if self.tags[at] == tag(hash) && self.slots[at].key() == key {
                    return Some(at);
                }
                alike &= alike - 1;
            }
            if zeros(tags) != 0 {
                return None;
            }
            group = self.next(group);
        }
    }

    /// The first slot of the group in which a hash is looked for first.
    fn group(&self, hash: u64) -> usize {
        (low(hash) * GROUP) & (self.slots.len() - 1)
    }

    fn next(&self, group: usize) -> usize {
        (group + GROUP) & (self.slots.len() - 1)
    }

    fn tags_of(&self, group: usize) -> u64 {
        u64::from_le_bytes(self.tags[group..group + GROUP].try_into().expect("a group is eight tags"))
    }
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

/// The low and the high half of a keyed hash.
pub fn halves(value: u128) -> [u64; 2] {
    let half = |part: u128| u64::try_from(part & u128::from(u64::MAX)).expect("masked to 64 bits");
    [half(value), half(value >> 64)]
}

/// A value that is a keyed hash itself.
impl Record for u128 {
    type Key = u128;
    const EMPTY: u128 = 0;
    fn key(&self) -> u128 {
        *self
    }
    fn hash(key: u128) -> u64 {
        halves(key)[0]
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
                if let Some(pair) = table.find_mut(earlier) {
                    pair.1 += 1;
                    *plain.entry(earlier).or_default() += 1;
                }
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
