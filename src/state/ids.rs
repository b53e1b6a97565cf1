//! The ids of a busy wallet: by hash, and by time to let go of them.

use super::HashedMap;
use crate::{decision::Action, time::Timestamp, window::log::Log};

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

/// The ids of a busy wallet.
#[derive(Clone, Debug, Default)]
pub struct ManyIds {
    by_id: HashedMap<u64, Remembered>,
    by_time: Log<u128>,
}

impl ManyIds {
    /// The event of that id, if it is not older than `oldest`.
    #[must_use]
    pub fn find(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        self.by_id.get(&id).filter(|known| known.time >= oldest).copied()
    }

    /// Remembers an event that is not older than `oldest`; those that are may go.
    pub fn insert(&mut self, event: Remembered, oldest: Timestamp) {
        while let Some((time, id)) = self.by_time.first()
            && time < oldest
        {
            self.by_time.pop_first();
            let id = u64::try_from(id).expect("an id is of 64 bits");
            if self.by_id.get(&id).is_some_and(|known| known.time == time) {
                self.by_id.remove(&id);
            }
        }
        self.by_time.insert(event.time, event.id.into());
        self.by_id.insert(event.id, event);
    }

    /// How many are kept; some may be older than was asked for last.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All that are kept.
    pub fn iter(&self) -> impl Iterator<Item = Remembered> + '_ {
        self.by_id.values().copied()
    }
}
