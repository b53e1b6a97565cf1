//! The words for what is wrong with a record. All of it is off the path of good records.

use super::{
    known::Known,
    texts::{Raw, Text, Texts},
};
use crate::{
    event::{
        Fault,
        shown::{SHOWN_BYTES, Shown},
    },
    limits::{RECORD_BYTES, RECORD_DEPTH},
};

/// A [`Fault`] behind a pointer, so that the results of the good path stay small.
pub(super) type Refusal = Box<Fault>;

fn refusal(field: Option<&str>, message: String) -> Refusal {
    match field {
        Some(field) => Box::new(Fault {
            field: Some(field[..field.floor_char_boundary(2 * SHOWN_BYTES)].to_owned()),
            message: format!("{}: {message}", Shown(field)),
        }),
        None => Box::new(Fault { field: None, message }),
    }
}

#[cold]
pub(super) fn too_long(bytes: usize) -> Refusal {
    refusal(None, format!("the record has {bytes} bytes; at most {RECORD_BYTES} are allowed"))
}

#[cold]
pub(super) fn not_utf8(at: usize) -> Refusal {
    refusal(None, format!("not JSON: the record is not UTF-8 from byte {at} on"))
}

#[cold]
pub(super) fn too_deep(at: usize) -> Refusal {
    refusal(
        None,
        format!("the record is nested deeper than {RECORD_DEPTH} levels, the record being the first, at byte {at}"),
    )
}

/// Not JSON: `expected` at byte `at`, while the value of `field` was read.
#[cold]
pub(super) fn syntax(field: Option<Known>, record: &str, at: usize, expected: &str) -> Refusal {
    let rest = record.get(at..).unwrap_or_default();
    let found = match rest.chars().next() {
        Some('\u{feff}') => "a byte order mark stands there".to_owned(),
        Some(' ') => "a blank stands there".to_owned(),
        Some(letter) => format!("`{}` stands there", Shown(letter.encode_utf8(&mut [0; 4]))),
        None => "the record ends there".to_owned(),
    };
    refusal(field.map(Known::name), format!("not JSON: {expected} is expected at byte {at}, but {found}"))
}

#[cold]
pub(super) fn twice(field: &str) -> Refusal {
    refusal(Some(field), "stands in the record twice".to_owned())
}

#[cold]
pub(super) fn empty(field: &str) -> Refusal {
    refusal(Some(field), "\"\" is empty; a text has at least 1 byte, or the field is left out".to_owned())
}

/// `kind` is the type that requires the field; nothing where every event needs it.
#[cold]
pub(super) fn missing(field: &str, kind: Option<&str>) -> Refusal {
    let message = match kind {
        Some(kind) => format!("missing; an event of type \"{}\" requires it", Shown(kind)),
        None => "missing; every event has one".to_owned(),
    };
    refusal(Some(field), message)
}

/// A value of which `why` says what is wrong.
#[cold]
pub(super) fn value(field: &str, texts: &Texts<'_>, raw: Raw, why: &str) -> Refusal {
    let message = match raw {
        Raw::Text(text) => format!("\"{}\" {why}", Shown(texts.of(text))),
        Raw::Number(text) => format!("{} {why}", Shown(texts.of(text))),
        Raw::Bool(flag) => format!("{flag} {why}"),
        Raw::Null => format!("null {why}"),
    };
    refusal(Some(field), message)
}

#[cold]
pub(super) fn wrong_type(field: Known, texts: &Texts<'_>, raw: Raw) -> Refusal {
    let found = match raw {
        Raw::Text(_) => "is text",
        Raw::Number(_) => "is a number",
        Raw::Null => "is nothing",
        Raw::Bool(_) => {
            let message = format!("a boolean is given; {} is expected", field.expected());
            return refusal(Some(field.name()), message);
        }
    };
    value(field.name(), texts, raw, &format!("{found}; {} is expected", field.expected()))
}

/// An array or an object where `expected` stands in for one value.
#[cold]
pub(super) fn nested(field: &str, opening: u8, expected: &str) -> Refusal {
    let found = if opening == b'{' { "an object" } else { "an array" };
    refusal(Some(field), format!("{found} stands here; {expected} is expected"))
}

/// The name of an attribute as a field.
pub(super) fn attribute(texts: &Texts<'_>, name: Text) -> String {
    format!("attributes.{}", texts.of(name))
}
