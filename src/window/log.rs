//! What a key of a measure remembers: entries in the order (time, arrival).
//!
//! Two shapes. A short log is one plain vector that measures scan. A long one is a queue of chunks of at most 256
//! entries: what comes in order is appended, what has passed is popped without moving anything, and a late entry moves
//! at most one chunk, a run over a few kilobytes. What measures know besides the entries is beside the log, in `kept`.
//!
//! A chunk that was popped is filled again, and a log that has become short keeps some room for when it is long: one that
//! is as long as it once was asks for no memory.

use super::touched::touch;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Longest log that is one plain vector.
///
/// Records of the topic `state` that have more of a short log are refused: never less than this was.
pub const FEW: usize = 24;
/// A long log that has shrunk to so many entries is a plain vector again; fewer, so that it does not go to and fro.
const FEW_AGAIN: usize = FEW / 4;
/// Most entries of one chunk.
const CHUNK: usize = 256;
/// Entries that are read together before they are asked for one by one.
const AHEAD: usize = 16;
/// How far the labels of two chunks are apart that came one behind the other: a chunk that is cut takes one between.
const LABELS_APART: u64 = 1 << 32;

/// What an entry weighs in a sum over a window.
pub trait Weight: Clone {
    fn weight(&self) -> i128;
}

/// An entry that only counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One;

impl Weight for One {
    fn weight(&self) -> i128 {
        1
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
}

/// Entries in the order (time, arrival).
#[derive(Clone, Debug)]
pub struct Log<V> {
    /// All entries of a short log.
    few: Vec<(Timestamp, V)>,
    /// All entries of a long one. Of a short one it is empty, but may have room.
    many: Option<Box<Chunks<V>>>,
}

impl<V> Default for Log<V> {
    fn default() -> Self {
        Log { few: Vec::new(), many: None }
    }
}

impl<V: Weight> Log<V> {
    pub fn len(&self) -> usize {
        self.many().map_or(self.few.len(), |chunks| chunks.len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries of a long log.
    pub fn many(&self) -> Option<&Chunks<V>> {
        self.many.as_deref().filter(|chunks| chunks.len > 0)
    }

    /// The time of the oldest entry.
    pub fn oldest(&self) -> Option<Timestamp> {
        match self.many() {
            None => self.few.first().map(|(time, _)| *time),
            Some(chunks) => chunks.get(chunks.begin()).map(|(time, _)| time),
        }
    }

    /// The time of the newest entry.
    pub fn newest(&self) -> Option<Timestamp> {
        match self.many() {
            None => self.few.last().map(|(time, _)| *time),
            Some(chunks) => chunks.newest(),
        }
    }

    /// Inserts behind all entries of the same time or earlier; where that moves others of a long log, gives the number of
    /// the chunk from which on places are other ones.
    pub fn insert(&mut self, time: Timestamp, value: V) -> Option<usize> {
        if let Some(chunks) = self.many.as_mut().filter(|chunks| chunks.len > 0) {
            return chunks.insert(time, value);
        }
        let at = self.few.partition_point(|(earlier, _)| *earlier <= time);
        self.few.insert(at, (time, value));
        if self.few.len() > FEW {
            let chunks = self.many.get_or_insert_default();
            self.few.drain(..).for_each(|(time, value)| chunks.append(time, value));
        }
        None
    }

    pub fn pop_first(&mut self) -> Option<(Timestamp, V)> {
        let Some(chunks) = self.many.as_mut().filter(|chunks| chunks.len > 0) else {
            return (!self.few.is_empty()).then(|| self.few.remove(0));
        };
        let popped = chunks.pop_first();
        if chunks.len <= FEW_AGAIN {
            let mut place = chunks.begin();
            while let Some((time, value)) = chunks.get(place) {
                self.few.push((time, value.clone()));
                place = chunks.next(place);
            }
            chunks.clear();
        }
        popped
    }

    /// All entries, where the log is short.
    pub fn short(&self) -> Option<&[(Timestamp, V)]> {
        if self.many().is_none() { Some(&self.few) } else { None }
    }

    /// Empties the log; some room is kept for what comes next.
    pub fn clear(&mut self) {
        self.few.clear();
        if let Some(chunks) = self.many.as_mut().filter(|chunks| chunks.len > 0) {
            chunks.clear();
        }
    }

    /// The chunks, where the log is long.
    pub fn long(&mut self) -> Option<&mut Chunks<V>> {
        self.many.as_deref_mut().filter(|chunks| chunks.len > 0)
    }

    /// A short log of entries that are in order.
    pub fn of_few(few: Vec<(Timestamp, V)>) -> Self {
        Log { few, many: None }
    }

    /// A long log of pieces that [`Chunks::write_pieces`] has shown, from the first of which `popped` entries are gone. Nothing
    /// where no log has such pieces.
    pub fn of_pieces(pieces: Vec<Piece<V>>, popped: usize) -> Option<Self> {
        Some(Log { few: Vec::new(), many: Some(Box::new(Chunks::of_pieces(pieces, popped)?)) })
    }

    /// Takes `entries`, at most [`FEW`] and the newest first, in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, V)>) {
        self.clear();
        self.few.extend(entries);
        self.few.reverse();
    }

    /// The last entry at or before `time`.
    pub fn at_or_before(&self, time: Timestamp) -> Option<(Timestamp, V)> {
        match self.many() {
            None => {
                let after = self.few.partition_point(|(earlier, _)| *earlier <= time);
                self.few.get(after.checked_sub(1)?).cloned()
            }
            Some(chunks) => chunks.get(chunks.before(chunks.upper(time))?).map(owned),
        }
    }

    /// The first entry after `time`.
    pub fn after(&self, time: Timestamp) -> Option<(Timestamp, V)> {
        match self.many() {
            None => self.few.get(self.few.partition_point(|(earlier, _)| *earlier <= time)).cloned(),
            Some(chunks) => chunks.get(chunks.upper(time)).map(owned),
        }
    }

    /// All entries from `time` on.
    pub fn from(&self, time: Timestamp) -> Entries<'_, V> {
        match self.many() {
            None => {
                let at = self.few.partition_point(|(earlier, _)| *earlier < time);
                Entries::Few(self.few[at..].iter())
            }
            Some(chunks) => Entries::Many(chunks, chunks.lower(time)),
        }
    }
}

fn owned<V: Clone>((time, value): (Timestamp, &V)) -> (Timestamp, V) {
    (time, value.clone())
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
                let entry = chunks.get(*place).map(owned)?;
                *place = chunks.next(*place);
                Some(entry)
            }
        }
    }
}

/// Where an entry stands: the chunk's number from the log's first on, and the place in it. Popping moves no entry. One
/// past a chunk's last entry is a place, too: that of the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub chunk: usize,
    at: usize,
}

/// A long log; empty only where it has room for one.
#[derive(Clone, Debug)]
pub struct Chunks<V> {
    queue: VecDeque<Chunk<V>>,
    /// The first time of each chunk, side by side for a search.
    firsts: VecDeque<Timestamp>,
    len: usize,
    /// Chunks that have been popped: the number of the first one.
    gone: usize,
    /// Entries popped from the front of the first chunk, which stay until it is used up.
    head: usize,
    /// Chunks that were popped: their room is used again.
    spare: Vec<Chunk<V>>,
}

/// Most chunks whose room is kept: late entries cut more chunks than are popped for a while, and then fewer.
const SPARE: usize = 8;
/// The list of chunks of an empty log has room for no more than these.
const SHRINKS_TO: usize = 64;

impl<V> Default for Chunks<V> {
    fn default() -> Self {
        Chunks { queue: VecDeque::new(), firsts: VecDeque::new(), len: 0, gone: 0, head: 0, spare: Vec::new() }
    }
}

/// A run of entries.
#[derive(Clone, Debug)]
struct Chunk<V> {
    /// Rises from chunk to chunk, and stays a chunk's own as long as it lives.
    label: u64,
    /// Other entries have come, or moved, since it was last written down.
    changed: bool,
    times: Vec<Timestamp>,
    values: Vec<V>,
}

/// A run of entries of a long log, as it is written down apart from the others.
#[derive(Clone, Debug)]
pub struct Piece<V> {
    pub label: u64,
    pub entries: Vec<(Timestamp, V)>,
}

impl<V: Clone> Chunks<V> {
    /// The same log as the one that was written down; nothing where none is like that.
    fn of_pieces(pieces: Vec<Piece<V>>, popped: usize) -> Option<Self> {
        let first = pieces.first()?.entries.len();
        let whole = |piece: &Piece<V>| (1..=CHUNK).contains(&piece.entries.len());
        let times = || pieces.iter().flat_map(|piece| &piece.entries).map(|(time, _)| *time);
        if popped >= first
            || !pieces.iter().all(whole)
            || !pieces.is_sorted_by(|left, right| left.label < right.label)
            || !times().is_sorted()
        {
            return None;
        }
        let len = times().count() - popped;
        let mut chunks = Chunks {
            queue: VecDeque::with_capacity(pieces.len()),
            firsts: pieces.iter().map(|piece| piece.entries[0].0).collect(),
            len,
            gone: 0,
            head: popped,
            spare: Vec::new(),
        };
        for piece in pieces {
            let mut chunk = Chunk::new(piece.label, CHUNK);
            chunk.changed = false;
            for (time, value) in piece.entries {
                chunk.times.push(time);
                chunk.values.push(value);
            }
            chunks.queue.push_back(chunk);
        }
        Some(chunks)
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.len
    }

    /// How many entries of the first piece are gone.
    pub fn popped(&self) -> usize {
        self.head
    }

    /// The labels of all pieces, rising.
    pub fn labels(&self) -> impl Iterator<Item = u64> {
        self.queue.iter().map(|chunk| chunk.label)
    }

    /// Shows the pieces that have changed since this was done last; those that have gone are no longer among the labels.
    pub fn write_pieces(&mut self, mut write: impl FnMut(u64, &[Timestamp], &[V])) {
        for chunk in self.queue.iter_mut().filter(|chunk| chunk.changed) {
            chunk.changed = false;
            write(chunk.label, &chunk.times, &chunk.values);
        }
    }

    /// The place of the oldest entry.
    pub fn begin(&self) -> Place {
        Place { chunk: self.gone, at: self.head }
    }

    /// The oldest entries: those of the first chunk.
    pub fn head(&self) -> impl Iterator<Item = (Timestamp, &V)> {
        let Chunk { times, values, .. } = &self.queue[0];
        times[self.head..].iter().copied().zip(&values[self.head..])
    }

    /// The time of the newest entry.
    pub fn newest(&self) -> Option<Timestamp> {
        self.queue.back()?.times.last().copied()
    }

    pub fn get(&self, place: Place) -> Option<(Timestamp, &V)> {
        touch(1);
        let mut chunk = self.queue.get(place.chunk - self.gone)?;
        let mut at = place.at;
        if at == chunk.times.len() {
            chunk = self.queue.get(place.chunk - self.gone + 1)?;
            at = 0;
        }
        Some((*chunk.times.get(at)?, &chunk.values[at]))
    }

    /// At one place of a dozen or so: the values of as many entries from there on, and of as many behind those.
    pub fn ahead(&self, place: Place) -> (&[V], &[V]) {
        if place.at % AHEAD != 1 {
            return (&[], &[]);
        }
        let from = |chunk: usize, at: usize| {
            let values = self.queue.get(chunk - self.gone).map_or(&[][..], |chunk| &chunk.values);
            let rest = values.get(at..).unwrap_or_default();
            &rest[..rest.len().min(AHEAD)]
        };
        let later = match from(place.chunk, place.at + AHEAD) {
            [] => from(place.chunk + 1, 1),
            later => later,
        };
        (from(place.chunk, place.at), later)
    }

    /// The place behind that of an entry.
    pub fn next(&self, place: Place) -> Place {
        let entries = self.queue[place.chunk - self.gone].times.len();
        if place.at < entries {
            return Place { chunk: place.chunk, at: place.at + 1 };
        }
        Place { chunk: place.chunk + 1, at: 1 }
    }

    /// The place before `place`.
    fn before(&self, place: Place) -> Option<Place> {
        if place <= self.begin() {
            return None;
        }
        if place.at > 0 {
            return Some(Place { chunk: place.chunk, at: place.at - 1 });
        }
        let chunk = place.chunk - 1;
        Some(Place { chunk, at: self.queue[chunk - self.gone].times.len() - 1 })
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
        let chunk = if before(self.firsts[last]) {
            last
        } else {
            self.firsts.partition_point(|first| before(*first)).saturating_sub(1)
        };
        let head = if chunk == 0 { self.head } else { 0 };
        let entries = &self.queue[chunk].times[head..];
        let at = match entries.last() {
            Some(last) if before(*last) => entries.len(),
            _ => entries.partition_point(|entry| before(*entry)),
        };
        Place { chunk: self.gone + chunk, at: head + at }
    }

    /// Inserts behind all entries of the same time or earlier; gives the chunk's number, or nothing where the entry has
    /// come last and no other has moved.
    fn insert(&mut self, time: Timestamp, value: V) -> Option<usize> {
        if self.newest().is_none_or(|newest| newest <= time) {
            self.append(time, value);
            return None;
        }
        self.len += 1;
        let mut place = self.upper(time);
        if place.chunk == self.gone && self.head > 0 {
            self.compact();
            place.at -= std::mem::take(&mut self.head);
        }
        let mut chunk = place.chunk - self.gone;
        if self.queue[chunk].times.len() >= CHUNK {
            let label = self.label_behind(chunk);
            let mut tail = self.room(label);
            tail.take_half(&mut self.queue[chunk]);
            touch(CHUNK / 2);
            self.firsts.insert(chunk + 1, tail.times[0]);
            self.queue.insert(chunk + 1, tail);
            if place.at > CHUNK / 2 {
                chunk += 1;
                place.at -= CHUNK / 2;
            }
        }
        let Chunk { times, values, changed, .. } = &mut self.queue[chunk];
        *changed = true;
        touch(times.len() - place.at);
        times.insert(place.at, time);
        values.insert(place.at, value);
        if place.at == 0 {
            self.firsts[chunk] = time;
        }
        Some(place.chunk)
    }

    fn append(&mut self, time: Timestamp, value: V) {
        touch(1);
        self.len += 1;
        if self.queue.back().is_none_or(|last| last.times.len() >= CHUNK) {
            let label = self.queue.back().map_or(0, |last| last.label) + LABELS_APART;
            let room = self.room(label);
            self.queue.push_back(room);
            self.firsts.push_back(time);
        }
        let last = self.queue.back_mut().expect("there is a chunk now");
        last.changed = true;
        last.times.push(time);
        last.values.push(value);
    }

    /// A chunk without entries.
    fn room(&mut self, label: u64) -> Chunk<V> {
        match self.spare.pop() {
            Some(spare) => Chunk { label, changed: true, ..spare },
            // Many a long log never needs a second chunk, nor all of the first.
            None => Chunk::new(label, if self.queue.is_empty() { 2 * FEW } else { CHUNK }),
        }
    }

    /// Keeps the room of a chunk.
    fn spare(&mut self, mut used: Chunk<V>) {
        if self.spare.len() < SPARE {
            used.times.clear();
            used.values.clear();
            self.spare.push(used);
        }
    }

    fn clear(&mut self) {
        while let Some(used) = self.queue.pop_front() {
            self.spare(used);
        }
        self.queue.shrink_to(SHRINKS_TO);
        self.firsts.clear();
        self.firsts.shrink_to(SHRINKS_TO);
        (self.len, self.gone, self.head) = (0, 0, 0);
    }

    /// A label between those of a chunk and of the one behind it. Where there is none left all chunks get others.
    fn label_behind(&mut self, chunk: usize) -> u64 {
        let next = |chunks: &Self| chunks.queue.get(chunk + 1).map(|next| next.label);
        if next(self).is_some_and(|next| next - self.queue[chunk].label < 2) {
            let mut label = self.queue.back().map_or(0, |last| last.label);
            for chunk in &mut self.queue {
                label += LABELS_APART;
                (chunk.label, chunk.changed) = (label, true);
            }
        }
        let own = self.queue[chunk].label;
        next(self).map_or(own + LABELS_APART, |next| own + (next - own) / 2)
    }

    /// Takes what was popped out of the first chunk; the caller forgets how much that was.
    fn compact(&mut self) {
        let head = self.head;
        let Chunk { times, values, changed, .. } = &mut self.queue[0];
        *changed = true;
        touch(times.len());
        times.drain(..head);
        values.drain(..head);
        self.firsts[0] = times[0];
    }

    fn pop_first(&mut self) -> Option<(Timestamp, V)> {
        let (time, value) = self.get(self.begin())?;
        let first = (time, value.clone());
        self.head += 1;
        self.len -= 1;
        if self.head == self.queue[0].times.len() && self.queue.len() > 1 {
            let used = self.queue.pop_front()?;
            self.firsts.pop_front();
            (self.gone, self.head) = (self.gone + 1, 0);
            self.spare(used);
        }
        Some(first)
    }
}

impl<V> Chunk<V> {
    fn new(label: u64, room: usize) -> Self {
        Chunk { label, changed: true, times: Vec::with_capacity(room), values: Vec::with_capacity(room) }
    }

    /// Takes the later half of what a full chunk has.
    fn take_half(&mut self, full: &mut Chunk<V>) {
        full.changed = true;
        self.times.extend(full.times.drain(CHUNK / 2..));
        self.values.extend(full.values.drain(CHUNK / 2..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunked log must be what a plain sorted vector is, after every step.
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
            let since = plain.partition_point(|(time, _)| *time < from);
            assert!(log.from(from).take(600).eq(plain[since..].iter().take(600).copied()));
            let after = plain.iter().find(|(later, _)| *later > from).copied();
            assert_eq!(log.after(from), after);
            let before = plain.iter().rev().find(|(earlier, _)| *earlier <= from).copied();
            assert_eq!(log.at_or_before(from), before);
        }
        assert!(log.from(Timestamp(i64::MIN)).eq(plain.iter().copied()));
    }

    /// Pieces that are written down when they have changed, and dropped with their label, are the log.
    #[test]
    fn pieces_are_the_log() {
        let mut random = crate::random::Random::new(11);
        let mut log: Log<i128> = Log::default();
        let mut written: std::collections::BTreeMap<u64, Vec<(Timestamp, i128)>> = std::collections::BTreeMap::new();
        for step in 0..30_000_i64 {
            // Hundreds of chunks are cut at one instant, so that labels run out between two.
            let time = if step % 4 == 0 { 5_000 } else { step };
            log.insert(Timestamp(time), step.into());
            if step > 20_000 && random.below(3) > 0 {
                log.pop_first();
            }
            if random.below(200) > 0 {
                continue;
            }
            let Some(chunks) = log.long() else { continue };
            chunks.write_pieces(|label, times, values| {
                written.insert(label, times.iter().copied().zip(values.iter().copied()).collect());
            });
            let labels: Vec<u64> = chunks.labels().collect();
            written.retain(|label, _| labels.contains(label));
            let pieces = written.iter().map(|(label, entries)| Piece { label: *label, entries: entries.clone() });
            let mut again = Log::of_pieces(pieces.collect(), chunks.popped()).expect("the same log");
            assert!(again.from(Timestamp::MIN).eq(log.from(Timestamp::MIN)) && again.len() == log.len());
            again.long().expect("a long log").write_pieces(|_, _, _| panic!("nothing has changed"));
        }
    }
}
