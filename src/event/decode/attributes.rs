//! The attributes of an event: whatever an operator adds, flat, found by name.

use super::{
    decimal,
    fault::{self, Refusal},
    texts::{Packed, Raw, Text, Texts},
};
use crate::{event::Scalar, number::Decimal};
use std::fmt;

/// One attribute as it stands in the record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub name: Text,
    pub value: Packed,
    /// The value of a number; 0 of anything else.
    pub number: Decimal,
}

/// The attributes of one event, in the order of the record.
#[derive(Clone, Copy, Default)]
pub struct Attributes<'a> {
    texts: Texts<'a>,
    entries: &'a [Entry],
}

impl<'a> Attributes<'a> {
    pub(super) fn new(texts: Texts<'a>, entries: &'a [Entry]) -> Self {
        Attributes { texts, entries }
    }

    /// The value of the attribute `name`; nothing where it is absent or null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Scalar<'a>> {
        let entry = self.entries.iter().find(|entry| self.texts.of(entry.name) == name)?;
        self.scalar(entry)
    }

    /// Names and values of all that are not null.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Scalar<'a>)> + use<'a> {
        let attributes = *self;
        attributes
            .entries
            .iter()
            .filter_map(move |entry| Some((attributes.texts.of(entry.name), attributes.scalar(entry)?)))
    }

    fn scalar(&self, entry: &Entry) -> Option<Scalar<'a>> {
        match entry.value.raw() {
            Raw::Null => None,
            Raw::Text(text) => Some(Scalar::Text(self.texts.of(text))),
            Raw::Number(_) => Some(Scalar::Number(entry.number)),
            Raw::Bool(flag) => Some(Scalar::Bool(flag)),
        }
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

/// Checks what was read: no empty text, no name twice, numbers within bounds, which are worked out here.
pub(super) fn check(texts: &Texts<'_>, entries: &mut [Entry], by_name: &mut Vec<usize>) -> Result<(), Refusal> {
    for entry in entries.iter_mut() {
        let why = match entry.value.raw() {
            Raw::Text(text) if text.is_empty() => return Err(fault::empty(&fault::attribute(texts, entry.name))),
            Raw::Number(text) => match decimal::attribute(texts.of(text).as_bytes()) {
                Ok(number) => {
                    entry.number = number;
                    continue;
                }
                Err(why) => why,
            },
            _ => continue,
        };
        return Err(fault::value(&fault::attribute(texts, entry.name), texts, entry.value.raw(), &why.to_string()));
    }
    match doubled(texts, entries, by_name) {
        Some(name) => Err(fault::twice(&fault::attribute(texts, name))),
        None => Ok(()),
    }
}

/// So many names are compared each with each; more are sorted, so that a record of thousands costs no square of them.
const COMPARED: usize = 12;

fn doubled(texts: &Texts<'_>, entries: &[Entry], by_name: &mut Vec<usize>) -> Option<Text> {
    let name = |place: usize| texts.of(entries[place].name);
    if entries.len() <= COMPARED {
        let again = (1..entries.len()).find(|later| (0..*later).any(|earlier| name(earlier) == name(*later)))?;
        return Some(entries[again].name);
    }
    by_name.clear();
    by_name.extend(0..entries.len());
    by_name.sort_unstable_by(|one, other| name(*one).cmp(name(*other)));
    let pair = by_name.windows(2).find(|pair| name(pair[0]) == name(pair[1]))?;
    Some(entries[pair[0]].name)
}
