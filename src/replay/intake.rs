//! From a record to what it says: decoded, or mapped where its schema is a foreign one. Nothing is decided on here.

use super::range::{Gate, Range};
use crate::{
    event::{
        Event, Fault,
        decode::{Decoded, Decoder},
    },
    files::records::Record,
    mapping::{Mapped, Mapper, Mapping, Misfit},
    rules::Packs,
    time::Timestamp,
};
use std::sync::Arc;

/// Reads records; keeps its working space from one to the next.
pub struct Intake {
    packs: Arc<Packs>,
    mapper: Option<Mapper>,
    gate: Gate,
    decoder: Decoder,
}

/// What one record says.
pub enum Said<'a, T = Event<'a>> {
    /// An event, or what was made of it.
    Event(T),
    Rejected(Fault),
    /// The mapping leaves it out, because of this value in this field.
    Skipped {
        field: &'a str,
        value: &'a str,
    },
    /// It lies outside of what is decided on, or has no event and lies outside of what is reported.
    Outside {
        time: Option<Timestamp>,
    },
    /// It names the columns and is no record.
    Header,
}

impl Intake {
    #[must_use]
    pub fn new(packs: &Arc<Packs>, mapping: Option<&Arc<Mapping>>, range: Option<Range>) -> Intake {
        Intake {
            packs: Arc::clone(packs),
            mapper: mapping.cloned().map(Mapper::new),
            gate: Gate::new(range),
            decoder: Decoder::default(),
        }
    }

    /// Nothing that comes lies within what is reported.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.gate.has_ended()
    }

    /// Reads one record of input number `source`.
    ///
    /// # Errors
    /// A [`Misfit`] when the mapping was made for other files than this one.
    pub fn read<'a>(&'a mut self, source: usize, record: &'a Record<'a>) -> Result<Said<'a>, Misfit> {
        self.read_as(source, record, |decoded| decoded.event())
    }

    /// The same with whatever `take` makes of an event that is let in.
    ///
    /// # Errors
    /// As above.
    #[inline]
    pub fn read_as<'a, T>(
        &'a mut self,
        source: usize,
        record: &'a Record<'a>,
        take: impl FnOnce(&Decoded<'a, '_>) -> T,
    ) -> Result<Said<'a, T>, Misfit> {
        let reference = record.reference();
        let Intake { packs, mapper, gate, decoder } = self;
        if let Some(fault) = record.logged.and_then(|logged| logged.fault_of_value()) {
            return Ok(gate.without_event(Said::Rejected(fault), reference));
        }
        let Some(mapper) = mapper else {
            return Ok(as_it_came(decoder, packs, record, gate, take));
        };
        let admit = |decoded: &Decoded<'a, '_>| admit(decoded, record, gate, take);
        let said = match mapper.map_as(source, record, decoder, (&packs.types, packs.currency), admit)? {
            Mapped::Event(said) => return Ok(said),
            Mapped::Rejected(fault) => Said::Rejected(fault),
            Mapped::Skipped { field, value } => Said::Skipped { field, value },
            Mapped::Header => Said::Header,
        };
        Ok(self.gate.without_event(said, reference))
    }
}

/// Lets an event in, unless it lies outside, or its record's key is another wallet's.
#[inline]
fn admit<'a, T>(
    decoded: &Decoded<'a, '_>,
    record: &Record<'_>,
    gate: &mut Gate,
    take: impl FnOnce(&Decoded<'a, '_>) -> T,
) -> Said<'a, T> {
    if let Some(fault) = record.logged.and_then(|logged| logged.fault_of_key(decoded.wallet())) {
        return gate.without_event(Said::Rejected(fault), record.reference());
    }
    if gate.lets_in(decoded.time(), record.reference()) {
        Said::Event(take(decoded))
    } else {
        Said::Outside { time: Some(decoded.time()) }
    }
}

/// Reads one record that needs no mapping.
#[inline]
pub(super) fn as_it_came<'a, T>(
    decoder: &'a mut Decoder,
    packs: &Packs,
    record: &Record<'a>,
    gate: &mut Gate,
    take: impl FnOnce(&Decoded<'a, '_>) -> T,
) -> Said<'a, T> {
    let fault = if record.is_oversized() {
        record.fault_of_size()
    } else {
        let admit = |decoded: &Decoded<'a, '_>| admit(decoded, record, gate, take);
        match decoder.decode_as(record.bytes, &packs.types, packs.currency, admit) {
            Ok(said) => return said,
            Err(fault) => fault,
        }
    };
    gate.without_event(Said::Rejected(fault), record.reference())
}
