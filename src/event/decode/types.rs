//! The event types that the packs declare: found by name, and what each requires.

use super::known::Known;
use crate::{
    event::{Field, TypeId},
    limits,
};

/// One event type: its name and the fields that it requires.
#[derive(Clone, Debug)]
pub struct TypeEntry {
    pub name: String,
    pub requires: Vec<Field>,
}

/// The types that the packs declare, in the order of their [`TypeId`]s.
#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    /// To be read only: what is found and required is worked out once, by [`TypeTable::new`].
    pub types: Vec<TypeEntry>,
    required: Vec<Required>,
    /// Types at the slots of their names, or at the next free ones; a power of two of slots, half of them free.
    slots: Vec<Option<TypeId>>,
}

impl TypeTable {
    /// The table of `types`, each of which gets its place as its [`TypeId`]. Of two with one name the first is found.
    ///
    /// # Panics
    /// Where there are more than [`limits::TYPES`]; whoever loads packs refuses these before.
    #[must_use]
    pub fn new(types: Vec<TypeEntry>) -> Self {
        assert!(types.len() <= limits::TYPES, "{} types; at most {} are allowed", types.len(), limits::TYPES);
        let required = types.iter().map(|entry| Required::of(&entry.requires)).collect();
        let mut slots = vec![None; (2 * types.len()).next_power_of_two()];
        for (kind, entry) in (0..=u8::MAX).map(TypeId).zip(&types) {
            let mut slot = slot(entry.name.as_bytes(), slots.len());
            while slots[slot].is_some() {
                slot = (slot + 1) % slots.len();
            }
            slots[slot] = Some(kind);
        }
        TypeTable { types, required, slots }
    }

    /// The type of that name.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &str) -> Option<TypeId> {
        self.find_bytes(name.as_bytes())
    }

    #[inline]
    pub(super) fn find_bytes(&self, name: &[u8]) -> Option<TypeId> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = slot(name, self.slots.len());
        // Half of the slots are free, so that this ends.
        while let Some(kind) = self.slots[slot] {
            if self.name(kind).as_bytes() == name {
                return Some(kind);
            }
            slot = (slot + 1) % self.slots.len();
        }
        None
    }

    /// The name of a type of this table.
    #[must_use]
    pub fn name(&self, kind: TypeId) -> &str {
        &self.types[usize::from(kind.0)].name
    }

    #[inline]
    pub(super) fn required(&self, kind: TypeId) -> Required {
        self.required.get(usize::from(kind.0)).copied().unwrap_or_default()
    }
}

/// The known fields that a type requires, as a set of [`Known::bit`]s; `attributes` stands for any attribute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Required(u32);

impl Required {
    fn of(fields: &[Field]) -> Self {
        Required(fields.iter().fold(0, |set, field| set | Known::of(field).bit()))
    }

    pub fn has_attributes(self) -> bool {
        self.0 & Known::Attributes.bit() != 0
    }

    /// Whether all of them but `attributes` are in `set`.
    #[inline]
    pub fn are_among(self, set: u32) -> bool {
        self.0 & !Known::Attributes.bit() & !set == 0
    }

    /// The required fields but `attributes`.
    pub fn known(self) -> impl Iterator<Item = Known> {
        let mut left = self.0 & !Known::Attributes.bit();
        std::iter::from_fn(move || {
            let place = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            Known::ALL.get(place).copied()
        })
    }
}

/// The first slot to look at for a name. Names come from packs, which are trusted: this need not resist collisions.
#[inline]
fn slot(bytes: &[u8], slots: usize) -> usize {
    let word = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let mixed = (word ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as usize & (slots - 1)
}
