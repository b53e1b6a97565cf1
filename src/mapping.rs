//! Foreign records turned into the spec's own, as a mapping file says (`--map`).
//!
//! A mapped record is canonical JSON *text* that goes through the one decoder, so that a foreign record is checked exactly as a
//! native one and the figure that somebody wrote stays the amount. A mapping moves, joins and renames; it does not
//! compute, and whatever it does not understand it rejects.
//!
//! What the file may say, besides the annex of the spec: `default` (a text for what is absent), `type` of an attribute
//! (`"text"`, `"number"`, `"bool"`), and any `unit` with or without `start`.

mod csv;
mod json;
mod load;
mod moment;

pub use load::{load, load_file};

use crate::{
    encode,
    event::{Fault, Field, shown::Shown},
    files::records::{Framing, Record},
};
use moment::Moment;
use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc};

/// A mapping file, checked.
#[derive(Debug)]
pub struct Mapping {
    format: Format,
    /// The columns or JSON Pointers in use, each once; rules name them by place.
    names: Vec<String>,
    pointers: json::Pointers,
    /// The known fields.
    fields: Vec<FieldRule>,
    attributes: Vec<FieldRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv { header: bool, delimiter: u8 },
    Json,
}

/// How one field of an event is made.
#[derive(Debug)]
struct FieldRule {
    /// As faults and the summary name it.
    name: String,
    /// `"name":`
    key: Vec<u8>,
    shape: Shape,
    from: From,
}

/// What a field's text becomes in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
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
enum From {
    /// The number of the record, from 1, over all inputs.
    Row,
    /// JSON text.
    Constant(Vec<u8>),
    Foreign(Foreign),
}

/// A field that is made of foreign ones.
#[derive(Debug)]
struct Foreign {
    /// Places in [`Mapping::names`].
    parts: Vec<usize>,
    join: String,
    values: Option<Values>,
    default: Option<String>,
    /// For a time.
    moment: Moment,
}

/// Foreign words and ours.
#[derive(Debug)]
struct Values {
    table: HashMap<String, String>,
    /// What becomes of a record with another word.
    other: Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Other {
    #[default]
    Reject,
    Skip,
}

impl Mapping {
    /// How the files that it is made for are cut into records.
    #[must_use]
    pub fn framing(&self) -> Framing {
        match self.format {
            Format::Csv { delimiter, .. } => Framing::Csv { delimiter },
            Format::Json => Framing::Lines,
        }
    }
}

/// One foreign value.
#[derive(Clone, Debug, PartialEq)]
enum Cell<'a> {
    Absent,
    Text(Cow<'a, str>),
    /// A JSON number, as it is written.
    Number(&'a str),
    Flag(bool),
}

impl<'a> Cell<'a> {
    /// Its text, whatever it is; nothing when it is absent.
    fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Cell::Absent => None,
            Cell::Text(text) => Some(text.clone()),
            Cell::Number(text) => Some(Cow::Borrowed(text)),
            Cell::Flag(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        }
    }
}

/// What a mapping makes of a record.
#[derive(Debug, PartialEq)]
pub enum Mapped<'a> {
    /// A record of the spec's own.
    Event(&'a [u8]),
    Skipped {
        field: &'a str,
        value: &'a str,
    },
    Rejected(Fault),
    /// The line that names the columns.
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
    /// The input that the columns belong to.
    source: Option<usize>,
    columns: csv::Columns,
    row: csv::Row,
    out: Vec<u8>,
    skipped: String,
}

/// Why a record makes no event.
enum Refusal {
    Fault(Fault),
    /// The word that the mapping says to skip.
    Skip(String),
}

impl Mapper {
    #[must_use]
    pub fn new(mapping: Arc<Mapping>) -> Mapper {
        Mapper {
            mapping,
            rows: 0,
            source: None,
            columns: csv::Columns::default(),
            row: csv::Row::default(),
            out: Vec::new(),
            skipped: String::new(),
        }
    }

    /// Maps one record of input number `source`.
    ///
    /// # Errors
    /// A [`Misfit`] when the file lacks a column that the mapping names.
    pub fn map(&mut self, source: usize, record: &Record<'_>) -> Result<Mapped<'_>, Misfit> {
        if self.source != Some(source) && self.begin(source, record)? {
            return Ok(Mapped::Header);
        }
        self.rows += 1;
        if record.is_oversized() {
            return Ok(Mapped::Rejected(record.fault_of_size()));
        }
        let mapping = Arc::clone(&self.mapping);
        match self.build(&mapping, record) {
            Ok(()) => Ok(Mapped::Event(&self.out)),
            Err((_, Refusal::Fault(fault))) => Ok(Mapped::Rejected(fault)),
            Err((place, Refusal::Skip(value))) => {
                self.skipped = value;
                let field = self.mapping.rules().nth(place).map_or("", |rule| rule.name.as_str());
                Ok(Mapped::Skipped { field, value: &self.skipped })
            }
        }
    }

    /// Looks at the first record of a file; true when it names the columns.
    fn begin(&mut self, source: usize, record: &Record<'_>) -> Result<bool, Misfit> {
        self.source = Some(source);
        let Format::Csv { header, delimiter } = self.mapping.format else {
            return Ok(false);
        };
        if header && record.is_oversized() {
            return Err(Misfit(format!("its first row has {} bytes and cannot name columns", record.total)));
        }
        self.columns = csv::Columns::of(csv_text(record).ok(), header, delimiter, &self.mapping.names)?;
        Ok(header)
    }

    fn build(&mut self, mapping: &Mapping, record: &Record<'_>) -> Result<(), (usize, Refusal)> {
        let whole = |message: String| (0, Refusal::Fault(Fault { field: None, message }));
        self.out.clear();
        match mapping.format {
            Format::Csv { delimiter, .. } => {
                self.row.split(csv_text(record).map_err(whole)?, delimiter).map_err(whole)?;
                self.columns.check(&self.row).map_err(whole)?;
                let (columns, row) = (&self.columns, &self.row);
                let cell = |place| Ok(row.cell(columns.place(place)));
                mapping.write(self.rows, cell, &mut self.out)
            }
            Format::Json => {
                let text = utf8(record.bytes).map_err(whole)?;
                let found = mapping.pointers.find(text).map_err(whole)?;
                let cell = |place: usize| json::cell(found[place]);
                mapping.write(self.rows, cell, &mut self.out)
            }
        }
    }
}

impl Mapping {
    fn rules(&self) -> impl Iterator<Item = &FieldRule> {
        self.fields.iter().chain(&self.attributes)
    }

    /// Writes the event; an error names the rule by its place.
    fn write<'a>(
        &self,
        row: u64,
        cell: impl Fn(usize) -> Result<Cell<'a>, &'static str>,
        out: &mut Vec<u8>,
    ) -> Result<(), (usize, Refusal)> {
        out.push(b'{');
        let mut before: &[u8] = b"";
        for (place, rule) in self.rules().enumerate() {
            if place == self.fields.len() {
                out.extend_from_slice(before);
                out.extend_from_slice(b"\"attributes\":{");
                before = b"";
            }
            let start = out.len();
            out.extend_from_slice(before);
            out.extend_from_slice(&rule.key);
            if rule.write(row, &cell, out).map_err(|refusal| (place, refusal))? {
                before = b",";
            } else {
                out.truncate(start);
            }
        }
        out.extend_from_slice(if self.attributes.is_empty() { b"}" } else { b"}}" });
        Ok(())
    }
}

impl FieldRule {
    fn new(field: &Field, shape: Shape, from: From) -> FieldRule {
        let name = field.name().into_owned();
        let mut key = Vec::new();
        encode::string(name.strip_prefix("attributes.").unwrap_or(&name), &mut key);
        key.push(b':');
        FieldRule { name, key, shape, from }
    }

    /// Writes the value; false when the record has none.
    fn write<'a>(
        &self,
        row: u64,
        cell: &impl Fn(usize) -> Result<Cell<'a>, &'static str>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Refusal> {
        match &self.from {
            From::Row => out.extend_from_slice(format!("\"row-{row}\"").as_bytes()),
            From::Constant(json) => out.extend_from_slice(json),
            From::Foreign(foreign) => {
                let value = foreign.value(cell).map_err(|why| self.refuse(why))?;
                let Some(value) = foreign.translated(value, |text| self.unknown(text, foreign))? else {
                    return Ok(false);
                };
                self.write_value(value, &foreign.moment, out)?;
            }
        }
        Ok(true)
    }

    /// A word that `values` does not list.
    fn unknown(&self, text: &str, foreign: &Foreign) -> Refusal {
        match foreign.values.as_ref().map(|values| values.other) {
            Some(Other::Skip) => Refusal::Skip(text.to_owned()),
            _ => self.fault(text, "is not among the mapping's values"),
        }
    }

    fn write_value(&self, value: Cell<'_>, moment: &Moment, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let text = value.text().unwrap_or_default();
        match (self.shape, &value) {
            (Shape::Time, _) => {
                let time = moment.read(&text).map_err(|why| self.fault(&text, &why))?;
                match time {
                    Some(time) => {
                        out.push(b'"');
                        time.write(out);
                        out.push(b'"');
                    }
                    None => encode::string(&text, out),
                }
            }
            (Shape::Amount | Shape::Attribute | Shape::Flag, Cell::Number(_) | Cell::Flag(_)) => {
                out.extend_from_slice(text.as_bytes());
            }
            (Shape::Flag, _) if matches!(&*text, "true" | "false") => out.extend_from_slice(text.as_bytes()),
            (Shape::AttributeFlag, _) => match &*text {
                "true" | "false" => out.extend_from_slice(text.as_bytes()),
                _ => return Err(self.fault(&text, "is neither \"true\" nor \"false\"")),
            },
            (Shape::AttributeNumber, _) => {
                if !json::is_number(&text) {
                    return Err(self.fault(&text, "is not a number"));
                }
                out.extend_from_slice(text.as_bytes());
            }
            _ => encode::string(&text, out),
        }
        Ok(())
    }

    fn fault(&self, value: &str, why: &str) -> Refusal {
        self.refuse(&format!("\"{}\" {why}", Shown(value)))
    }

    fn refuse(&self, why: &str) -> Refusal {
        let message = format!("{}: {why}", Shown(&self.name));
        Refusal::Fault(Fault { field: Some(self.name.clone()), message })
    }
}

impl Foreign {
    /// The foreign value, or several joined; absent when any of them is.
    fn value<'a>(&self, cell: &impl Fn(usize) -> Result<Cell<'a>, &'static str>) -> Result<Cell<'a>, &'static str> {
        if let [only] = self.parts[..] {
            return cell(only);
        }
        let mut joined = String::new();
        for (place, part) in self.parts.iter().enumerate() {
            let value = cell(*part)?;
            let Some(text) = value.text().filter(|text| !text.is_empty()) else {
                return Ok(Cell::Absent);
            };
            if place > 0 {
                joined.push_str(&self.join);
            }
            joined.push_str(&text);
        }
        Ok(Cell::Text(Cow::Owned(joined)))
    }

    /// In our own words; nothing where there is no value.
    fn translated<'a>(
        &self,
        value: Cell<'a>,
        unknown: impl FnOnce(&str) -> Refusal,
    ) -> Result<Option<Cell<'a>>, Refusal> {
        let default = || self.default.clone().map(|text| Cell::Text(Cow::Owned(text)));
        let text = value.text().unwrap_or_default();
        match &self.values {
            Some(values) => match values.table.get(&*text) {
                Some(ours) => Ok(Some(Cell::Text(Cow::Owned(ours.clone())))),
                None if value == Cell::Absent => Ok(default()),
                None => Err(unknown(&text)),
            },
            None if value == Cell::Absent => Ok(default()),
            None => Ok(Some(value)),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| format!("the record is not UTF-8 from byte {} on", error.valid_up_to()))
}

/// A row's text. Spreadsheets begin their files with a byte order mark, which is no part of the first column's name.
fn csv_text<'a>(record: &Record<'a>) -> Result<&'a str, String> {
    let text = utf8(record.bytes)?;
    let unmarked = if record.offset == 0 { text.strip_prefix('\u{feff}') } else { None };
    Ok(unmarked.unwrap_or(text))
}
