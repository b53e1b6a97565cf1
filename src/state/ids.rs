//! The ids of a busy wallet: a million of them within the time that repeats are looked for.
//!
//! They are found by their hashes where they lie by arrival, and go from the front once they are too old, a chunk at a time
//! where there are many: few more are kept than can still be asked for.

use crate::{decision::Action, limits, time::Timestamp, window::arrivals::Arrivals};

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

/// An event as it is kept: its time, action and score in one word.
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
        let time = time_of(word);
        let answer = word >> TIME_BITS;
        let action = Action::ALL[(answer & ((1 << ACTION_BITS) - 1)) as usize];
        let score = u16::try_from(answer >> ACTION_BITS).expect("a score was packed as one");
        Remembered { id, fingerprint, time, action, score }
    }
}

/// The time of a packed event.
fn time_of(answer: u64) -> Timestamp {
    Timestamp(Timestamp::MIN.0 + (answer & ((1 << TIME_BITS) - 1)).cast_signed())
}

impl Packed {
    fn time(&self) -> Timestamp {
        time_of(self.answer)
    }
}

/// The ids of a busy wallet.
#[derive(Clone, Debug, Default)]
pub struct ManyIds {
    /// All of them have been written down, or noted since.
    noted: bool,
    events: Arrivals<Packed>,
}

impl ManyIds {
    /// Remembers an event, which is not older than `oldest`, as none of its id is that is remembered; what is older may go.
    pub fn insert(&mut self, event: Remembered, oldest: Timestamp) {
        self.events.let_go(oldest, |known| known.time() < oldest);
        self.events.insert(hash_of(event.id), event.into(), event.time);
    }

    /// Forgets all; some room is kept.
    pub fn clear(&mut self) {
        self.noted = false;
        self.events.clear();
    }

    /// The event of that id that is remembered, if it is not older than `oldest`.
    #[must_use]
    pub fn find(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        let number = self.events.find(hash_of(id), |_, event| event.id == id && event.time() >= oldest)?;
        Some((*self.events.get(number)).into())
    }

    /// Fetches what will be asked of an id first.
    pub fn fetch(&self, id: u64) {
        self.events.fetch(hash_of(id));
    }

    /// Reads where ids come and go; nothing comes of it.
    #[must_use]
    pub fn read_ends(&self) -> u64 {
        self.events.ends().fold(0, |read, event| read ^ event.id)
    }

    /// Whether they have only just left the wallet's own record; from now on they have not.
    pub fn take_fresh(&mut self) -> bool {
        !std::mem::replace(&mut self.noted, true)
    }

    /// How many are kept: at least as many as can still be asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.count()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that is kept, by arrival.
    pub fn iter(&self) -> impl Iterator<Item = Remembered> {
        self.events.iter().map(|event| (*event).into())
    }
}

/// What an id is found by, which is a keyed hash itself.
fn hash_of(id: u64) -> u32 {
    u32::try_from(id >> 32).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::arrivals::CHUNK;

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
        let (mut newest, mut went) = (0, 0);
        for step in 0..30_000 {
            newest += if random(9_000) == 0 { random(3 * DEDUP) } else { random(3) };
            let time = if random(3) == 0 { newest - random(DEDUP + 1) } else { newest };
            let id = u64::try_from(random(6_000)).expect("not negative").wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let oldest = Timestamp(newest - DEDUP);
            let known = plain.iter().find(|known| known.id == id && known.time >= oldest).copied();
            assert_eq!(ids.find(id, oldest), known, "step {step}");
            let fingerprint = u64::try_from(step).expect("not negative");
            let event = Remembered { id, fingerprint, time: Timestamp(time), action: Action::Allow, score: 0 };
            let before = ids.len();
            if known.is_none() {
                ids.insert(event, oldest);
                plain.retain(|known| known.time >= oldest);
                plain.push(event);
            }
            let alive = plain.iter().filter(|known| known.time >= oldest).count();
            assert!(ids.len() >= alive);
            // Half of the ids come late and live shorter; after a silence all go, a chunk with each that comes.
            let enough = ids.len() <= 2 * alive + 2 * CHUNK;
            assert!(enough || ids.len() <= before, "{} are kept, {alive} are needed", ids.len());
            went += usize::from(!enough && ids.len() + CHUNK - 1 <= before);
            if step % 1_000 == 0 {
                let kept: Vec<Remembered> = ids.iter().filter(|known| known.time >= oldest).collect();
                plain.retain(|known| known.time >= oldest);
                assert_eq!((kept, ids.iter().count()), (plain.clone(), ids.len()));
            }
            if step % 7_000 == 0 {
                ids.clear();
                plain.clear();
            }
        }
        assert!(went >= 5, "chunks went {went} times");
    }
}
