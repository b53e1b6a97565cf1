//! The names of an event's fields, and which of them a key is.
//!
//! A key is looked up by its length and first two bytes in a table that is built, and proved free of collisions, when
//! this is compiled; one comparison then settles it. Most keys of most records are known ones.

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

    /// The field that the key in `source[start..end]` names.
    ///
    /// Sixteen bytes are taken at once, what follows the key among them, and the rest is masked away: keys are too
    /// short for a call of `memcmp` each.
    #[inline]
    pub fn find(source: &[u8], start: usize, end: usize) -> Option<Known> {
        let length = end - start;
        if length > LONGEST {
            return None;
        }
        let word = match source[start..].first_chunk::<16>() {
            Some(bytes) => u128::from_le_bytes(*bytes),
            None => word_of(&source[start..end]),
        };
        let word = word & MASKS[length];
        let [first, second, ..] = word.to_le_bytes();
        SLOTS[slot(first, second, length)].filter(|known| WORDS[known.place()] == word && known.name().len() == length)
    }
}

const SLOT_COUNT: usize = 32;

/// A key's slot. The factors are such that no two names meet; `slots` fails to compile otherwise.
const fn slot(first: u8, second: u8, length: usize) -> usize {
    (first as usize * 3 + second as usize + length * 6) % SLOT_COUNT
}

/// Bytes of the longest name.
const LONGEST: usize = "client_status".len();

/// What keeps the first so many bytes of a word.
static MASKS: [u128; LONGEST + 1] = {
    let mut masks = [0; LONGEST + 1];
    let mut length = 1;
    while length <= LONGEST {
        masks[length] = masks[length - 1] << 8 | 0xFF;
        length += 1;
    }
    masks
};

/// The names as words; of a key that ends in nulls only the length tells that it is not one.
static WORDS: [u128; Known::COUNT] = {
    let mut words = [0; Known::COUNT];
    let mut place = 0;
    while place < Known::COUNT {
        words[place] = word_of(Known::NAMES[place].as_bytes());
        place += 1;
    }
    words
};

/// At most sixteen bytes as a word, the first the lowest, nulls above the last.
const fn word_of(bytes: &[u8]) -> u128 {
    let mut word = 0;
    let mut place = bytes.len();
    while place > 0 {
        place -= 1;
        word = word << 8 | bytes[place] as u128;
    }
    word
}

static SLOTS: [Option<Known>; SLOT_COUNT] = slots();

const fn slots() -> [Option<Known>; SLOT_COUNT] {
    let mut slots = [None; SLOT_COUNT];
    let mut place = 0;
    while place < Known::COUNT {
        let name = Known::NAMES[place].as_bytes();
        let slot = slot(name[0], name[1], name.len());
        assert!(slots[slot].is_none(), "two names share a slot: choose other factors");
        assert!(Known::ALL[place].place() == place);
        slots[slot] = Some(Known::ALL[place]);
        place += 1;
    }
    slots
}
