//! The entries that one key of a measure keeps, in both of a log's shapes, with what every measure does to them:
//! remember, let go of what has passed, drop the oldest when the key is full.

use super::{Moment, Reach, log::Log, sliding::Entry};
use crate::{
    limits,
    time::{Span, Timestamp},
};
use std::collections::{BTreeMap, btree_map};

/// Entries by time.
#[derive(Clone, Debug)]
pub struct Kept<E> {
    pub log: Log<E>,
    /// What only long logs have, apart, so that a short one is small.
    long: Option<Box<Long>>,
}

/// What a long log has besides its entries.
#[derive(Clone, Debug, Default)]
struct Long {
    places: Places,
    /// The newest time that was dropped because the key was full.
    dropped: Option<Timestamp>,
}

/// Where each value occurs in a long log, and how often; empty where equal values are not the same.
#[derive(Clone, Debug, Default)]
pub struct Places(BTreeMap<(u128, Timestamp), u32>);

impl Places {
    /// The last time at or before `time` at which a value occurs.
    pub fn previous(&self, value: u128, time: Timestamp) -> Option<Timestamp> {
        let ((found, at), _) = self.0.range(..=(value, time)).next_back()?;
        (*found == value).then_some(*at)
    }

    /// The first time at or after `time` at which a value occurs.
    pub fn next(&self, value: u128, time: Timestamp) -> Option<Timestamp> {
        let ((found, at), _) = self.0.range((value, time)..).next()?;
        (*found == value).then_some(*at)
    }

    fn add(&mut self, value: u128, time: Timestamp) {
        *self.0.entry((value, time)).or_default() += 1;
    }

    fn remove(&mut self, value: u128, time: Timestamp) {
        if let btree_map::Entry::Occupied(mut place) = self.0.entry((value, time)) {
            *place.get_mut() -= 1;
            if *place.get() == 0 {
                place.remove();
            }
        }
    }
}

impl<E> Default for Kept<E> {
    fn default() -> Self {
        Kept { log: Log::default(), long: None }
    }
}

/// The places of a short log, which is scanned.
static NOWHERE: Places = Places(BTreeMap::new());

impl<E: Entry> Kept<E> {
    /// Where values occur.
    pub fn places(&self) -> &Places {
        self.long.as_ref().map_or(&NOWHERE, |long| &long.places)
    }

    /// Empties it; what has room for a short log keeps it.
    pub fn clear(&mut self) {
        self.log.clear();
        self.long = None;
    }

    /// Takes `entries`, which are in order, in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, E)>) {
        self.clear();
        for (time, entry) in entries {
            self.insert(time, entry, |log, _, entry| log.insert(time, entry));
        }
    }

    /// Whether entries that this reach would need have been dropped because the key was full.
    pub fn capped(&self, reach: &Reach<'_>, time: Timestamp) -> bool {
        self.long
            .as_ref()
            .and_then(|long| long.dropped)
            .is_some_and(|dropped| reach.holds(dropped, time) && reach.sees(dropped))
    }

    /// Remembers an event by `insert`, unless it is gone already.
    pub fn remember(
        &mut self,
        lengths: &[Span],
        moment: &Moment<'_>,
        own: E,
        insert: impl FnOnce(&mut Log<E>, &Places, E),
    ) {
        self.forget(lengths, moment);
        if !lengths.iter().any(|length| Reach::new(*length, moment).sees(moment.time)) {
            return;
        }
        self.make_room(lengths, moment);
        self.insert(moment.time, own, insert);
    }

    fn insert(&mut self, time: Timestamp, own: E, insert: impl FnOnce(&mut Log<E>, &Places, E)) {
        let was_long = matches!(self.log, Log::Many(_));
        let value = own.value();
        insert(&mut self.log, self.long.as_ref().map_or(&NOWHERE, |long| &long.places), own);
        match &self.log {
            Log::Many(_) if !E::DISTINCT => {}
            Log::Many(_) if was_long => self.long.get_or_insert_default().places.add(value, time),
            Log::Many(_) => {
                let Long { places, .. } = &mut **self.long.get_or_insert_default();
                for (time, entry) in self.log.from(Timestamp::MIN) {
                    places.add(entry.value(), time);
                }
            }
            Log::Few(_) => {}
        }
    }

    /// Lets go of what no length can reach any more; what is left may still be gone for the shorter ones.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        let floor = lengths.iter().map(|length| Reach::new(*length, moment).floor()).min();
        while let (Some((first, _)), Some(floor)) = (self.log.first(), floor)
            && first < floor
        {
            self.pop();
        }
    }

    /// Drops the oldest where one more would be too many.
    pub fn make_room(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        if self.log.len() < limits::WINDOW_EVENTS {
            return;
        }
        self.forget(lengths, moment);
        while self.log.len() >= limits::WINDOW_EVENTS {
            let dropped = self.pop();
            let long = self.long.get_or_insert_default();
            long.dropped = long.dropped.max(dropped);
        }
    }

    fn pop(&mut self) -> Option<Timestamp> {
        let (time, value) = self.log.pop_first()?;
        if E::DISTINCT
            && let Some(long) = &mut self.long
        {
            long.places.remove(value.value(), time);
        }
        if matches!(self.log, Log::Few(_)) {
            // What was dropped from a full key has passed by now: everything younger than it went before.
            self.long = None;
        }
        Some(time)
    }
}
