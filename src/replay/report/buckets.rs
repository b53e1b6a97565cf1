//! Decisions over time in a bounded number of buckets: they begin as minutes and coarsen as more are filled.
//!
//! Each width is a multiple of the one before, so that coarsening loses nothing but sharpness and the order of the events
//! does not show in the outcome.

use crate::{decision::Action, limits};
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Widths in ms; past the last, each is ten times the one before.
const WIDTHS: [i64; 9] = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY, 364 * DAY];

/// One of so many decisions lies so far from the others that it may be left out of a chart.
const FAR: u64 = 200;

/// Weeks begin on a Monday, three days before 1970-01-01.
const MONDAY: i64 = 3 * DAY;

/// Decisions by action.
pub type Counts = [u64; Action::ALL.len()];

/// What happened in each stretch of local time.
#[derive(Debug)]
pub struct Buckets {
    width: i64,
    filled: BTreeMap<i64, Counts>,
    /// The bucket of the last event, which most likely is the next one's too.
    open: (i64, Counts),
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets { width: MINUTE, filled: BTreeMap::new(), open: (0, Counts::default()) }
    }
}

impl Buckets {
    /// Counts one decision at a local time in ms since the local 1970-01-01T00:00:00.
    pub fn add(&mut self, local: i64, action: Action) {
        if self.place(local) != self.open.0 {
            self.settle();
            // The width may be another now.
            self.open.0 = self.place(local);
        }
        self.open.1[action as usize] += 1;
    }

    fn place(&self, local: i64) -> i64 {
        (local + MONDAY).div_euclid(self.width)
    }

    /// Puts the open bucket to the others, and coarsens them while too many are filled.
    fn settle(&mut self) {
        let (place, counts) = (self.open.0, std::mem::take(&mut self.open.1));
        if counts != Counts::default() {
            add_to(&mut self.filled, place, &counts);
        }
        while self.filled.len() > limits::REPORT_BUCKETS {
            self.coarsen();
        }
    }

    /// Nothing more comes. Coarsens them until those that a chart shows are not too many with the empty ones between them.
    pub fn finish(&mut self) {
        self.settle();
        let most = i64::try_from(limits::REPORT_BUCKETS).expect("a bound of some hundreds");
        while self.time(&self.shown().0) > most * self.width {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        let wider = WIDTHS.into_iter().find(|width| *width > self.width).unwrap_or(self.width * 10);
        let factor = wider / self.width;
        for (place, counts) in std::mem::take(&mut self.filled) {
            add_to(&mut self.filled, place.div_euclid(factor), &counts);
        }
        self.width = wider;
    }

    /// The length of a bucket in ms.
    #[must_use]
    pub fn width(&self) -> i64 {
        self.width
    }

    /// Each bucket in which something happened: the local time at which it begins, and decisions by action.
    fn all(&self) -> impl Iterator<Item = (i64, &Counts)> {
        self.filled.iter().map(|(place, counts)| (place * self.width - MONDAY, counts))
    }

    /// The buckets that a chart shows, and how many decisions lie outside of these.
    ///
    /// All of them, unless the few at both ends ([`FAR`] of all decisions each) take more than half of the time: then those
    /// would leave no room for the others, and what no run of filled buckets joins to these is left out.
    #[must_use]
    pub fn shown(&self) -> (Vec<(i64, &Counts)>, u64) {
        let all: Vec<(i64, &Counts)> = self.all().collect();
        let count = |buckets: &[(i64, &Counts)]| buckets.iter().flat_map(|(_, counts)| *counts).sum::<u64>();
        let few = count(&all) / FAR;
        let mut from = (0..all.len()).rfind(|from| count(&all[..*from]) <= few).unwrap_or(0);
        let mut to = (from..=all.len()).find(|to| count(&all[*to..]) <= few).unwrap_or(all.len());
        if self.time(&all[from..to]) * 2 >= self.time(&all) {
            return (all, 0);
        }
        let joined = |place: usize| all[place].0 + self.width == all[place + 1].0;
        while from > 0 && joined(from - 1) {
            from -= 1;
        }
        while to < all.len() && joined(to - 1) {
            to += 1;
        }
        (all[from..to].to_vec(), count(&all[..from]) + count(&all[to..]))
    }

    /// From the beginning of the first bucket to the end of the last.
    fn time(&self, buckets: &[(i64, &Counts)]) -> i64 {
        let ends = buckets.first().zip(buckets.last());
        ends.map_or(0, |((first, _), (last, _))| last - first + self.width)
    }
}

fn add_to(filled: &mut BTreeMap<i64, Counts>, place: i64, counts: &Counts) {
    let sums = filled.entry(place).or_default();
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Whatever the order of the events: nothing is lost, the bound holds, and each bucket holds just what fell into it.
    #[test]
    fn coarser_buckets_hold_the_same() {
        let mut random = Random::new(7);
        for span in [1, MINUTE, 3 * HOUR, 40 * DAY, 900 * DAY, 9_000 * 365 * DAY] {
            let times: Vec<i64> = (0..2_000)
                .map(|_| {
                    1_772_352_930_123 - span / 2 + i64::try_from(random.below(span.unsigned_abs())).expect("a time")
                })
                .collect();
            let mut buckets = Buckets::default();
            let mut sorted = Buckets::default();
            times.iter().for_each(|time| buckets.add(*time, Action::Hold));
            let mut in_order = times.clone();
            in_order.sort_unstable();
            in_order.iter().for_each(|time| sorted.add(*time, Action::Hold));
            buckets.finish();
            sorted.finish();
            assert_eq!(buckets.filled, sorted.filled, "{span}");
            assert!(buckets.filled.len() <= limits::REPORT_BUCKETS, "{span}: {}", buckets.filled.len());
            assert_eq!(buckets.shown().1, 0, "{span}: none is far from all others");
            let width = buckets.width();
            for (start, counts) in buckets.all() {
                let inside = times.iter().filter(|time| (start..start + width).contains(*time)).count();
                assert_eq!(counts[Action::Hold as usize], inside as u64, "{span} from {start}");
            }
        }
    }

    #[test]
    fn weeks_begin_on_a_monday() {
        let mut buckets = Buckets::default();
        // 2026-03-01 is a Sunday.
        for week in 0..240 {
            buckets.add(1_772_323_200_000 + week * 7 * DAY, Action::Allow);
        }
        buckets.finish();
        assert_eq!(buckets.width(), 7 * DAY);
        // 2026-02-23.
        assert_eq!(buckets.all().next().expect("a bucket").0, 1_771_804_800_000);
    }

    #[test]
    fn a_few_that_are_far_from_all_others_are_left_out() {
        let mut buckets = Buckets::default();
        for number in 0..1_000 {
            buckets.add(1_772_323_200_000 + number * HOUR, Action::Allow);
        }
        buckets.add(1_600_000_000_000, Action::Hold);
        buckets.finish();
        let (shown, left_out) = buckets.shown();
        assert_eq!(left_out, 1);
        assert_eq!(shown.iter().map(|(_, counts)| counts[Action::Allow as usize]).sum::<u64>(), 1_000);
    }
}
