//! From the bytes of a record to a checked [`Event`], or to a [`Fault`] that says what was wrong.
//!
//! `json` walks the bytes once, and `fields` says of each value what it means as soon as it is met. Nothing is allocated for a good record once the scratch space has grown: texts are borrowed from
//! the record, and from the scratch space where they were written with escapes. There is no recursion, so that no
//! nesting can exhaust the stack. A JSON library would be shorter, but none keeps the text of numbers, finds doubled
//! keys, bounds the depth and borrows without allocating all at once.
//!
//! A record of another form is read by whoever knows that form: `given` takes what it says, and from there on it is the same.

mod address;
mod attributes;
mod decimal;
mod decoded;
mod events;
mod fault;
mod fields;
mod given;
mod json;
mod known;
mod texts;
mod types;

pub use attributes::Attributes;
pub use decoded::Decoded;
pub use events::Events;
pub use given::{Given, Target};
pub use texts::{Raw, Text, Texts};
pub use types::{TypeEntry, TypeTable};

use super::{Currency, Event, Fault};
use crate::limits::RECORD_BYTES;
use attributes::Entry;
use fault::Refusal;
use fields::Fields;
use json::Reader;

/// Turns records into events; keeps its scratch space from one record to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Texts of the record that were written with escapes, without them.
    scratch: String,
    attributes: Vec<Entry>,
    /// Places in `attributes` by name, to find doubled names among many.
    by_name: Vec<usize>,
}

impl Decoder {
    /// Reads one record, without its line end. `currency` is that of the packs.
    ///
    /// # Errors
    /// A [`Fault`] for a record that cannot be used (spec, sections 2 and 10).
    pub fn decode<'a>(
        &'a mut self,
        record: &'a [u8],
        types: &TypeTable,
        currency: Currency,
    ) -> Result<Event<'a>, Fault> {
        let mut fields = Fields::new(types, currency);
        match self.read(record, &mut fields) {
            Ok(record) => Ok(self.decoded(record, &fields).event()),
            Err(refusal) => Err(*refusal),
        }
    }

    /// The same with whatever `take` makes of it.
    ///
    /// # Errors
    /// As above.
    #[inline]
    pub fn decode_as<'a, T>(
        &'a mut self,
        record: &'a [u8],
        types: &TypeTable,
        currency: Currency,
        take: impl FnOnce(&Decoded<'a, '_>) -> T,
    ) -> Result<T, Fault> {
        let mut fields = Fields::new(types, currency);
        match self.read(record, &mut fields) {
            Ok(record) => Ok(take(&self.decoded(record, &fields))),
            Err(refusal) => Err(*refusal),
        }
    }

    /// What has been read of a record in which nothing is wrong.
    #[inline(always)]
    fn decoded<'a, 'f>(&'a self, record: &'a str, fields: &'f Fields<'f>) -> Decoded<'a, 'f> {
        Decoded::new(fields, Texts { record, scratch: &self.scratch }, &self.attributes)
    }

    /// Has `take` make something of what `give` finds in a record of another form; that is handed the scratch space, which is empty.
    ///
    /// # Errors
    /// Those of `give`; then a [`Fault`] for values that make no event, in the words of [`Decoder::decode`].
    #[inline]
    pub fn make<'a, T, E>(
        &'a mut self,
        record: &'a str,
        (types, currency): (&TypeTable, Currency),
        give: impl FnOnce(&mut Given<'_, '_>, &mut String) -> Result<(), E>,
        take: impl FnOnce(&Decoded<'a, '_>) -> T,
    ) -> Result<Result<T, Fault>, E> {
        self.scratch.clear();
        self.attributes.clear();
        let mut fields = Fields::new(types, currency);
        give(&mut Given { fields: &mut fields, attributes: &mut self.attributes }, &mut self.scratch)?;
        let texts = Texts { record, scratch: &self.scratch };
        Ok(match check(&mut fields, texts, &mut self.attributes, &mut self.by_name) {
            Ok(()) => Ok(take(&Decoded::new(&fields, texts, &self.attributes))),
            Err(refusal) => Err(*refusal),
        })
    }

    /// Reads the record, and all that its fields say. Whoever calls it has a reader of its own, in registers: that saves a
    /// twentieth of the instructions.
    #[inline(always)]
    fn read<'a>(&mut self, record: &'a [u8], fields: &mut Fields<'_>) -> Result<&'a str, Refusal> {
        let record = text_of(record)?;
        self.scratch.clear();
        self.attributes.clear();
        Reader::new(record, &mut self.scratch).record(fields, &mut self.attributes)?;
        check(fields, Texts { record, scratch: &self.scratch }, &mut self.attributes, &mut self.by_name)?;
        Ok(record)
    }
}

/// Whether what has been read makes an event.
#[inline]
fn check(
    fields: &mut Fields<'_>,
    texts: Texts<'_>,
    attributes: &mut [Entry],
    by_name: &mut Vec<usize>,
) -> Result<(), Refusal> {
    if !attributes.is_empty() {
        attributes::check(&texts, attributes, by_name)?;
    }
    fields.check(Attributes::new(texts, attributes))
}

/// The record as text that is JSON, whatever it says, within the bounds of any record; `scratch` is working space.
///
/// # Errors
/// A [`Fault`] for what is too long, not UTF-8, not JSON, nested too deep, or has half a surrogate pair (spec, section 10).
pub fn json_of<'a>(record: &'a [u8], scratch: &mut String) -> Result<&'a str, Fault> {
    let check = |scratch: &mut String| {
        let text = text_of(record)?;
        scratch.clear();
        Reader::new(text, scratch).whole()?;
        Ok(text)
    };
    check(scratch).map_err(|refusal: Refusal| *refusal)
}

/// Whether a line of a file is no record: nothing but blanks, or a carriage return that ends it.
#[must_use]
pub fn is_blank_line(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The record as text: its length and its encoding are checked once for all that it holds.
fn text_of(record: &[u8]) -> Result<&str, Refusal> {
    if record.len() > RECORD_BYTES {
        return Err(fault::too_long(record.len()));
    }
    // A quarter of what the standard library takes, which has to say where it ends being UTF-8.
    simdutf8::basic::from_utf8(record)
        .or_else(|_| std::str::from_utf8(record).map_err(|error| fault::not_utf8(error.valid_up_to())))
}

#[cfg(test)]
mod tests;
