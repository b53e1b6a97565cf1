//! Memories of foreign keys one by one, to be written down whole and put back.

use super::{Foreign, LONG_ROOM, begin_record, mark};
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
    pub fn restore(&mut self, slot: SlotId, key: Hash, memory: Memory, near: Timestamp) {
        let origin = *self.origin.get_or_insert(near);
        let hash = mark(slot, key);
        match memory.packing() {
            Packing::Empty => return,
            Packing::Short(room) => {
                begin_record(&mut self.packed, hash, slot, false);
                self.packed.write(room, |out| memory.write(origin, out));
            }
            Packing::Long => {
                let stamp = Stamp::of(&memory);
                let place = self.long.put(memory);
                begin_record(&mut self.packed, hash, slot, true);
                self.packed.write(LONG_ROOM, |out| {
                    stamp.write(origin, out);
                    out.number(place.into());
                });
            }
        }
        self.write(hash, None);
    }
}
