//! What events that come soon will ask of their wallets, read before they do.

use super::{
    ManyCells, Wallets,
    layout::{HEAD_BYTES, Head, head_of, length_of},
};
use crate::{
    event::TypeId,
    state::{
        Hash, SlotId,
        bytes::Reader,
        cells::{long_place, take_cell, take_place},
        ids::ManyIds,
        memory::{Memory, Shape},
    },
};
use std::ops::Range;

/// What an event will ask of its wallet.
#[derive(Clone, Debug)]
pub struct Asked {
    pub wallet: Hash,
    pub id: u64,
    pub kind: TypeId,
    /// The amount as a key, or 0.
    pub amount: Hash,
    /// Which of the values it is that slots without a key of their own will be asked about.
    pub values: Range<usize>,
}

impl Asked {
    /// Nothing but the record of a wallet.
    #[must_use]
    pub fn record_of(wallet: Hash) -> Asked {
        Asked { wallet, id: 0, kind: TypeId(0), amount: 0, values: 0..0 }
    }
}

/// Measures of the wallet that events of one type may ask for, as far as their keys are known before conditions are.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    pub without_key: Vec<SlotId>,
    pub by_amount: Vec<SlotId>,
}

/// What events that come soon will ask for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub asked: &'a [Asked],
    pub values: &'a [(SlotId, Hash)],
    /// By event type.
    pub sought: &'a [Sought],
}

/// A wallet with many ids that will be opened soon, for events one after another, read as far as them.
struct Busy<'a> {
    asked: &'a [Asked],
    ids: &'a ManyIds,
    head: Head,
    record: &'a [u8],
    reader: Reader<'a>,
}

impl Sought {
    /// Where what an event asks for lies, among many.
    fn places(&self, asked: &Asked, cells: &ManyCells) -> impl Iterator<Item = u32> {
        let keyed = self.by_amount.iter().map(|slot| (*slot, asked.amount));
        self.without_key.iter().map(|slot| (*slot, 0)).chain(keyed).filter_map(|name| cells.find(name))
    }
}

impl<'a> Expected<'a> {
    /// Nothing but the records of wallets.
    #[must_use]
    pub fn records(asked: &'a [Asked]) -> Expected<'a> {
        Expected { asked, values: &[], sought: &[] }
    }
}

impl Wallets {
    /// Reads the records of wallets that will be opened soon, and what busy ones remember that will be asked for; nothing
    /// comes of it.
    pub fn look_ahead(&self, expected: Expected<'_>, shapes: &[Shape]) -> u64 {
        let read = self.records.look_ahead(expected.asked.iter().map(|asked| asked.wallet), length_of);
        if self.many_ids.held() == 0 {
            return read;
        }
        // A hot wallet is looked at once for many events, and what leads to the next line is read for all before the next.
        let runs = expected.asked.chunk_by(|one, next| one.wallet == next.wallet);
        let busy: Vec<Busy<'_>> = runs.filter_map(|run| self.busy(run)).collect();
        busy.iter().for_each(|busy| busy.asked.iter().for_each(|asked| busy.ids.fetch(asked.id)));
        let mut sought = Vec::with_capacity(expected.values.len());
        let read =
            busy.into_iter().fold(read, |read, busy| read ^ self.look_ahead_of(busy, expected, shapes, &mut sought));
        sought.into_iter().for_each(|(memory, value)| memory.look_ahead(value));
        read
    }

    /// Nothing where the wallet is quiet: then all of it is in its record.
    #[inline]
    fn busy<'a>(&'a self, asked: &'a [Asked]) -> Option<Busy<'a>> {
        let record = self.records.guess(asked.first()?.wallet)?;
        let (head, mut reader) = (head_of(record), Reader::new(record, HEAD_BYTES));
        if !head.many_ids {
            return None;
        }
        if head.special {
            let length = reader.count();
            reader.pass(length);
        }
        if head.long_special {
            take_place(&mut reader);
        }
        let ids = self.many_ids.get(take_place(&mut reader));
        Some(Busy { asked, ids, head, record, reader })
    }

    /// Puts what will be asked of memories into `sought`; what leads to it has been fetched then.
    fn look_ahead_of<'a>(
        &'a self,
        busy: Busy<'_>,
        expected: Expected<'_>,
        shapes: &[Shape],
        sought: &mut Vec<(&'a Memory, Hash)>,
    ) -> u64 {
        let Busy { asked, ids, head, record, mut reader } = busy;
        let values_of = |asked: &Asked| &expected.values[asked.values.clone()];
        let mut read = ids.read_ends();
        let mut seek = |memory: &'a Memory, value: Hash| {
            memory.fetch(value);
            sought.push((memory, value));
        };
        if head.many_cells {
            let places = self.many_cells.get(take_place(&mut reader));
            for asked in asked {
                let Some(asked_for) = expected.sought.get(usize::from(asked.kind.0)) else { continue };
                for place in asked_for.places(asked, places) {
                    read ^= self.long.get(place).read_ahead();
                }
                for (slot, value) in values_of(asked) {
                    if let Some(place) = places.find((*slot, 0)) {
                        seek(self.long.get(place), *value);
                    }
                }
            }
            return read;
        }
        let end = length_of(record);
        while reader.at() < end {
            let cell = take_cell(&mut reader);
            if cell.long {
                let memory = self.long.get(long_place(&shapes[usize::from(cell.slot.0)], record, cell.key));
                read ^= memory.read_ahead();
                let of_it =
                    asked.iter().filter_map(|asked| values_of(asked).iter().find(|(slot, _)| *slot == cell.slot));
                of_it.for_each(|(_, value)| seek(memory, *value));
            }
        }
        read
    }
}
