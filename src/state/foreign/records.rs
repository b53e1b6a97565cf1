//! Memories of foreign keys one by one, to be written down whole and put back.

use super::{Foreign, HASH_BYTES, HEAD_BYTES, mark};
use crate::{
    state::{
        Hash, SlotId,
        bytes::put_number,
        memory::{Memory, Packing, Shape, Stamp},
    },
    time::Timestamp,
};

impl Foreign {
    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// From now on keys whose memories go are noted.
    pub fn note_gone(&mut self) {
        self.gone = Some(Vec::new());
    }

    /// The keys that have gone since this was asked last.
    pub fn take_gone(&mut self) -> Vec<(SlotId, Hash)> {
        self.gone.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Between two events: what is remembered of a key, if anything. Nothing of it may change.
    pub fn look_at(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Option<&mut Memory> {
        let known = self.origin?;
        self.begin(known, shapes);
        self.memory(slot, key)
    }

    /// Puts in a memory whose key is not there yet; `near` is an instant that it is near.
    pub fn put_back(&mut self, slot: SlotId, key: Hash, memory: Memory, near: Timestamp) {
        let origin = *self.origin.get_or_insert(near);
        let hash = mark(slot, key);
        self.packed.clear();
        self.packed.extend_from_slice(&hash.to_le_bytes());
        self.packed.extend_from_slice(&[0; HEAD_BYTES - HASH_BYTES]);
        match memory.packing() {
            Packing::Empty => return,
            Packing::Short(_) => {
                put_number(&mut self.packed, u64::from(slot.0) << 1);
                memory.pack(origin, &mut self.packed);
            }
            Packing::Long => {
                put_number(&mut self.packed, u64::from(slot.0) << 1 | 1);
                Stamp::of(&memory).put(origin, &mut self.packed);
                let place = self.long.put(memory);
                put_number(&mut self.packed, place.into());
            }
        }
        self.write(hash, None);
    }
}
