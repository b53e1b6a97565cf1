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

    /// The field that a key names.
    #[inline]
    pub fn find(key: &str) -> Option<Known> {
        let [first, second, ..] = *key.as_bytes() else { return None };
        SLOTS[slot(first, second, key.len())].filter(|known| known.name() == key)
    }
}

const SLOT_COUNT: usize = 32;

/// A key's slot. The factors are such that no two names meet; `slots` fails to compile otherwise.
const fn slot(first: u8, second: u8, length: usize) -> usize {
    (first as usize * 3 + second as usize + length * 6) % SLOT_COUNT
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
