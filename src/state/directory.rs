//! Which segment of a table has the entries whose hashes begin alike, without a moment at which all of it is copied.
//!
//! The directory of extendible hashing doubles when its deepest segment is split: with ten million entries that is half a
//! megabyte, written to memory that is new. So it has two storeys: the first 10 bits of a hash choose a place of the
//! root, and what is told apart by more of them has a directory of its own behind that place, which doubles alone: with
//! three hundred million entries it has 8 KiB.

use crate::window::touched::touch;

/// Most bits that the root tells apart.
const ROOT_BITS: u32 = 10;
/// Names from here on are those of directories behind the root.
const BEHIND: u32 = 1 << 31;
/// Most bits of a hash that choose a segment.
const DEEPEST: u32 = 26;

/// Segments by the first bits of a hash.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    root: Places,
    behind: Vec<Places>,
}

/// A segment, or a directory, for each beginning of `bits` bits.
#[derive(Clone, Debug, Default)]
struct Places {
    names: Vec<u32>,
    bits: u32,
}

/// The first `count` bits; of none, 0.
#[inline]
fn first_bits(hash: u32, count: u32) -> usize {
    hash.checked_shr(32 - count).unwrap_or(0) as usize
}

impl Directory {
    /// The segment of a hash; nothing before there is any.
    #[inline]
    pub fn find(&self, hash: u32) -> Option<usize> {
        let name = *self.root.names.get(first_bits(hash, self.root.bits))?;
        if name & BEHIND == 0 {
            return Some(name as usize);
        }
        let places = &self.behind[(name & !BEHIND) as usize];
        Some(places.names[first_bits(hash << ROOT_BITS, places.bits)] as usize)
    }

    /// Begins with segment 0, which has all hashes.
    pub fn begin(&mut self) {
        self.root = Places { names: vec![0], bits: 0 };
    }

    /// The segment of `hash`, whose hashes share `depth` bits, gives those whose next bit is set to segment `other`.
    ///
    /// # Panics
    /// Past the deepest: hashes are not spread evenly.
    pub fn split(&mut self, hash: u32, depth: u32, other: usize) {
        assert!(depth < DEEPEST, "hashes are spread evenly, so that no table needs more bits");
        let other = u32::try_from(other).ok().filter(|other| other & BEHIND == 0);
        let other = other.expect("there are fewer segments than entries");
        let Some(inner) = depth.checked_sub(ROOT_BITS) else { return self.root.split(hash, depth, other) };
        let name = &mut self.root.names[first_bits(hash, ROOT_BITS)];
        if *name & BEHIND == 0 {
            let places = Places { names: vec![*name], bits: 0 };
            *name = BEHIND | u32::try_from(self.behind.len()).expect("the root has 1,024 places");
            self.behind.push(places);
        }
        self.behind[(*name & !BEHIND) as usize].split(hash << ROOT_BITS, inner, other);
    }
}

impl Places {
    fn split(&mut self, hash: u32, depth: u32, other: u32) {
        if depth == self.bits {
            touch(self.names.len());
            self.names = self.names.iter().flat_map(|name| [*name; 2]).collect();
            self.bits += 1;
        }
        // The places of both halves lie side by side, those of the second half behind the others.
        let places = 1_usize << (self.bits - depth - 1);
        let first = first_bits(hash, depth) * 2 * places;
        touch(places);
        self.names[first + places..first + 2 * places].fill(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::Random, window::touched};

    /// Against a plain list of prefixes, deep into the second storey; no split touches more than a small part.
    #[test]
    fn agrees_with_a_list_of_prefixes() {
        let mut directory = Directory::default();
        assert_eq!(directory.find(7), None);
        directory.begin();
        // By segment: its prefix and how many bits that is.
        let mut prefixes: Vec<(u32, u32)> = vec![(0, 0)];
        let mut random = Random::new(5);
        let hash = |random: &mut Random| u32::try_from(random.below(1 << 32)).expect("32 bits");
        touched::take();
        for _ in 0..40_000 {
            let hash = hash(&mut random);
            let segment = directory.find(hash).expect("it has begun");
            let (prefix, depth) = prefixes[segment];
            let of = |depth: u32| hash.checked_shr(32 - depth).unwrap_or(0);
            assert_eq!((of(depth), depth), (prefix, depth), "the segment of {hash:032b}");
            if depth < DEEPEST {
                directory.split(hash, depth, prefixes.len());
                prefixes[segment] = (prefix << 1, depth + 1);
                prefixes.push((prefix << 1 | 1, depth + 1));
                assert!(touched::take() <= 2 << ROOT_BITS, "{} segments", prefixes.len());
            }
        }
        assert!(prefixes.iter().any(|(_, depth)| *depth > ROOT_BITS + 4), "the second storey was needed");
        for (segment, (prefix, depth)) in prefixes.iter().enumerate() {
            let begin = prefix.checked_shl(32 - depth).unwrap_or(0);
            let end = begin | (u32::MAX.checked_shr(*depth).unwrap_or(0));
            assert_eq!([begin, end].map(|hash| directory.find(hash)), [Some(segment); 2]);
        }
    }
}
