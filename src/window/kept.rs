//! The entries that one key of a measure keeps, in both of a log's shapes, with what every measure does to them:
//! remember, let go of what has passed, drop the oldest when the key is full.

use super::{
    Moment, Reach,
    log::{Chunks, Log, Weight},
};
#[cfg(not(test))]
use crate::limits;
use crate::time::{Span, Timestamp};

/// What a measure knows of a long log besides its entries, for one length: told of all that happens to the log.
pub trait Follower<E> {
    fn new(length: Span) -> Self;
    /// Forgets what it was told: another log begins with `first`. Some room is kept.
    fn begin(&mut self, first: Timestamp);
    /// The length that it was made for.
    fn length(&self) -> Span;
    /// An entry has been put into the log; behind others, places from the chunk numbered `moved` on are other ones now.
    fn arrived(&mut self, chunks: &Chunks<E>, time: Timestamp, entry: &E, moved: Option<usize>);
    /// Nobody asks any more for windows that end before `open`; what only they hold is about to be popped.
    fn passed(&mut self, chunks: &Chunks<E>, open: Timestamp);
    /// The oldest entry has been dropped because the key was full.
    fn dropped(&mut self, chunks: &Chunks<E>, time: Timestamp, entry: &E);
}

/// Entries by time.
#[derive(Clone, Debug)]
pub struct Kept<E, F> {
    pub log: Log<E>,
    /// What only long logs have, apart, so that a short one is small.
    long: Option<Box<Long<F>>>,
}

/// What a long log has besides its entries. Once the log is short it is only room for when it is long again.
#[derive(Clone, Debug)]
struct Long<F> {
    /// One for each length.
    followers: Vec<F>,
    /// They have been told of all entries.
    told: bool,
    /// The newest time that was dropped because the key was full.
    dropped: Option<Timestamp>,
}

impl<F> Default for Long<F> {
    fn default() -> Self {
        Long { followers: Vec::new(), told: false, dropped: None }
    }
}

impl<E, F> Default for Kept<E, F> {
    fn default() -> Self {
        Kept { log: Log::default(), long: None }
    }
}

impl<E: Weight, F: Follower<E>> Kept<E, F> {
    /// Empties it; some room is kept.
    pub fn clear(&mut self) {
        self.log.clear();
        self.shorten();
    }

    /// Takes `entries`, the newest first, in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, E)>) {
        self.shorten();
        self.log.refill(entries);
    }

    /// What was written down: the log, and the newest time that was dropped because the key was full.
    pub fn restored(log: Log<E>, dropped: Option<Timestamp>) -> Self {
        let long = dropped.map(|_| Box::new(Long { dropped, ..Long::default() }));
        Kept { log, long }
    }

    /// Reads both ends of the log; nothing comes of it.
    pub fn read_ahead(&self) -> u64 {
        let ends = [self.log.oldest(), self.log.newest()];
        ends.into_iter().flatten().fold(self.followers().len() as u64, |read, end| read ^ end.0.cast_unsigned())
    }

    /// The newest time that was dropped because the key was full.
    pub fn dropped(&self) -> Option<Timestamp> {
        self.long.as_ref()?.dropped
    }

    /// The long log with what is known of it for each length; a log that has just become long is looked through once.
    pub fn followed(&mut self, lengths: &[Span]) -> Option<(&Chunks<E>, &mut [F])> {
        let chunks = self.log.many()?;
        let long = self.long.get_or_insert_default();
        if !long.told || !long.is_of::<E>(lengths) {
            long.follow(chunks, lengths);
        }
        Some((chunks, &mut long.followers))
    }

    /// What is known of a long log for one length, if it has been asked for since the lengths were others.
    pub fn follower_mut(&mut self, length: Span) -> Option<&mut F> {
        let told = self.long.as_mut().filter(|long| long.told)?;
        told.followers.iter_mut().find(|follower| follower.length() == length)
    }

    /// What is known of a long log for each length.
    pub fn followers(&self) -> &[F] {
        self.long.as_ref().map_or(&[], |long| &long.followers)
    }

    /// Forgets what is known for each length.
    pub fn forget_lengths(&mut self) {
        if let Some(long) = &mut self.long {
            long.told = false;
        }
    }

    /// Whether entries that this reach would need have been dropped because the key was full.
    pub fn capped(&self, reach: &Reach<'_>, time: Timestamp) -> bool {
        let dropped = self.long.as_ref().and_then(|long| long.dropped);
        dropped.is_some_and(|dropped| reach.holds(dropped, time) && reach.sees(dropped))
    }

    /// Remembers an event, unless it is gone already.
    pub fn remember(&mut self, lengths: &[Span], moment: &Moment<'_>, own: E) {
        self.forget(lengths, moment);
        if !lengths.iter().any(|length| Reach::new(*length, moment).sees(moment.time)) {
            return;
        }
        self.make_room(lengths, moment);
        let Some(long) = self.long.as_mut().filter(|long| long.told) else {
            self.log.insert(moment.time, own);
            return;
        };
        let moved = self.log.insert(moment.time, own.clone());
        if let Some(chunks) = self.log.many() {
            for follower in &mut long.followers {
                follower.arrived(chunks, moment.time, &own, moved);
            }
        }
    }

    /// Whether the entries are many and all of them are gone: after a silence nobody has to look at each.
    pub fn have_passed(&self, reach: &Reach<'_>) -> bool {
        self.log.many().is_some() && reach.millis().is_some() && self.log.newest() < Some(reach.floor())
    }

    /// Lets go of what no length can reach any more; what is left may still be gone for the shorter ones.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        let floor = lengths.iter().map(|length| Reach::new(*length, moment).floor()).min();
        if self.log.many().is_some() && floor.is_some() && self.log.newest() < floor {
            return self.clear();
        }
        if let (Some(long), Some(chunks)) = (self.long.as_mut().filter(|long| long.told), self.log.many()) {
            for follower in &mut long.followers {
                follower.passed(chunks, moment.open());
            }
        }
        while let (Some(first), Some(floor)) = (self.log.oldest(), floor)
            && first < floor
        {
            self.log.pop_first();
            if self.log.many().is_none() {
                // What was dropped from a full key has passed by now: everything younger than it went before.
                self.shorten();
            }
        }
    }

    /// Drops the oldest where one more would be too many.
    pub fn make_room(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        if self.log.len() < most() {
            return;
        }
        self.forget(lengths, moment);
        while self.log.len() >= most()
            && let Some((time, entry)) = self.log.pop_first()
        {
            let long = self.long.get_or_insert_default();
            long.dropped = long.dropped.max(Some(time));
            if let (true, Some(chunks)) = (long.told, self.log.many()) {
                for follower in &mut long.followers {
                    follower.dropped(chunks, time, &entry);
                }
            }
        }
    }

    /// A short log has nothing but its entries.
    fn shorten(&mut self) {
        if let Some(long) = &mut self.long
            && (long.told || long.dropped.is_some())
        {
            // A million entries' worth of room is given back at once, not when the log is long again.
            long.followers.iter_mut().for_each(|follower| follower.begin(Timestamp::MIN));
            (long.told, long.dropped) = (false, None);
        }
    }
}

impl<F> Long<F> {
    /// Whether it has a follower of each length.
    #[inline]
    fn is_of<E>(&self, lengths: &[Span]) -> bool
    where
        F: Follower<E>,
    {
        // Each event asks twice: the iterators' own comparison takes three times as long.
        let same = |(follower, length): (&F, &Span)| follower.length() == *length;
        self.followers.len() == lengths.len() && self.followers.iter().zip(lengths).all(same)
    }

    /// Tells a follower of each length all that is in the log.
    fn follow<E: Weight>(&mut self, chunks: &Chunks<E>, lengths: &[Span])
    where
        F: Follower<E>,
    {
        if !self.is_of::<E>(lengths) {
            self.followers = lengths.iter().map(|length| F::new(*length)).collect();
        }
        let first = chunks.get(chunks.begin()).map_or(Timestamp::MIN, |(first, _)| first);
        self.followers.iter_mut().for_each(|follower| follower.begin(first));
        let mut place = chunks.begin();
        while let Some((time, entry)) = chunks.get(place) {
            for follower in &mut self.followers {
                follower.arrived(chunks, time, entry, None);
            }
            place = chunks.next(place);
        }
        self.told = true;
    }
}

/// Entries that a key may hold.
#[cfg(not(test))]
fn most() -> usize {
    limits::WINDOW_EVENTS
}

/// Tests fill a key with fewer.
#[cfg(test)]
fn most() -> usize {
    super::tests::MOST.get()
}
