//! The names of an event's fields, and which of them a key is.
//!
//! A key is looked up by its first bytes in a table that is built, and proved free of collisions, when this is compiled;
//! one comparison of sixteen bytes then settles it, and with it the quotes and the colon. So a known key is never
//! looked through for its end.

use crate::event::Field;

/// A field that the engine knows, `attributes` among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Id,
    Type,
    Time,
    Wallet,
    Counterparty,
    Merchant,
    Amount,
    Currency,
    Ip,
    Country,
    Anonymous,
    ClientStatus,
    Balance,
    Device,
    Channel,
    Cause,
    Method,
    Attributes,
}

impl Known {
    pub const COUNT: usize = 18;

    /// In the order of [`Field::KNOWN`], with `attributes` at the end.
    pub const ALL: [Known; Known::COUNT] = [
        Known::Id,
        Known::Type,
        Known::Time,
        Known::Wallet,
        Known::Counterparty,
        Known::Merchant,
        Known::Amount,
        Known::Currency,
        Known::Ip,
        Known::Country,
        Known::Anonymous,
        Known::ClientStatus,
        Known::Balance,
        Known::Device,
        Known::Channel,
        Known::Cause,
        Known::Method,
        Known::Attributes,
    ];

    const NAMES: [&'static str; Known::COUNT] = [
        "id",
        "type",
        "time",
        "wallet",
        "counterparty",
        "merchant",
        "amount",
        "currency",
        "ip",
        "country",
        "anonymous",
        "client_status",
        "balance",
        "device",
        "channel",
        "cause",
        "method",
        "attributes",
    ];

    pub const fn place(self) -> usize {
        self as usize
    }

    pub const fn bit(self) -> u32 {
        1 << self.place()
    }

    pub const fn name(self) -> &'static str {
        Known::NAMES[self.place()]
    }

    /// What a value of the field is to be, for messages.
    pub fn expected(self) -> &'static str {
        match self {
            Known::Amount | Known::Balance => "a decimal, as a number or text,",
            Known::Anonymous => "true or false",
            Known::Attributes => "an object",
            _ => "text",
        }
    }

    /// The known field that a pack's field is, `attributes` for every attribute.
    pub fn of(field: &Field) -> Known {
        let place = Field::KNOWN.iter().position(|known| known == field);
        place.map_or(Known::Attributes, |place| Known::ALL[place])
    }

    /// The field that `key` names.
    pub fn find(key: &[u8]) -> Option<Known> {
        let mut word = [0; WORD];
        let length = START.len() + key.len() + END.len();
        let (start, rest) = word.get_mut(..length)?.split_at_mut(START.len());
        let (name, end) = rest.split_at_mut(key.len());
        start.copy_from_slice(START);
        name.copy_from_slice(key);
        end.copy_from_slice(END);
        // A key may hold what ends one, if that was written as an escape.
        Key::leading(&word).filter(|found| found.length == length).map(|found| found.known)
    }

    /// The field whose key stands first in `text`, from its quote to its colon, and what follows; nothing, too, where
    /// `text` is shorter than a word.
    #[inline(always)]
    pub fn leading(text: &[u8]) -> Option<(Known, &[u8])> {
        let key = Key::leading(text.first_chunk()?)?;
        Some((key.known, text.get(key.length..)?))
    }
}

/// Bytes that are looked at of a key: the longest name with its [`START`] and [`END`] is not longer.
pub(super) const WORD: usize = 16;

/// What stands before and after a name in a record.
const START: &[u8; 1] = b"\"";
const END: &[u8; 2] = b"\":";

/// What a key is compared with.
#[derive(Clone, Copy)]
struct Key {
    /// The name between its [`START`] and its [`END`], the first byte the lowest.
    word: u128,
    /// What keeps the bytes of `word`.
    mask: u128,
    /// Bytes of the name with its start and its end.
    length: usize,
    known: Known,
}

impl Key {
    /// The key that stands first in `word`.
    #[inline(always)]
    fn leading(word: &[u8; WORD]) -> Option<&'static Key> {
        let [_, a, b, c, d, ..] = *word;
        let slot = slot([a, b, c, d]);
        let word = u128::from_le_bytes(*word);
        let key = &KEYS[slot];
        if key.leads(word) {
            return Some(key);
        }
        // The neighbour holds the one name that begins as another does.
        let key = &KEYS[slot ^ 1];
        key.leads(word).then_some(key)
    }

    #[inline(always)]
    fn leads(&self, word: u128) -> bool {
        word & self.mask == self.word
    }

    const fn of(known: Known) -> Key {
        let name = known.name().as_bytes();
        let length = START.len() + name.len() + END.len();
        let mut bytes = [0; WORD];
        bytes[0] = START[0];
        let mut place = 0;
        while place < name.len() {
            bytes[START.len() + place] = name[place];
            place += 1;
        }
        bytes[length - 2] = END[0];
        bytes[length - 1] = END[1];
        Key { word: u128::from_le_bytes(bytes), mask: u128::MAX >> (8 * (WORD - length)), length, known }
    }
}

const SLOT_BITS: u32 = 5;
const SLOTS: usize = 1 << SLOT_BITS;

/// A key's slot, by the four bytes that the shortest name has with its end. The factor is such that no two names meet
/// but those that have these four in common; `keys` fails to compile otherwise.
const fn slot(first: [u8; 4]) -> usize {
    (u32::from_le_bytes(first).wrapping_mul(0x22F7_D343) >> (u32::BITS - SLOT_BITS)) as usize
}

static KEYS: [Key; SLOTS] = keys();

const fn keys() -> [Key; SLOTS] {
    // Nothing under an empty mask is 1: a free slot leads no key.
    let mut keys = [Key { word: 1, mask: 0, length: 0, known: Known::Id }; SLOTS];
    let mut place = 0;
    while place < Known::COUNT {
        assert!(Known::ALL[place].place() == place);
        let key = Key::of(Known::ALL[place]);
        let [_, a, b, c, d, ..] = key.word.to_le_bytes();
        let mut slot = slot([a, b, c, d]);
        if keys[slot].length > 0 {
            slot ^= 1;
        }
        assert!(keys[slot].length == 0, "three names share two slots: choose another factor");
        keys[slot] = key;
        place += 1;
    }
    keys
}
