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

/// An event as it is kept: a hash, a fingerprint, and a word of time, action and score, each of eight bytes. One size for
/// all, so that those of a record are copied, looked through and let go of as they lie.
pub type PackedId = [u8; 24];

/// Bits of a packed time, and of an action; the rest of a word is a score's.
pub const TIME_BITS: u32 = 50;
const ACTION_BITS: u32 = 3;
const _: () = assert!((Timestamp::MAX.0 - Timestamp::MIN.0) >> TIME_BITS == 0);
const _: () = assert!(Action::ALL.len() <= 1 << ACTION_BITS);
const _: () = assert!(limits::SCORE < 1 << (64 - TIME_BITS - ACTION_BITS));

/// A time as the low bits of a word.
#[inline]
pub fn pack_time(time: Timestamp) -> u64 {
    (time.0 - Timestamp::MIN.0).cast_unsigned()
}

/// The time of a word, whatever its other bits are.
#[inline]
pub fn unpack_time(word: u64) -> Timestamp {
    Timestamp(Timestamp::MIN.0 + (word & ((1 << TIME_BITS) - 1)).cast_signed())
}

pub fn pack_id(known: &Remembered) -> PackedId {
    let answer = (known.action as u64) | u64::from(known.score) << ACTION_BITS;
    let word = pack_time(known.time) | answer << TIME_BITS;
    let mut bytes = PackedId::default();
    bytes[..8].copy_from_slice(&known.id.to_le_bytes());
    bytes[8..16].copy_from_slice(&known.fingerprint.to_le_bytes());
    bytes[16..].copy_from_slice(&word.to_le_bytes());
    bytes
}

pub fn unpack_id(bytes: &PackedId) -> Remembered {
    let (words, _) = bytes.as_chunks();
    let [id, fingerprint, word] = [0, 1, 2].map(|place: usize| u64::from_le_bytes(words[place]));
    let answer = word >> TIME_BITS;
    let action = Action::ALL[(answer & ((1 << ACTION_BITS) - 1)) as usize];
    let score = u16::try_from(answer >> ACTION_BITS).expect("a score was packed as one");
    Remembered { id, fingerprint, time: unpack_time(word), action, score }
}

/// Whether it is an event of that id.
#[inline]
pub fn is_of(bytes: &PackedId, id: u64) -> bool {
    bytes.first_chunk() == Some(&id.to_le_bytes())
}

/// When it happened.
#[inline]
pub fn time_of(bytes: &PackedId) -> Timestamp {
    unpack_time(u64::from_le_bytes(*bytes.last_chunk().expect("an id ends with a word")))
}

/// The ids of a busy wallet.
#[derive(Clone, Debug, Default)]
pub struct ManyIds {
    /// All of them have been written down, or noted since.
    noted: bool,
    events: Arrivals<PackedId>,
}

impl ManyIds {
    /// Remembers an event, which is not older than `oldest`, as none of its id is that is remembered; what is older may go.
    pub fn insert(&mut self, event: Remembered, oldest: Timestamp) {
        self.events.let_go(oldest, |known| time_of(known) < oldest);
        self.events.insert(hash_of(event.id), pack_id(&event), event.time);
    }

    /// Forgets all; some room is kept.
    pub fn clear(&mut self) {
        self.noted = false;
        self.events.clear();
    }

    /// The event of that id that is remembered, if it is not older than `oldest`.
    #[must_use]
    pub fn find(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        let number = self.events.find(hash_of(id), |_, event| is_of(event, id) && time_of(event) >= oldest)?;
        Some(unpack_id(self.events.get(number)))
    }

    /// Fetches what will be asked of an id first.
    pub fn fetch(&self, id: u64) {
        self.events.fetch(hash_of(id));
    }

    /// Reads where ids come and go; nothing comes of it.
    #[must_use]
    pub fn read_ends(&self) -> u64 {
        self.events.ends().fold(0, |read, event| read ^ u64::from(event[0]))
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
        self.events.iter().map(unpack_id)
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

    #[test]
    fn an_id_is_read_as_it_was_written() {
        for action in Action::ALL {
            for (time, score) in [(Timestamp::MIN, 0), (Timestamp(0), limits::SCORE), (Timestamp::MAX, 1)] {
                let known = Remembered { id: 3 << 62, fingerprint: u64::MAX, time, action, score };
                let packed = pack_id(&known);
                assert_eq!((unpack_id(&packed), time_of(&packed), is_of(&packed, known.id)), (known, time, true));
            }
        }
    }

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
