//! The names of an event's fields, and which of them a key is.
//!
//! A key is looked up by its first bytes in a table that is built, and proved free of collisions, when this is compiled;
//! one comparison of sixteen bytes then settles it, and with it that a quote and a colon follow. So a known key is never
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
        word.get_mut(..key.len())?.copy_from_slice(key);
        word.get_mut(key.len()..key.len() + END.len())?.copy_from_slice(END);
        // A key may hold what ends one, if that was written as an escape.
        let (known, length) = Known::leading(&word)?;
        (length == key.len() + END.len()).then_some(known)
    }

    /// The field whose name, with the quote and the colon after it, stands first in `text`, and how many bytes that is;
    /// nothing, too, where `text` is shorter than a word.
    #[inline(always)]
    pub fn leading(text: &[u8]) -> Option<(Known, usize)> {
        let word = u128::from_le_bytes(*text.first_chunk::<WORD>()?);
        let slot = slot(*text.first_chunk()?);
        let key = &KEYS[slot];
        if key.leads(word) {
            return Some((key.known, key.length));
        }
        // The neighbour holds the one name that begins as another does.
        let key = &KEYS[slot ^ 1];
        key.leads(word).then_some((key.known, key.length))
    }
}

/// Bytes that are looked at of a key: the longest name with its [`END`] is not longer.
pub(super) const WORD: usize = 16;

/// What follows a name in a record without blanks.
const END: &[u8; 2] = b"\":";

/// What a key is compared with.
#[derive(Clone, Copy)]
struct Key {
    /// The name and its [`END`], the first byte the lowest.
    word: u128,
    /// What keeps the bytes of `word`.
    mask: u128,
    /// Bytes of the name and its end.
    length: usize,
    known: Known,
}

impl Key {
    #[inline(always)]
    fn leads(&self, word: u128) -> bool {
        word & self.mask == self.word
    }

    const fn of(known: Known) -> Key {
        let name = known.name().as_bytes();
        let length = name.len() + END.len();
        let mut bytes = [0; WORD];
        let mut place = 0;
        while place < length {
            bytes[place] = if place < name.len() { name[place] } else { END[place - name.len()] };
            place += 1;
        }
        Key { word: u128::from_le_bytes(bytes), mask: u128::MAX >> (8 * (WORD - length)), length, known }
    }
}

const SLOT_BITS: u32 = 5;
const SLOTS: usize = 1 << SLOT_BITS;

/// A key's slot, by four bytes, which the shortest name has with its end. The factor is such that no two names meet
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
        let [a, b, c, d, ..] = key.word.to_le_bytes();
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
