//! Values that stand in a record of another form than JSON, on their way to an event.
//!
//! Whoever knows the form finds them, and gives each as the JSON reader would: a field, and where its text stands. What a
//! value means, and what is wrong with it, is then said by the same code and in the same words.

use super::{
    attributes::Entry,
    fields::Fields,
    known::Known,
    texts::{Packed, Raw, Text, Texts},
};
use crate::{event::Field, number::Decimal, time::Timestamp};

/// The field that a value is for. A known one is given once at most.
#[derive(Clone, Copy, Debug)]
pub struct Target(To);

#[derive(Clone, Copy, Debug)]
enum To {
    Known(Known),
    Attribute(Text),
}

impl Target {
    /// A field; if it is an attribute, its name stands at `name`.
    #[must_use]
    pub fn of(field: &Field, name: Text) -> Target {
        Target(match Known::of(field) {
            Known::Attributes => To::Attribute(name),
            known => To::Known(known),
        })
    }
}

/// Takes values, each for a field.
pub struct Given<'g, 't> {
    pub(super) fields: &'g mut Fields<'t>,
    pub(super) attributes: &'g mut Vec<Entry>,
}

impl Given<'_, '_> {
    /// Takes a value that stands in `texts`.
    #[inline]
    pub fn take(&mut self, target: Target, value: Raw, texts: &Texts<'_>) {
        match target.0 {
            To::Known(field) => self.fields.value(field, value, texts),
            To::Attribute(name) => {
                self.fields.meet(Known::Attributes);
                self.attributes.push(Entry { name, value: Packed::of(value), number: Decimal::ZERO });
            }
        }
    }

    /// Takes the event's time, which is known already.
    #[inline]
    pub fn take_time(&mut self, time: Timestamp) {
        self.fields.meet(Known::Time);
        self.fields.time = time;
    }
}
