//! How a wallet's record lies: its head, and where each of its memories stands.
//!
//! The hash (16 bytes), a word of [`Head`] (8), the length of all (3); then, where there are any, what few wallets have
//! behind its length; the ids, each a [`PackedId`](crate::state::ids::PackedId); the memories, as [`cells`](crate::state::cells).

use super::FEW_IDS;
use crate::{
    event::ClientStatus,
    state::{
        bytes::Reader,
        ids::{TIME_BITS, pack_time, unpack_time},
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

pub(super) fn head_of(record: &[u8]) -> Head {
    Head::read(Reader::new(record, 16).half())
}

pub(super) fn length_of(record: &[u8]) -> usize {
    length_at(record, HEAD_BYTES - LENGTH_BYTES)
}
