//! The ids of a busy wallet: a million of them within the time that repeats are looked for.
//!
//! Ids lie in slices by arrival, each as long as that time, and a slice goes as a whole once its newest id is too old:
//! at most about twice as many are kept as can still be asked for, and none is removed for itself. Looking an id up asks
//! the two slices that there mostly are. No insertion costs more than cutting one segment of a table: some four
//! hundred records.

use crate::{
    decision::Action,
    limits,
    time::Timestamp,
    window::table::{Record, Table},
};
use std::{collections::VecDeque, hint::black_box};

/// An event that is remembered for its repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// A keyed hash of the event's id.
    pub id: u64,
    /// Of type, amount and counterparty: another one is a conflict.
    pub fingerprint: u64,
    pub time: Timestamp,
    pub action: Action,
    pub score: u16,
}

/// Bits of a time since the first that there is, and of an action; the rest is a score's.
const TIME_BITS: u32 = 50;
const ACTION_BITS: u32 = 3;
const _: () = assert!((Timestamp::MAX.0 - Timestamp::MIN.0) >> TIME_BITS == 0);
const _: () = assert!(Action::ALL.len() <= 1 << ACTION_BITS);
const _: () = assert!(limits::SCORE < 1 << (64 - TIME_BITS - ACTION_BITS));

/// An event as a table has it: its time, action and score in one word.
#[derive(Clone, Copy, Debug)]
struct Packed {
    id: u64,
    fingerprint: u64,
    answer: u64,
}

impl From<Remembered> for Packed {
    fn from(event: Remembered) -> Packed {
        let time = (event.time.0 - Timestamp::MIN.0).cast_unsigned();
        let answer = event.action as u64 | u64::from(event.score) << ACTION_BITS;
        Packed { id: event.id, fingerprint: event.fingerprint, answer: time | answer << TIME_BITS }
    }
}

impl From<Packed> for Remembered {
    fn from(Packed { id, fingerprint, answer: word }: Packed) -> Remembered {
        let time = Timestamp(Timestamp::MIN.0 + (word & ((1 << TIME_BITS) - 1)).cast_signed());
        let answer = word >> TIME_BITS;
        let action = Action::ALL[(answer & ((1 << ACTION_BITS) - 1)) as usize];
        let score = u16::try_from(answer >> ACTION_BITS).expect("a score was packed as one");
        Remembered { id, fingerprint, time, action, score }
    }
}

impl Record for Packed {
    type Key = u64;
    const EMPTY: Packed = Packed { id: 0, fingerprint: 0, answer: 0 };
    fn key(&self) -> u64 {
        self.id
    }
    fn hash(key: u64) -> u64 {
        key
    }
}

/// The ids of a busy wallet.
#[derive(Clone, Debug, Default)]
pub struct ManyIds {
    /// All of them have been written down, or noted since.
    noted: bool,
    /// By arrival, the newest last.
    slices: VecDeque<Slice>,
    /// Tables of slices that have gone: their room is used again.
    spare: Vec<Table<Packed>>,
}

/// Most tables whose room is kept: as many slices as there mostly are.
const SPARE: usize = 3;

/// Ids that arrived one after another.
#[derive(Clone, Debug)]
struct Slice {
    /// The newest time known when it was begun.
    begun: Timestamp,
    /// The newest time of its events.
    newest: Timestamp,
    ids: Table<Packed>,
}

impl ManyIds {
    /// Remembers an event, which is not older than `oldest`; what is older may go.
    pub fn insert(&mut self, event: Remembered, oldest: Timestamp) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.newest < oldest) {
            self.let_go(slice);
        }
        if self.slices.back().is_none_or(|slice| slice.begun < oldest) {
            let begun = self.slices.back().map_or(event.time, |slice| slice.newest.max(event.time));
            let ids = self.spare.pop().unwrap_or_default();
            self.slices.push_back(Slice { begun, newest: event.time, ids });
        }
        let slice = self.slices.back_mut().expect("there is a slice now");
        slice.newest = slice.newest.max(event.time);
        match slice.ids.find_mut(event.id) {
            Some(known) => *known = event.into(),
            None => slice.ids.insert(event.into()),
        }
    }

    /// Forgets all; some room is kept.
    pub fn clear(&mut self) {
        self.noted = false;
        while let Some(slice) = self.slices.pop_front() {
            self.let_go(slice);
        }
        self.spare.iter_mut().for_each(Table::shed);
    }

    fn let_go(&mut self, slice: Slice) {
        let mut ids = slice.ids;
        ids.clear();
        if self.spare.len() < SPARE {
            self.spare.push(ids);
        }
    }

    /// The event remembered last with that id, if it is not older than `oldest`.
    #[must_use]
    pub fn find(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        black_box(self.peek(id));
        let found = self.slices.iter().rev().find_map(|slice| slice.ids.find(id));
        found.map(|known| (*known).into()).filter(|event: &Remembered| event.time >= oldest)
    }

    /// Reads what all slices say of an id, so that none is waited for before it is known whether another is asked; nothing
    /// comes of it.
    #[must_use]
    pub fn peek(&self, id: u64) -> u64 {
        self.slices.iter().fold(0, |read, slice| read ^ slice.ids.peek(id))
    }

    /// Reads all that will be asked of an id, which most likely comes to the newest slice; nothing comes of it.
    #[must_use]
    pub fn look_ahead(&self, id: u64) -> u64 {
        let mut slices = self.slices.iter().rev();
        let read = slices.next().map_or(0, |newest| newest.ids.look_ahead(id));
        slices.fold(read, |read, slice| read ^ slice.ids.look_if_there(id))
    }

    /// Whether they have only just left the wallet's own record; from now on they have not.
    pub fn take_fresh(&mut self) -> bool {
        !std::mem::replace(&mut self.noted, true)
    }

    /// How many are kept: at least as many as can still be asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slices.iter().map(|slice| slice.ids.len()).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that is kept; of those with one id, the one remembered last comes last.
    pub fn iter(&self) -> impl Iterator<Item = Remembered> {
        self.slices.iter().flat_map(|slice| slice.ids.iter()).map(|known| (*known).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids that come in order, late, twice and after long silences must be those of a plain list.
    #[test]
    fn agree_with_a_plain_list() {
        const DEDUP: i64 = 3_000;
        let mut seed = 9_u64;
        let mut random = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(seed >> 33).expect("31 bits") % below
        };
        let mut ids = ManyIds::default();
        let mut plain: Vec<Remembered> = Vec::new();
        let mut newest = 0;
        for step in 0..30_000 {
            newest += if random(9_000) == 0 { random(3 * DEDUP) } else { random(3) };
            let time = if random(3) == 0 { newest - random(DEDUP + 1) } else { newest };
            let id = u64::try_from(random(6_000)).expect("not negative").wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let oldest = Timestamp(newest - DEDUP);
            let known = plain.iter().find(|known| known.id == id && known.time >= oldest).copied();
            assert_eq!(ids.find(id, oldest), known, "step {step}");
            let fingerprint = u64::try_from(step).expect("not negative");
            let event = Remembered { id, fingerprint, time: Timestamp(time), action: Action::Allow, score: 0 };
            if known.is_none() || random(10) == 0 {
                ids.insert(event, oldest);
                plain.retain(|known| known.id != id && known.time >= oldest);
                plain.push(event);
            }
            let alive = plain.iter().filter(|known| known.time >= oldest).count();
            assert!(ids.len() >= alive);
            // Half of the ids come late and live shorter; a thousand more are there after a silence.
            assert!(ids.len() <= 3 * alive + 2_000, "{} are kept, {alive} are needed", ids.len());
        }
        assert_eq!(ids.iter().count(), ids.len());
    }
}
