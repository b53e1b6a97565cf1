//! Foreign records read as events, as a mapping file says (`--map`).
//!
//! A mapping says which cell of a row, or which value of foreign JSON, is which field; the decoder takes these as it takes those
//! of its own JSON (`event::decode::Given`), so that a foreign record is checked exactly as a native one and the figure that somebody
//! wrote stays the amount. Texts stay where they stand in the record; only what is joined, translated or constant is put beside it.
//! A mapping moves, joins and renames; it does not compute, and whatever it does not understand it rejects. Only an exponent
//! (`1.0E7`), which no event may have, is written out: that is another writing of the same number, and whatever exports tables uses it
//! for large ones.
//!
//! What a mapped record means is what the same record in the spec's own JSON means, its bound of 64 KiB among it. The tests hold it
//! against that: a slow model writes the JSON and has it decoded.
//!
//! What the file may say, besides the annex of the spec: `default` (a text for what is absent), `type` of an attribute
//! (`"text"`, `"number"`, `"bool"`), any `unit` with or without `start`, and `format = "parquet"`, whose fields are columns.

mod csv;
mod foreign;
mod json;
mod load;
mod moment;
mod rule;
#[cfg(test)]
mod tests;

pub use load::{load, load_file};

use crate::{
    event::{
        Currency, Event, Fault,
        decode::{self, Decoded, Decoder, Given, Raw, Text, Texts, TypeTable},
    },
    files::records::{Framing, Record},
    limits::RECORD_BYTES,
    time::Timestamp,
};
use foreign::{Cells, Found};
use rule::{FieldRule, Refusal, Refused, Shape, Value};
use std::{fmt, sync::Arc};

/// A mapping file, checked.
#[derive(Debug)]
pub struct Mapping {
    format: Format,
    /// Its records are rows of tables, which come as JSON.
    of_tables: bool,
    /// The columns or JSON Pointers in use, each once; rules name them by place.
    names: Vec<String>,
    pointers: json::Pointers,
    /// The known fields in the order of the spec's table, then the attributes by name.
    rules: Vec<FieldRule>,
    /// Names of attributes, one after the other, which the scratch space of each record begins with.
    labels: String,
    /// Bytes that JSON takes at most for an event of it, without the texts of its values.
    json_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv { header: bool, delimiter: u8 },
    Json,
}

impl Mapping {
    /// How the files that it is made for are cut into records.
    #[must_use]
    pub fn framing(&self) -> Framing {
        match self.format {
            Format::Csv { delimiter, .. } => Framing::Csv { delimiter },
            Format::Json if self.of_tables => Framing::Tables,
            Format::Json => Framing::Lines,
        }
    }
}

/// What a mapping makes of a record.
#[derive(Debug)]
pub enum Mapped<'a, T = Event<'a>> {
    /// An event, or what was made of it.
    Event(T),
    Skipped {
        field: &'a str,
        value: &'a str,
    },
    Rejected(Fault),
    /// The line that names the columns.
    Header,
}

/// When a foreign record happened, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dated {
    At(Timestamp),
    /// Its time cannot be read, or it makes no event.
    Unknown,
    /// It names the columns.
    Header,
}

/// A file that the mapping was not made for. Whoever wrote the mapping must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A mapping at work: what it knows of the present file, and buffers that are used again and again.
pub struct Mapper {
    mapping: Arc<Mapping>,
    /// Records so far, over all inputs.
    rows: u64,
    /// By input, its columns; nothing where none of its records has come yet.
    columns: Vec<Option<csv::Columns>>,
    row: csv::Row,
    skipped: String,
    /// Texts with escapes, while a record is only checked to be JSON.
    scratch: String,
}

/// A record at first sight.
enum Seen<'s, 'r> {
    Header,
    Wrong(Fault),
    Found(Found<'s, 'r>),
}

impl Mapper {
    #[must_use]
    pub fn new(mapping: Arc<Mapping>) -> Mapper {
        Mapper {
            mapping,
            rows: 0,
            columns: Vec::new(),
            row: csv::Row::default(),
            skipped: String::new(),
            scratch: String::new(),
        }
    }

    /// How many records have been mapped, over all inputs.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Maps one record of input number `source`, and has `take` make of it what is wanted.
    ///
    /// # Errors
    /// A [`Misfit`] when the file lacks a column that the mapping names.
    #[inline]
    pub fn map_as<'a, T>(
        &'a mut self,
        source: usize,
        record: &Record<'a>,
        decoder: &'a mut Decoder,
        packs: (&TypeTable, Currency),
        take: impl FnOnce(&Decoded<'a, '_>) -> T,
    ) -> Result<Mapped<'a, T>, Misfit> {
        let found = match self.look(source, record)? {
            Seen::Header => return Ok(Mapped::Header),
            Seen::Wrong(fault) => return Ok(Mapped::Rejected(fault)),
            Seen::Found(found) => found,
        };
        let made = decoder.make(found.record, packs, |given, scratch| give(&found, given, scratch), take);
        Ok(match made {
            Ok(Ok(taken)) => Mapped::Event(taken),
            Ok(Err(fault)) => Mapped::Rejected(fault),
            Err((place, refused)) => match *refused {
                Refusal::Fault(fault) => Mapped::Rejected(fault),
                Refusal::Skip(value) => {
                    self.skipped = value;
                    Mapped::Skipped { field: self.mapping.rules[place].name.as_str(), value: &self.skipped }
                }
            },
        })
    }

    /// Looks only for when a record of input number `source` happened, whatever is wrong with the event.
    ///
    /// # Errors
    /// A [`Misfit`] when the file lacks a column that the mapping names.
    pub fn date(&mut self, source: usize, record: &Record<'_>) -> Result<Dated, Misfit> {
        let mut scratch = String::new();
        let found = match self.look(source, record)? {
            Seen::Header => return Ok(Dated::Header),
            Seen::Wrong(_) => return Ok(Dated::Unknown),
            Seen::Found(found) => found,
        };
        let mut dated = Dated::Unknown;
        let gone_through = found.each(&mut scratch, |rule, value, texts| match value {
            Value::Time(time) => dated = Dated::At(time),
            Value::Plain(Raw::Text(text)) if rule.shape == Shape::Time => {
                dated = Timestamp::parse(texts.of(text)).map_or(Dated::Unknown, Dated::At);
            }
            Value::Plain(_) => {}
        });
        Ok(if gone_through.is_ok() { dated } else { Dated::Unknown })
    }

    /// Finds a record's values.
    #[inline]
    fn look<'s, 'r>(&'s mut self, source: usize, record: &Record<'r>) -> Result<Seen<'s, 'r>, Misfit> {
        if self.columns.get(source).is_none_or(Option::is_none) && self.begin(source, record)? {
            return Ok(Seen::Header);
        }
        self.rows += 1;
        if let Some(unclosed) = record.unclosed {
            return Ok(Seen::Wrong(Fault { field: None, message: unclosed.message() }));
        }
        if record.is_oversized() {
            return Ok(Seen::Wrong(record.fault_of_size()));
        }
        let Mapper { mapping, rows, columns, row, scratch, .. } = self;
        let columns = columns.get(source).and_then(Option::as_ref);
        Ok(match cells(mapping, columns, row, record, scratch) {
            Ok((text, cells)) => Seen::Found(Found { mapping, row: record.row.unwrap_or(*rows), record: text, cells }),
            Err(fault) => Seen::Wrong(fault),
        })
    }

    /// Looks at the first record of a file; true when it names the columns.
    fn begin(&mut self, source: usize, record: &Record<'_>) -> Result<bool, Misfit> {
        let Format::Csv { header, delimiter } = self.mapping.format else {
            return Ok(false);
        };
        if header && let Some(unclosed) = record.unclosed {
            return Err(Misfit(format!("its first row cannot name columns: {}", unclosed.message())));
        }
        if header && record.is_oversized() {
            return Err(Misfit(format!("its first row has {} bytes and cannot name columns", record.total)));
        }
        let text = utf8(record.bytes).ok().map(|text| &text[mark_length(record, text)..]);
        let columns = csv::Columns::of(text, header, delimiter, &self.mapping.names)?;
        if self.columns.len() <= source {
            self.columns.resize_with(source + 1, || None);
        }
        self.columns[source] = Some(columns);
        Ok(header)
    }
}

/// The text of a record, and where its values stand in it.
#[inline]
fn cells<'s, 'r>(
    mapping: &'s Mapping,
    columns: Option<&'s csv::Columns>,
    row: &'s mut csv::Row,
    record: &Record<'r>,
    scratch: &mut String,
) -> Result<(&'r str, Cells<'s, 'r>), Fault> {
    let whole = |message: String| Fault { field: None, message };
    match mapping.format {
        Format::Csv { delimiter, .. } => {
            let text = utf8(record.bytes).map_err(whole)?;
            row.split(text, mark_length(record, text), delimiter).map_err(whole)?;
            let columns = columns.expect("its first record has come");
            columns.check(row).map_err(whole)?;
            Ok((text, Cells::Row { row, columns }))
        }
        Format::Json => {
            let text = decode::json_of(record.bytes, scratch)?;
            Ok((text, Cells::Json(mapping.pointers.find(text).map_err(whole)?)))
        }
    }
}

/// Gives the decoder what a record says, unless the record in our own JSON would be too long for any.
#[inline]
fn give(found: &Found<'_, '_>, given: &mut Given<'_, '_>, scratch: &mut String) -> Result<(), (usize, Refused)> {
    let mut most = found.mapping.json_bytes;
    found.each(scratch, |rule, value, texts| match value {
        Value::Time(time) => given.take_time(time),
        Value::Plain(raw) => {
            most += LONGEST_ESCAPE * text_of(raw, texts).len();
            given.take(rule.target, raw, texts);
        }
    })?;
    if most <= RECORD_BYTES {
        return Ok(());
    }
    match found.json_bytes(scratch)? {
        length if length <= RECORD_BYTES => Ok(()),
        length => {
            let message = format!("the record has {length} bytes; at most {RECORD_BYTES} are allowed");
            Err((0, Box::new(Refusal::Fault(Fault { field: None, message }))))
        }
    }
}

/// Bytes of the longest escape of one byte in JSON.
const LONGEST_ESCAPE: usize = "\\u0000".len();

/// A value as text; nothing where there is none.
#[inline]
fn text_of<'t>(raw: Raw, texts: &Texts<'t>) -> &'t str {
    match raw {
        Raw::Null => "",
        Raw::Bool(true) => "true",
        Raw::Bool(false) => "false",
        Raw::Number(text) | Raw::Text(text) => texts.of(text),
    }
}

/// Puts a text to the scratch space.
#[inline]
fn keep(text: &str, scratch: &mut String) -> Text {
    let start = scratch.len();
    scratch.push_str(text);
    Text::in_scratch(start, scratch.len())
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    let told = |error: std::str::Utf8Error| format!("the record is not UTF-8 from byte {} on", error.valid_up_to());
    simdutf8::basic::from_utf8(bytes).or_else(|_| std::str::from_utf8(bytes).map_err(told))
}

/// Bytes of the mark that spreadsheets begin their files with; it is no part of the first column's name.
fn mark_length(record: &Record<'_>, text: &str) -> usize {
    const MARK: char = '\u{feff}';
    if record.offset == 0 && text.starts_with(MARK) { MARK.len_utf8() } else { 0 }
}
