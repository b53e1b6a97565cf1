//! What few wallets have: restrictions, operations that wait for them, rules that a lifted one has silenced.

use super::bytes::{Reader, put_count, put_number, put_signed, put_time};
use crate::{
    decision::{RestrictionId, RuleId},
    limits,
    time::{Period, Timestamp},
};
use std::collections::VecDeque;

/// The place of a rule's or a signal's name among those that have ever imposed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameId(pub u32);

/// An event's id, held in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdText {
    length: u8,
    bytes: [u8; limits::ID_BYTES],
}

const _: () = assert!(limits::ID_BYTES <= u8::MAX as usize);

impl IdText {
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; limits::ID_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        IdText { length: u8::try_from(text.len()).expect("an id has at most limits::ID_BYTES"), bytes }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("a copy of a str")
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.length);
        out.extend_from_slice(&self.bytes[..usize::from(self.length)]);
    }

    fn take(reader: &mut Reader<'_>) -> Self {
        let length = reader.bytes(1)[0];
        let mut bytes = [0; limits::ID_BYTES];
        bytes[..usize::from(length)].copy_from_slice(reader.bytes(usize::from(length)));
        IdText { length, bytes }
    }
}

impl std::fmt::Debug for IdText {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(out)
    }
}

/// A restriction that was imposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub restriction: RestrictionId,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    /// The rule or signal that imposed it.
    pub by: NameId,
    pub by_event: IdText,
}

impl Standing {
    /// Whether it stands for an event at `time`: only the end goes by event time.
    #[must_use]
    pub fn stands(&self, time: Timestamp) -> bool {
        self.until.is_none_or(|until| time < until)
    }

    fn put(&self, origin: Timestamp, out: &mut Vec<u8>) {
        put_number(out, self.restriction.0.into());
        put_time(out, origin, self.since);
        // A year nobody lives to see is an end, too: one more than the length, so that 0 is left for none.
        let length = self.until.map_or(0, |until| until.0 - self.since.0 + 1);
        put_signed(out, length);
        put_number(out, self.by.0.into());
        self.by_event.put(out);
    }

    fn take(origin: Timestamp, reader: &mut Reader<'_>) -> Self {
        let restriction = RestrictionId(reader.place());
        let since = reader.time(origin);
        let length = reader.signed();
        let until = (length != 0).then(|| Timestamp(since.0 + length - 1));
        let by = NameId(u32::try_from(reader.number()).expect("a place was written as one"));
        Standing { restriction, since, until, by, by_event: IdText::take(reader) }
    }
}

/// A set of restrictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restrictions([u64; limits::RESTRICTIONS / 64]);

impl Restrictions {
    pub fn insert(&mut self, id: RestrictionId) {
        self.0[usize::from(id.0 >> 6)] |= 1 << (id.0 & 63);
    }

    /// Takes one out; whether it was in.
    pub fn remove(&mut self, id: RestrictionId) -> bool {
        let word = &mut self.0[usize::from(id.0 >> 6)];
        let bit = 1 << (id.0 & 63);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// In pack order.
    pub fn iter(&self) -> impl Iterator<Item = RestrictionId> + use<> {
        let words = self.0;
        (0_u16..).zip(words).flat_map(|(place, mut word)| {
            std::iter::from_fn(move || {
                let bit = u16::try_from(word.trailing_zeros()).expect("at most 64");
                (word != 0).then(|| {
                    word &= word - 1;
                    RestrictionId(place * 64 + bit)
                })
            })
        })
    }
}

/// An operation that was held or awaits a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub id: IdText,
    pub time: Timestamp,
    /// The restrictions on the wallet that it still waits for.
    pub waits_for: Restrictions,
    /// One of those that are gone was cancelled.
    pub cancelled: bool,
    /// One of those that are gone ran out.
    pub expired: bool,
}

impl Waiting {
    fn put(&self, origin: Timestamp, out: &mut Vec<u8>) {
        self.id.put(out);
        put_time(out, origin, self.time);
        let flags = u64::from(self.cancelled) | u64::from(self.expired) << 1;
        put_number(out, (self.waits_for.iter().count() as u64) << 2 | flags);
        for id in self.waits_for.iter() {
            put_number(out, id.0.into());
        }
    }

    fn take(origin: Timestamp, reader: &mut Reader<'_>) -> Self {
        let (id, time, head) = (IdText::take(reader), reader.time(origin), reader.number());
        let mut waits_for = Restrictions::default();
        for _ in 0..head >> 2 {
            waits_for.insert(RestrictionId(reader.place()));
        }
        Waiting { id, time, waits_for, cancelled: head & 1 != 0, expired: head & 2 != 0 }
    }
}

/// Most operations that wait in the wallet's own record: beside it each takes some 200 bytes, packed some 40.
const FEW_WAITING: usize = 16;

/// What few wallets have. Used again for every wallet that is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Special {
    pub standing: Vec<Standing>,
    /// Rules that asked for a restriction while it stood; kept where lifting it confirms them.
    pub asked: Vec<(RestrictionId, RuleId)>,
    /// By (time, arrival).
    pub waiting: VecDeque<Waiting>,
    /// Some of them may wait for nothing by now. Where none does, nobody looks at them: 64 are 16 KiB.
    pub done: bool,
    /// Operations that waited have been forgotten since waiting ones were listed last.
    pub forgotten: bool,
    /// Rules that a lifted restriction has silenced, each for one of its calendar periods.
    pub confirmed: Vec<(RuleId, Period)>,
    /// The same of a restriction that the event at hand has lifted, which is itself not silenced by that.
    pub confirming: Vec<(RuleId, Period)>,
}

impl Special {
    pub fn clear(&mut self) {
        self.confirming.clear();
        self.standing.clear();
        self.asked.clear();
        self.waiting.clear();
        self.confirmed.clear();
        (self.forgotten, self.done) = (false, false);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.standing.is_empty() && self.waiting.is_empty() && self.confirmed.is_empty() && !self.forgotten
    }

    /// Whether so many operations wait that packing them for every event would cost more than all else of it.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.waiting.len() > FEW_WAITING
    }

    /// Remembers an operation that waits; the oldest is forgotten when there are too many.
    pub fn wait(&mut self, operation: Waiting) {
        self.done |= operation.waits_for.is_empty();
        if self.waiting.back().is_none_or(|last| last.time <= operation.time) {
            self.waiting.push_back(operation);
        } else {
            let at = self.waiting.partition_point(|other| other.time <= operation.time);
            self.waiting.insert(at, operation);
        }
        if self.waiting.len() > limits::WAITING {
            self.waiting.pop_front();
            self.forgotten = true;
            self.done = self.done && self.waiting.iter().any(|operation| operation.waits_for.is_empty());
        }
    }

    /// A restriction is gone: nobody waits for it any more.
    pub fn gone(&mut self, restriction: RestrictionId, cancelled: bool, expired: bool) {
        for operation in &mut self.waiting {
            if operation.waits_for.remove(restriction) {
                operation.cancelled |= cancelled;
                operation.expired |= expired;
                self.done |= operation.waits_for.is_empty();
            }
        }
    }

    /// The event at hand is judged: what it has confirmed counts from the next one on.
    #[inline]
    pub fn judged(&mut self) {
        let Special { confirming, confirmed, .. } = self;
        for silenced in confirming.drain(..) {
            if !confirmed.contains(&silenced) {
                confirmed.push(silenced);
            }
        }
    }

    /// Takes out a restriction, whether it stands or has run out. Those who asked for it stay in `asked`.
    pub fn take_standing(&mut self, restriction: RestrictionId) -> Option<Standing> {
        let at = self.standing.iter().position(|standing| standing.restriction == restriction)?;
        Some(self.standing.remove(at))
    }

    /// Appends everything.
    pub fn pack(&self, origin: Timestamp, out: &mut Vec<u8>) {
        put_count(out, self.standing.len());
        for standing in &self.standing {
            standing.put(origin, out);
        }
        put_count(out, self.asked.len());
        for (restriction, rule) in &self.asked {
            put_number(out, restriction.0.into());
            put_number(out, rule.0.into());
        }
        put_count(out, self.confirmed.len());
        for (rule, period) in &self.confirmed {
            put_number(out, rule.0.into());
            put_signed(out, period.0.into());
        }
        put_number(out, self.waiting.len() as u64 * 2 + u64::from(self.forgotten));
        for operation in &self.waiting {
            operation.put(origin, out);
        }
    }

    /// Becomes what was packed.
    pub fn unpack(&mut self, origin: Timestamp, reader: &mut Reader<'_>) {
        self.clear();
        Special::unpack_standing(origin, reader, &mut self.standing);
        for _ in 0..reader.count() {
            self.asked.push((RestrictionId(reader.place()), RuleId(reader.place())));
        }
        for _ in 0..reader.count() {
            let rule = RuleId(reader.place());
            let period = i32::try_from(reader.signed()).expect("a period was written as one");
            self.confirmed.push((rule, Period(period)));
        }
        let head = reader.number();
        self.forgotten = head & 1 != 0;
        for _ in 0..head >> 1 {
            let operation = Waiting::take(origin, reader);
            self.done |= operation.waits_for.is_empty();
            self.waiting.push_back(operation);
        }
    }

    /// Reads only the restrictions of what was packed.
    pub fn unpack_standing(origin: Timestamp, reader: &mut Reader<'_>, standing: &mut Vec<Standing>) {
        for _ in 0..reader.count() {
            standing.push(Standing::take(origin, reader));
        }
    }
}
