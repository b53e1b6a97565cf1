//! When a value has been seen: enough of it to say which windows of one length hold it.
//!
//! Time is cut into slices as long as the window, and of each value only the first and the last occurrence in a slice is
//! kept: two of one slice are never further apart than the window is long, so whatever lies between them changes no
//! answer. An event asks for its own slice and its neighbours, which is one look-up whatever has happened: what there is of a
//! value is found together. It lies by arrival, and goes with what came at its time once its slice has passed.

use super::arrivals::Arrivals;
use crate::time::Timestamp;
use std::ops::RangeInclusive;

/// One value in one slice: 32 bytes, two to a line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
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

    /// Notes one more occurrence in its slice.
    fn add(&mut self, time: Timestamp) {
        if !self.is_left_over() {
            *self = Seen::new(self.value, time);
            return;
        }
        self.first = self.first.min(time);
        if self.last() < time {
            self.set_last(time);
        }
    }
}

/// The occurrences of values.
#[derive(Clone, Debug)]
pub struct Occurrences {
    /// The window's length in ms.
    millis: i64,
    /// Of each value one for each slice.
    seen: Arrivals<Seen>,
    /// What was found last, unless something has changed since: what an event is measured by is asked again once it is
    /// remembered.
    found: Option<Found>,
}

/// What there is of a value around an instant.
#[derive(Clone, Copy, Debug)]
struct Found {
    value: [u64; 2],
    time: Timestamp,
    /// The number of what there is in the slice of that instant, though nothing may be left of it.
    own: Option<u32>,
    /// The last occurrence at or before the instant and the first one after it, as far as they lie in its slice or beside it.
    before: Option<Timestamp>,
    after: Option<Timestamp>,
}

impl Found {
    /// The ends of windows of so many ms that hold the instant and no occurrence.
    #[inline]
    fn gained(&self, millis: i64) -> RangeInclusive<Timestamp> {
        let from = self.before.map_or(self.time, |before| self.time.max(Timestamp(before.0 + millis + 1)));
        let end = self.time.0 + millis;
        from..=Timestamp(self.after.map_or(end, |after| end.min(after.0 - 1)))
    }
}

/// What there is of a value in a slice, the one before it and the one behind it: each with its number.
#[derive(Clone, Copy, Debug, Default)]
struct Beside {
    earlier: Option<(u32, Seen)>,
    own: Option<(u32, Seen)>,
    later: Option<(u32, Seen)>,
}

impl Occurrences {
    /// For windows of so many ms.
    pub fn new(millis: i64) -> Self {
        Occurrences { millis, seen: Arrivals::default(), found: None }
    }

    /// Forgets all occurrences; some room is kept.
    pub fn clear(&mut self) {
        self.found = None;
        self.seen.clear();
    }

    /// The first instant of a slice; two instants of one are at most a window's length apart.
    fn slice_of(&self, time: Timestamp) -> Timestamp {
        Timestamp(time.0 - time.0.rem_euclid(self.millis + 1))
    }

    /// What there is of a value in the slice of an instant and beside it.
    #[inline]
    fn beside(&self, value: [u64; 2], time: Timestamp) -> Beside {
        let begin = self.slice_of(time).0;
        let mut beside = Beside::default();
        self.seen.find(hash_of(value), |number, seen| {
            if seen.value == value {
                let found = Some((number, *seen));
                match seen.last().0 - begin {
                    behind if behind > 2 * self.millis + 1 => {}
                    behind if behind > self.millis => beside.later = found,
                    behind if behind >= 0 => beside.own = found,
                    behind if behind >= -self.millis - 1 => beside.earlier = found,
                    _ => {}
                }
            }
            false
        });
        beside
    }

    /// What there is of a value around an instant. With others on both sides in one slice any two will do: no window between
    /// them lacks the value.
    #[inline]
    fn around(&mut self, value: [u64; 2], time: Timestamp) -> Found {
        match self.found {
            Some(found) if found.value == value && found.time == time => found,
            _ => self.look_around(value, time),
        }
    }

    fn look_around(&mut self, value: [u64; 2], time: Timestamp) -> Found {
        let Beside { earlier, own, later } = self.beside(value, time);
        let left = |seen: Option<(u32, Seen)>| seen.map(|(_, seen)| seen).filter(Seen::is_left_over);
        let before = match left(own) {
            Some(seen) if seen.last() <= time => Some(seen.last()),
            Some(seen) if seen.first <= time => Some(seen.first),
            _ => left(earlier).map(|seen| seen.last()),
        };
        let after = match left(own) {
            Some(seen) if seen.first > time => Some(seen.first),
            Some(seen) if seen.last() > time => Some(seen.last()),
            _ => left(later).map(|seen| seen.first),
        };
        let found = Found { value, time, own: own.map(|(number, _)| number), before, after };
        self.found = Some(found);
        found
    }

    /// Fetches what leads to all that will be asked of a value.
    #[inline]
    pub fn fetch(&self, value: u128) {
        self.seen.fetch(hash_of(halves(value)));
    }

    /// Fetches all that will be asked of a value, once what leads to it has been [fetched](Occurrences::fetch).
    #[inline]
    pub fn look_ahead(&self, value: u128) {
        self.seen.fetch_things(hash_of(halves(value)));
    }

    /// Fetches what will be asked of values that are next to leave, and what leads to it for those behind them.
    pub fn look_ahead_to(&self, soon: impl Iterator<Item = u128>, later: impl Iterator<Item = u128>) {
        soon.for_each(|value| self.look_ahead(value));
        later.for_each(|value| self.fetch(value));
    }

    /// The ends of windows that an occurrence at `time` gives the value to: those that hold the event and no other
    /// occurrence. May be empty.
    pub fn gained(&mut self, value: u128, time: Timestamp) -> RangeInclusive<Timestamp> {
        self.around(halves(value), time).gained(self.millis)
    }

    /// Whether the value occurs in the window that ends at `time`.
    pub fn holds(&mut self, value: u128, time: Timestamp) -> bool {
        self.around(halves(value), time).before.is_some_and(|before| before.0 >= time.0 - self.millis)
    }

    /// Notes an occurrence; gives the ends of windows that [gain](Occurrences::gained) the value by it.
    pub fn add(&mut self, value: u128, time: Timestamp) -> RangeInclusive<Timestamp> {
        let value = halves(value);
        let found = self.around(value, time);
        self.found = None;
        match found.own {
            Some(number) => self.seen.get_mut(number).add(time),
            None => {
                let until = Timestamp(self.slice_of(time).0 + self.millis);
                self.seen.insert(hash_of(value), Seen::new(value, time), until);
            }
        }
        found.gained(self.millis)
    }

    /// Whether the value leaves the windows with an occurrence at `time`: no other follows while they hold this one. Of
    /// several at one instant only the first that asks is told so.
    pub fn leave(&mut self, value: u128, time: Timestamp) -> bool {
        let Beside { own, later, .. } = self.beside(halves(value), time);
        let follows = |(_, next): (u32, Seen)| next.is_left_over() && next.first.0 <= time.0 + self.millis;
        let Some((number, seen)) = own else { return false };
        if !seen.is_left_over() || seen.last() != time || seen.has_left() || later.is_some_and(follows) {
            return false;
        }
        self.seen.get_mut(number).last_and_left += 1;
        true
    }

    /// Forgets an occurrence, the oldest of all, because the key is full: gives the ends of windows that lose the value.
    ///
    /// Of what lies between the first and the last of a slice nothing is known, so that goes with it: to an event that
    /// comes late to a full key the value then begins later than it might.
    pub fn drop_oldest(&mut self, value: u128, time: Timestamp) -> Option<RangeInclusive<Timestamp>> {
        self.found = None;
        let end = Timestamp(time.0 + self.millis);
        let Beside { own, later, .. } = self.beside(halves(value), time);
        let (number, seen) = own.filter(|(_, seen)| seen.first <= time && time <= seen.last())?;
        let own = self.seen.get_mut(number);
        let next = if seen.last() > time {
            own.first = seen.last();
            Some(own.first)
        } else {
            own.first = Timestamp::MAX;
            later.map(|(_, later)| later).filter(Seen::is_left_over).map(|later| later.first)
        };
        Some(time..=next.map_or(end, |next| end.min(Timestamp(next.0 - 1))))
    }

    /// Lets go of slices that no window has part in which ends at `open` or later.
    #[inline]
    pub fn forget(&mut self, open: Timestamp) {
        let oldest = self.slice_of(Timestamp(open.0 - self.millis));
        if self.seen.let_go(oldest, |seen| seen.last() < oldest) {
            self.found = None;
        }
    }
}

/// The low and the high half of a keyed hash.
fn halves(value: u128) -> [u64; 2] {
    let half = |part: u128| u64::try_from(part & u128::from(u64::MAX)).expect("masked to 64 bits");
    [half(value), half(value >> 64)]
}

/// What a value is found by.
fn hash_of(value: [u64; 2]) -> u32 {
    u32::try_from(value[0] >> 32).expect("32 bits are left")
}
