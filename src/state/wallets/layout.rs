//! How a wallet's record lies: its head, and where each of its memories stands.
//!
//! The hash (16 bytes), a word of [`Head`] (8), the length of all (3); then, where there are any, what few wallets have
//! behind its length; the ids, each a [`PackedId`](crate::state::ids::PackedId); the memories, each behind its measure and its
//! length. This says nothing of what a memory is: that is [`packed`](crate::state::packed).

use super::FEW_IDS;
use crate::{
    event::ClientStatus,
    state::{
        Hash, SlotId,
        bytes::{Draft, MARGIN, Reader},
        ids::{TIME_BITS, pack_time, unpack_time},
        memory::{KeyForm, Memory, Shape, Stamp, take_key, write_key},
        records::{HASH_BYTES, LENGTH_BYTES, length_at},
    },
    time::Timestamp,
};

/// Bytes before what differs in length.
pub(super) const HEAD_BYTES: usize = HASH_BYTES + 8 + LENGTH_BYTES;

/// What the word behind the hash says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) newest: Timestamp,
    pub(super) status: Option<ClientStatus>,
    pub(super) special: bool,
    pub(super) long_special: bool,
    pub(super) many_ids: bool,
    pub(super) many_cells: bool,
    pub(super) ids: usize,
}

const _: () = assert!(FEW_IDS < 32);

impl Head {
    pub(super) fn word(&self) -> u64 {
        let status = self.status.map_or(0, |status| 1 + status as u64);
        let flags = u64::from(self.special)
            | u64::from(self.many_ids) << 1
            | u64::from(self.many_cells) << 2
            | u64::from(self.long_special) << 3;
        pack_time(self.newest) | (status | flags << 2 | (self.ids as u64) << 6) << TIME_BITS
    }

    fn read(word: u64) -> Head {
        let rest = word >> TIME_BITS;
        let status = match rest & 3 {
            0 => None,
            1 => Some(ClientStatus::ALL[0]),
            2 => Some(ClientStatus::ALL[1]),
            _ => Some(ClientStatus::ALL[2]),
        };
        Head {
            newest: unpack_time(word),
            status,
            special: rest & 4 != 0,
            many_ids: rest & 8 != 0,
            many_cells: rest & 16 != 0,
            long_special: rest & 32 != 0,
            ids: (rest >> 6 & 31) as usize,
        }
    }
}

/// Where a memory stands in the record that was copied out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) slot: SlotId,
    /// It lies among the long ones.
    pub(super) long: bool,
    pub(super) begin: usize,
    pub(super) key: usize,
    pub(super) end: usize,
    /// It is not copied as it lies: it has been unpacked for this event, or is written anew.
    pub(super) taken: bool,
}

/// A place among what was too long for a record.
pub(super) fn take_place(reader: &mut Reader<'_>) -> u32 {
    u32::try_from(reader.number()).expect("a place was written as one")
}

pub(super) fn head_of(record: &[u8]) -> Head {
    Head::read(Reader::new(record, 16).half())
}

pub(super) fn length_of(record: &[u8]) -> usize {
    length_at(record, HEAD_BYTES - LENGTH_BYTES)
}

/// Copies a record out of its block, with a margin behind it, and gives its length.
pub(super) fn copy_record(block: &[u8], out: &mut Vec<u8>) -> usize {
    let length = length_of(block);
    out.clear();
    out.extend_from_slice(&block[..length]);
    out.extend_from_slice(&[0; MARGIN]);
    length
}

/// Notes where each memory stands in `bytes[from..to]`.
pub(super) fn index_cells(bytes: &[u8], from: usize, to: usize, cells: &mut Vec<Cell>) {
    let mut reader = Reader::new(bytes, from);
    while reader.at() < to {
        cells.push(take_cell(&mut reader));
    }
}

/// Where the memory stands that comes next.
#[inline(always)]
pub(super) fn take_cell(reader: &mut Reader<'_>) -> Cell {
    let begin = reader.at();
    let (head, length) = reader.pair();
    let length = usize::try_from(length).expect("a length was written as one");
    let key = reader.at();
    let slot = SlotId(u16::try_from(head >> 1).expect("a slot was written as one"));
    reader.pass(length);
    Cell { slot, long: head & 1 != 0, begin, key, end: reader.at(), taken: false }
}

/// Most bytes of a place among the long ones, and of a time or a period.
pub(super) const PLACE_ROOM: usize = 5;
pub(super) const STAMP_ROOM: usize = 9;
/// Most bytes of a slot, a length and a key.
pub(super) const CELL_HEAD_ROOM: usize = 3 + 9 + 16;

/// A memory in the record, which takes so many bytes at most.
pub(super) fn put_cell(
    out: &mut Draft,
    slot: SlotId,
    key: Hash,
    form: KeyForm,
    (memory, room): (&Memory, usize),
    origin: Timestamp,
) {
    out.write(CELL_HEAD_ROOM + room, |out| {
        out.number(u64::from(slot.0) << 1);
        out.behind_length(|out| {
            write_key(form, key, out);
            memory.write(origin, out);
        });
    });
}

/// The place of a long memory, behind its key and how new it is.
pub(super) fn put_long(
    out: &mut Draft,
    slot: SlotId,
    key: Hash,
    form: KeyForm,
    stamp: Stamp,
    place: u32,
    origin: Timestamp,
) {
    out.write(CELL_HEAD_ROOM + STAMP_ROOM + PLACE_ROOM, |out| {
        out.number(u64::from(slot.0) << 1 | 1);
        out.behind_length(|out| {
            write_key(form, key, out);
            stamp.write(origin, out);
            out.number(place.into());
        });
    });
}

/// The place of the long memory whose key stands at `at`.
pub(super) fn long_place(shape: &Shape, bytes: &[u8], at: usize) -> u32 {
    let mut reader = Reader::new(bytes, at);
    take_key(shape.key, &mut reader);
    reader.number();
    take_place(&mut reader)
}
