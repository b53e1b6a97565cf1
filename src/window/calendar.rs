//! Counts, sums and distinct values over calendar periods: the current and the previous one, by the newest event.
//!
//! A period's sum is one number; a period's distinct values are a short vector, or a table of their hashes.

use super::{Measured, Moment, table::Table};
use crate::time::{Calendar, Period};

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

/// The distinct values of one period, as keyed hashes: few are searched one by one.
#[derive(Clone, Debug)]
pub enum Values {
    Few(Vec<u128>),
    Many(Box<Table<u128>>),
}

/// Most values that are searched one by one.
const FEW: usize = 24;

impl Default for Values {
    fn default() -> Self {
        Values::Few(Vec::new())
    }
}

impl Values {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Values::Few(values) => values.len(),
            Values::Many(values) => values.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn contains(&self, value: u128) -> bool {
        match self {
            Values::Few(values) => values.contains(&value),
            Values::Many(values) => values.find(value).is_some(),
        }
    }
}

/// Distinct values.
impl Total for Values {
    type Item = u128;
    fn with(&self, item: u128) -> i128 {
        (self.len() + usize::from(!self.contains(item))) as i128
    }
    fn add(&mut self, item: u128) {
        if self.contains(item) {
            return;
        }
        match self {
            Values::Few(values) if values.len() < FEW => values.push(item),
            Values::Few(values) => {
                let mut table = Table::default();
                for value in values.iter().chain([&item]) {
                    table.insert(*value);
                }
                *self = Values::Many(Box::new(table));
            }
            Values::Many(values) => values.insert(item),
        }
    }
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
    pub fn measure(&self, calendar: Calendar, moment: &Moment<'_>, item: T::Item) -> Measured {
        let period = moment.zone.period(moment.time, calendar);
        let oldest = moment.zone.period(moment.newest, calendar).0 - 1;
        let value = self
            .kept
            .iter()
            .find(|(kept, _)| *kept == period && period.0 >= oldest)
            .map_or_else(|| T::default().with(item), |(_, total)| total.with(item));
        Measured { value, from: moment.zone.start(period, calendar), capped: false }
    }

    /// Remembers an event, unless its period is gone already.
    pub fn remember(&mut self, calendar: Calendar, moment: &Moment<'_>, item: T::Item) {
        let period = moment.zone.period(moment.time, calendar);
        self.forget(calendar, moment);
        if period.0 < moment.zone.period(moment.newest, calendar).0 - 1 {
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
