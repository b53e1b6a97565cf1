//! The state as records of a compacted topic: what a key and a value look like, and how they are told from damage.
//!
//! A record here is a pair of bytes, [`StateRecord`], or one of many [`Records`]; a value of nothing is a tombstone. Whoever keeps the newest value of
//! each key has the whole state. Nothing of a process is in them: instants are whole, measures and rules are numbers of a
//! dictionary that is a record itself. [`wallet`], [`cells`] and [`memory`] say how things are written; which records there are
//! is the engine's business, and which of them are one tick the shell's.
//!
//! A value is the version (1 byte), the seal (8), and the body. The seal is a keyed hash of the key, the version and the
//! rest, with the key by which wallets are hashed: bytes that were damaged, that stand under another key or that another
//! deployment wrote are refused. A body of more than [`limits::STATE_PART_BYTES`] goes in parts, each under a key of its
//! own: the first says how many there are, and all say of which body they are, by its hash.

pub mod cells;
pub mod codec;
pub mod key;
pub mod memory;
pub mod numbers;
pub mod wallet;

use crate::{hash::HashKey, limits};
use codec::{Malformed, Read, Sink, Source};
use key::Key;
use std::{fmt, ops::Range};

/// One record: what a producer sends and a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    pub key: Vec<u8>,
    /// Nothing is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Records one after the other in one buffer, which a tick's many are written to without an allocation of their own.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// What lies here before the first record stays.
    pub bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a record lies in the buffer.
#[derive(Clone, Debug)]
pub struct Place {
    pub key: Range<usize>,
    pub value: Option<Range<usize>>,
}

impl Records {
    /// Forgets the records and all of the buffer; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Key and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let bytes = |range: &Range<usize>| &self.bytes[range.clone()];
        self.places.iter().map(move |place| (bytes(&place.key), place.value.as_ref().map(bytes)))
    }

    /// Where each lies, to whom they are; nothing is left but the buffer.
    pub fn take_places(&mut self) -> impl Iterator<Item = Place> {
        self.places.drain(..)
    }

    /// Writes a record's key, and says where it lies.
    fn name(&mut self, key: Key, part: u16) -> Range<usize> {
        let start = self.bytes.len();
        let mut name = Sink { bytes: std::mem::take(&mut self.bytes) };
        key.write(part, &mut name);
        self.bytes = name.bytes;
        start..self.bytes.len()
    }
}

/// The newest version. All are read, since what is not touched any more stays as it was written.
pub const VERSION: u8 = 2;

/// The version that a record is written in: since 2 a wallet's own record has its memories as [`cells`], and nothing else has
/// changed.
fn version_of(key: Key) -> u8 {
    if let Key::Wallet(_) = key { 2 } else { 1 }
}

/// Bytes of a value before its body.
const SEAL_BYTES: usize = 8;

/// Why records are not a state. The operator must act: nothing is decided upon a state that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Written by another version of Kuzet.
    Version { key: String, found: u8 },
    /// Not the bytes that were written, or written with another hash key.
    Damaged { key: String },
    /// Sealed, and yet it says what cannot be.
    Wrong { key: String, what: &'static str },
    /// Part of what belongs together is not there.
    Missing { what: String },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Version { key, found } => write!(
                f,
                "record {key} of the state is of version {found}; this Kuzet reads versions 1 to {VERSION}: run the one that wrote it"
            ),
            RecordError::Damaged { key } => write!(
                f,
                "record {key} of the state is damaged, or was written with another hash key; set the key that it was \
                 written with, or restore the topic"
            ),
            RecordError::Wrong { key, what } => {
                write!(f, "record {key} of the state is whole and says what cannot be: {what}; please report it")
            }
            RecordError::Missing { what } => {
                write!(f, "the state is not whole: {what}; the topic must be compacted, never deleted by age or size")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// A key for people: its letter and the rest in hex.
#[must_use]
pub fn shown(key: &[u8]) -> String {
    let letter = |byte: &u8| if byte.is_ascii_alphabetic() { char::from(*byte).to_string() } else { "?".to_owned() };
    let mut text = key.first().map_or_else(String::new, letter);
    for byte in key.iter().skip(1) {
        text += &format!("{byte:02x}");
    }
    text
}

/// Writes bodies as sealed records, in parts where they are long.
#[derive(Clone, Copy, Debug)]
pub struct Sealer(pub HashKey);

impl Sealer {
    /// A value for a key that is none of the state's.
    #[must_use]
    pub fn seal_value(self, key: &[u8], body: &[u8]) -> Vec<u8> {
        let mut out = Records { bytes: key.to_vec(), ..Records::default() };
        self.append(1, 0..key.len(), &mut out, |value| value.bytes(body));
        out.bytes.split_off(key.len())
    }

    /// A record of the key that lies there: the value comes behind it.
    fn append(self, version: u8, key: Range<usize>, out: &mut Records, write: impl FnOnce(&mut Sink)) {
        let start = out.bytes.len();
        let mut value = Sink { bytes: std::mem::take(&mut out.bytes) };
        value.byte(version);
        value.bytes(&[0; SEAL_BYTES]);
        write(&mut value);
        out.bytes = value.bytes;
        let seal = self.seal(&out.bytes[key.clone()], &out.bytes[start..]);
        out.bytes[start + 1..=start + SEAL_BYTES].copy_from_slice(&seal.to_le_bytes());
        out.places.push(Place { key, value: Some(start..out.bytes.len()) });
    }

    /// The seal of a value, whose own place does not count.
    fn seal(self, key: &[u8], value: &[u8]) -> u64 {
        self.0.seal(&[key, &value[..1], &value[1 + SEAL_BYTES..]])
    }

    /// Appends the records of a body, and gives how many parts they are.
    ///
    /// # Panics
    /// Of a body of a gigabyte: whatever grows is kept in pieces long before.
    pub fn write(self, key: Key, body: &[u8], out: &mut Records) -> u16 {
        let parts = body.len().div_ceil(limits::STATE_PART_BYTES).max(1);
        let parts = u16::try_from(parts).expect("what is that long is kept in pieces");
        let whole = (parts > 1).then(|| self.0.seal(&[body]));
        let mut chunks = body.chunks(limits::STATE_PART_BYTES);
        for part in 0..parts {
            let name = out.name(key, part);
            let bytes = chunks.next().unwrap_or_default();
            self.append(version_of(key), name, out, |value| {
                if part == 0 {
                    value.number(parts.into());
                }
                if let Some(whole) = whole {
                    value.half(whole);
                }
                value.bytes(bytes);
            });
        }
        parts
    }

    /// Appends tombstones for parts of a record.
    pub fn bury(self, key: Key, parts: Range<u16>, out: &mut Records) {
        for part in parts {
            let key = out.name(key, part);
            out.places.push(Place { key, value: None });
        }
    }

    /// What is behind the seal of a value that is whole.
    ///
    /// # Errors
    /// An unknown version, or damage.
    pub fn open<'a>(self, key: &[u8], value: &'a [u8]) -> Result<&'a [u8], RecordError> {
        match value.first() {
            None => return Err(RecordError::Damaged { key: shown(key) }),
            Some(version) if !(1..=VERSION).contains(version) => {
                return Err(RecordError::Version { key: shown(key), found: *version });
            }
            Some(_) => {}
        }
        let sealed = value.get(1..=SEAL_BYTES).and_then(|seal| seal.first_chunk());
        match sealed {
            Some(seal) if u64::from_le_bytes(*seal) == self.seal(key, value) => Ok(&value[1 + SEAL_BYTES..]),
            _ => Err(RecordError::Damaged { key: shown(key) }),
        }
    }
}

/// The body of a record whose parts, each without its seal, are given by number.
///
/// # Errors
/// Where a part is missing, or is one of another body.
pub fn join(sealer: Sealer, parts: &[Option<&[u8]>]) -> Read<Vec<u8>> {
    let mut source = Source::new(parts.first().copied().flatten().ok_or(Malformed("its first part is missing"))?);
    let count = source.number()?;
    if count != parts.len() as u64 {
        return Err(Malformed("parts of it are missing or too many"));
    }
    let own = if count > 1 { Some(source.half()?) } else { None };
    let mut body = source.rest().to_vec();
    let Some(hash) = own else { return Ok(body) };
    for part in &parts[1..] {
        let mut source = Source::new(part.ok_or(Malformed("a part of it is missing"))?);
        if source.half()? != hash {
            return Err(Malformed("a part of it is of another time"));
        }
        body.extend_from_slice(source.rest());
    }
    if sealer.0.seal(&[&body]) == hash { Ok(body) } else { Err(Malformed("its parts are of different times")) }
}

/// What one tick leaves in the `state` topic of each of its partitions: how far the input is decided, by whom, and how far
/// the restrictions of other partitions had been applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickRecord {
    /// The offset of the next record to decide on.
    pub next: i64,
    pub incarnation: u64,
    pub tick: u64,
    /// By partition of `restrictions`, the next offset to apply.
    pub positions: Vec<i64>,
}

impl TickRecord {
    /// The record, under the one key of all ticks. It goes out last, behind all others of its tick.
    #[must_use]
    pub fn record(&self, hash_key: HashKey) -> StateRecord {
        let mut body = Sink::default();
        body.signed(self.next);
        body.half(self.incarnation);
        body.number(self.tick);
        body.count(self.positions.len());
        self.positions.iter().for_each(|position| body.signed(*position));
        let mut out = Records::default();
        let parts = Sealer(hash_key).write(Key::Tick, &body.bytes, &mut out);
        assert!(parts == 1, "the topic of restrictions has one partition");
        let (key, value) = out.iter().next().expect("a record was written");
        StateRecord { key: key.to_vec(), value: value.map(<[u8]>::to_vec) }
    }

    /// # Errors
    /// Where the bytes are not those of one.
    pub fn read(body: &[u8]) -> Read<TickRecord> {
        let mut source = Source::new(body);
        let (next, incarnation, tick) = (source.signed()?, source.half()?, source.number()?);
        let positions = source.list(Source::signed)?;
        source.end()?;
        Ok(TickRecord { next, incarnation, tick, positions })
    }
}
