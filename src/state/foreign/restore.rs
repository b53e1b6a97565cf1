//! Memories of foreign keys one by one, to be written down whole and put back.

use super::Foreign;
use crate::{
    state::{
        Hash, SlotId,
        memory::{Memory, Shape},
    },
    time::Timestamp,
};

impl Foreign {
    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
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
        self.open(slot, key, shapes);
        let lies = self.locate(slot, shapes);
        self.shown(slot, lies)
    }

    /// Puts in a memory whose key is not there yet; `near` is an instant that it is near.
    pub fn put_back(&mut self, slot: SlotId, key: Hash, memory: Memory, near: Timestamp, shapes: &[Shape]) {
        self.begin(near, shapes);
        *self.memory_or_new(slot, key, shapes) = memory;
        self.write_changed(shapes, None);
    }
}
