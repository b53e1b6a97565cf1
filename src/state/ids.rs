//! The ids of a busy wallet: a million of them within the time that repeats are looked for.
//!
//! Ids lie in slices by arrival, each as long as that time, and a slice goes as a whole once its newest id is too old:
//! at most about twice as many are kept as can still be asked for, and none is removed for itself. Looking an id up asks
//! the two slices that there mostly are. No insertion costs more than cutting one segment of a table: some four
//! hundred records.

use crate::{
    decision::Action,
    time::Timestamp,
    window::table::{Record, Table},
};
use std::collections::VecDeque;

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

impl Record for Remembered {
    type Key = u64;
    const EMPTY: Remembered =
        Remembered { id: 0, fingerprint: 0, time: Timestamp::MIN, action: Action::Allow, score: 0 };
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
    /// The table of a slice that has gone: its room is used again.
    spare: Option<Table<Remembered>>,
}

/// Ids that arrived one after another.
#[derive(Clone, Debug)]
struct Slice {
    /// The newest time known when it was begun.
    begun: Timestamp,
    /// The newest time of its events.
    newest: Timestamp,
    ids: Table<Remembered>,
}

impl ManyIds {
    /// Remembers an event, which is not older than `oldest`; what is older may go.
    pub fn insert(&mut self, event: Remembered, oldest: Timestamp) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.newest < oldest) {
            let mut ids = slice.ids;
            ids.clear();
            self.spare = Some(ids);
        }
        if self.slices.back().is_none_or(|slice| slice.begun < oldest) {
            let begun = self.slices.back().map_or(event.time, |slice| slice.newest.max(event.time));
            let ids = self.spare.take().unwrap_or_default();
            self.slices.push_back(Slice { begun, newest: event.time, ids });
        }
        let slice = self.slices.back_mut().expect("there is a slice now");
        slice.newest = slice.newest.max(event.time);
        match slice.ids.find_mut(event.id) {
            Some(known) => *known = event,
            None => slice.ids.insert(event),
        }
    }

    /// The event remembered last with that id, if it is not older than `oldest`.
    #[must_use]
    pub fn find(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        let found = self.slices.iter().rev().find_map(|slice| slice.ids.find(id));
        found.filter(|event| event.time >= oldest).copied()
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
    pub fn iter(&self) -> impl Iterator<Item = &Remembered> {
        self.slices.iter().flat_map(|slice| slice.ids.iter())
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
