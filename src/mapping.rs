//! Foreign records turned into the spec's own, as a mapping file says (`--map`).
//!
//! A mapped record is canonical JSON *text* that goes through the one decoder, so that a foreign record is checked
//! exactly as a native one and the figure that somebody wrote stays the amount. A mapping moves, joins and renames; it does not
//! compute, and whatever it does not understand it rejects. Only an exponent (`1.0E7`), which no event may have, is
//! written out: that is another writing of the same number, and whatever exports tables uses it for large ones.
//!
//! What the file may say, besides the annex of the spec: `default` (a text for what is absent), `type` of an attribute
//! (`"text"`, `"number"`, `"bool"`), any `unit` with or without `start`, and `format = "parquet"`, whose fields are columns.

mod csv;
mod json;
mod load;
mod moment;

pub use load::{load, load_file};

use crate::{
    encode,
    event::{Fault, Field, decode, shown::Shown},
    files::records::{Framing, Record},
};
use moment::Moment;
use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

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
    table: BTreeMap<String, String>,
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
    /// By input, its columns; nothing where none of its records has come yet.
    columns: Vec<Option<csv::Columns>>,
    row: csv::Row,
    out: Vec<u8>,
    skipped: String,
    /// Texts with escapes, while a record is only checked to be JSON.
    scratch: String,
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
            columns: Vec::new(),
            row: csv::Row::default(),
            out: Vec::new(),
            skipped: String::new(),
            scratch: String::new(),
        }
    }

    /// How many records have been mapped, over all inputs.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Maps one record of input number `source`.
    ///
    /// # Errors
    /// A [`Misfit`] when the file lacks a column that the mapping names.
    pub fn map(&mut self, source: usize, record: &Record<'_>) -> Result<Mapped<'_>, Misfit> {
        if self.columns.get(source).is_none_or(Option::is_none) && self.begin(source, record)? {
            return Ok(Mapped::Header);
        }
        self.rows += 1;
        if let Some(unclosed) = record.unclosed {
            return Ok(Mapped::Rejected(Fault { field: None, message: unclosed.message() }));
        }
        if record.is_oversized() {
            return Ok(Mapped::Rejected(record.fault_of_size()));
        }
        let mapping = Arc::clone(&self.mapping);
        match self.build(&mapping, source, record) {
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
        let Format::Csv { header, delimiter } = self.mapping.format else {
            return Ok(false);
        };
        if header && let Some(unclosed) = record.unclosed {
            return Err(Misfit(format!("its first row cannot name columns: {}", unclosed.message())));
        }
        if header && record.is_oversized() {
            return Err(Misfit(format!("its first row has {} bytes and cannot name columns", record.total)));
        }
        let columns = csv::Columns::of(csv_text(record).ok(), header, delimiter, &self.mapping.names)?;
        if self.columns.len() <= source {
            self.columns.resize_with(source + 1, || None);
        }
        self.columns[source] = Some(columns);
        Ok(header)
    }

    fn build(&mut self, mapping: &Mapping, source: usize, record: &Record<'_>) -> Result<(), (usize, Refusal)> {
        let whole = |message: String| (0, Refusal::Fault(Fault { field: None, message }));
        let number = record.row.unwrap_or(self.rows);
        self.out.clear();
        match mapping.format {
            Format::Csv { delimiter, .. } => {
                self.row.split(csv_text(record).map_err(whole)?, delimiter).map_err(whole)?;
                let (columns, row) = (self.columns[source].as_ref().expect("its first record has come"), &self.row);
                columns.check(row).map_err(whole)?;
                let cell = |place| Ok(row.cell(columns.place(place)));
                mapping.write(number, cell, &mut self.out)
            }
            Format::Json => {
                let text =
                    decode::json_of(record.bytes, &mut self.scratch).map_err(|fault| (0, Refusal::Fault(fault)))?;
                let found = mapping.pointers.find(text).map_err(whole)?;
                let cell = |place: usize| json::cell(found[place]);
                mapping.write(number, cell, &mut self.out)
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
            match rule.write(row, &cell, out) {
                Ok(true) => before = b",",
                Ok(false) => out.truncate(start),
                Err(refusal) => return Err(self.skip_after(place, row, &cell, out).unwrap_or((place, refusal))),
            }
        }
        out.extend_from_slice(if self.attributes.is_empty() { b"}" } else { b"}}" });
        Ok(())
    }
}

impl Mapping {
    /// A record that a later rule skips is skipped, whatever is wrong with it.
    fn skip_after<'a>(
        &self,
        place: usize,
        row: u64,
        cell: &impl Fn(usize) -> Result<Cell<'a>, &'static str>,
        out: &mut Vec<u8>,
    ) -> Option<(usize, Refusal)> {
        self.rules().enumerate().skip(place + 1).find_map(|(place, rule)| match rule.write(row, cell, out) {
            Err(skip @ Refusal::Skip(_)) => Some((place, skip)),
            _ => None,
        })
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
            From::Row => {
                out.extend_from_slice(b"\"row-");
                out.extend_from_slice(itoa::Buffer::new().format(row).as_bytes());
                out.push(b'"');
            }
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
                out.extend_from_slice(json::plain(&text).as_bytes());
            }
            (Shape::Amount, _) => encode::string(&json::plain(&text), out),
            (Shape::Flag, _) if matches!(&*text, "true" | "false") => out.extend_from_slice(text.as_bytes()),
            (Shape::AttributeFlag, _) => match &*text {
                "true" | "false" => out.extend_from_slice(text.as_bytes()),
                _ => return Err(self.fault(&text, "is neither \"true\" nor \"false\"")),
            },
            (Shape::AttributeNumber, _) => {
                if !json::is_number(&text) {
                    return Err(self.fault(&text, "is not a number"));
                }
                out.extend_from_slice(json::plain(&text).as_bytes());
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
        &'a self,
        value: Cell<'a>,
        unknown: impl FnOnce(&str) -> Refusal,
    ) -> Result<Option<Cell<'a>>, Refusal> {
        let default = || self.default.as_deref().map(|text| Cell::Text(Cow::Borrowed(text)));
        let text = value.text().unwrap_or_default();
        match &self.values {
            Some(values) => match values.table.get(&*text) {
                Some(ours) => Ok(Some(Cell::Text(Cow::Borrowed(ours)))),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a mapping makes of each record of a text, one line a record.
    fn map(mapping: &str, input: &str) -> Result<Vec<String>, String> {
        let mapping = load(mapping, "map.toml").map_err(|errors| errors.render(false))?;
        let mut records = crate::files::records::Records::new(mapping.framing(), 65_536, 200_000);
        let mut mapper = Mapper::new(Arc::new(mapping));
        let mut source = input.as_bytes();
        let mut made = Vec::new();
        while !records.is_finished() {
            while let Some(record) = records.take() {
                match mapper.map(0, &record).map_err(|misfit| misfit.to_string())? {
                    Mapped::Event(event) => made.push(String::from_utf8_lossy(event).into_owned()),
                    Mapped::Skipped { field, value } => made.push(format!("skipped {field} {value}")),
                    Mapped::Rejected(fault) => made.push(format!("rejected {:?} {}", fault.field, fault.message)),
                    Mapped::Header => {}
                }
            }
            records.fill(&mut source).map_err(|error| error.to_string())?;
        }
        Ok(made)
    }

    const BARE: &str = "id = { value = \"i\" }\ntype = { value = \"t\" }\nwallet = { value = \"w\" }\n";
    const TIME: &str = "time = { value = \"2026-01-01T00:00:00Z\" }\n";

    /// One CSV row under one mapped field, without what every event has.
    fn cell(rule: &str, value: &str) -> String {
        let time = if rule.starts_with("time") { "" } else { TIME };
        let mapping = format!("format = \"csv\"\n[fields]\n{BARE}{time}{rule}\n");
        let made = map(&mapping, &format!("a,b\n{value}\n")).unwrap_or_else(|error| panic!("{rule}: {error}"));
        bare(&made[0])
    }

    /// An event without what every one has.
    fn bare(made: &str) -> String {
        let own = made.replace("\"id\":\"i\",\"type\":\"t\",", "").replace("\"time\":\"2026-01-01T00:00:00Z\",", "");
        own.replace("\"wallet\":\"w\"", "").replace("{,", "{").replace(",}", "}")
    }

    /// A rule, a row of CSV, and what becomes of it.
    const CELLS: &[(&str, &str, &str)] = &[
        ("amount = { field = \"a\" }", "12.5,", r#"{"amount":"12.5"}"#),
        ("amount = { field = \"a\" }", "1.0E7,", r#"{"amount":"10000000"}"#),
        ("amount = { field = \"a\" }", ",", "{}"),
        ("amount = { field = \"a\", default = \"0.5\" }", ",", r#"{"amount":"0.5"}"#),
        ("merchant = { field = \"a\" }", "\"a \"\"b\"\",\r\nc\",", r#"{"merchant":"a \"b\",\r\nc"}"#),
        ("merchant = { fields = [\"a\", \"b\", \"a\"], join = \"-\" }", "1,2", r#"{"merchant":"1-2-1"}"#),
        ("merchant = { fields = [\"a\", \"b\"], join = \"-\" }", "1,", "{}"),
        ("merchant = { value = \"x\" }", "1,", r#"{"merchant":"x"}"#),
        ("device = { row = true }", "1,", r#"{"device":"row-1"}"#),
        ("anonymous = { field = \"a\" }", "true,", r#"{"anonymous":true}"#),
        ("anonymous = { field = \"a\" }", "yes,", r#"{"anonymous":"yes"}"#),
        ("anonymous = { field = \"a\", values = { 1 = true, 0 = false } }", "1,", r#"{"anonymous":true}"#),
        ("country = { field = \"a\", values = { Kazakhstan = \"KZ\", \"\" = \"XX\" } }", ",", r#"{"country":"XX"}"#),
        (
            "country = { field = \"a\", values = { Kazakhstan = \"KZ\" } }",
            "Mars,",
            r#"rejected Some("country") country: "Mars" is not among the mapping's values"#,
        ),
        ("country = { field = \"a\", values = { K = \"KZ\" }, other = \"skip\" }", "M,", "skipped country M"),
        ("country = { field = \"a\", values = { K = \"KZ\" }, other = \"skip\" }", ",", "{}"),
        ("attributes.x = { field = \"a\" }", "1,", r#"{"attributes":{"x":"1"}}"#),
        ("attributes.x = { field = \"a\", type = \"number\" }", "-1.5,", r#"{"attributes":{"x":-1.5}}"#),
        (
            "attributes.x = { field = \"a\", type = \"number\" }",
            "1}",
            "rejected None the row has 1 columns; the first row of the file has 2",
        ),
        (
            "attributes.x = { field = \"a\", type = \"number\" }",
            "\"1,\"\"y\"\":2\",",
            r#"rejected Some("attributes.x") attributes.x: "1,"y":2" is not a number"#,
        ),
        ("attributes.x = { field = \"a\", type = \"bool\" }", "false,", r#"{"attributes":{"x":false}}"#),
        (
            "attributes.x = { field = \"a\", type = \"bool\" }",
            "0,",
            r#"rejected Some("attributes.x") attributes.x: "0" is neither "true" nor "false""#,
        ),
        ("attributes.x = { field = \"a\" }", ",", r#"{"attributes":{}}"#),
        (
            "attributes.\"a b\" = { field = \"a\" }\nattributes.y = { value = 7 }",
            "1,",
            r#"{"attributes":{"a b":"1","y":7}}"#,
        ),
        ("time = { field = \"a\" }", "2026-01-01T05:00:00+05:00,", r#"{"time":"2026-01-01T05:00:00+05:00"}"#),
        (
            "time = { field = \"a\", unit = \"hour\", start = 2026-01-01T00:00:00+05:00 }",
            "6,",
            r#"{"time":"2026-01-01T01:00:00Z"}"#,
        ),
        ("time = { field = \"a\", unit = \"ms\" }", "1772352930123,", r#"{"time":"2026-03-01T08:15:30.123Z"}"#),
        (
            "time = { field = \"a\", unit = \"ms\" }",
            "soon,",
            r#"rejected Some("time") time: "soon" is not a plain number of at most 18 digits"#,
        ),
        (
            "time = { fields = [\"a\", \"b\"], join = \" \", format = \"%d.%m.%Y %H:%M\", zone = \"Asia/Almaty\" }",
            "01.03.2026,13:15",
            r#"{"time":"2026-03-01T08:15:00Z"}"#,
        ),
        (
            "merchant = { field = \"a\" }",
            "\"x",
            "rejected None the quote that opens column 1 in line 2 is never closed and takes the rest of the file, 3 bytes; \
                close it, or write it twice inside a quoted cell",
        ),
    ];

    #[test]
    fn cells_become_fields() {
        for (rule, value, expected) in CELLS {
            assert_eq!(cell(rule, value), *expected, "{rule} <- {value}");
        }
    }

    #[test]
    fn what_is_skipped_is_skipped_whatever_is_wrong_with_it() {
        let mapping = "format = \"csv\"\n[fields]\nid = { row = true }\ntime = { field = \"t\", unit = \"s\" }\n\
                       wallet = { value = \"w\" }\ntype = { field = \"k\", values = { a = \"b\" }, other = \"skip\" }\n";
        let made = map(mapping, "t,k\nsoon,x\nsoon,a\n").expect("a good mapping");
        assert_eq!(made[0], "skipped type x");
        assert!(made[1].starts_with("rejected Some(\"time\")"), "{}", made[1]);
    }

    #[test]
    fn json_values_become_fields() {
        let mapping = format!(
            "format = \"json\"\n[fields]\n{BARE}{TIME}amount = {{ field = \"/sum/value\" }}\n\
             counterparty = {{ field = \"/to/0\" }}\nanonymous = {{ field = \"/vpn\" }}\n\
             attributes.x = {{ field = \"/x\" }}\nattributes.y = {{ field = \"/x\", type = \"text\" }}\n"
        );
        for (record, expected) in [
            (
                r#"{"sum":{"value":170136.0,"code":"KZT"},"to":[77,[]],"vpn":true,"x":0.100}"#,
                r#"{"counterparty":"77","amount":170136.0,"anonymous":true,"attributes":{"x":0.100,"y":"0.100"}}"#,
            ),
            (
                r#"{"sum":{"value":"5"},"to":["\u0041"],"vpn":1,"x":null}"#,
                r#"{"counterparty":"A","amount":"5","anonymous":1,"attributes":{}}"#,
            ),
            (r#"{"sum":{"value":1e5},"x":"q","z":[[{}]]}"#, r#"{"amount":100000,"attributes":{"x":"q","y":"q"}}"#),
            (r#"{"sum":5,"x":false}"#, r#"{"attributes":{"x":false,"y":"false"}}"#),
            (
                r#"{"sum":{"value":[]}}"#,
                r#"rejected Some("amount") amount: an array stands here; a text, a number, true or false is expected"#,
            ),
            (
                r#"{"x":1,"x":2}"#,
                "rejected None not JSON that can be mapped: a mapped key stands there twice at line 1 column 10",
            ),
            (
                r#"{"z":["\ud83d"]}"#,
                "rejected None not JSON: both halves of a surrogate pair is expected at byte 7, but `\\` stands there",
            ),
            (
                r#"{"z":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"#,
                "rejected None the record is nested deeper than 16 levels, the record being the first, at byte 20",
            ),
            (r#"{"x":1,"z":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}"#, r#"{"attributes":{"x":1,"y":"1"}}"#),
            ("nonsense", "rejected None not JSON: null is expected at byte 0, but `n` stands there"),
        ] {
            let made = map(&mapping, record).expect("a good mapping");
            assert_eq!(bare(&made[0]), expected, "{record}");
        }
    }

    #[test]
    fn columns_are_found_by_name_or_number() {
        let with =
            |head: &str, column: &str| format!("{head}\n[fields]\n{BARE}{TIME}merchant = {{ field = \"{column}\" }}\n");
        let merchants = |mapping: &str, input: &str| -> Result<Vec<String>, String> {
            let made = map(mapping, input)?;
            Ok(made
                .iter()
                .map(|text| match text.split_once("\"merchant\":\"") {
                    Some((_, rest)) => rest.split('"').next().expect("a value").to_owned(),
                    None => text.clone(),
                })
                .collect())
        };
        let named = with("format = \"csv\"", "shop");
        assert_eq!(merchants(&named, "\u{feff}shop,x\nA,1\n\nB,2"), Ok(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(merchants(&named, "\u{feff}\"shop\",x\nA,1"), Ok(vec!["A".to_owned()]));
        assert_eq!(
            merchants(&named, "shop\tx\n"),
            Err("it has no column \"shop\"; its columns are \"shop\\tx\"".replace("\\t", "\t"))
        );
        assert_eq!(merchants(&named, "x,shop,shop\n"), Err("two of its columns are called \"shop\"".to_owned()));
        assert_eq!(merchants(&named, ""), Ok(vec![]));
        let numbered = with("format = \"csv\"\nheader = false\ndelimiter = \";\"", "2");
        assert_eq!(merchants(&numbered, "a;b\nc;d\n"), Ok(vec!["b".to_owned(), "d".to_owned()]));
        assert_eq!(merchants(&numbered, "a\n"), Err("it has no column 2; its first row has 1".to_owned()));
        let long = format!("shop\n{}\nB\n", "x".repeat(70_000));
        assert_eq!(
            merchants(&named, &long),
            Ok(vec!["rejected None the record has 70000 bytes; at most 65536 are allowed".to_owned(), "B".to_owned()])
        );
    }

    #[test]
    fn rows_are_numbered_over_all_files() {
        let mapping =
            format!("format = \"csv\"\n[fields]\n{}{TIME}", BARE.replace("{ value = \"i\" }", "{ row = true }"));
        let mut mapper = Mapper::new(Arc::new(load(&mapping, "map.toml").expect("a good mapping")));
        let mut ids = Vec::new();
        for source in 0..2 {
            for bytes in [b"a,b", b"1,2", b"3,4"] {
                let record = Record { bytes, total: 3, line: 1, offset: 1, unclosed: None, row: None, logged: None };
                if let Mapped::Event(event) = mapper.map(source, &record).expect("no column is named") {
                    ids.push(String::from_utf8_lossy(&event[6..13]).trim_matches('"').to_owned());
                }
            }
        }
        assert_eq!(ids, ["row-1", "row-2", "row-3", "row-4"]);
    }
}
