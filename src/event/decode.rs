//! STUB of the decoder: the interface that everybody builds on.

use super::{Event, Fault, Field, Scalar, TypeId};

/// The attributes of one event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    _record: &'a [u8],
}

impl<'a> Attributes<'a> {
    #[must_use]
    pub fn get(&self, _name: &str) -> Option<Scalar<'a>> {
        None
    }
}

/// What a decoder must know of the packs: which types exist and what each requires.
pub trait Placeholder {}

/// The types that the packs declare, in the order of their [`TypeId`]s.
#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    pub types: Vec<TypeEntry>,
}

/// One event type: its name and the fields that it requires.
#[derive(Clone, Debug)]
pub struct TypeEntry {
    pub name: String,
    pub requires: Vec<Field>,
}

impl TypeTable {
    #[must_use]
    pub fn new(types: Vec<TypeEntry>) -> TypeTable {
        TypeTable { types }
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<TypeId> {
        let place = self.types.iter().position(|entry| entry.name == name)?;
        Some(TypeId(u8::try_from(place).expect("types are bounded by limits::TYPES")))
    }
}

/// Turns records into events; keeps its scratch space from one record to the next.
#[derive(Default)]
pub struct Decoder {}

impl Decoder {
    /// # Errors
    /// A [`Fault`] for a record that cannot be used.
    pub fn decode<'a>(
        &'a mut self,
        _record: &'a [u8],
        _types: &TypeTable,
        _currency: super::Currency,
    ) -> Result<Event<'a>, Fault> {
        todo!()
    }
}
