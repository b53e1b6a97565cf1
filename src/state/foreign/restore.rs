//! Memories of foreign keys one by one, to be written down whole and put back.

use super::{Foreign, mark, pack_long, pack_short};
use crate::{
    state::{
        Hash, SlotId,
        memory::{Memory, Packing, Shape, Stamp},
    },
    time::Timestamp,
};

impl Foreign {
    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.count()
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
        let packed = &mut self.packed;
        match memory.packing() {
            Packing::Empty => return,
            Packing::Short(room) => pack_short(packed, hash, slot, (&memory, room), origin),
            Packing::Long => {
                let stamp = Stamp::of(&memory);
                pack_long(packed, hash, slot, stamp, self.long.put(memory), origin);
            }
        }
        self.write(hash, None);
    }
}
