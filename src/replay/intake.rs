//! From a record to what it says: decoded, or mapped where its schema is a foreign one. Nothing is decided on here.

use super::range::{Gate, Range};
use crate::{
    event::{Event, Fault, decode::Decoder},
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
pub enum Said<'a> {
    Event(Event<'a>),
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
        let reference = record.reference();
        if let Some(fault) = record.logged.and_then(|logged| logged.fault_of_value()) {
            return Ok(self.gate.admit(Said::Rejected(fault), reference));
        }
        let Intake { packs, mapper, decoder, .. } = self;
        let said = match mapper {
            None => as_it_came(decoder, packs, record),
            Some(mapper) => match mapper.map(source, record, decoder, (&packs.types, packs.currency))? {
                Mapped::Event(event) => Said::Event(event),
                Mapped::Rejected(fault) => Said::Rejected(fault),
                Mapped::Skipped { field, value } => Said::Skipped { field, value },
                Mapped::Header => Said::Header,
            },
        };
        Ok(self.gate.admit(keyed(record, said), reference))
    }
}

/// An event whose record's key is another wallet's is none.
#[inline]
fn keyed<'a>(record: &Record<'_>, said: Said<'a>) -> Said<'a> {
    let fault = match (&said, record.logged) {
        (Said::Event(event), Some(logged)) => logged.fault_of_key(event.wallet),
        _ => None,
    };
    fault.map_or(said, Said::Rejected)
}

/// Reads one record that needs no mapping.
pub(super) fn as_it_came<'a>(decoder: &'a mut Decoder, packs: &Packs, record: &Record<'a>) -> Said<'a> {
    if record.is_oversized() {
        return Said::Rejected(record.fault_of_size());
    }
    match decoder.decode(record.bytes, &packs.types, packs.currency) {
        Ok(event) => Said::Event(event),
        Err(fault) => Said::Rejected(fault),
    }
}
