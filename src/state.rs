//! What the engine remembers: of each wallet one record, of foreign keys one memory each, of addresses and of all
//! the restrictions that stand there.
//!
//! Nothing of a rule is stored for a wallet that it never matched. Small things are short vectors that are searched;
//! they turn into maps when they grow, so that a busy wallet costs what a quiet one does. What has passed is thrown
//! out when a container would have to grow, so that memory follows what is still needed. No clock, no input: the
//! engine says what is over.

use crate::{
    decision::{RestrictionId, RuleId},
    event::ClientStatus,
    limits,
    time::{Period, Span, Timestamp},
    window::{
        Moment, Reach,
        calendar::{Periods, Values},
        log::{One, Weight},
        sliding::{Entry, Window},
        streak::Row,
        trail::Trail,
    },
};
use hashbrown::HashMap;
use std::sync::Arc;

mod ids;
pub use ids::{ManyIds, Remembered};

/// The hash of a wallet, an id or another key.
pub type Hash = u128;

/// A hasher for keys that are keyed hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsIs(u64);

impl std::hash::Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u128(&mut self, hash: u128) {
        let low = u64::try_from(hash & u128::from(u64::MAX)).expect("masked to 64 bits");
        self.0 = self.0.rotate_left(29) ^ low;
    }
    fn write_u16(&mut self, number: u16) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map from keyed hashes.
pub type HashedMap<K, V> = HashMap<K, V, std::hash::BuildHasherDefault<AsIs>>;

/// A measure's place in the engine's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u16);

/// A value that `change` must be able to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub hash: Hash,
    pub text: ShortText,
}

/// A text that is mostly a country code: short ones lie in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShortText {
    Here(u8, [u8; 14]),
    There(Arc<str>),
}

impl ShortText {
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; 14];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                ShortText::Here(length, bytes)
            }
            _ => ShortText::There(text.into()),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            ShortText::Here(length, bytes) => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("a copy of a str")
            }
            ShortText::There(text) => text,
        }
    }
}

impl Weight for Known {
    fn weight(&self) -> i128 {
        0
    }
}

impl Entry for Known {
    /// Only neighbours are asked of a `change`, never a value's places.
    const DISTINCT: bool = false;
    fn value(&self) -> u128 {
        self.hash
    }
}

/// What one measure remembers of one key.
#[derive(Clone, Debug)]
pub enum Memory {
    Count(Window<One>),
    Sum(Window<i128>),
    Distinct(Window<u128>),
    Total(Periods<i128>),
    Values(Periods<Values>),
    Change(Trail<Known>),
    New(Trail<u128>),
    After(Trail<One>),
    Streak(Option<Row>),
    Newest(Timestamp),
}

impl Memory {
    /// Lets go of what has passed by `moment.newest`; true when nothing is left.
    pub fn forget(&mut self, spans: &[Span], moment: &Moment<'_>) -> bool {
        fn calendar(spans: &[Span]) -> crate::time::Calendar {
            match spans {
                [Span::Calendar(calendar)] => *calendar,
                _ => unreachable!("a calendar measure has one period"),
            }
        }
        match self {
            Memory::Count(window) => {
                window.forget(spans, moment);
                window.is_empty()
            }
            Memory::Sum(window) => {
                window.forget(spans, moment);
                window.is_empty()
            }
            Memory::Distinct(window) => {
                window.forget(spans, moment);
                window.is_empty()
            }
            Memory::Total(periods) => {
                periods.forget(calendar(spans), moment);
                periods.is_empty()
            }
            Memory::Values(periods) => {
                periods.forget(calendar(spans), moment);
                periods.is_empty()
            }
            Memory::Change(trail) => {
                trail.forget(spans, moment);
                trail.is_empty()
            }
            Memory::New(trail) => {
                trail.forget(spans, moment);
                trail.is_empty()
            }
            Memory::After(trail) => {
                trail.forget(spans, moment);
                trail.is_empty()
            }
            Memory::Streak(row) => !row.is_some_and(|row| Reach::new(spans[0], moment).sees(row.last)),
            Memory::Newest(_) => false,
        }
    }
}

impl Memory {
    /// Forgets what was worked out for the lengths of the rules, which may be others now.
    pub fn forget_lengths(&mut self) {
        match self {
            Memory::Count(window) => window.forget_lengths(),
            Memory::Sum(window) => window.forget_lengths(),
            Memory::Distinct(window) => window.forget_lengths(),
            _ => {}
        }
    }
}

// A wallet has a handful of these: a memory that grows makes every wallet grow.
const _: () = assert!(size_of::<Memory>() <= 48);

/// Memories by measure and key: a short vector, or a map.
#[derive(Clone, Debug)]
pub enum Cells {
    Few(Vec<(SlotId, Hash, Memory)>),
    Many(Box<HashedMap<(SlotId, Hash), Memory>>),
}

impl Default for Cells {
    fn default() -> Self {
        Cells::Few(Vec::new())
    }
}

/// Most memories that are searched one by one.
const FEW_CELLS: usize = 16;

impl Cells {
    pub fn get_mut(&mut self, slot: SlotId, key: Hash) -> Option<&mut Memory> {
        match self {
            Cells::Few(cells) => {
                cells.iter_mut().find(|cell| cell.0 == slot && cell.1 == key).map(|(_, _, memory)| memory)
            }
            Cells::Many(cells) => cells.get_mut(&(slot, key)),
        }
    }

    /// The memory of a key, made by `new` where there is none. `passed` says which others may go when room is short.
    pub fn entry(
        &mut self,
        slot: SlotId,
        key: Hash,
        new: impl FnOnce() -> Memory,
        mut passed: impl FnMut(SlotId, &mut Memory) -> bool,
    ) -> &mut Memory {
        if let Cells::Few(cells) = self
            && cells.len() == cells.capacity().min(FEW_CELLS)
            && !cells.iter().any(|cell| cell.0 == slot && cell.1 == key)
        {
            cells.retain_mut(|(slot, _, memory)| !passed(*slot, memory));
            if cells.len() >= FEW_CELLS {
                let cells = std::mem::take(cells);
                let map = cells.into_iter().map(|(slot, key, memory)| ((slot, key), memory)).collect();
                *self = Cells::Many(Box::new(map));
            }
        }
        match self {
            Cells::Few(cells) => {
                let at = cells.iter().position(|cell| cell.0 == slot && cell.1 == key).unwrap_or_else(|| {
                    if cells.len() == cells.capacity() {
                        cells.reserve_exact(2);
                    }
                    cells.push((slot, key, new()));
                    cells.len() - 1
                });
                &mut cells[at].2
            }
            Cells::Many(cells) => {
                if cells.len() == cells.capacity() && !cells.contains_key(&(slot, key)) {
                    cells.retain(|(slot, _), memory| !passed(*slot, memory));
                }
                cells.entry((slot, key)).or_insert_with(new)
            }
        }
    }
}

/// The ids of a wallet's recent events.
#[derive(Clone, Debug)]
pub enum Ids {
    Few(Vec<Remembered>),
    Many(Box<ManyIds>),
}

impl Default for Ids {
    fn default() -> Self {
        Ids::Few(Vec::new())
    }
}

/// Most ids that are searched one by one.
const FEW_IDS: usize = 24;

impl Ids {
    /// The event of that id, if it is not older than `oldest`.
    #[must_use]
    pub fn find(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        match self {
            Ids::Few(ids) => ids.iter().rev().find(|known| known.id == id && known.time >= oldest).copied(),
            Ids::Many(ids) => ids.find(id, oldest),
        }
    }

    /// Remembers an event; those older than `oldest` may go, and it does itself if it is.
    pub fn remember(&mut self, event: Remembered, oldest: Timestamp) {
        if event.time < oldest {
            return;
        }
        match self {
            Ids::Few(ids) => {
                if ids.len() == ids.capacity() {
                    ids.retain(|known| known.time >= oldest);
                }
                if ids.len() < FEW_IDS {
                    if ids.len() == ids.capacity() {
                        ids.reserve_exact(1.max(ids.len() / 2));
                    }
                    ids.push(event);
                    return;
                }
                let mut many = ManyIds::default();
                for known in std::mem::take(ids) {
                    many.insert(known, oldest);
                }
                many.insert(event, oldest);
                *self = Ids::Many(Box::new(many));
            }
            Ids::Many(ids) => ids.insert(event, oldest),
        }
    }
}

/// A restriction that was imposed.
#[derive(Clone, Debug)]
pub struct Standing {
    pub restriction: RestrictionId,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    /// The rule or signal that imposed it.
    pub by: Box<str>,
    pub by_event: Box<str>,
    /// Rules that asked for it while it stood; kept where lifting it confirms them.
    pub asked: Vec<RuleId>,
}

impl Standing {
    /// Whether it stands for an event at `time`: only the end goes by event time.
    #[must_use]
    pub fn stands(&self, time: Timestamp) -> bool {
        self.until.is_none_or(|until| time < until)
    }
}

/// An operation that was held or awaits a pin.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub id: Box<str>,
    pub time: Timestamp,
    /// The restrictions on the wallet that it still waits for.
    pub waits_for: Vec<RestrictionId>,
    /// One of those that are gone was cancelled.
    pub cancelled: bool,
    /// One of those that are gone ran out.
    pub expired: bool,
}

/// What few wallets have.
#[derive(Clone, Debug, Default)]
pub struct Special {
    pub standing: Vec<Standing>,
    /// By (time, arrival).
    pub waiting: Vec<Waiting>,
    /// Operations that waited have been forgotten since waiting ones were listed last.
    pub forgotten: bool,
    /// Rules that a lifted restriction has silenced, each for one of its calendar periods.
    pub confirmed: Vec<(RuleId, Period)>,
}

impl Special {
    /// Remembers an operation that waits; the oldest is forgotten when there are too many.
    pub fn wait(&mut self, operation: Waiting) {
        let at = self.waiting.partition_point(|other| other.time <= operation.time);
        self.waiting.insert(at, operation);
        if self.waiting.len() > limits::WAITING {
            self.waiting.remove(0);
            self.forgotten = true;
        }
    }

    /// A restriction is gone: nobody waits for it any more.
    pub fn gone(&mut self, restriction: RestrictionId, cancelled: bool, expired: bool) {
        for operation in &mut self.waiting {
            let before = operation.waits_for.len();
            operation.waits_for.retain(|other| *other != restriction);
            if operation.waits_for.len() < before {
                operation.cancelled |= cancelled;
                operation.expired |= expired;
            }
        }
    }
}

/// All that is known of a wallet.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// The time of its newest event.
    pub newest: Timestamp,
    /// The last one stated, by arrival.
    pub status: Option<ClientStatus>,
    pub ids: Ids,
    pub cells: Cells,
    pub special: Option<Box<Special>>,
}

impl Wallet {
    #[must_use]
    pub fn new(time: Timestamp) -> Self {
        Wallet { newest: time, status: None, ids: Ids::default(), cells: Cells::default(), special: None }
    }

    #[must_use]
    pub fn standing(&self) -> &[Standing] {
        self.special.as_deref().map_or(&[], |special| &special.standing)
    }

    pub fn special(&mut self) -> &mut Special {
        self.special.get_or_insert_default()
    }
}
