//! Counts, sums and distinct values over calendar periods: the current and the previous one, by the newest event.
//!
//! A period's sum is one number; a period's distinct values are a short vector, or a table of their hashes.

use super::{Moment, table::Table};
use crate::time::{Calendar, Period};

/// What is kept of one period.
pub trait Total: Default {
    type Item: Copy;
    /// The total with one more item.
    fn with(&self, item: Self::Item) -> i128;
    fn add(&mut self, item: Self::Item);
    /// Becomes that of nothing, and keeps its room.
    fn clear(&mut self);
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
    fn clear(&mut self) {
        *self = 0;
    }
}

/// The distinct values of one period, as keyed hashes: few are searched one by one.
#[derive(Clone, Debug, Default)]
pub struct Values {
    few: Vec<u128>,
    /// All of them, once they are too many. Otherwise it is empty, but may have room.
    many: Option<Box<Table<u128>>>,
}

/// Most values that are searched one by one.
///
/// Records of the topic `state` that have more of a few are refused: never less than this was.
pub const FEW: usize = 24;

impl Values {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().map_or(self.few.len(), Table::len)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, where they are few.
    #[must_use]
    pub fn few(&self) -> Option<&[u128]> {
        if self.table().is_none() { Some(&self.few) } else { None }
    }

    fn table(&self) -> Option<&Table<u128>> {
        self.many.as_deref().filter(|values| !values.is_empty())
    }

    /// All of them, where they are many.
    pub fn many(&mut self) -> Option<&mut Table<u128>> {
        self.many.as_deref_mut().filter(|values| !values.is_empty())
    }

    /// Fetches what will be asked of a value, where they are many.
    pub fn look_ahead(&self, value: u128) {
        if let Some(values) = self.table() {
            values.look_ahead(value);
        }
    }

    fn contains(&self, value: u128) -> bool {
        match self.table() {
            None => self.few.contains(&value),
            Some(values) => values.find(value).is_some(),
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
        if self.len() < FEW {
            return self.few.push(item);
        }
        let many = self.many.get_or_insert_default();
        self.few.drain(..).for_each(|value| many.insert(value));
        many.insert(item);
    }
    fn clear(&mut self) {
        self.few.clear();
        if let Some(values) = self.many.as_mut().filter(|values| !values.is_empty()) {
            values.clear();
            values.shed();
        }
    }
}

/// The event's period, and the number of the oldest that is kept.
fn bounds(calendar: Calendar, moment: &Moment<'_>) -> (Period, i32) {
    let period = moment.zone.period(moment.time, calendar);
    let newest = if moment.newest == moment.time { period } else { moment.zone.period(moment.newest, calendar) };
    (period, newest.0 - 1)
}

/// The totals of at most two periods, the later first. What was let go of keeps its room.
#[derive(Clone, Debug)]
pub struct Periods<T> {
    totals: [(Period, T); 2],
    len: usize,
}

impl<T: Total> Default for Periods<T> {
    fn default() -> Self {
        Periods { totals: [(Period(0), T::default()), (Period(0), T::default())], len: 0 }
    }
}

impl<T: Total> Periods<T> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The newest period that holds anything.
    #[must_use]
    pub fn newest(&self) -> Option<Period> {
        self.kept().first().map(|(period, _)| *period)
    }

    /// What is kept: at most two periods, the later first.
    #[must_use]
    pub fn kept(&self) -> &[(Period, T)] {
        &self.totals[..self.len]
    }

    /// The same, to be written down.
    #[must_use]
    pub fn kept_mut(&mut self) -> &mut [(Period, T)] {
        &mut self.totals[..self.len]
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Begins the total of a period that is earlier than all that are kept.
    ///
    /// # Panics
    /// If two are kept already.
    pub fn append(&mut self, period: Period) -> &mut T {
        debug_assert!(self.kept().last().is_none_or(|(later, _)| *later > period));
        self.append_anywhere(period)
    }

    /// The total of the event's period, the event included.
    #[must_use]
    pub fn total(&self, calendar: Calendar, moment: &Moment<'_>, item: T::Item) -> i128 {
        let (period, oldest) = bounds(calendar, moment);
        self.kept()
            .iter()
            .find(|(kept, _)| *kept == period && period.0 >= oldest)
            .map_or_else(|| T::default().with(item), |(_, total)| total.with(item))
    }

    /// Remembers an event, unless its period is gone already.
    pub fn remember(&mut self, calendar: Calendar, moment: &Moment<'_>, item: T::Item) {
        let (period, oldest) = bounds(calendar, moment);
        self.drop_before(oldest);
        if period.0 < oldest {
            return;
        }
        let at = self.kept().partition_point(|(kept, _)| *kept > period);
        if self.kept().get(at).is_some_and(|(kept, _)| *kept == period) {
            self.totals[at].1.add(item);
            return;
        }
        // Two periods are kept at most, so a third has let go of one before: unless the zone is another since, or what was
        // kept is a forgery. Then the later two stay.
        if self.len == self.totals.len() {
            if at == self.len {
                return;
            }
            self.len -= 1;
        }
        self.append_anywhere(period).add(item);
        self.totals[..self.len].sort_unstable_by_key(|(period, _)| std::cmp::Reverse(*period));
    }

    fn append_anywhere(&mut self, period: Period) -> &mut T {
        let (place, total) = &mut self.totals[self.len];
        self.len += 1;
        *place = period;
        total.clear();
        total
    }

    fn drop_before(&mut self, oldest: i32) {
        while self.kept().last().is_some_and(|(kept, _)| kept.0 < oldest) {
            self.len -= 1;
        }
    }

    /// Lets go of what lies before the period previous to that of the newest event.
    pub fn forget(&mut self, calendar: Calendar, moment: &Moment<'_>) {
        self.drop_before(moment.zone.period(moment.newest, calendar).0 - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Timestamp, Zone};

    /// With another zone the day after the newest event's may be there already; then an event of a third comes late.
    #[test]
    fn of_three_periods_the_later_two_stay() {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let time = Timestamp(1_790_800_200_000);
        let moment = Moment { time, newest: time, lateness: 0, zone: &zone };
        let today = zone.period(time, Calendar::Day).0;
        for (kept, stay) in [
            ([today + 9, today - 1], [(today + 9, 1), (today, 1)]),
            ([today + 9, today + 1], [(today + 9, 1), (today + 1, 1)]),
            ([today + 9, today], [(today + 9, 1), (today, 2)]),
        ] {
            let mut periods = Periods::<i128>::default();
            kept.into_iter().for_each(|period| *periods.append(Period(period)) = 1);
            periods.remember(Calendar::Day, &moment, 1);
            assert_eq!(periods.kept(), stay.map(|(period, total)| (Period(period), total)));
        }
    }
}
