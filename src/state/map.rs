//! A map from keyed hashes that is never moved as a whole.
//!
//! A library's map moves everything when it grows: 20 ms at a million entries, in the middle of one decision. Here a
//! directory (`directory.rs`) leads to library's maps of at most `FULL` entries, of which one that is full is split in two. What
//! has passed is let go of a segment at a time, too.

use super::{AsIs, HashedMap, directory::Directory};
use crate::window::touched::touch;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};

/// Entries at which a segment is split: what a library's map of 256 places holds.
const FULL: usize = 224;
/// Bits of a hash that choose a place within a segment, and some to spare; those above them choose the segment.
const PLACE_BITS: u32 = 9;

/// Values by key, in segments.
#[derive(Debug)]
pub struct SegmentedMap<K, V> {
    directory: Directory,
    segments: Vec<Segment<K, V>>,
    len: usize,
    /// The segment that is looked through next.
    next: usize,
}

#[derive(Debug)]
struct Segment<K, V> {
    /// How many first bits its hashes share.
    depth: u32,
    entries: HashedMap<K, V>,
}

impl<K, V> Default for SegmentedMap<K, V> {
    fn default() -> Self {
        SegmentedMap { directory: Directory::default(), segments: Vec::new(), len: 0, next: 0 }
    }
}

/// The bits of a key that choose its segment, the first ones first.
fn beginning<K: Hash>(key: &K) -> u32 {
    let hash = BuildHasherDefault::<AsIs>::default().hash_one(key);
    u32::try_from(hash >> PLACE_BITS & u64::from(u32::MAX)).expect("masked to 32 bits").reverse_bits()
}

impl<K: Hash + Eq + Copy, V> SegmentedMap<K, V> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn entries(&self, key: &K) -> Option<&HashedMap<K, V>> {
        Some(&self.segments[self.directory.find(beginning(key))?].entries)
    }

    fn entries_mut(&mut self, key: &K) -> Option<&mut HashedMap<K, V>> {
        Some(&mut self.segments[self.directory.find(beginning(key))?].entries)
    }

    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries(key)?.get(key)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries_mut(key)?.get_mut(key)
    }

    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Whether the segment of a key takes no more without growing or being split.
    #[must_use]
    pub fn is_full_for(&self, key: &K) -> bool {
        self.entries(key).is_none_or(|entries| entries.len() == entries.capacity() || entries.len() >= FULL)
    }

    /// The value of a key, put in where there is none.
    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        if !self.contains_key(&key) {
            self.make_room(&key);
            self.len += 1;
        }
        self.entries_mut(&key).expect("there is a segment now").entry(key).or_insert_with(value)
    }

    pub fn insert(&mut self, key: K, value: V) {
        if let Some(known) = self.get_mut(&key) {
            *known = value;
        } else {
            self.get_or_insert_with(key, || value);
        }
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.entries_mut(key)?.remove(key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    fn make_room(&mut self, key: &K) {
        if self.segments.is_empty() {
            self.segments.push(Segment { depth: 0, entries: HashedMap::default() });
            self.directory.begin();
        }
        loop {
            let segment = self.directory.find(beginning(key)).expect("there is a segment");
            if self.segments[segment].entries.len() < FULL {
                return;
            }
            self.split(segment, beginning(key));
        }
    }

    /// Splits a segment by one more bit.
    fn split(&mut self, segment: usize, beginning_of_it: u32) {
        let other = self.segments.len();
        let Segment { depth, entries } = &mut self.segments[segment];
        touch(entries.len());
        self.directory.split(beginning_of_it, *depth, other);
        let directory = &self.directory;
        let mut moved = HashedMap::with_capacity_and_hasher(FULL, BuildHasherDefault::default());
        moved.extend(entries.extract_if(|key, _| directory.find(beginning(key)) == Some(other)));
        *depth += 1;
        let depth = *depth;
        self.segments.push(Segment { depth, entries: moved });
    }

    /// Makes room beside a key whose segment is nearly full even now that it has been looked through, or it would be looked
    /// through again for every few entries that come.
    pub fn widen(&mut self, key: &K) {
        let Some(segment) = self.directory.find(beginning(key)) else { return };
        let entries = &mut self.segments[segment].entries;
        if 4 * entries.len() <= 3 * entries.capacity().min(FULL) {
            return;
        }
        if entries.capacity() < FULL {
            entries.reserve(entries.capacity());
        } else {
            self.split(segment, beginning(key));
        }
    }

    /// Whether all segments have been looked through alike: the first is next.
    #[must_use]
    pub fn has_gone_round(&self) -> bool {
        self.next == 0
    }

    /// How many entries the segment has that is looked through next.
    #[must_use]
    pub fn next_len(&self) -> usize {
        self.segments.get(self.next).map_or(0, |segment| segment.entries.len())
    }

    /// Takes those entries out of the next segment that have `passed`, and goes on to the one after it.
    pub fn extract_next(&mut self, passed: impl FnMut(&K, &mut V) -> bool, take: impl FnMut(K, V)) {
        if self.next < self.segments.len() {
            self.extract(self.next, passed, take);
            self.next = (self.next + 1) % self.segments.len();
        }
    }

    /// The same of the segment of a key.
    pub fn extract_beside(&mut self, key: &K, passed: impl FnMut(&K, &mut V) -> bool, take: impl FnMut(K, V)) {
        if let Some(segment) = self.directory.find(beginning(key)) {
            self.extract(segment, passed, take);
        }
    }

    fn extract(&mut self, segment: usize, passed: impl FnMut(&K, &mut V) -> bool, mut take: impl FnMut(K, V)) {
        let entries = &mut self.segments[segment].entries;
        touch(entries.len());
        for (key, value) in entries.extract_if(passed) {
            self.len -= 1;
            take(key, value);
        }
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.segments.iter().flat_map(|segment| segment.entries.iter())
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.segments.iter_mut().flat_map(|segment| segment.entries.iter_mut())
    }

    /// Takes all entries out; their room is kept.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        self.len = 0;
        self.segments.iter_mut().flat_map(|segment| segment.entries.drain())
    }

    pub fn clear(&mut self) {
        *self = SegmentedMap::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::Random, window::touched};
    use std::collections::BTreeMap;

    /// Keys that are hashes, and keys that are amounts, come and go as in a plain map; no step moves more than a segment.
    #[test]
    fn agrees_with_a_plain_map() {
        for spread in [1_u128, 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645] {
            let mut map: SegmentedMap<u128, u64> = SegmentedMap::default();
            let mut plain: BTreeMap<u128, u64> = BTreeMap::new();
            let mut random = Random::new(11);
            touched::take();
            for step in 0..200_000_u64 {
                let key = u128::from(random.below(60_000)).wrapping_mul(spread);
                match random.below(8) {
                    0 => assert_eq!(map.remove(&key), plain.remove(&key)),
                    1 => {
                        if map.is_full_for(&key) {
                            map.extract_beside(&key, |_, _| false, |_, _| ());
                            map.widen(&key);
                        }
                        map.insert(key, step);
                        plain.insert(key, step);
                    }
                    _ => {
                        let known = *plain.entry(key).or_insert(step);
                        assert_eq!(*map.get_or_insert_with(key, || step), known);
                    }
                }
                // A segment looked through and split, and the growth of a small directory.
                assert!(touched::take() <= 5 * FULL, "step {step} of {} entries", map.len());
            }
            let mut entries: Vec<(u128, u64)> = map.iter().map(|(key, value)| (*key, *value)).collect();
            entries.sort_unstable();
            assert!(entries.into_iter().eq(plain.clone()), "all entries");
            assert!(map.segments.len() < 3 * plain.len() / FULL + 2, "{} segments", map.segments.len());
            for _ in 0..map.segments.len() {
                map.extract_next(|key, _| key % 3 == 0, |key, value| assert_eq!(plain.remove(&key), Some(value)));
            }
            assert!(plain.keys().all(|key| key % 3 != 0), "each segment was looked through");
            assert_eq!(map.len(), plain.len());
            assert!(plain.iter().all(|(key, value)| map.get(key) == Some(value)));
            assert_eq!(map.drain().count(), plain.len());
            assert!(map.is_empty() && map.iter().next().is_none());
        }
    }
}
