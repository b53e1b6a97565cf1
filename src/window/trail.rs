//! What came before and after: entries by time for `change`, `new` and `after`.

use super::{Moment, Reach, log::Log, sliding::Entry};
use crate::{
    limits,
    time::{Span, Timestamp},
};
use std::collections::BTreeMap;

/// Entries of one key, by time. Those of one value are found only where equal values are the same.
#[derive(Clone, Debug)]
pub struct Trail<V> {
    log: Log<V>,
    /// Where each value occurs in a long log, and how often; kept for those who look for values.
    places: BTreeMap<(u128, Timestamp), u32>,
    dropped: Option<Timestamp>,
}

impl<V> Default for Trail<V> {
    fn default() -> Self {
        Trail { log: Log::default(), places: BTreeMap::new(), dropped: None }
    }
}

impl<V: Entry> Trail<V> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.log.last().map(|(time, _)| time)
    }

    /// Whether entries that a length would need have been dropped because the key was full.
    #[must_use]
    pub fn capped(&self, within: Span, moment: &Moment<'_>) -> bool {
        let reach = Reach::new(within, moment);
        self.dropped.is_some_and(|dropped| reach.holds(dropped, moment.time) && reach.sees(dropped))
    }

    /// The neighbour before the event, at most `within` away: the nearest of what is not gone.
    #[must_use]
    pub fn before(&self, within: Span, moment: &Moment<'_>) -> Option<(Timestamp, V)> {
        let reach = Reach::new(within, moment);
        let nearest = match reach.millis() {
            Some(_) => self.log.at_or_before(moment.time).filter(|(time, _)| reach.sees(*time)),
            // At the end of a month an older entry may outlast a younger one.
            None => {
                let left = self.log.from(reach.floor()).take_while(|(time, _)| *time <= moment.time);
                left.filter(|(time, _)| reach.sees(*time)).last()
            }
        };
        nearest.filter(|(time, _)| reach.holds(*time, moment.time))
    }

    /// The neighbour after the event, at most `within` away: the nearest of what is not gone.
    #[must_use]
    pub fn after(&self, within: Span, moment: &Moment<'_>) -> Option<(Timestamp, V)> {
        let reach = Reach::new(within, moment);
        let (first, _) = self.log.after(moment.time)?;
        let mut later = self.log.from(first.max(reach.floor()));
        later.find(|(time, _)| reach.sees(*time)).filter(|(time, _)| reach.holds(moment.time, *time))
    }

    /// Whether something came in the window that ends at the event, and whether `value` did.
    #[must_use]
    pub fn seen(&self, within: Span, moment: &Moment<'_>, value: &V) -> (bool, bool) {
        let reach = Reach::new(within, moment);
        let surely = reach.surely(moment.time);
        let held = |time: Timestamp| {
            reach.sees(time) && time <= moment.time && (time >= surely || reach.holds(time, moment.time))
        };
        match &self.log {
            Log::Many(_) if reach.millis().is_some() => {
                let any = self.log.at_or_before(moment.time).is_some_and(|(time, _)| held(time));
                let last = self.places.range(..=(value.value(), moment.time)).next_back();
                let same = last.is_some_and(|((found, time), _)| *found == value.value() && held(*time));
                (any, same)
            }
            log => {
                let mut any = false;
                let entries = log.from(reach.earliest(moment.time)).take_while(|(time, _)| *time <= moment.time);
                for (_, found) in entries.filter(|(time, _)| held(*time)) {
                    any = true;
                    if found == *value {
                        return (true, true);
                    }
                }
                (any, false)
            }
        }
    }

    /// Remembers an event, unless it is gone already.
    pub fn remember(&mut self, lengths: &[Span], moment: &Moment<'_>, value: V) {
        self.forget(lengths, moment);
        if !lengths.iter().any(|length| Reach::new(*length, moment).sees(moment.time)) {
            return;
        }
        while self.log.len() >= limits::WINDOW_EVENTS {
            let dropped = self.pop();
            self.dropped = self.dropped.max(dropped);
        }
        let was_long = matches!(self.log, Log::Many(_));
        let place = (value.value(), moment.time);
        self.log.insert(moment.time, value);
        match &self.log {
            _ if !V::DISTINCT => {}
            Log::Few(_) => {}
            Log::Many(_) if was_long => *self.places.entry(place).or_default() += 1,
            Log::Many(_) => {
                for (time, value) in self.log.from(Timestamp::MIN) {
                    *self.places.entry((value.value(), time)).or_default() += 1;
                }
            }
        }
    }

    /// Lets go of what no length can reach any more.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        let floor = lengths.iter().map(|length| Reach::new(*length, moment).floor()).min();
        while let (Some((first, _)), Some(floor)) = (self.log.first(), floor)
            && first < floor
        {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Timestamp> {
        let (time, value) = self.log.pop_first()?;
        if V::DISTINCT
            && let std::collections::btree_map::Entry::Occupied(mut place) = self.places.entry((value.value(), time))
        {
            *place.get_mut() -= 1;
            if *place.get() == 0 {
                place.remove();
            }
        }
        Some(time)
    }
}
