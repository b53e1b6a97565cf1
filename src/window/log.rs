//! What a key of a measure remembers: entries in the order (time, arrival).
//!
//! Two shapes. A short log is one plain vector that measures scan. A long one is a queue of chunks, each with the
//! weight of all that lies before it, so that a window's weight is the difference of two prefixes whatever its
//! length: in order nothing is rescanned, and a late entry moves at most one chunk. `Peaks` are the second half
//! of that: once a late event has come, every entry also knows the weight of the window that *begins* at it, and
//! the heaviest window that holds an event is a maximum over a range of such entries.
//!
//! A chunk has at most 512 entries: moving, scanning or adding within one is a run over a few kilobytes.

use crate::time::Timestamp;
use std::collections::VecDeque;

/// Longest log that is one plain vector.
pub const FEW: usize = 24;
/// A long log that has shrunk to so many entries is a plain vector again; fewer, so that it does not go to and fro.
const FEW_AGAIN: usize = FEW / 4;
/// Most entries of one chunk.
const CHUNK: usize = 512;

/// What an entry weighs in a sum over a window.
pub trait Weight: Clone {
    fn weight(&self) -> i128;
    /// The sum over `items`.
    fn total(items: &[Self]) -> i128 {
        items.iter().map(Weight::weight).sum()
    }
}

/// An entry that only counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One;

impl Weight for One {
    fn weight(&self) -> i128 {
        1
    }
    fn total(items: &[Self]) -> i128 {
        items.len() as i128
    }
}

/// An entry of a sum: in units of the sixth decimal.
impl Weight for i128 {
    fn weight(&self) -> i128 {
        *self
    }
}

/// An entry that stands for a value: it has no weight of its own.
impl Weight for u128 {
    fn weight(&self) -> i128 {
        0
    }
    fn total(_items: &[Self]) -> i128 {
        0
    }
}

/// Entries in the order (time, arrival).
#[derive(Clone, Debug)]
pub enum Log<V> {
    Few(Vec<(Timestamp, V)>),
    Many(Box<Chunks<V>>),
}

impl<V> Default for Log<V> {
    fn default() -> Self {
        Log::Few(Vec::new())
    }
}

impl<V: Weight> Log<V> {
    pub fn len(&self) -> usize {
        match self {
            Log::Few(entries) => entries.len(),
            Log::Many(chunks) => chunks.len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn first(&self) -> Option<(Timestamp, V)> {
        match self {
            Log::Few(entries) => entries.first().cloned(),
            Log::Many(chunks) => chunks.get(Place { chunk: 0, at: 0 }),
        }
    }

    pub fn last(&self) -> Option<(Timestamp, V)> {
        match self {
            Log::Few(entries) => entries.last().cloned(),
            Log::Many(chunks) => {
                let last = chunks.queue.back()?;
                Some((*last.times.last()?, last.values.last()?.clone()))
            }
        }
    }

    /// Inserts behind all entries of the same time or earlier.
    pub fn insert(&mut self, time: Timestamp, value: V) {
        match self {
            Log::Few(entries) => {
                let at = entries.partition_point(|(earlier, _)| *earlier <= time);
                entries.insert(at, (time, value));
                if entries.len() > FEW {
                    *self = Log::Many(Box::new(Chunks::from_few(entries)));
                }
            }
            Log::Many(chunks) => {
                let place = chunks.upper(time);
                chunks.insert(place, time, value);
            }
        }
    }

    pub fn pop_first(&mut self) -> Option<(Timestamp, V)> {
        match self {
            Log::Few(entries) => (!entries.is_empty()).then(|| entries.remove(0)),
            Log::Many(chunks) => {
                let popped = chunks.pop_first();
                if chunks.len <= FEW_AGAIN {
                    *self = Log::Few(self.from(Timestamp::MIN).collect());
                }
                popped
            }
        }
    }

    /// All entries, where the log is short.
    pub fn short(&self) -> Option<&[(Timestamp, V)]> {
        match self {
            Log::Few(entries) => Some(entries),
            Log::Many(_) => None,
        }
    }

    /// Empties the log; a short one's room is kept for what comes next.
    pub fn clear(&mut self) {
        match self {
            Log::Few(entries) => entries.clear(),
            Log::Many(_) => *self = Log::default(),
        }
    }

    /// Takes `entries`, which are in order, in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, V)>) {
        self.clear();
        for (time, value) in entries {
            self.insert(time, value);
        }
    }

    /// The last entry at or before `time`.
    pub fn at_or_before(&self, time: Timestamp) -> Option<(Timestamp, V)> {
        match self {
            Log::Few(entries) => {
                let after = entries.partition_point(|(earlier, _)| *earlier <= time);
                entries.get(after.checked_sub(1)?).cloned()
            }
            Log::Many(chunks) => chunks.get(chunks.before(chunks.upper(time))?),
        }
    }

    /// The first entry after `time`.
    pub fn after(&self, time: Timestamp) -> Option<(Timestamp, V)> {
        match self {
            Log::Few(entries) => entries.get(entries.partition_point(|(earlier, _)| *earlier <= time)).cloned(),
            Log::Many(chunks) => chunks.get(chunks.upper(time)),
        }
    }

    /// All entries from `time` on.
    pub fn from(&self, time: Timestamp) -> Entries<'_, V> {
        match self {
            Log::Few(entries) => {
                let at = entries.partition_point(|(earlier, _)| *earlier < time);
                Entries::Few(entries[at..].iter())
            }
            Log::Many(chunks) => Entries::Many(chunks, chunks.lower(time)),
        }
    }
}

/// A walk over entries in order.
#[derive(Clone, Debug)]
pub enum Entries<'a, V> {
    Few(std::slice::Iter<'a, (Timestamp, V)>),
    Many(&'a Chunks<V>, Place),
}

impl<V: Weight> Iterator for Entries<'_, V> {
    type Item = (Timestamp, V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Entries::Few(entries) => entries.next().cloned(),
            Entries::Many(chunks, place) => {
                let entry = chunks.get(*place)?;
                *place = chunks.next(*place);
                Some(entry)
            }
        }
    }
}

/// Where an entry stands; `at` counts from the chunk's head. One past the last entry is a place, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    chunk: usize,
    at: usize,
}

/// A long log.
#[derive(Clone, Debug)]
pub struct Chunks<V> {
    queue: VecDeque<Chunk<V>>,
    len: usize,
    /// How many `Peaks` every chunk has.
    peaks: usize,
}

/// A run of entries. What has been popped from the front stays in place until the chunk is used up.
#[derive(Clone, Debug)]
struct Chunk<V> {
    times: Vec<Timestamp>,
    values: Vec<V>,
    /// Entries popped from the front.
    head: usize,
    /// Weight of all entries before this chunk, from an origin that popping does not move.
    weight_before: i128,
    peaks: Vec<Peaks>,
}

/// For one window length: the weight of the window that begins at each entry of a chunk.
#[derive(Clone, Debug, Default)]
struct Peaks {
    /// Less `added`.
    of: Vec<i128>,
    /// To be added to each of `of`.
    added: i128,
    /// The largest of `of`, with `added`; of popped entries too, which is why the first chunk is always looked through.
    highest: i128,
}

impl<V: Weight> Chunk<V> {
    fn slice(&self) -> &[Timestamp] {
        &self.times[self.head..]
    }
    fn len(&self) -> usize {
        self.times.len() - self.head
    }
}

impl Peaks {
    fn refresh(&mut self) {
        self.highest = self.of.iter().copied().max().unwrap_or(i128::MIN / 2) + self.added;
    }
}

impl<V: Weight> Chunks<V> {
    fn from_few(entries: &[(Timestamp, V)]) -> Self {
        let chunk = Chunk {
            times: entries.iter().map(|(time, _)| *time).collect(),
            values: entries.iter().map(|(_, value)| value.clone()).collect(),
            head: 0,
            weight_before: 0,
            peaks: Vec::new(),
        };
        Chunks { queue: VecDeque::from([chunk]), len: entries.len(), peaks: 0 }
    }

    pub fn get(&self, place: Place) -> Option<(Timestamp, V)> {
        let chunk = self.queue.get(place.chunk)?;
        let at = chunk.head + place.at;
        Some((*chunk.times.get(at)?, chunk.values[at].clone()))
    }

    /// The place behind `place`; the end of one chunk is the beginning of the next.
    pub fn next(&self, place: Place) -> Place {
        self.settle(Place { chunk: place.chunk, at: place.at + 1 })
    }

    fn settle(&self, place: Place) -> Place {
        if place.at >= self.queue[place.chunk].len() && place.chunk + 1 < self.queue.len() {
            Place { chunk: place.chunk + 1, at: 0 }
        } else {
            place
        }
    }

    /// The place before `place`.
    pub fn before(&self, place: Place) -> Option<Place> {
        if place.at > 0 {
            return Some(Place { chunk: place.chunk, at: place.at - 1 });
        }
        let chunk = place.chunk.checked_sub(1)?;
        Some(Place { chunk, at: self.queue[chunk].len() - 1 })
    }

    /// The first entry at or after `time`.
    pub fn lower(&self, time: Timestamp) -> Place {
        self.search(|entry| entry < time)
    }

    /// The first entry after `time`.
    pub fn upper(&self, time: Timestamp) -> Place {
        self.search(|entry| entry <= time)
    }

    fn search(&self, before: impl Fn(Timestamp) -> bool) -> Place {
        // In order the answer for an upper bound is the end; look there first.
        let last = self.queue.len() - 1;
        let chunk = if before(self.queue[last].slice()[0]) {
            last
        } else {
            self.queue.partition_point(|chunk| before(chunk.slice()[0])).saturating_sub(1)
        };
        let entries = self.queue[chunk].slice();
        let at = if before(entries[entries.len() - 1]) {
            entries.len()
        } else {
            entries.partition_point(|entry| before(*entry))
        };
        self.settle(Place { chunk, at })
    }

    pub fn end(&self) -> Place {
        let chunk = self.queue.len() - 1;
        Place { chunk, at: self.queue[chunk].len() }
    }

    /// The weight of all entries before `place`, from an origin that popping does not move.
    pub fn prefix(&self, place: Place) -> i128 {
        let chunk = &self.queue[place.chunk];
        chunk.weight_before + V::total(&chunk.values[..chunk.head + place.at])
    }

    /// Inserts at `place`. With peaks, the new entry's own are to be set by [`Chunks::set_peak`].
    pub fn insert(&mut self, place: Place, time: Timestamp, value: V) -> Place {
        let place = self.room_at(place);
        let chunk = &mut self.queue[place.chunk];
        let at = chunk.head + place.at;
        let weight = value.weight();
        chunk.times.insert(at, time);
        chunk.values.insert(at, value);
        for peaks in &mut chunk.peaks {
            peaks.of.insert(at, -peaks.added);
        }
        for later in self.queue.iter_mut().skip(place.chunk + 1) {
            later.weight_before += weight;
        }
        self.len += 1;
        place
    }

    /// Makes sure that the chunk of `place` can take one more entry, and says where `place` is then.
    fn room_at(&mut self, mut place: Place) -> Place {
        // Between two chunks, the end of the earlier one is as good a place.
        if place.at == 0 && place.chunk > 0 {
            place = Place { chunk: place.chunk - 1, at: self.queue[place.chunk - 1].len() };
        }
        let chunk = &mut self.queue[place.chunk];
        if chunk.head > 0 && chunk.times.len() >= CHUNK {
            chunk.compact();
        }
        if chunk.times.len() < CHUNK {
            return place;
        }
        let at_end = place.at == chunk.len();
        let keep = if at_end { chunk.times.len() } else { chunk.times.len() / 2 };
        let tail = chunk.split(keep);
        self.queue.insert(place.chunk + 1, tail);
        if place.at >= keep { Place { chunk: place.chunk + 1, at: place.at - keep } } else { place }
    }

    pub fn pop_first(&mut self) -> Option<(Timestamp, V)> {
        let first = self.get(Place { chunk: 0, at: 0 })?;
        let chunk = &mut self.queue[0];
        chunk.head += 1;
        if chunk.head == chunk.times.len() && self.queue.len() > 1 {
            self.queue.pop_front();
        }
        self.len -= 1;
        Some(first)
    }

    /// Whether entries know the windows that begin at them.
    pub fn has_peaks(&self) -> bool {
        self.peaks > 0
    }

    /// Gives every entry `count` peaks, each as `weigh` says.
    pub fn build_peaks(&mut self, count: usize, mut weigh: impl FnMut(&Self, usize, Place) -> i128) {
        for chunk in 0..self.queue.len() {
            let mut built = Vec::with_capacity(count);
            for length in 0..count {
                let head = self.queue[chunk].head;
                let mut of = vec![i128::MIN / 2; head];
                of.extend((0..self.queue[chunk].len()).map(|at| weigh(self, length, Place { chunk, at })));
                let mut peaks = Peaks { of, added: 0, highest: 0 };
                peaks.refresh();
                built.push(peaks);
            }
            self.queue[chunk].peaks = built;
        }
        self.peaks = count;
    }

    pub fn drop_peaks(&mut self) {
        for chunk in &mut self.queue {
            chunk.peaks.clear();
        }
        self.peaks = 0;
    }

    /// The window of length number `length` that begins at `place` weighs `weight`.
    pub fn set_peak(&mut self, length: usize, place: Place, weight: i128) {
        let chunk = &mut self.queue[place.chunk];
        let at = chunk.head + place.at;
        let peaks = &mut chunk.peaks[length];
        peaks.of[at] = weight - peaks.added;
        peaks.highest = peaks.highest.max(weight);
    }

    /// What the window of length number `length` that begins at `place` weighs.
    pub fn peak_at(&self, length: usize, place: Place) -> i128 {
        let chunk = &self.queue[place.chunk];
        chunk.peaks[length].of[chunk.head + place.at] + chunk.peaks[length].added
    }

    /// Adds `weight` to the windows that begin at `from` up to but not at `to`.
    pub fn add(&mut self, length: usize, from: Place, to: Place, weight: i128) {
        for number in from.chunk..=to.chunk.min(self.queue.len() - 1) {
            let chunk = &mut self.queue[number];
            let begin = if number == from.chunk { from.at } else { 0 };
            let end = if number == to.chunk { to.at.min(chunk.len()) } else { chunk.len() };
            if begin >= end {
                continue;
            }
            let (head, whole) = (chunk.head, begin == 0 && end == chunk.len());
            let peaks = &mut chunk.peaks[length];
            if whole {
                peaks.added += weight;
                peaks.highest += weight;
            } else {
                for peak in &mut peaks.of[head + begin..head + end] {
                    *peak += weight;
                }
                peaks.refresh();
            }
        }
    }

    /// The heaviest window that begins at `from` up to but not at `to`: its weight and the first place that has it.
    pub fn highest(&self, length: usize, from: Place, to: Place) -> Option<(i128, Place)> {
        let mut best: Option<(i128, Place)> = None;
        for number in from.chunk..=to.chunk.min(self.queue.len() - 1) {
            let chunk = &self.queue[number];
            let begin = if number == from.chunk { from.at } else { 0 };
            let end = if number == to.chunk { to.at.min(chunk.len()) } else { chunk.len() };
            let peaks = &chunk.peaks[length];
            if begin >= end || best.is_some_and(|(weight, _)| peaks.highest <= weight) {
                continue;
            }
            for at in begin..end {
                let weight = peaks.of[chunk.head + at] + peaks.added;
                if best.is_none_or(|(highest, _)| weight > highest) {
                    best = Some((weight, Place { chunk: number, at }));
                }
            }
        }
        best
    }
}

impl<V: Weight> Chunk<V> {
    /// Lets go of what was popped.
    fn compact(&mut self) {
        self.weight_before += V::total(&self.values[..self.head]);
        self.times.drain(..self.head);
        self.values.drain(..self.head);
        for peaks in &mut self.peaks {
            peaks.of.drain(..self.head);
        }
        self.head = 0;
    }

    /// Cuts the chunk, which has nothing popped, behind `keep` entries.
    fn split(&mut self, keep: usize) -> Chunk<V> {
        assert_eq!(self.head, 0, "a chunk is compacted before it is split");
        let values = self.values.split_off(keep);
        let mut peaks = Vec::with_capacity(self.peaks.len());
        for own in &mut self.peaks {
            let mut cut = Peaks { of: own.of.split_off(keep), added: own.added, highest: 0 };
            cut.refresh();
            own.refresh();
            peaks.push(cut);
        }
        Chunk {
            times: self.times.split_off(keep),
            weight_before: self.weight_before + V::total(&self.values),
            values,
            head: 0,
            peaks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunked log with peaks must be what a plain sorted vector is, after every step.
    #[test]
    fn agrees_with_a_plain_vector() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut log: Log<i128> = Log::default();
        let mut plain: Vec<(Timestamp, i128)> = Vec::new();
        for step in 0..20_000_i64 {
            let time = Timestamp(step - i64::try_from(random(if step % 3 == 0 { 600 } else { 1 })).expect("small"));
            let weight = i128::from(random(100));
            log.insert(time, weight);
            let at = plain.partition_point(|(earlier, _)| *earlier <= time);
            plain.insert(at, (time, weight));
            if plain.len() > 3_000 || random(40) == 0 {
                assert_eq!(log.pop_first(), Some(plain.remove(0)));
            }
            let from = Timestamp(time.0 - i64::try_from(random(5_000)).expect("small"));
            if let Log::Many(chunks) = &log {
                let weigh: i128 = plain.iter().filter(|(time, _)| *time >= from).map(|(_, weight)| weight).sum();
                assert_eq!(chunks.prefix(chunks.end()) - chunks.prefix(chunks.lower(from)), weigh);
            }
            let after = plain.iter().find(|(later, _)| *later > from).copied();
            assert_eq!(log.after(from), after);
            let before = plain.iter().rev().find(|(earlier, _)| *earlier <= from).copied();
            assert_eq!(log.at_or_before(from), before);
        }
        assert!(log.from(Timestamp(i64::MIN)).eq(plain.iter().copied()));
    }
}
