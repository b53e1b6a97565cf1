//! Wallets one by one, to be written down whole and put back: what a log of the state needs, and no decision does.

use super::{FEW_CELLS, FEW_IDS, ManyCells, Wallets, layout::length_of};
use crate::{
    event::ClientStatus,
    state::{
        Hash, SlotId,
        bytes::Reader,
        cells::{Cells, long_place, put_cell, put_long},
        ids::{ManyIds, Remembered, pack_id, unpack_id},
        memory::{Memory, Packing, Shape, Stamp, take_key},
        special::Special,
    },
    time::Timestamp,
};

/// A wallet that was written down.
#[derive(Debug)]
pub struct Restored {
    pub newest: Timestamp,
    pub status: Option<ClientStatus>,
    pub special: Special,
    /// By arrival.
    pub ids: Vec<Remembered>,
    pub memories: Vec<(SlotId, Hash, Memory)>,
}

impl Wallets {
    /// Opens a wallet to be looked at; false where there is none.
    pub fn reopen(&mut self, hash: Hash, shapes: &[Shape]) -> bool {
        let handle = self.find(hash);
        if handle.is_some() {
            self.open(hash, handle, Timestamp::MIN, shapes);
        }
        handle.is_some()
    }

    /// Reads the records of wallets that will be opened soon; nothing comes of it.
    pub fn look_at_records(&self, wallets: impl Iterator<Item = Hash> + Clone) -> u64 {
        self.records.look_ahead(wallets, length_of)
    }

    /// The ids of the open wallet, where they are few.
    #[must_use]
    pub fn few_ids(&self) -> Option<Vec<Remembered>> {
        let few = self.open.many_ids.is_none();
        few.then(|| self.open.ids.iter().map(unpack_id).collect())
    }

    /// The ids of the open wallet, where they are many.
    pub fn many_ids(&mut self) -> Option<&mut ManyIds> {
        self.open.many_ids.map(|place| self.many_ids.get_mut(place))
    }

    /// Whether the ids of the open wallet are many.
    #[must_use]
    #[inline]
    pub fn has_many_ids(&self) -> bool {
        self.open.many_ids.is_some()
    }

    /// Whether the memories of the open wallet are many.
    #[must_use]
    #[inline]
    pub fn has_many_memories(&self) -> bool {
        self.open.many_cells.is_some()
    }

    /// Whether the memories of the open wallet, which has many, have only just left its own record; from now on they have
    /// not.
    ///
    /// # Panics
    /// Of a wallet that has few.
    pub fn take_fresh_memories(&mut self) -> bool {
        let place = self.open.many_cells.expect("only many memories leave the record");
        !std::mem::replace(&mut self.many_cells.get_mut(place).noted, true)
    }

    /// From now on memories of wallets with many are noted when they go.
    pub fn note_gone(&mut self) {
        self.gone.names = Some(Vec::new());
    }

    /// Those that have gone since this was asked last.
    pub fn take_gone(&mut self) -> Vec<(Hash, SlotId, Hash)> {
        self.gone.names.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The memory of a key of the open wallet, which has many.
    pub fn one_of_many(&mut self, slot: SlotId, key: Hash) -> Option<&mut Memory> {
        let place = self.many_cells.get(self.open.many_cells?).find((slot, key))?;
        Some(self.long.get_mut(place))
    }

    /// Shows every memory of the open wallet, in no order.
    pub fn each_memory(&mut self, shapes: &[Shape], mut show: impl FnMut(SlotId, Hash, &mut Memory)) {
        let Wallets { open, long, many_cells, origin, .. } = self;
        if let Some(place) = open.many_cells {
            let places = many_cells.get(place).iter();
            places.for_each(|((slot, key), place)| show(slot, key, long.get_mut(place)));
            return;
        }
        let origin = origin.expect("a wallet has been opened");
        let Cells { bytes, cells, held, .. } = &mut open.cells;
        for cell in cells.iter() {
            let shape = &shapes[usize::from(cell.slot.0)];
            let mut reader = Reader::new(bytes, cell.key);
            let key = take_key(shape.key, &mut reader);
            if cell.long {
                show(cell.slot, key, long.get_mut(long_place(shape, bytes, cell.key)));
                continue;
            }
            // Nothing of an event is in it: none has been decided since the wallet was opened.
            let memory = &mut held[usize::from(cell.slot.0)].memory;
            memory.unpack(origin, &mut reader);
            show(cell.slot, key, memory);
        }
    }

    /// Puts in a wallet that is not there yet. Ids that are older than `oldest` are left out.
    pub fn put_back(&mut self, hash: Hash, wallet: Restored, oldest: Timestamp, shapes: &[Shape]) {
        let Restored { newest, status, special, ids, memories } = wallet;
        let origin = *self.origin.get_or_insert(newest);
        self.return_special();
        self.open.reset(hash, None, shapes);
        (self.open.newest, self.open.status, self.open.special) = (newest, status, special);
        self.settle_special();
        let Wallets { open, long, many_ids, many_cells, .. } = self;
        let ids = ids.into_iter().filter(|known| known.time >= oldest);
        if ids.clone().count() <= FEW_IDS {
            open.ids.extend(ids.map(|known| pack_id(&known)));
        } else {
            let mut many = ManyIds::default();
            ids.for_each(|known| many.insert(known, oldest));
            many.take_fresh();
            open.many_ids = Some(many_ids.put(many));
        }
        let left = memories.into_iter().filter(|(_, _, memory)| memory.packing() != Packing::Empty);
        let memories: Vec<(SlotId, Hash, Memory)> = left.collect();
        if memories.len() > FEW_CELLS {
            let mut many = ManyCells::default();
            memories.into_iter().for_each(|(slot, key, memory)| many.insert((slot, key), long.put(memory)));
            many.noted = true;
            open.many_cells = Some(many_cells.put(many));
            open.pack_head(origin);
        } else {
            open.pack_head(origin);
            for (slot, key, memory) in memories {
                let form = shapes[usize::from(slot.0)].key;
                match memory.packing() {
                    Packing::Empty => {}
                    Packing::Short(room) => put_cell(&mut open.packed, slot, key, form, (&memory, room), origin),
                    Packing::Long => {
                        let stamp = Stamp::of(&memory);
                        put_long(&mut open.packed, slot, key, form, stamp, long.put(memory), origin);
                    }
                }
            }
        }
        self.write_back();
    }
}
