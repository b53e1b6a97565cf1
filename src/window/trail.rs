//! What came before and after: entries by time for `change`, `new` and `after`.

use super::{
    Moment, Reach,
    kept::{Follower, Kept},
    log::{Chunks, Log},
    occurrences::Occurrences,
    sliding::Entry,
};
use crate::time::{Span, Timestamp};

/// Entries of one key, by time. Those of one value are found only where equal values are the same.
#[derive(Clone, Debug)]
pub struct Trail<V> {
    kept: Kept<V, Followed>,
}

impl<V> Default for Trail<V> {
    fn default() -> Self {
        Trail { kept: Kept::default() }
    }
}

impl<V: Entry> Trail<V> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.log.is_empty()
    }

    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.kept.log.newest()
    }

    /// All entries in order, where there are few of them.
    #[must_use]
    pub fn short(&self) -> Option<&[(Timestamp, V)]> {
        self.kept.log.short()
    }

    /// Reads what nearly every event asks of it; nothing comes of it.
    #[must_use]
    pub fn read_ahead(&self) -> u64 {
        self.kept.read_ahead()
    }

    /// Empties it; the room for few entries is kept.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Takes `entries`, the newest first, in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, V)>) {
        self.kept.refill(entries);
    }

    /// What was written down.
    #[must_use]
    pub fn restored(log: Log<V>, dropped: Option<Timestamp>) -> Self {
        Trail { kept: Kept::restored(log, dropped) }
    }

    /// What there is to write down: the log, and the newest time that was dropped because the key was full.
    pub fn kept(&mut self) -> (&mut Log<V>, Option<Timestamp>) {
        let dropped = self.kept.dropped();
        (&mut self.kept.log, dropped)
    }

    /// Whether entries that a length would need have been dropped because the key was full.
    #[must_use]
    pub fn capped(&self, within: Span, moment: &Moment<'_>) -> bool {
        self.kept.capped(&Reach::new(within, moment), moment.time)
    }

    /// The neighbour before the event, at most `within` away: the nearest of what is not gone.
    #[must_use]
    pub fn before(&self, within: Span, moment: &Moment<'_>) -> Option<(Timestamp, V)> {
        let reach = Reach::new(within, moment);
        let nearest = match reach.millis() {
            Some(_) => self.kept.log.at_or_before(moment.time).filter(|(time, _)| reach.sees(*time)),
            // At the end of a month an older entry may outlast a younger one.
            None => {
                let left = self.kept.log.from(reach.floor()).take_while(|(time, _)| *time <= moment.time);
                left.filter(|(time, _)| reach.sees(*time)).last()
            }
        };
        nearest.filter(|(time, _)| reach.holds(*time, moment.time))
    }

    /// The neighbour after the event, at most `within` away: the nearest of what is not gone.
    #[must_use]
    pub fn after(&self, within: Span, moment: &Moment<'_>) -> Option<(Timestamp, V)> {
        let reach = Reach::new(within, moment);
        let (first, _) = self.kept.log.after(moment.time)?;
        let mut later = self.kept.log.from(first.max(reach.floor()));
        later.find(|(time, _)| reach.sees(*time)).filter(|(time, _)| reach.holds(moment.time, *time))
    }

    /// Whether something came in the window that ends at the event, and whether `value` did.
    #[must_use]
    pub fn seen(&mut self, within: Span, moment: &Moment<'_>, value: &V) -> (bool, bool) {
        let reach = Reach::new(within, moment);
        let surely = reach.surely(moment.time);
        let held = |time: Timestamp| {
            reach.sees(time) && time <= moment.time && (time >= surely || reach.holds(time, moment.time))
        };
        // What is gone is forgotten in the log alone, so that an event behind all that is kept has to look there.
        if reach.millis().is_some() && moment.time >= moment.open() {
            let any = self.kept.log.at_or_before(moment.time).is_some_and(|(time, _)| held(time));
            if !V::DISTINCT {
                return (any, any);
            }
            if let Some(Followed { occurrences: Some(occurrences), .. }) = self.kept.follower_mut(within) {
                return (any, any && occurrences.holds(value.value(), moment.time));
            }
        }
        let mut any = false;
        let entries = self.kept.log.from(reach.earliest(moment.time)).take_while(|(time, _)| *time <= moment.time);
        for (_, found) in entries.filter(|(time, _)| held(*time)) {
            any = true;
            if found == *value {
                return (true, true);
            }
        }
        (any, false)
    }

    /// Remembers an event, unless it is gone already.
    pub fn remember(&mut self, lengths: &[Span], moment: &Moment<'_>, value: V) {
        self.kept.remember(lengths, moment, value);
        if V::DISTINCT {
            self.kept.followed(lengths);
        }
    }

    /// Fetches what leads to all that will be asked of a value, where the log is long.
    pub fn fetch(&self, value: u128) {
        self.occurrences().for_each(|occurrences| occurrences.fetch(value));
    }

    /// Fetches all that will be asked of a value, once what leads to it has been [fetched](Trail::fetch).
    pub fn look_ahead(&self, value: u128) {
        self.occurrences().for_each(|occurrences| occurrences.look_ahead(value));
    }

    fn occurrences(&self) -> impl Iterator<Item = &Occurrences> {
        self.kept.followers().iter().filter_map(|followed| followed.occurrences.as_ref())
    }

    /// Lets go of what no length can reach any more.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        self.kept.forget(lengths, moment);
    }
}

/// When values occurred, for one length.
#[derive(Clone, Debug)]
struct Followed {
    length: Span,
    /// None of months, which are scanned for.
    occurrences: Option<Occurrences>,
}

impl<V: Entry> Follower<V> for Followed {
    fn new(length: Span) -> Self {
        let occurrences = if let Span::Millis(millis) = length { Some(Occurrences::new(millis)) } else { None };
        Followed { length, occurrences }
    }

    fn begin(&mut self, _first: Timestamp) {
        if let Some(occurrences) = &mut self.occurrences {
            occurrences.clear();
        }
    }

    fn length(&self) -> Span {
        self.length
    }

    fn arrived(&mut self, _chunks: &Chunks<V>, time: Timestamp, entry: &V, _moved: Option<usize>) {
        if let Some(occurrences) = &mut self.occurrences {
            occurrences.add(entry.value(), time);
        }
    }

    fn passed(&mut self, _chunks: &Chunks<V>, open: Timestamp) {
        if let Some(occurrences) = &mut self.occurrences {
            occurrences.forget(open);
        }
    }

    fn dropped(&mut self, chunks: &Chunks<V>, time: Timestamp, entry: &V) {
        // The same value at the same instant may be left.
        let left = chunks.head().take_while(|(next, _)| *next == time).any(|(_, other)| other == entry);
        if let Some(occurrences) = &mut self.occurrences {
            let (soon, later) = chunks.ahead(chunks.begin());
            occurrences.look_ahead_to(soon.iter().map(Entry::value), later.iter().map(Entry::value));
            if !left {
                occurrences.drop_oldest(entry.value(), time);
            }
        }
    }
}
