//! The wallet whose event is being decided: its record copied out, what the event asks for, and what will be written.

use super::layout::{HEAD_BYTES, Head, head_of, length_of};
use crate::{
    event::ClientStatus,
    state::{
        Hash,
        arena::Handle,
        bytes::{Draft, Reader},
        cells::{CELL_HEAD_ROOM, Cells, PLACE_ROOM, each_cell, long_place, take_place},
        ids::PackedId,
        many::ManyCells,
        memory::{Memory, Shape, take_key},
        records::{HASH_BYTES, LENGTH_BYTES},
        slab::Slab,
        special::Special,
    },
    time::Timestamp,
};

/// The wallet whose event is being decided.
#[derive(Debug)]
pub struct Open {
    pub(super) hash: Hash,
    pub(super) handle: Option<Handle>,
    /// The time of its newest event.
    pub newest: Timestamp,
    /// The last one stated, by arrival.
    pub status: Option<ClientStatus>,
    pub special: Special,
    /// Where it comes from, if it is too long for the record; what is in its place meanwhile means nothing.
    pub(super) long_special: Option<u32>,
    /// As the record has them.
    pub(super) ids: Vec<PackedId>,
    pub(super) many_ids: Option<u32>,
    pub(super) many_cells: Option<u32>,
    /// What few wallets have, as it will be packed.
    pub(super) scratch: Vec<u8>,
    /// The record that was copied out.
    pub(super) cells: Cells,
    /// The record as it will be.
    pub(super) packed: Draft,
}

impl Default for Open {
    fn default() -> Self {
        Open {
            hash: 0,
            handle: None,
            newest: Timestamp::MIN,
            status: None,
            special: Special::default(),
            long_special: None,
            ids: Vec::new(),
            many_ids: None,
            many_cells: None,
            scratch: Vec::new(),
            cells: Cells::default(),
            packed: Draft::default(),
        }
    }
}

impl Open {
    /// Becomes a wallet of which nothing has been read yet.
    pub(super) fn reset(&mut self, hash: Hash, handle: Option<Handle>, shapes: &[Shape]) {
        (self.hash, self.handle, self.status) = (hash, handle, None);
        (self.many_ids, self.many_cells) = (None, None);
        self.cells.begin(shapes);
        self.ids.clear();
        self.special.clear();
    }

    /// Reads the record at the beginning of a block; its memories are only looked up.
    pub(super) fn read(&mut self, block: &[u8], origin: Timestamp, long_specials: &mut Slab<Special>) {
        self.cells.copy(&block[..length_of(block)]);
        let bytes = &self.cells.bytes;
        let head = head_of(bytes);
        (self.newest, self.status) = (head.newest, head.status);
        let mut reader = Reader::new(bytes, HEAD_BYTES);
        if head.special {
            reader.count();
            self.special.unpack(origin, &mut reader);
        }
        if head.long_special {
            let place = take_place(&mut reader);
            std::mem::swap(&mut self.special, long_specials.get_mut(place));
            self.long_special = Some(place);
        }
        if head.many_ids {
            self.many_ids = Some(take_place(&mut reader));
        }
        let (ids, _) = reader.bytes(head.ids * size_of::<PackedId>()).as_chunks();
        self.ids.extend_from_slice(ids);
        if head.many_cells {
            self.many_cells = Some(take_place(&mut reader));
        }
        let from = reader.at();
        self.cells.index(from);
    }

    /// Begins the record with everything but the memories.
    pub(super) fn pack_head(&mut self, origin: Timestamp) {
        let Open { packed, special, ids, .. } = self;
        let head = Head {
            newest: self.newest,
            status: self.status,
            special: !special.is_empty() && self.long_special.is_none(),
            long_special: self.long_special.is_some(),
            many_ids: self.many_ids.is_some(),
            many_cells: self.many_cells.is_some(),
            ids: if self.many_ids.is_some() { 0 } else { ids.len() },
        };
        packed.clear();
        packed.write(HEAD_BYTES, |out| {
            out.array(&self.hash.to_le_bytes(), HASH_BYTES);
            out.array(&head.word().to_le_bytes(), 8);
            out.array(&[0; LENGTH_BYTES], LENGTH_BYTES);
        });
        if head.special {
            self.scratch.clear();
            special.pack(origin, &mut self.scratch);
            packed.write(CELL_HEAD_ROOM + self.scratch.len(), |out| out.behind_length(|out| out.bytes(&self.scratch)));
        }
        if let Some(place) = self.long_special {
            packed.write(PLACE_ROOM, |out| out.number(place.into()));
        }
        match self.many_ids {
            Some(place) => packed.write(PLACE_ROOM, |out| out.number(place.into())),
            None => packed.copy(ids.as_flattened()),
        }
        if let Some(place) = self.many_cells {
            packed.write(PLACE_ROOM, |out| out.number(place.into()));
        }
    }

    /// The memories of the packed record from `from` on, which are too many for it.
    pub(super) fn spread_cells(
        &mut self,
        from: usize,
        origin: Timestamp,
        shapes: &[Shape],
        long: &mut Slab<Memory>,
        many: &mut ManyCells,
    ) {
        let length = self.packed.len();
        let bytes = self.packed.with_margin();
        for cell in each_cell(bytes, from, length) {
            let shape = &shapes[usize::from(cell.slot.0)];
            let mut reader = Reader::new(bytes, cell.key);
            let key = take_key(shape.key, &mut reader);
            let place = if cell.long {
                long_place(shape, bytes, cell.key)
            } else {
                let place = long.claim(cell.slot.0.into(), || Memory::new(shape));
                let memory = long.get_mut(place);
                memory.clear();
                memory.unpack(origin, &mut reader);
                place
            };
            many.insert((cell.slot, key), place);
        }
    }
}
