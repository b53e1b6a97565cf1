//! What measures remember of one key, and what they say of an event: exact trailing windows.
//!
//! An event is measured before it is remembered, and whether it is remembered is the caller's business, so that an
//! operation that was refused can be left out. Nothing here knows rules, limits or actions. An event that comes late
//! is measured by the largest of all windows that hold it, so that a pattern cannot be hidden by reordering.

pub mod arrivals;
pub mod calendar;
mod index;
mod kept;
pub mod log;
pub mod newest_first;
mod occurrences;
mod profile;
pub mod sliding;
pub mod streak;
pub mod table;
#[cfg(test)]
mod tests;
pub(crate) mod touched;
pub mod trail;

use crate::time::{Span, Timestamp, Zone};

/// What every measure is told about an event, besides its value.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The event's time.
    pub time: Timestamp,
    /// The newest time known of the event's wallet, or, for keys without a wallet, of the key; this event included.
    pub newest: Timestamp,
    /// How far behind `newest` more than a window's length may lie before it is gone, in ms.
    pub lateness: i64,
    pub zone: &'a Zone,
}

impl Moment<'_> {
    /// Windows that end before this are asked for by no event that is not gone for them.
    #[must_use]
    #[inline]
    pub fn open(&self) -> Timestamp {
        Timestamp(self.newest.0 - self.lateness)
    }
}

/// A window's length as a question about two instants.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    span: Span,
    zone: &'a Zone,
    /// Entries whose window ends before this are gone.
    alive: Timestamp,
}

/// Months are not of one length, and the last days of a month may fall together; within so many ms around the
/// instant that lies N months back, entries are asked one by one.
const MONTH_END_MS: i64 = 5 * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl<'a> Reach<'a> {
    /// # Panics
    /// If `span` is a calendar period, which has no reach.
    #[must_use]
    pub fn new(span: Span, moment: &Moment<'a>) -> Self {
        assert!(!matches!(span, Span::Calendar(_)), "calendar periods are measured by `calendar`");
        Reach { span, zone: moment.zone, alive: moment.open() }
    }

    /// The last instant whose window still holds what happened at `time`.
    #[must_use]
    pub fn end(&self, time: Timestamp) -> Timestamp {
        self.zone.after(time, self.span)
    }

    /// Whether the window that ends at `end` holds an entry at `entry`, which is not after it.
    #[must_use]
    pub fn holds(&self, entry: Timestamp, end: Timestamp) -> bool {
        match self.span {
            Span::Millis(millis) => entry.0 + millis >= end.0,
            // Only near the end is the calendar asked: no month is shorter than 28 days or longer than 31.
            Span::Months(months) => {
                let apart = end.0 - entry.0;
                let months = i64::from(months);
                apart <= months * 27 * DAY_MS || apart <= (months + 1) * 32 * DAY_MS && self.end(entry) >= end
            }
            Span::Calendar(_) => unreachable!("refused by new"),
        }
    }

    /// Whether an entry is not gone yet.
    #[must_use]
    pub fn sees(&self, entry: Timestamp) -> bool {
        self.holds(entry, self.alive)
    }

    /// No entry before this can be in the window that ends at `end`; the same instant for exact lengths.
    #[must_use]
    pub fn earliest(&self, end: Timestamp) -> Timestamp {
        match self.span {
            Span::Months(months) => Timestamp(self.zone.add_months(end, -i64::from(months)).0 - MONTH_END_MS),
            Span::Millis(millis) => Timestamp(end.0 - millis),
            Span::Calendar(_) => unreachable!("refused by new"),
        }
    }

    /// Every entry from this on, up to `end`, is in the window that ends at `end`.
    #[must_use]
    pub fn surely(&self, end: Timestamp) -> Timestamp {
        match self.span {
            Span::Months(_) => Timestamp(self.earliest(end).0 + 2 * MONTH_END_MS),
            _ => self.earliest(end),
        }
    }

    /// The first instant that an entry may have without being gone: what is before it can be let go of.
    #[must_use]
    pub fn floor(&self) -> Timestamp {
        self.earliest(self.alive)
    }

    /// The exact length in ms, if it is one.
    #[must_use]
    pub fn millis(&self) -> Option<i64> {
        match self.span {
            Span::Millis(millis) => Some(millis),
            _ => None,
        }
    }
}

/// What a count, sum or distinct says of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// How many, or the sum in units of the sixth decimal.
    pub value: i128,
    /// The time of the first event counted; of no meaning where the value is not over the limit that was given.
    pub from: Timestamp,
    /// The key held more than it may; the oldest are missing.
    pub capped: bool,
}
