//! Things that came one after another, found by a hash, and let go of in the order in which they came.
//!
//! They lie in a log by arrival, and an index of it says where each is: what comes is written behind the last one and to one
//! line of the index, which is also all that a look-up reads where there is nothing. With whole records in hash tables, one for
//! each slice of time, an id of a wallet with a million an hour was looked for in six lines, and its record of 24 bytes
//! moved twice or more while the tables grew: 1,500 instructions, now 860, and most of what such a wallet waited for.
//!
//! What has passed goes from the front of the log, by the 256 where there are more than that, and the index forgets it by
//! that alone.

use super::{
    index::{Entry, Index, Kept},
    touched::touch,
};
use crate::{memory::fetch, time::Timestamp};
use std::collections::VecDeque;

/// Things of a chunk of the log.
pub const CHUNK: usize = 256;
/// Chunks whose room is kept for the next, besides as many as there are.
const SPARE: usize = 4;

/// Things by arrival.
#[derive(Clone, Debug)]
pub struct Arrivals<T> {
    /// The oldest first: full chunks, and the one that is being filled.
    full: VecDeque<Chunk<T>>,
    last: Vec<T>,
    /// Nothing of the last chunk is of use for longer.
    last_until: Timestamp,
    /// The number of the first thing of the first chunk; numbers go round.
    first: u32,
    /// Things at the beginning of the first chunk that are gone.
    gone: usize,
    /// The numbers of things by their hashes.
    index: Index,
    spare: Vec<Vec<T>>,
}

/// Things that arrived one after another.
#[derive(Clone, Debug)]
struct Chunk<T> {
    until: Timestamp,
    things: Vec<T>,
}

impl<T> Default for Arrivals<T> {
    fn default() -> Self {
        let (full, last, index, spare) = Default::default();
        Arrivals { full, last, last_until: Timestamp::MIN, first: 0, gone: 0, index, spare }
    }
}

impl<T> Arrivals<T> {
    /// Puts in something of that hash, which is of use until an instant.
    #[inline]
    pub fn insert(&mut self, hash: u32, thing: T, until: Timestamp) {
        if self.last.len() == CHUNK {
            self.begin_chunk();
        }
        let place = self.number_of(self.full.len() * CHUNK + self.last.len());
        self.last.push(thing);
        self.last_until = self.last_until.max(until);
        self.index.insert(Entry { hash, place }, self.kept());
    }

    /// Lets go of what was of use until before `now`, as far as it is at the front: of full chunks one at a time, whatever has
    /// come since the last time, and of the only chunk those that have `passed`. Whether anything went.
    #[inline]
    pub fn let_go(&mut self, now: Timestamp, passed: impl Fn(&T) -> bool) -> bool {
        let Some(chunk) = self.full.front() else {
            let before = self.gone;
            while self.last.get(self.gone).is_some_and(&passed) {
                touch(1);
                self.gone += 1;
            }
            return self.gone > before;
        };
        let goes = chunk.until < now;
        if goes {
            let chunk = self.full.pop_front().expect("there is a first one");
            (self.first, self.gone) = (self.number_of(CHUNK), 0);
            self.keep_room(chunk.things);
        }
        goes
    }

    /// Makes room for one more behind a full chunk.
    fn begin_chunk(&mut self) {
        if self.full.is_empty() && self.gone >= CHUNK / 4 {
            touch(CHUNK - self.gone);
            self.first = self.number_of(self.gone);
            self.last.drain(..std::mem::take(&mut self.gone));
            return;
        }
        let room = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
        let things = std::mem::replace(&mut self.last, room);
        self.full.push_back(Chunk { until: std::mem::replace(&mut self.last_until, Timestamp::MIN), things });
    }

    /// Keeps the room of a chunk. What is of use until the same instant goes together and comes one by one, so that there are
    /// as many spare as full ones at times; more are given back, two at once.
    fn keep_room(&mut self, mut things: Vec<T>) {
        things.clear();
        self.spare.push(things);
        let most = self.full.len() + SPARE;
        self.spare.truncate(most.max(self.spare.len().saturating_sub(2)));
    }

    /// The number of what is so many behind the first.
    #[inline]
    fn number_of(&self, behind: usize) -> u32 {
        self.first.wrapping_add(u32::try_from(behind).expect("memory ends before numbers do"))
    }

    #[inline]
    fn kept(&self) -> Kept {
        let count = u32::try_from(self.count()).expect("memory ends before numbers do");
        Kept { first: self.number_of(self.gone), count }
    }

    /// Where the thing of a number lies: how many chunks and how many things are before it.
    #[inline]
    fn place_of(&self, number: u32) -> (usize, usize) {
        let behind = number.wrapping_sub(self.first) as usize;
        (behind / CHUNK, behind % CHUNK)
    }

    /// The thing of a number that was found, and is not gone.
    #[must_use]
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        let (chunk, at) = self.place_of(number);
        let things = self.full.get(chunk).map_or(&self.last, |chunk| &chunk.things);
        &things[at]
    }

    /// The same, to be changed in what its hash and its use do not depend on.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        let (chunk, at) = self.place_of(number);
        let things = self.full.get_mut(chunk).map_or(&mut self.last, |chunk| &mut chunk.things);
        &mut things[at]
    }

    /// The number of what has that hash and is the one that is looked for.
    #[inline]
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32, &T) -> bool) -> Option<u32> {
        self.index.find(hash, self.kept(), |number| is_it(number, self.get(number)))
    }

    /// Forgets all; some room is kept.
    pub fn clear(&mut self) {
        self.first = self.number_of(self.full.len() * CHUNK + self.last.len());
        (self.gone, self.last_until) = (0, Timestamp::MIN);
        self.last.clear();
        while let Some(chunk) = self.full.pop_front() {
            self.keep_room(chunk.things);
        }
        self.spare.truncate(SPARE);
        self.full.shrink_to(SPARE);
        self.index.clear();
    }

    /// Fetches what a look-up reads first.
    #[inline]
    pub fn fetch(&self, hash: u32) {
        self.index.fetch(hash);
    }

    /// Fetches the things of a hash, once what leads to them has been [fetched](Arrivals::fetch).
    #[inline]
    pub fn fetch_things(&self, hash: u32) {
        self.index.find(hash, self.kept(), |number| {
            fetch(self.get(number));
            false
        });
    }

    /// The first and the last thing of the chunk that is being filled: what comes and goes touches them.
    pub fn ends(&self) -> impl Iterator<Item = &T> {
        [self.last.get(self.gone), self.last.last()].into_iter().flatten()
    }

    /// How many are kept.
    #[must_use]
    #[inline]
    pub fn count(&self) -> usize {
        self.full.len() * CHUNK + self.last.len() - self.gone
    }

    /// All that is kept.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let chunks = self.full.iter().map(|chunk| &chunk.things).chain([&self.last]);
        chunks.flatten().skip(self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Room is used again where many go at once and come one by one, and is given back where fewer come.
    #[test]
    fn room_is_used_again_and_given_back() {
        let mut random = Random::new(8);
        let mut arrivals: Arrivals<u64> = Arrivals::default();
        let mut most_room = [0; 4];
        for number in 0..400_000_i64 {
            // Slices of 20 000, of which the last two are of use; at last everything passes.
            let slice = number / 20_000;
            let now = if number < 300_000 { (slice - 1) * 20_000 } else { number };
            arrivals.let_go(Timestamp(now), |_| false);
            let hash = u32::try_from(random.below(1 << 32)).expect("32 bits");
            arrivals.insert(hash, number.cast_unsigned(), Timestamp(slice * 20_000 + 19_999));
            let room = arrivals.full.len() + arrivals.spare.len();
            let phase = usize::try_from(number / 100_000).expect("one of four");
            most_room[phase] = most_room[phase].max(room);
        }
        let [first, second, third, _] = most_room;
        assert!(first.max(second).abs_diff(third) <= 2, "{most_room:?} chunks while as many come");
        let room = arrivals.full.len() + arrivals.spare.len();
        assert!(room < first * 3 / 4, "{room} chunks once fewer are of use, of {first}");
    }
}
