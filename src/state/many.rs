//! Where the memories of a busy wallet lie, by measure and key.
//!
//! A wallet with few memories has them in its record. One with many has each in a place of its own, and this says in which:
//! memories of measures without a key, which nearly every event of the wallet asks for, straight by their measure, all
//! others in a map. It holds places only, so that it is small beside what lies in them, and so that an event looks for
//! each memory once and then goes by its place.

use super::{Hash, SlotId, map::SegmentedMap};

/// The name of a memory within its wallet. Measures without a key have key 0.
pub type Name = (SlotId, Hash);

/// How many events pay for one look at one of many memories, to see whether it has passed: each is a line or more from far
/// away. Where a segment has no room for one more, all of it is looked at besides.
const EVENTS_A_SWEPT: usize = 4;

/// The places of all memories of one wallet.
#[derive(Debug, Default)]
pub struct ManyCells {
    /// By slot, those of measures without a key.
    plain: Vec<Option<u32>>,
    keyed: SegmentedMap<Name, u32>,
    /// How often the wallet was decided on, and how many memories have come, since what has passed was looked for.
    since_swept: usize,
    /// Measures without a key are looked at next.
    plain_is_next: bool,
    /// They have been written down since they left the wallet's own record.
    pub noted: bool,
}

impl ManyCells {
    #[must_use]
    #[inline]
    pub fn find(&self, (slot, key): Name) -> Option<u32> {
        if key == 0 { *self.plain.get(usize::from(slot.0))? } else { self.keyed.get(&(slot, key)).copied() }
    }

    /// Notes the place of a memory that is not there yet.
    pub fn insert(&mut self, (slot, key): Name, place: u32) {
        if key != 0 {
            return self.keyed.insert((slot, key), place);
        }
        let at = usize::from(slot.0);
        if self.plain.len() <= at {
            self.plain.resize(at + 1, None);
        }
        self.plain[at] = Some(place);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.plain.iter().flatten().count() + self.keyed.len()
    }

    /// All of them, those without a key first.
    pub fn iter(&self) -> impl Iterator<Item = (Name, u32)> {
        let plain = (0_u16..).zip(&self.plain).filter_map(|(slot, place)| Some(((SlotId(slot), 0), (*place)?)));
        plain.chain(self.keyed.iter().map(|(name, place)| (*name, *place)))
    }

    /// Forgets all of them; some room is kept.
    pub fn clear(&mut self) {
        self.plain.clear();
        self.keyed.drain().for_each(drop);
        self.noted = false;
    }

    /// Prepares for one more memory: where there is no room for it, those go that have `passed`.
    pub fn make_room(&mut self, name: Name, mut passed: impl FnMut(Name, u32) -> bool) {
        self.since_swept += 1;
        if name.1 != 0 && self.keyed.is_full_for(&name) {
            self.keyed.extract_beside(&name, |name, place| passed(*name, *place), |_, _| ());
            self.keyed.widen(&name);
        }
    }

    /// Lets go of what has `passed` of the next part, if several times as many events have gone by as it has memories;
    /// whether it was looked through.
    pub fn sweep(&mut self, mut passed: impl FnMut(Name, u32) -> bool) -> bool {
        self.since_swept += 1;
        let part = if self.plain_is_next { self.plain.len() } else { self.keyed.next_len() };
        let due = self.since_swept > EVENTS_A_SWEPT * part;
        if due {
            self.since_swept = 0;
            if self.plain_is_next {
                self.sweep_plain(passed);
                self.plain_is_next = false;
            } else {
                self.keyed.extract_next(|name, place| passed(*name, *place), |_, _| ());
                self.plain_is_next = self.keyed.has_gone_round();
            }
        }
        due
    }

    fn sweep_plain(&mut self, mut passed: impl FnMut(Name, u32) -> bool) {
        for (slot, place) in (0_u16..).zip(&mut self.plain) {
            place.take_if(|place| passed((SlotId(slot), 0), *place));
        }
    }
}
