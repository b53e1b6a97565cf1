//! What stands under which key. A key is a letter and what names the record; a part behind the first has its number at the
//! end, which is told by the length.

use super::codec::{Malformed, Read, Sink, Source};
use crate::state::Hash;

/// A slot's number in the dictionary: never another slot's, however often packs are reloaded.
pub type SlotNumber = u32;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Which measures, rules, restrictions and names the numbers in all others are.
    Dictionary,
    /// How far time has come, and how many records there are.
    Clock,
    /// What the shell says of its tick.
    Tick,
    Wallet(Hash),
    /// One memory of a wallet that has many.
    Cell(Hash, SlotNumber, Hash),
    /// A memory whose key does not hold the wallet.
    Foreign(SlotNumber, Hash),
    /// A piece of something that is too long for one record.
    Piece(Owner, u64),
    /// The restrictions on an address.
    Address(Hash),
    /// The restrictions on all.
    All,
}

/// What is kept in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The ids of a busy wallet.
    Ids(Hash),
    OfWallet(Hash, SlotNumber, Hash),
    Foreign(SlotNumber, Hash),
}

impl Key {
    /// Appends the key's bytes, of the part with that number.
    pub fn write(self, part: u16, out: &mut Sink) {
        match self {
            Key::Dictionary => out.byte(b'D'),
            Key::Clock => out.byte(b'C'),
            Key::Tick => out.byte(b'T'),
            Key::All => out.byte(b'L'),
            Key::Wallet(wallet) => named(b'W', &[wallet], None, out),
            Key::Address(address) => named(b'A', &[address], None, out),
            Key::Cell(wallet, slot, key) => named(b'M', &[wallet, key], Some(slot), out),
            Key::Foreign(slot, key) => named(b'F', &[key], Some(slot), out),
            Key::Piece(owner, label) => {
                match owner {
                    Owner::Ids(wallet) => named(b'i', &[wallet], None, out),
                    Owner::OfWallet(wallet, slot, key) => named(b'm', &[wallet, key], Some(slot), out),
                    Owner::Foreign(slot, key) => named(b'f', &[key], Some(slot), out),
                }
                out.half(label);
            }
        }
        if part > 0 {
            out.bytes(&part.to_le_bytes());
        }
    }

    /// The key and the part that bytes name.
    ///
    /// # Errors
    /// Where they name none.
    pub fn read(bytes: &[u8]) -> Read<(Key, u16)> {
        let mut source = Source::new(bytes);
        let slot = |source: &mut Source<'_>| source.array().map(u32::from_le_bytes);
        let key = match source.byte()? {
            b'D' => Key::Dictionary,
            b'C' => Key::Clock,
            b'T' => Key::Tick,
            b'L' => Key::All,
            b'W' => Key::Wallet(source.hash()?),
            b'A' => Key::Address(source.hash()?),
            b'M' => {
                let (wallet, key) = (source.hash()?, source.hash()?);
                Key::Cell(wallet, slot(&mut source)?, key)
            }
            b'F' => {
                let key = source.hash()?;
                Key::Foreign(slot(&mut source)?, key)
            }
            b'i' => Key::Piece(Owner::Ids(source.hash()?), source.half()?),
            b'm' => {
                let (wallet, key) = (source.hash()?, source.hash()?);
                Key::Piece(Owner::OfWallet(wallet, slot(&mut source)?, key), source.half()?)
            }
            b'f' => {
                let key = source.hash()?;
                Key::Piece(Owner::Foreign(slot(&mut source)?, key), source.half()?)
            }
            _ => return Err(Malformed("no record has such a key")),
        };
        if source.is_empty() {
            return Ok((key, 0));
        }
        let part = u16::from_le_bytes(source.array()?);
        source.end()?;
        if part == 0 { Err(Malformed("the first part has no number")) } else { Ok((key, part)) }
    }
}

fn named(letter: u8, hashes: &[Hash], slot: Option<SlotNumber>, out: &mut Sink) {
    out.byte(letter);
    hashes.iter().for_each(|hash| out.hash(*hash));
    if let Some(slot) = slot {
        out.bytes(&slot.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_are_all_different() {
        let keys = [
            Key::Dictionary,
            Key::Clock,
            Key::Tick,
            Key::All,
            Key::Wallet(7),
            Key::Address(7),
            Key::Cell(7, 8, 9),
            Key::Cell(9, 8, 7),
            Key::Foreign(8, 7),
            Key::Piece(Owner::Ids(7), 3),
            Key::Piece(Owner::OfWallet(7, 8, 9), 3),
            Key::Piece(Owner::Foreign(8, 9), 3),
        ];
        let mut all = std::collections::BTreeSet::new();
        for key in keys {
            for part in [0, 1, u16::MAX] {
                let mut out = Sink::default();
                key.write(part, &mut out);
                assert_eq!(Key::read(&out.bytes), Ok((key, part)));
                assert!(all.insert(out.bytes));
            }
        }
    }
}
