//! When a value has been seen: enough of it to say which windows of one length hold it.
//!
//! Time is cut into slices as long as the window, and of each value only the first and the last occurrence in a slice is
//! kept: two of one slice are never further apart than the window is long, so whatever lies between them changes no
//! answer. An event asks for its own slice and its neighbours, which is two or three look-ups whatever has happened,
//! and a slice that has passed goes as a whole.

use super::table::{Record, Table, halves};
use crate::time::Timestamp;
use std::{collections::VecDeque, hint::black_box, ops::RangeInclusive};

/// One value in one slice: 32 bytes, two to a line of the cache.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The two halves of the value.
    value: [u64; 2],
    first: Timestamp,
    /// Twice the time of the last occurrence, which is before `first` where none is left; and one more once the windows
    /// have been told that it leaves them.
    last_and_left: i64,
}

impl Seen {
    fn new(value: [u64; 2], time: Timestamp) -> Self {
        Seen { value, first: time, last_and_left: 2 * time.0 }
    }

    fn last(&self) -> Timestamp {
        Timestamp(self.last_and_left >> 1)
    }

    fn set_last(&mut self, last: Timestamp) {
        self.last_and_left = 2 * last.0;
    }

    fn has_left(&self) -> bool {
        self.last_and_left & 1 == 1
    }

    fn is_left_over(&self) -> bool {
        self.first <= self.last()
    }
}

impl Record for Seen {
    type Key = [u64; 2];
    const EMPTY: Seen = Seen { value: [0, 0], first: Timestamp::MAX, last_and_left: 0 };
    fn key(&self) -> [u64; 2] {
        self.value
    }
    fn hash(key: [u64; 2]) -> u64 {
        key[0]
    }
}

/// The values of one slice.
#[derive(Clone, Debug)]
struct Slice {
    number: i64,
    seen: Table<Seen>,
}

/// The occurrences of values.
#[derive(Clone, Debug)]
pub struct Occurrences {
    /// The window's length in ms.
    millis: i64,
    /// By number, oldest first.
    slices: VecDeque<Slice>,
    /// Tables of slices that have gone: their room is used again.
    spare: Vec<Table<Seen>>,
}

/// Most tables whose room is kept: as many slices as a window and what is late for it mostly reach.
const SPARE: usize = 3;

impl Occurrences {
    /// For windows of so many ms.
    pub fn new(millis: i64) -> Self {
        Occurrences { millis, slices: VecDeque::new(), spare: Vec::new() }
    }

    /// Forgets all occurrences; some room is kept.
    pub fn clear(&mut self) {
        while let Some(slice) = self.slices.pop_front() {
            self.let_go(slice);
        }
        self.spare.iter_mut().for_each(Table::shed);
    }

    /// Two instants of one slice are at most a window's length apart.
    fn slice_of(&self, time: Timestamp) -> i64 {
        time.0.div_euclid(self.millis + 1)
    }

    /// The slice's place; it or its neighbour is nearly always the last.
    fn place(&self, number: i64) -> Option<usize> {
        let last = self.slices.back()?;
        if last.number == number {
            return Some(self.slices.len() - 1);
        }
        let at = self.slices.partition_point(|slice| slice.number < number);
        self.slices.get(at).filter(|slice| slice.number == number).map(|_| at)
    }

    fn seen(&self, number: i64, value: [u64; 2]) -> Option<Seen> {
        let slice = &self.slices[self.place(number)?];
        slice.seen.find(value).filter(|seen| seen.is_left_over()).copied()
    }

    fn seen_mut(&mut self, number: i64, value: [u64; 2]) -> Option<&mut Seen> {
        let at = self.place(number)?;
        self.slices[at].seen.find_mut(value)
    }

    /// The last occurrence at or before `time` and the first one after it, as far as they lie in its slice or beside it.
    /// With others on both sides in one slice any two will do: no window between them lacks the value.
    fn around(&self, value: [u64; 2], time: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let number = self.slice_of(time);
        self.peek(value);
        let own = self.seen(number, value);
        let before = match own {
            Some(seen) if seen.last() <= time => Some(seen.last()),
            Some(seen) if seen.first <= time => Some(seen.first),
            _ => self.seen(number - 1, value).map(|seen| seen.last()),
        };
        let after = match own {
            Some(seen) if seen.first > time => Some(seen.first),
            Some(seen) if seen.last() > time => Some(seen.last()),
            _ => self.seen(number + 1, value).map(|seen| seen.first),
        };
        (before, after)
    }

    /// Has what all slices say of a value on its way from memory, before what one says decides whether another is asked.
    fn peek(&self, value: [u64; 2]) {
        black_box(self.slices.iter().fold(0, |read, slice| read ^ slice.seen.peek(value)));
    }

    /// Reads all that will be asked of a value; nothing comes of it.
    pub fn look_ahead(&self, value: u128) -> u64 {
        let value = halves(value);
        self.slices.iter().fold(0, |read, slice| read ^ slice.seen.look_ahead(value))
    }

    /// The ends of windows that an occurrence at `time` gives the value to: those that hold the event and no other
    /// occurrence. May be empty.
    pub fn gained(&self, value: u128, time: Timestamp) -> RangeInclusive<Timestamp> {
        let (before, after) = self.around(halves(value), time);
        let from = before.map_or(time, |before| time.max(Timestamp(before.0 + self.millis + 1)));
        let end = time.0 + self.millis;
        from..=Timestamp(after.map_or(end, |after| end.min(after.0 - 1)))
    }

    /// Whether the value occurs in the window that ends at `time`.
    pub fn holds(&self, value: u128, time: Timestamp) -> bool {
        self.around(halves(value), time).0.is_some_and(|before| before.0 >= time.0 - self.millis)
    }

    /// Notes an occurrence.
    pub fn add(&mut self, value: u128, time: Timestamp) {
        let value = halves(value);
        let number = self.slice_of(time);
        match self.seen_mut(number, value) {
            None => {}
            Some(seen) if !seen.is_left_over() => return *seen = Seen::new(value, time),
            Some(seen) => {
                seen.first = seen.first.min(time);
                if seen.last() < time {
                    seen.set_last(time);
                }
                return;
            }
        }
        let at = self.place(number).unwrap_or_else(|| {
            let at = self.slices.partition_point(|slice| slice.number < number);
            self.slices.insert(at, Slice { number, seen: self.spare.pop().unwrap_or_default() });
            at
        });
        self.slices[at].seen.insert(Seen::new(value, time));
    }

    /// Whether the value leaves the windows with an occurrence at `time`: no other follows while they hold this one. Of
    /// several at one instant only the first that asks is told so.
    pub fn leave(&mut self, value: u128, time: Timestamp) -> bool {
        let value = halves(value);
        let number = self.slice_of(time);
        if self.seen(number, value).is_none_or(|seen| seen.last() != time || seen.has_left())
            || self.seen(number + 1, value).is_some_and(|next| next.first.0 <= time.0 + self.millis)
        {
            return false;
        }
        let seen = self.seen_mut(number, value).expect("it was there a line ago");
        seen.last_and_left += 1;
        true
    }

    /// Forgets an occurrence, the oldest of all, because the key is full: gives the ends of windows that lose the value.
    ///
    /// Of what lies between the first and the last of a slice nothing is known, so that goes with it: to an event that
    /// comes late to a full key the value then begins later than it might.
    pub fn drop_oldest(&mut self, value: u128, time: Timestamp) -> Option<RangeInclusive<Timestamp>> {
        let number = self.slice_of(time);
        let end = Timestamp(time.0 + self.millis);
        let value = halves(value);
        let next = self.seen(number + 1, value).map(|seen| seen.first);
        let seen = self.seen_mut(number, value).filter(|seen| seen.first <= time && time <= seen.last())?;
        let next = if seen.last() > time {
            seen.first = seen.last();
            Some(seen.first)
        } else {
            seen.first = Timestamp::MAX;
            next
        };
        Some(time..=next.map_or(end, |next| end.min(Timestamp(next.0 - 1))))
    }

    /// Lets go of slices that no window has part in which ends at `open` or later.
    pub fn forget(&mut self, open: Timestamp) {
        let oldest = self.slice_of(Timestamp(open.0 - self.millis));
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.number < oldest) {
            self.let_go(slice);
        }
    }

    fn let_go(&mut self, slice: Slice) {
        let mut table = slice.seen;
        table.clear();
        if self.spare.len() < SPARE {
            self.spare.push(table);
        }
    }
}
