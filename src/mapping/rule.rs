//! How one field of an event is made of foreign values.

use super::{foreign::Found, json, keep, moment::Moment, text_of};
use crate::{
    encode,
    event::{
        Fault, Field,
        decode::{Raw, Target, Text, Texts},
        shown::Shown,
    },
    time::Timestamp,
};
use std::collections::BTreeMap;

/// How one field is made.
#[derive(Debug)]
pub(super) struct FieldRule {
    /// As faults and the summary name it.
    pub name: String,
    pub target: Target,
    pub is_attribute: bool,
    /// Bytes of `"name":` in JSON.
    pub key_bytes: usize,
    pub shape: Shape,
    pub from: From,
}

/// What a field's text becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    /// Text and numbers alike: the decoder takes both.
    Amount,
    /// `true` and `false` however they are written; anything else is left to the decoder to refuse.
    Flag,
    Time,
    /// An attribute as it comes: a cell of CSV is a text.
    Attribute,
    AttributeText,
    AttributeNumber,
    AttributeFlag,
}

#[derive(Debug)]
pub(super) enum From {
    /// The number of the record, from 1, over all inputs.
    Row,
    Constant(Constant),
    Foreign(Foreign),
}

/// What the mapping itself says.
#[derive(Debug)]
pub(super) enum Constant {
    Text(String),
    /// As JSON writes it.
    Number(String),
    Flag(bool),
}

/// A field that is made of foreign ones.
#[derive(Debug)]
pub(super) struct Foreign {
    /// Places in [`Mapping::names`](super::Mapping).
    pub parts: Vec<usize>,
    pub join: String,
    pub values: Option<Values>,
    pub default: Option<String>,
    /// For a time.
    pub moment: Moment,
}

/// Foreign words and ours.
#[derive(Debug)]
pub(super) struct Values {
    pub table: BTreeMap<String, String>,
    /// What becomes of a record with another word.
    pub other: Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Other {
    #[default]
    Reject,
    Skip,
}

/// What a field is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Plain(Raw),
    Time(Timestamp),
}

/// Why a record makes no event; behind a pointer, so that the results of the good path stay small.
pub(super) type Refused = Box<Refusal>;

pub(super) enum Refusal {
    Fault(Fault),
    /// The word that the mapping says to skip.
    Skip(String),
}

/// Bytes that JSON takes for a value beside its text, at most: a comma, quotes, an instant.
const AROUND: usize = 64;

impl FieldRule {
    /// A rule for `field`. Attributes need [`FieldRule::label`] too.
    pub fn new(field: &Field, shape: Shape, from: From) -> FieldRule {
        let name = field.name().into_owned();
        let is_attribute = matches!(field, Field::Attribute(_));
        let mut key = Vec::new();
        encode::string(name.strip_prefix("attributes.").unwrap_or(&name), &mut key);
        let target = Target::of(field, Text::default());
        FieldRule { name, target, is_attribute, key_bytes: key.len() + ":".len(), shape, from }
    }

    /// Puts the name of an attribute to those of all.
    pub fn label(&mut self, labels: &mut String) {
        if let Some(Field::Attribute(name)) = Field::parse(&self.name) {
            let place = keep(&name, labels);
            self.target = Target::of(&Field::Attribute(name), place);
        }
    }

    /// Bytes that JSON takes for it, at most, without the text of its value.
    pub fn json_bytes(&self) -> usize {
        self.key_bytes + AROUND
    }

    /// The field's value; nothing when the record has none. `scratch` takes texts that do not stand in the record.
    ///
    /// This and what it calls becomes a part of its caller: a value that is handed on through memory, written in pieces and read back
    /// whole, costs as much as finding it.
    #[inline(always)]
    pub fn value(&self, found: &Found<'_, '_>, scratch: &mut String) -> Result<Option<Value>, Refused> {
        Ok(Some(match &self.from {
            From::Row => {
                let start = scratch.len();
                scratch.push_str("row-");
                scratch.push_str(itoa::Buffer::new().format(found.row));
                Value::Plain(Raw::Text(Text::in_scratch(start, scratch.len())))
            }
            From::Constant(constant) => Value::Plain(match constant {
                Constant::Text(text) => Raw::Text(keep(text, scratch)),
                Constant::Number(text) => Raw::Number(keep(text, scratch)),
                Constant::Flag(flag) => Raw::Bool(*flag),
            }),
            From::Foreign(foreign) => {
                let start = scratch.len();
                let cell = foreign.cell(found, scratch).map_err(|why| self.refuse(why))?;
                let ours = match self.translated(foreign, cell, &Texts { record: found.record, scratch })? {
                    Ours::Theirs => cell,
                    Ours::Word(word) => {
                        scratch.truncate(start);
                        Raw::Text(keep(word, scratch))
                    }
                    Ours::Nothing => {
                        scratch.truncate(start);
                        return Ok(None);
                    }
                };
                self.shaped(ours, &foreign.moment, found.record, start, scratch)?
            }
        }))
    }

    /// A foreign value in our own words.
    #[inline(always)]
    fn translated<'f>(&self, foreign: &'f Foreign, cell: Raw, texts: &Texts<'_>) -> Result<Ours<'f>, Refused> {
        if let Some(values) = &foreign.values {
            let text = text_of(cell, texts);
            if let Some(word) = values.table.get(text) {
                return Ok(Ours::Word(word));
            }
            if !matches!(cell, Raw::Null) {
                return Err(self.unknown(text, values.other));
            }
        }
        Ok(match (cell, &foreign.default) {
            (Raw::Null, None) => Ours::Nothing,
            (Raw::Null, Some(default)) => Ours::Word(default),
            _ => Ours::Theirs,
        })
    }

    /// A word that `values` does not list.
    #[cold]
    fn unknown(&self, text: &str, other: Other) -> Refused {
        match other {
            Other::Skip => Box::new(Refusal::Skip(text.to_owned())),
            Other::Reject => self.fault(text, "is not among the mapping's values"),
        }
    }

    /// A value as the field takes it. Of the scratch space, what follows `start` is this value's.
    #[inline(always)]
    fn shaped(
        &self,
        cell: Raw,
        moment: &Moment,
        record: &str,
        start: usize,
        scratch: &mut String,
    ) -> Result<Value, Refused> {
        let text = text_of(cell, &Texts { record, scratch });
        Ok(Value::Plain(match (self.shape, cell) {
            (Shape::Time, _) => match moment.read(text).map_err(|why| self.fault(text, &why))? {
                Some(time) => {
                    scratch.truncate(start);
                    return Ok(Value::Time(time));
                }
                None => Raw::Text(place(cell, scratch)),
            },
            (Shape::Amount | Shape::Attribute | Shape::Flag, Raw::Number(at)) => {
                Raw::Number(written_out(json::plain(text), at, start, scratch))
            }
            (Shape::Amount, Raw::Text(at)) | (Shape::Text | Shape::AttributeText, Raw::Number(at)) => {
                Raw::Text(written_out(json::plain(text), at, start, scratch))
            }
            (Shape::Amount | Shape::Attribute | Shape::Flag, Raw::Bool(_)) => cell,
            (Shape::Flag | Shape::AttributeFlag, _) if text == "true" => Raw::Bool(true),
            (Shape::Flag | Shape::AttributeFlag, _) if text == "false" => Raw::Bool(false),
            (Shape::AttributeFlag, _) => return Err(self.fault(text, "is neither \"true\" nor \"false\"")),
            (Shape::AttributeNumber, _) if !json::is_number(text) => return Err(self.fault(text, "is not a number")),
            (Shape::AttributeNumber, _) => {
                Raw::Number(written_out(json::plain(text), place(cell, scratch), start, scratch))
            }
            _ => Raw::Text(place(cell, scratch)),
        }))
    }

    #[cold]
    fn fault(&self, value: &str, why: &str) -> Refused {
        self.refuse(&format!("\"{}\" {why}", Shown(value)))
    }

    #[cold]
    fn refuse(&self, why: &str) -> Refused {
        let message = format!("{}: {why}", Shown(&self.name));
        Box::new(Refusal::Fault(Fault { field: Some(self.name.clone()), message }))
    }
}

/// What becomes of a foreign value.
enum Ours<'f> {
    /// It stays what it is.
    Theirs,
    Word(&'f str),
    Nothing,
}

impl Foreign {
    /// The foreign value, or several joined; none when any of them is none.
    #[inline(always)]
    fn cell(&self, found: &Found<'_, '_>, scratch: &mut String) -> Result<Raw, &'static str> {
        match self.parts[..] {
            [only] => found.cell(only, scratch),
            _ => self.joined(found, scratch),
        }
    }

    fn joined(&self, found: &Found<'_, '_>, scratch: &mut String) -> Result<Raw, &'static str> {
        let start = scratch.len();
        for (place, part) in self.parts.iter().enumerate() {
            if place > 0 {
                scratch.push_str(&self.join);
            }
            let before = scratch.len();
            let cell = found.cell(*part, scratch)?;
            let text = text_of(cell, &Texts { record: found.record, scratch });
            if text.is_empty() {
                return Ok(Raw::Null);
            }
            // What had escapes stands there already.
            if scratch.len() == before {
                let text = text_of(cell, &Texts { record: found.record, scratch: "" });
                scratch.push_str(text);
            }
        }
        Ok(Raw::Text(Text::in_scratch(start, scratch.len())))
    }
}

/// Where a figure stands once its exponent is written out, which `plain` is if it has one.
#[inline]
fn written_out(plain: Option<String>, at: Text, start: usize, scratch: &mut String) -> Text {
    match plain {
        None => at,
        Some(plain) => {
            scratch.truncate(start);
            keep(&plain, scratch)
        }
    }
}

/// Where the text of a value stands.
#[inline]
fn place(cell: Raw, scratch: &mut String) -> Text {
    match cell {
        Raw::Number(text) | Raw::Text(text) => text,
        Raw::Null | Raw::Bool(_) => keep(text_of(cell, &Texts::default()), scratch),
    }
}
