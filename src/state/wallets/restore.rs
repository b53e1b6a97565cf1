//! Wallets one by one, to be written down whole and put back: what a log of the state needs, and no decision does.

use super::{FEW_CELLS, FEW_IDS, ManyCells, OPENED, Wallets, layout::length_of};
use crate::{
    event::ClientStatus,
    state::{
        Hash, SlotId,
        bytes::Reader,
        cells::{Cells, Held, long_place, put_bare, put_cell, put_long},
        ids::{ManyIds, Remembered, pack_id, unpack_id},
        memory::{KeyForm, Memory, Packing, Shape, Stamp, take_key},
        packed::Bare,
        special::Special,
    },
    time::Timestamp,
};

/// A wallet that was written down.
#[derive(Debug)]
pub struct Restored<'a> {
    pub newest: Timestamp,
    pub status: Option<ClientStatus>,
    pub special: Special,
    /// By arrival.
    pub ids: Vec<Remembered>,
    pub memories: Memories<'a>,
}

/// The memories of a wallet that was written down.
#[derive(Debug)]
pub enum Memories<'a> {
    /// They lay in its own record.
    Own(Vec<(SlotId, Hash, Own<'a, Memory>)>),
    /// So many as there are.
    Opened(Vec<(SlotId, Hash, Memory)>),
}

/// A memory of a wallet's own record: as it lies there, or opened.
#[derive(Debug)]
pub enum Own<'a, L> {
    Short(Bare<'a>),
    Opened(L),
}

/// Which of the memories that lie in the open wallet's own record, and where it begins behind its key.
#[derive(Clone, Copy, Debug)]
pub struct OwnCell {
    number: usize,
    body: usize,
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

    /// The ids of the open wallet that lie in its own record.
    #[must_use]
    pub fn few_ids(&self) -> impl ExactSizeIterator<Item = Remembered> {
        self.open.ids.iter().map(unpack_id)
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

    /// The memories of the open wallet, which has many, in no order.
    pub fn each_of_many(&self) -> impl Iterator<Item = (SlotId, Hash)> {
        let many = self.open.many_cells.map(|place| self.many_cells.get(place));
        many.into_iter().flat_map(|many| many.iter().map(|(name, _)| name))
    }

    /// The memories that lie in the open wallet's own record, in no order.
    pub fn own_cells(&self, shapes: &[Shape]) -> impl Iterator<Item = (OwnCell, SlotId, Hash)> {
        let Cells { bytes, cells, .. } = &self.open.cells;
        cells.iter().enumerate().map(|(number, cell)| {
            let mut reader = Reader::new(bytes, cell.key);
            let key = take_key(shapes[usize::from(cell.slot.0)].key, &mut reader);
            (OwnCell { number, body: reader.at() }, cell.slot, key)
        })
    }

    /// The bytes of a memory's key, and the memory. To be asked of a wallet that was [reopened](Wallets::reopen): what an event
    /// has added since is not there yet.
    pub fn own(&mut self, OwnCell { number, body }: OwnCell, shapes: &[Shape]) -> (&[u8], Own<'_, &mut Memory>) {
        let Wallets { open, long, origin, .. } = self;
        let Cells { bytes, cells, held, .. } = &open.cells;
        let cell = &cells[number];
        let Held { layout, .. } = held[usize::from(cell.slot.0)];
        let memory = if cell.long {
            Own::Opened(long.get_mut(long_place(&shapes[usize::from(cell.slot.0)], bytes, cell.key)))
        } else {
            Own::Short(Bare::read(layout, origin.expect(OPENED), Reader::new(bytes, body), cell.end))
        };
        (&bytes[cell.key..body], memory)
    }

    /// Puts in a wallet that is not there yet. Ids that are older than `oldest` are left out.
    pub fn put_back(&mut self, hash: Hash, wallet: Restored<'_>, oldest: Timestamp, shapes: &[Shape]) {
        let Restored { newest, status, special, ids, memories } = wallet;
        let origin = *self.origin.get_or_insert(newest);
        self.return_special();
        self.open.reset(hash, None, shapes);
        (self.open.newest, self.open.status, self.open.special) = (newest, status, special);
        self.settle_special();
        let Wallets { open, many_ids, .. } = self;
        let ids = ids.into_iter().filter(|known| known.time >= oldest);
        if ids.clone().count() <= FEW_IDS {
            open.ids.extend(ids.map(|known| pack_id(&known)));
        } else {
            let mut many = ManyIds::default();
            ids.for_each(|known| many.insert(known, oldest));
            many.take_fresh();
            open.many_ids = Some(many_ids.put(many));
        }
        match memories {
            Memories::Own(memories) => self.put_own(memories, origin, shapes),
            Memories::Opened(memories) => {
                let left = memories.into_iter().filter(|(_, _, memory)| memory.packing() != Packing::Empty);
                let left: Vec<(SlotId, Hash, Memory)> = left.collect();
                if left.len() > FEW_CELLS {
                    self.put_many(left, origin);
                } else {
                    let own = left.into_iter().map(|(slot, key, memory)| (slot, key, Own::Opened(memory)));
                    self.put_own(own.collect(), origin, shapes);
                }
            }
        }
        self.write_back();
    }

    /// Packs the open wallet with memories in its own record.
    fn put_own(&mut self, memories: Vec<(SlotId, Hash, Own<'_, Memory>)>, origin: Timestamp, shapes: &[Shape]) {
        self.open.pack_head(origin);
        let (from, count) = (self.open.packed.len(), memories.len());
        for (slot, key, memory) in memories {
            let form = shapes[usize::from(slot.0)].key;
            match memory {
                Own::Short(bare) => put_bare(&mut self.open.packed, slot, key, form, &bare, origin),
                Own::Opened(memory) => self.put_opened((slot, key), form, memory, origin),
            }
        }
        self.spread_where_long(from, count, origin, shapes);
    }

    /// Packs the open wallet, whose memories are records of their own.
    fn put_many(&mut self, memories: Vec<(SlotId, Hash, Memory)>, origin: Timestamp) {
        let Wallets { open, long, many_cells, .. } = self;
        let mut many = ManyCells::default();
        memories.into_iter().for_each(|(slot, key, memory)| many.insert((slot, key), long.put(memory)));
        many.noted = true;
        open.many_cells = Some(many_cells.put(many));
        open.pack_head(origin);
    }

    /// Appends one memory to the record of the open wallet.
    fn put_opened(&mut self, (slot, key): (SlotId, Hash), form: KeyForm, memory: Memory, origin: Timestamp) {
        let Wallets { open, long, .. } = self;
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
