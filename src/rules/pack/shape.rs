//! One value of a pack against what the table of keys says it may be; every fault at once.
//!
//! What this file lets through, `read` takes without asking again: a value that is wrong is reported here and is
//! absent there. Faults that a syntax error may have caused (a key is missing) are kept apart, to be dropped when
//! there is one.

use super::keys::{Key, Kind, field_names};
use crate::{
    event::Field,
    limits,
    number::Decimal,
    rules::{
        condition,
        diagnostic::{Diagnostic, closest},
    },
    time::{Span, Timestamp, Zone, date_number},
};
use std::{collections::HashSet, ops::Range};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
    value::Datetime,
};

/// What was found in one source.
#[derive(Debug, Default)]
pub struct Findings {
    pub source: usize,
    pub found: Vec<Diagnostic>,
    /// Faults of absence: believable only where everything could be read.
    pub hollow: Vec<Diagnostic>,
}

impl Findings {
    pub fn error(&mut self, span: Range<usize>, message: impl Into<String>, label: &str, help: impl Into<String>) {
        self.found.push(Diagnostic::error(message).at(self.source, span, label).help(help));
    }

    fn must(&mut self, what: &str, kind: &Kind, value: &Spanned<DeValue<'_>>, key: Option<&Key>) {
        let message = format!("{what} must be {}", kind.expectation());
        self.error(value.span(), message, &this_is(value.get_ref()), instead(kind, what, value.get_ref(), key));
    }
}

/// What to write instead of a value of another kind.
fn instead(kind: &Kind, what: &str, value: &DeValue<'_>, key: Option<&Key>) -> String {
    let inner = what.trim_matches('`');
    let name = key.map_or("", |key| key.name);
    let sample = match (kind, value) {
        (Kind::Array(Kind::Table(_), _), DeValue::Table(_)) if name == "rule" => return "write `[[rule]]`".to_owned(),
        (Kind::Array(Kind::Table(_), _), DeValue::Table(_)) if name == "example" => {
            return "write `[[rule.example]]`".to_owned();
        }
        (Kind::Open(..), DeValue::Array(_)) => match name {
            "score" | "lists" => return format!("write `[{name}]`"),
            "units" => return "write `[units.MCI]`".to_owned(),
            "event" => return "write `[event.transfer]`".to_owned(),
            "restriction" => return "write `[restriction.some-name]`".to_owned(),
            _ => kind.sample(),
        },
        // An event type's fields without their key.
        (Kind::Table([requires]), DeValue::Array(fields)) if name.is_empty() && requires.name == "requires" => {
            let fields: Vec<String> =
                fields.iter().filter_map(|field| Some(format!("\"{}\"", field.get_ref().as_str()?))).collect();
            return format!("write `[event.{inner}]` with `requires = [{}]`", shorten(&fields.join(", ")));
        }
        (Kind::Moment, DeValue::Datetime(_)) => {
            return "a time of day alone is no instant; write a date such as 2026-03-01, or a date-time such as \
                    2026-03-01T08:00:00+05:00"
                .to_owned();
        }
        (Kind::Array(of, _), DeValue::String(text)) if word(of, text).is_ok() => format!("[\"{text}\"]"),
        (Kind::Whole(least, most), _) => return format!("write an integer from {least} to {most}"),
        _ if takes_digits(kind) && plain(value).is_some_and(|text| word(kind, &text).is_ok()) => {
            format!("\"{}\"", plain(value).unwrap_or_default())
        }
        (Kind::Over, DeValue::Float(float)) if decimal(float.as_str()).is_some() => format!("\"{}\"", float.as_str()),
        // More than 1.5 of what is counted are more than 1.
        (Kind::Most, DeValue::Float(float)) if decimal(float.as_str()).is_some() => {
            float.as_str().split_once('.').map_or(float.as_str(), |(whole, _)| whole).to_owned()
        }
        (Kind::Worth, DeValue::Float(float)) if decimal(float.as_str()).is_some() => format!("\"{}\"", float.as_str()),
        (Kind::TableOr(_, of), _) if takes_digits(of) && plain(value).is_some() => {
            format!("\"{}\"", plain(value).unwrap_or_default())
        }
        _ => key.map_or_else(|| kind.sample(), Key::sample),
    };
    if name.is_empty() { format!("write `{sample}`") } else { format!("write `{name} = {sample}`") }
}

/// Kinds of text that somebody writes as a number: a clause, a version, a wallet.
fn takes_digits(kind: &Kind) -> bool {
    matches!(kind, Kind::Text(_) | Kind::Name | Kind::PackName)
}

/// A number or a moment as it is written.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Datetime(moment) => Some(moment.to_string()),
        _ => None,
    }
}

/// "this is a string", and so on.
fn this_is(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.is_empty() => "this is empty".to_owned(),
        DeValue::Array(entries) if entries.is_empty() => "this is empty".to_owned(),
        DeValue::String(_) => "this is a string".to_owned(),
        DeValue::Integer(number) => format!("this is {}", shorten(&number.to_string())),
        DeValue::Float(_) => "this is a float".to_owned(),
        DeValue::Boolean(_) => "this is a bool".to_owned(),
        DeValue::Datetime(_) => "this is a date or a time".to_owned(),
        DeValue::Array(_) => "this is a list".to_owned(),
        DeValue::Table(_) => "this is a table".to_owned(),
    }
}

/// Checks a table against its keys.
pub fn table(keys: &'static [Key], span: &Range<usize>, table: &DeTable<'_>, found: &mut Findings) {
    for (name, value) in table.iter() {
        match keys.iter().find(|key| key.name == name.get_ref().as_ref()) {
            Some(key) => check(&key.kind, &format!("`{}`", key.name), Some(key), value, found),
            None => unknown_key(keys, name, found),
        }
    }
    for key in keys.iter().filter(|key| key.needed && lacks(keys, table, key)) {
        missing(key, span, found);
    }
}

/// Reports keys of a whole pack that only this pack needs.
pub fn needed(keys: &'static [Key], names: &[&str], table: &DeTable<'_>, found: &mut Findings) {
    for key in keys.iter().filter(|key| names.contains(&key.name) && lacks(keys, table, key)) {
        missing(key, &(0..0), found);
    }
}

/// Whether a key is not there; one that stands there misspelt has been told so.
fn lacks(keys: &'static [Key], table: &DeTable<'_>, key: &Key) -> bool {
    let is_known = |name: &str| keys.iter().any(|key| key.name == name);
    let mut unknown = table.keys().map(|name| name.get_ref().as_ref()).filter(|name| !is_known(name));
    !table.contains_key(key.name)
        && !unknown.any(|name| closest(name, keys.iter().map(|key| key.name)) == Some(key.name))
}

fn missing(key: &Key, span: &Range<usize>, found: &mut Findings) {
    found.hollow.push(
        Diagnostic::error(format!("`{}` is missing", key.name))
            .at(found.source, span.clone(), "it belongs here")
            .help(format!("write `{} = {}`", key.name, key.sample())),
    );
}

fn unknown_key(keys: &'static [Key], name: &Spanned<std::borrow::Cow<'_, str>>, found: &mut Findings) {
    let help = match closest(name.get_ref(), keys.iter().map(|key| key.name)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
            format!("the keys here are {}", names.join(", "))
        }
    };
    found.error(name.span(), format!("`{}` is not a key here", shorten(name.get_ref())), "unknown key", help);
}

/// A text short enough for a message.
pub fn shorten(text: &str) -> String {
    const CHARACTERS: usize = 80;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Checks one value. `what` is it in messages; `key` is its key, for advice.
fn check(kind: &Kind, what: &str, key: Option<&Key>, value: &Spanned<DeValue<'_>>, found: &mut Findings) {
    match (kind, value.get_ref()) {
        (Kind::Flag, DeValue::Boolean(_)) => {}
        (Kind::Scalar, DeValue::Boolean(_) | DeValue::Integer(_) | DeValue::String(_)) => {}
        (Kind::Scalar, DeValue::Float(float)) if !float.as_str().ends_with(['f', 'n']) => {}
        (Kind::Whole(least, most), DeValue::Integer(_)) => {
            if !whole(value.get_ref()).is_some_and(|number| (*least..=*most).contains(&number)) {
                found.must(what, kind, value, key);
            }
        }
        (Kind::Over | Kind::Most | Kind::Worth, DeValue::Integer(_)) => number(kind, what, value, found),
        (Kind::Moment, DeValue::Datetime(moment)) if moment.date.is_some() => {}
        (Kind::Moment, text @ DeValue::String(_)) if key.is_some_and(Key::takes_quoted_moment) => {
            if moment(text).is_none() {
                let help = "write a date such as 2026-05-01, or 2026-05-01T08:00:00+05:00";
                found.error(value.span(), format!("{what} must be a date or a date-time"), "this is not", help);
            }
        }
        (Kind::Instant, DeValue::Datetime(moment)) if moment.offset.is_some() => {}
        (Kind::Table(keys), DeValue::Table(inner)) => table(keys, &value.span(), inner, found),
        (Kind::Open(key, of, most), DeValue::Table(inner)) => open(what, (key, of, *most), value, inner, found),
        (Kind::TableOr(kind, _), DeValue::Table(_)) => check(kind, what, key, value, found),
        (Kind::TableOr(_, of @ Kind::Array(..)), DeValue::Array(_)) => check(of, what, key, value, found),
        (Kind::TableOr(_, of @ Kind::Text(_)), DeValue::String(_)) => check(of, what, key, value, found),
        (Kind::Array(of, least), DeValue::Array(entries)) if entries.len() >= *least => {
            each(of, what, entries, found);
            once(of, what, entries, found);
        }
        (Kind::OneOrMany(of), DeValue::Array(entries)) => each(of, what, entries, found),
        (Kind::OneOrMany(of), DeValue::String(_)) => check(of, what, key, value, found),
        (_, DeValue::String(text)) => string(kind, what, key, value, text, found),
        _ => found.must(what, kind, value, key),
    }
}

/// Checks the entries of a list.
fn each(of: &Kind, what: &str, entries: &DeArray<'_>, found: &mut Findings) {
    let inner = format!("each entry of {what}");
    entries.iter().for_each(|entry| check(of, &inner, None, entry, found));
}

/// A name stands in a list once: whoever wrote it twice meant another the second time.
fn once(of: &Kind, what: &str, entries: &DeArray<'_>, found: &mut Findings) {
    let mut names = HashSet::new();
    for entry in entries {
        if let (Kind::Name, Some(name)) = (of, entry.get_ref().as_str())
            && !names.insert(name)
        {
            found.error(entry.span(), format!("`{}` is named twice in {what}", shorten(name)), "again", "remove one");
        }
    }
}

fn open(
    what: &str,
    (key_kind, value_kind, most): (&Kind, &Kind, usize),
    value: &Spanned<DeValue<'_>>,
    inner: &DeTable<'_>,
    found: &mut Findings,
) {
    if inner.len() > most {
        let message = format!("{what} has {} entries, more than {most}", inner.len());
        found.error(value.span(), message, "this table", format!("keep at most {most}"));
    }
    for (name, value) in inner.iter() {
        let text = name.get_ref().as_ref();
        if let Err(help) = word(key_kind, text) {
            let message = match key_kind {
                Kind::Choice(noun, _) => format!("no {noun} is called `{}`", shorten(text)),
                Kind::Identifier if condition::is_reserved(text) => {
                    format!("`{text}` is a word that conditions keep for themselves")
                }
                _ => format!("each key of {what} must be {}", key_kind.expectation()),
            };
            found.error(name.span(), message, "this is not", help);
        }
        check(value_kind, &format!("`{}`", shorten(text)), None, value, found);
    }
}

/// A string where `kind` wants one; numbers in quotes among them.
fn string(kind: &Kind, what: &str, key: Option<&Key>, value: &Spanned<DeValue<'_>>, text: &str, found: &mut Findings) {
    match kind {
        Kind::Over | Kind::Most | Kind::Worth => number(kind, what, value, found),
        _ => {
            let Err(help) = word(kind, text) else { return };
            let message = match kind {
                Kind::Choice(noun, _) => format!("no {noun} is called `{}`", shorten(text)),
                _ => match longest(kind).filter(|most| text.len() > *most) {
                    Some(most) => format!("{what} has {} bytes, more than {most}", text.len()),
                    None => format!("{what} must be {}", kind.expectation()),
                },
            };
            let label = if matches!(kind, Kind::Choice(..)) {
                "unknown"
            } else if takes_text(kind) && !text.is_empty() {
                "this is not"
            } else {
                &this_is(value.get_ref())
            };
            let help = if help.is_empty() { instead(kind, what, value.get_ref(), key) } else { help };
            found.error(value.span(), message, label, help);
        }
    }
}

/// Whether some strings are values of this kind.
fn takes_text(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Text(_)
            | Kind::Name
            | Kind::PackName
            | Kind::Identifier
            | Kind::File
            | Kind::Zone
            | Kind::Currency
            | Kind::Choice(..)
            | Kind::Span
            | Kind::Flowing
            | Kind::Exact
            | Kind::Date
            | Kind::Field
            | Kind::Condition
            | Kind::Instant
    )
}

/// A text against a kind; the error is advice, empty where the kind's sample says it all.
fn word(kind: &Kind, text: &str) -> Result<(), String> {
    let sample = Err(String::new());
    match kind {
        Kind::Condition if text.len() > limits::CONDITION_BYTES => {
            Err("put names into a list, or split the rule in two".to_owned())
        }
        _ if longest(kind).is_some_and(|most| text.len() > most) => {
            Err(format!("write at most {} bytes", longest(kind).unwrap_or_default()))
        }
        Kind::Text(_) | Kind::File if text.is_empty() => sample,
        Kind::Text(_) | Kind::File => Ok(()),
        Kind::Name if is_name(text) => Ok(()),
        Kind::PackName if is_name(text) && !text.contains(['@', '+', ',', ' ']) => Ok(()),
        Kind::Identifier if condition::is_reserved(text) => {
            Err(format!("conditions could not use this name; write another one such as `{text}_1`"))
        }
        Kind::Identifier if is_identifier(text) => Ok(()),
        Kind::Identifier => {
            Err("conditions could not use this name; write one such as `MCI` or `shared_ips`".to_owned())
        }
        Kind::Zone => Zone::load(text).map(drop),
        Kind::Currency if currency(text).is_some() => Ok(()),
        Kind::Choice(_, words) => {
            let words = words();
            if words.contains(&text) { Ok(()) } else { Err(one_of(text, &words)) }
        }
        Kind::Span => Span::parse(text).map(drop),
        Kind::Flowing => match Span::parse(text)? {
            Span::Calendar(_) => {
                Err("only `sum`, `count` and `distinct` take calendar windows; write a length of time \
                                      such as \"24h\" or \"1 month\""
                    .to_owned())
            }
            _ => Ok(()),
        },
        Kind::Exact => match Span::parse(text)? {
            Span::Millis(_) => Ok(()),
            _ => sample,
        },
        Kind::Moment => Err("take the quotes away: 2026-03-01 or 2026-03-01T08:00:00+05:00".to_owned()),
        Kind::Date if date(text).is_some() => Ok(()),
        Kind::Date => Err("write a day of the calendar, such as \"2026-01-01\"".to_owned()),
        Kind::Field => field(text),
        Kind::Condition if !text.is_empty() => Ok(()),
        Kind::Instant => Timestamp::parse(text).map(drop).map_err(|why| format!("\"{}\" {why}", shorten(text))),
        _ => sample,
    }
}

/// The most bytes that a text of this kind may have.
fn longest(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Text(most) => Some(*most),
        Kind::Name | Kind::PackName | Kind::Identifier => Some(limits::NAME_BYTES),
        Kind::Condition => Some(limits::CONDITION_BYTES),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

fn is_identifier(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn one_of(text: &str, words: &[&'static str]) -> String {
    match closest(text, words.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write one of \"{}\"", words.join("\", \"")),
    }
}

fn field(text: &str) -> Result<(), String> {
    if Field::parse(text).is_some() && text.len() <= limits::PACK_TEXT_BYTES {
        return Ok(());
    }
    let known = field_names();
    match closest(text, known.iter().map(String::as_str)) {
        Some(meant) => Err(format!("did you mean \"{meant}\"?")),
        None => Err(format!("write one of \"{}\", or \"attributes.\" and a name", known.join("\", \""))),
    }
}

fn number(kind: &Kind, what: &str, value: &Spanned<DeValue<'_>>, found: &mut Findings) {
    let fault = match kind {
        Kind::Over => over(value.get_ref()).err(),
        Kind::Most => {
            over(value.get_ref()).err().map(|_| "write a whole number of at most 16 digits, such as 10".to_owned())
        }
        _ => worth(value.get_ref()).err(),
    };
    if let Some(help) = fault {
        found.error(value.span(), format!("{what} must be {}", kind.expectation()), "this is not", help);
    }
}

/// The value of an integer, or nothing where it does not fit.
pub fn whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A limit as written: the number, and the name of its unit.
pub fn over(value: &DeValue<'_>) -> Result<(Decimal, Option<String>), String> {
    const HELP: &str = "write a number that is not negative: 10, \"10.5\" or \"100 MCI\"";
    const TOO_LARGE: &str = "write a limit of at most 16 digits before the point";
    const TOO_FINE: &str = "write a limit of at most 6 digits after the point";
    const WHOLE_DIGITS: u32 = 16;
    const _: () = assert!(limits::ATTRIBUTE_WHOLE_DIGITS == 16 && limits::ATTRIBUTE_FRACTION_DIGITS == 6);
    if let Some(integer) = value.as_integer() {
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
        return match i64::try_from(number).ok().filter(|number| *number < 10_i64.pow(WHOLE_DIGITS)) {
            Some(number) if number >= 0 => Ok((Decimal::from(number), None)),
            None if number >= 0 => Err(TOO_LARGE.to_owned()),
            _ => Err(HELP.to_owned()),
        };
    }
    let text = value.as_str().ok_or(HELP)?;
    let (digits, unit) = match text.split_once(' ') {
        Some((digits, unit)) if is_identifier(unit) => (digits, Some(unit.to_owned())),
        Some(_) => return Err(HELP.to_owned()),
        None => (text, None),
    };
    decimal(digits).map(|number| (number, unit)).ok_or_else(|| {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let digits = !whole.is_empty() && [whole, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let help = match (whole.len(), fraction.len()) {
            (1..=limits::ATTRIBUTE_WHOLE_DIGITS, 1..=limits::ATTRIBUTE_FRACTION_DIGITS) => HELP,
            (1..=limits::ATTRIBUTE_WHOLE_DIGITS, 1..) if digits => TOO_FINE,
            (1.., 1..) if digits && !whole.starts_with('0') => TOO_LARGE,
            _ => HELP,
        };
        help.to_owned()
    })
}

/// The worth of a unit.
pub fn worth(value: &DeValue<'_>) -> Result<Decimal, String> {
    let number = match value {
        DeValue::String(text) => decimal(text),
        _ => whole(value).map(Decimal::from),
    };
    number
        .filter(|number| *number > Decimal::ZERO)
        .ok_or_else(|| "write a number over 0 in quotes, such as \"4325\" or \"4325.5\"".to_owned())
}

/// Plain digits, at most 16 before a point and at most 6 after it; no sign, no exponent, no leading zeros.
#[must_use]
pub fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let plain = digits(whole, limits::ATTRIBUTE_WHOLE_DIGITS)
        && digits(fraction, limits::ATTRIBUTE_FRACTION_DIGITS)
        && (whole == "0" || !whole.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Days since 1970-01-01 of a date written `2026-01-01`.
#[must_use]
pub fn date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() });
    if shaped { text.parse().ok().map(date_number) } else { None }
}

/// A date or date-time, written plainly or in quotes.
#[must_use]
pub fn moment(value: &DeValue<'_>) -> Option<Datetime> {
    match value {
        DeValue::Datetime(moment) => Some(*moment).filter(|moment| moment.date.is_some()),
        _ => moment_in(value.as_str()?),
    }
}

/// The date or date-time that a text is.
#[must_use]
pub fn moment_in(text: &str) -> Option<Datetime> {
    text.parse().ok().filter(|moment: &Datetime| moment.date.is_some())
}

/// Three capital letters.
#[must_use]
pub fn currency(text: &str) -> Option<crate::event::Currency> {
    let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
    letters.iter().all(u8::is_ascii_uppercase).then_some(crate::event::Currency(letters))
}

/// A date or date-time of a pack as an instant: a date is local midnight, one without an offset is local.
#[must_use]
pub fn instant(moment: &Datetime, zone: &Zone) -> Option<Timestamp> {
    let Some(time) = moment.time else {
        return Some(zone.midnight(date_number(civil_date(moment)?)));
    };
    match moment.offset {
        Some(_) => {
            let second = time.second.or(Some(0));
            let moment = Datetime { time: Some(toml::value::Time { second, ..time }), ..*moment };
            Timestamp::parse(&moment.to_string()).ok()
        }
        None => {
            let number = |value: u8| i8::try_from(value).ok();
            let (hour, minute) = (number(time.hour)?, number(time.minute)?);
            let second = number(time.second.unwrap_or(0))?;
            let nanosecond = i32::try_from(time.nanosecond.unwrap_or(0)).ok()?;
            let time = jiff::civil::Time::new(hour, minute, second, nanosecond).ok()?;
            Some(zone.instant(civil_date(moment)?.to_datetime(time)))
        }
    }
}

fn civil_date(moment: &Datetime) -> Option<jiff::civil::Date> {
    let date = moment.date?;
    jiff::civil::Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?)
        .ok()
}
