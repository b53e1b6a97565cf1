//! What came before and after: entries by time for `change`, `new` and `after`.

use super::{Moment, Reach, kept::Kept, log::Log, sliding::Entry};
use crate::time::{Span, Timestamp};

/// Entries of one key, by time. Those of one value are found only where equal values are the same.
#[derive(Clone, Debug)]
pub struct Trail<V> {
    kept: Kept<V>,
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
        self.kept.log.last().map(|(time, _)| time)
    }

    /// All entries in order, where there are few of them.
    #[must_use]
    pub fn short(&self) -> Option<&[(Timestamp, V)]> {
        self.kept.log.short()
    }

    /// Empties it; the room for few entries is kept.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Takes `entries`, which are in the order (time, arrival), in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, V)>) {
        self.kept.refill(entries);
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
    pub fn seen(&self, within: Span, moment: &Moment<'_>, value: &V) -> (bool, bool) {
        let reach = Reach::new(within, moment);
        let surely = reach.surely(moment.time);
        let held = |time: Timestamp| {
            reach.sees(time) && time <= moment.time && (time >= surely || reach.holds(time, moment.time))
        };
        match &self.kept.log {
            Log::Many(_) if reach.millis().is_some() => {
                let any = self.kept.log.at_or_before(moment.time).is_some_and(|(time, _)| held(time));
                let same = self.kept.places().previous(value.value(), moment.time).is_some_and(held);
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
        self.kept.remember(lengths, moment, value, |log, _, value| log.insert(moment.time, value));
    }

    /// Lets go of what no length can reach any more.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        self.kept.forget(lengths, moment);
    }
}
