//! Counts, sums and distinct values over calendar periods: the current and the previous one, by the newest event.
//!
//! A period's sum is one number; a period's distinct values are a set.

use super::Moment;
use crate::time::{Calendar, Period};
use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

/// What is kept of one period.
pub trait Total: Default {
    type Item: Copy;
    /// The total with one more item.
    fn with(&self, item: Self::Item) -> i128;
    fn add(&mut self, item: Self::Item);
}

/// Counts and sums.
impl Total for i128 {
    type Item = i128;
    fn with(&self, item: i128) -> i128 {
        self + item
    }
    fn add(&mut self, item: i128) {
        *self += item;
    }
}

/// The values of one period: keyed hashes, so that a set of them needs no other.
pub type Values = HashSet<u128, BuildHasherDefault<Keyed>>;

/// A hasher for keyed hashes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyed(u64);

impl Hasher for Keyed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u128(&mut self, hash: u128) {
        self.0 = u64::try_from(hash >> 64).expect("half of 128 bits");
    }
}

/// Distinct values.
impl Total for Values {
    type Item = u128;
    fn with(&self, item: u128) -> i128 {
        (self.len() + usize::from(!self.contains(&item))) as i128
    }
    fn add(&mut self, item: u128) {
        self.insert(item);
    }
}

/// The event's period, and the number of the oldest that is kept.
fn bounds(calendar: Calendar, moment: &Moment<'_>) -> (Period, i32) {
    let period = moment.zone.period(moment.time, calendar);
    let newest = if moment.newest == moment.time { period } else { moment.zone.period(moment.newest, calendar) };
    (period, newest.0 - 1)
}

/// The totals of at most two periods, the later first.
#[derive(Clone, Debug, Default)]
pub struct Periods<T> {
    kept: Vec<(Period, T)>,
}

impl<T: Total> Periods<T> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The newest period that holds anything.
    #[must_use]
    pub fn newest(&self) -> Option<Period> {
        self.kept.first().map(|(period, _)| *period)
    }

    /// What is kept: at most two periods, the later first.
    #[must_use]
    pub fn kept(&self) -> &[(Period, T)] {
        &self.kept
    }

    /// Empties it; its room is kept.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Takes `periods`, at most two and the later first, in place of what it has.
    pub fn refill(&mut self, periods: impl Iterator<Item = (Period, T)>) {
        self.clear();
        self.kept.extend(periods);
        debug_assert!(self.kept.len() <= 2 && self.kept.is_sorted_by_key(|(period, _)| std::cmp::Reverse(*period)));
    }

    /// The total of the event's period, the event included.
    #[must_use]
    pub fn total(&self, calendar: Calendar, moment: &Moment<'_>, item: T::Item) -> i128 {
        let (period, oldest) = bounds(calendar, moment);
        self.kept
            .iter()
            .find(|(kept, _)| *kept == period && period.0 >= oldest)
            .map_or_else(|| T::default().with(item), |(_, total)| total.with(item))
    }

    /// Remembers an event, unless its period is gone already.
    pub fn remember(&mut self, calendar: Calendar, moment: &Moment<'_>, item: T::Item) {
        let (period, oldest) = bounds(calendar, moment);
        self.kept.retain(|(kept, _)| kept.0 >= oldest);
        if period.0 < oldest {
            return;
        }
        let at = self.kept.partition_point(|(kept, _)| *kept > period);
        if self.kept.get(at).is_none_or(|(kept, _)| *kept != period) {
            self.kept.insert(at, (period, T::default()));
        }
        self.kept[at].1.add(item);
    }

    /// Lets go of what lies before the period previous to that of the newest event.
    pub fn forget(&mut self, calendar: Calendar, moment: &Moment<'_>) {
        let oldest = moment.zone.period(moment.newest, calendar).0 - 1;
        self.kept.retain(|(kept, _)| kept.0 >= oldest);
    }
}
