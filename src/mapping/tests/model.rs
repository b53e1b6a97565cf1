//! The slow way from a foreign record to an event: written as the spec's own JSON, which is then decoded.

use crate::{
    encode,
    event::{Fault, decode, shown::Shown},
    files::records::Record,
    limits,
    mapping::{
        Format, Mapping, json,
        rule::{Constant, FieldRule, Foreign, From, Other, Shape},
    },
};

/// What is made of a record.
pub enum Made {
    Json(Vec<u8>),
    Rejected(Fault),
    Skipped { field: String, value: String },
    Header,
}

/// A mapping, and what it knows of its only file.
pub struct Model<'m> {
    pub mapping: &'m Mapping,
    pub titles: Option<Vec<String>>,
    pub rows: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Absent,
    Text(String),
    Number(String),
    Flag(bool),
}

impl Cell {
    fn text(&self) -> Option<String> {
        match self {
            Cell::Absent => None,
            Cell::Text(text) | Cell::Number(text) => Some(text.clone()),
            Cell::Flag(flag) => Some(flag.to_string()),
        }
    }
}

enum Refusal {
    Fault(Fault),
    Skip(String),
}

type Cells<'c> = &'c dyn Fn(usize) -> Result<Cell, &'static str>;

impl Model<'_> {
    pub fn map(&mut self, record: &Record<'_>) -> Made {
        if let (None, Format::Csv { header, delimiter }) = (&self.titles, self.mapping.format) {
            let cells = csv_text(record).and_then(|text| split(&text, delimiter)).unwrap_or_default();
            let numbers = (1..=cells.len()).map(|number| number.to_string()).collect();
            self.titles = Some(if header { cells } else { numbers });
            if header {
                return Made::Header;
            }
        }
        self.rows += 1;
        let whole = |message: String| Made::Rejected(Fault { field: None, message });
        if let Some(unclosed) = record.unclosed {
            return whole(unclosed.message());
        }
        if record.is_oversized() {
            return Made::Rejected(record.fault_of_size());
        }
        let mut out = Vec::new();
        let written = match self.mapping.format {
            Format::Csv { delimiter, .. } => {
                let titles = self.titles.as_ref().expect("its first record has come");
                let row = match csv_text(record).and_then(|text| split(&text, delimiter)) {
                    Ok(row) => row,
                    Err(message) => return whole(message),
                };
                if row.len() != titles.len() {
                    let (found, expected) = (row.len(), titles.len());
                    return whole(format!("the row has {found} columns; the first row of the file has {expected}"));
                }
                let cell = |name: usize| {
                    let place = titles.iter().position(|title| *title == self.mapping.names[name]);
                    Ok(match row[place.expect("the mapping fits")].as_str() {
                        "" => Cell::Absent,
                        text => Cell::Text(text.to_owned()),
                    })
                };
                write(self.mapping, self.rows, &cell, &mut out)
            }
            Format::Json => {
                let mut scratch = String::new();
                let text = match decode::json_of(record.bytes, &mut scratch) {
                    Ok(text) => text,
                    Err(fault) => return Made::Rejected(fault),
                };
                let found = match self.mapping.pointers.find(text) {
                    Ok(found) => found,
                    Err(message) => return whole(message),
                };
                write(self.mapping, self.rows, &|place| json_cell(found[place]), &mut out)
            }
        };
        match written {
            Ok(()) => Made::Json(out),
            Err((_, Refusal::Fault(fault))) => Made::Rejected(fault),
            Err((place, Refusal::Skip(value))) => {
                Made::Skipped { field: self.mapping.rules[place].name.clone(), value }
            }
        }
    }
}

fn csv_text(record: &Record<'_>) -> Result<String, String> {
    let text = std::str::from_utf8(record.bytes)
        .map_err(|error| format!("the record is not UTF-8 from byte {} on", error.valid_up_to()))?;
    Ok(if record.offset == 0 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text }.to_owned())
}

/// Splits a row, given without its line end.
fn split(row: &str, delimiter: u8) -> Result<Vec<String>, String> {
    let delimiter = char::from(delimiter);
    let mut cells: Vec<String> = Vec::new();
    let mut rest = row;
    loop {
        let mut cell = String::new();
        match rest.strip_prefix('"') {
            Some(mut quoted) => loop {
                let Some((before, after)) = quoted.split_once('"') else {
                    return Err(format!("the quote that opens column {} is never closed", cells.len() + 1));
                };
                cell.push_str(before);
                rest = after;
                match after.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        quoted = more;
                    }
                    None => break,
                }
            },
            None => {
                let stop = rest.find(delimiter).unwrap_or(rest.len());
                cell.push_str(&rest[..stop]);
                rest = &rest[stop..];
            }
        }
        cells.push(cell);
        if cells.len() > limits::CSV_COLUMNS {
            return Err(format!("the row has more than {} columns", limits::CSV_COLUMNS));
        }
        match rest.strip_prefix(delimiter) {
            _ if rest.is_empty() => return Ok(cells),
            Some(after) => rest = after,
            None => return Err(format!("text follows the closing quote of column {}", cells.len())),
        }
    }
}

fn json_cell(found: Option<&str>) -> Result<Cell, &'static str> {
    let Some(text) = found else { return Ok(Cell::Absent) };
    match text.as_bytes()[0] {
        b'{' => Err("an object stands here; a text, a number, true or false is expected"),
        b'[' => Err("an array stands here; a text, a number, true or false is expected"),
        b'n' => Ok(Cell::Absent),
        b't' => Ok(Cell::Flag(true)),
        b'f' => Ok(Cell::Flag(false)),
        b'"' => Ok(Cell::Text(serde_json::from_str(text).expect("it has been checked"))),
        _ => Ok(Cell::Number(text.to_owned())),
    }
}

/// Writes the event; an error names the rule by its place.
fn write(mapping: &Mapping, row: u64, cell: Cells<'_>, out: &mut Vec<u8>) -> Result<(), (usize, Refusal)> {
    let attributes = mapping.rules.iter().position(|rule| rule.name.starts_with("attributes."));
    out.push(b'{');
    let mut before: &[u8] = b"";
    for (place, rule) in mapping.rules.iter().enumerate() {
        if attributes == Some(place) {
            out.extend_from_slice(before);
            out.extend_from_slice(b"\"attributes\":{");
            before = b"";
        }
        let mut value = Vec::new();
        match write_rule(rule, row, cell, &mut value) {
            Ok(true) => {
                out.extend_from_slice(before);
                encode::string(rule.name.strip_prefix("attributes.").unwrap_or(&rule.name), out);
                out.push(b':');
                out.extend_from_slice(&value);
                before = b",";
            }
            Ok(false) => {}
            Err(refusal) => {
                let rest = mapping.rules.iter().enumerate().skip(place + 1);
                let mut skips = rest.filter_map(|(place, rule)| match write_rule(rule, row, cell, &mut Vec::new()) {
                    Err(skip @ Refusal::Skip(_)) => Some((place, skip)),
                    _ => None,
                });
                return Err(skips.next().unwrap_or((place, refusal)));
            }
        }
    }
    out.extend_from_slice(if attributes.is_some() { b"}}" } else { b"}" });
    Ok(())
}

fn write_rule(rule: &FieldRule, row: u64, cell: Cells<'_>, out: &mut Vec<u8>) -> Result<bool, Refusal> {
    let refuse = |why: &str| {
        let message = format!("{}: {why}", Shown(&rule.name));
        Refusal::Fault(Fault { field: Some(rule.name.clone()), message })
    };
    let fault = |value: &str, why: &str| refuse(&format!("\"{}\" {why}", Shown(value)));
    let foreign = match &rule.from {
        From::Row => {
            encode::string(&format!("row-{row}"), out);
            return Ok(true);
        }
        From::Constant(constant) => {
            match constant {
                Constant::Text(text) => encode::string(text, out),
                Constant::Number(text) => out.extend_from_slice(text.as_bytes()),
                Constant::Flag(flag) => out.extend_from_slice(flag.to_string().as_bytes()),
            }
            return Ok(true);
        }
        From::Foreign(foreign) => foreign,
    };
    let mut value = foreign_value(foreign, cell).map_err(refuse)?;
    let text = value.text().unwrap_or_default();
    let known = foreign.values.as_ref().and_then(|values| values.table.get(&text));
    match (&foreign.values, known, &value, &foreign.default) {
        (_, Some(ours), _, _) => value = Cell::Text(ours.clone()),
        (_, None, Cell::Absent, Some(default)) => value = Cell::Text(default.clone()),
        (_, None, Cell::Absent, None) => return Ok(false),
        (Some(values), None, _, _) if values.other == Other::Skip => return Err(Refusal::Skip(text)),
        (Some(_), None, _, _) => return Err(fault(&text, "is not among the mapping's values")),
        (None, None, _, _) => {}
    }
    let text = value.text().expect("what is absent has gone");
    let plain = json::plain(&text).unwrap_or_else(|| text.clone());
    match (rule.shape, &value) {
        (Shape::Time, _) => match foreign.moment.read(&text).map_err(|why| fault(&text, &why))? {
            Some(time) => encode::string(&time.to_string(), out),
            None => encode::string(&text, out),
        },
        (Shape::Amount | Shape::Attribute | Shape::Flag, Cell::Number(_) | Cell::Flag(_)) => {
            out.extend_from_slice(plain.as_bytes());
        }
        (Shape::Amount, _) => encode::string(&plain, out),
        (Shape::Flag | Shape::AttributeFlag, _) if text == "true" || text == "false" => {
            out.extend_from_slice(text.as_bytes());
        }
        (Shape::AttributeFlag, _) => return Err(fault(&text, "is neither \"true\" nor \"false\"")),
        (Shape::AttributeNumber, _) => {
            // `serde_json` takes blanks around a number.
            let is_bare =
                text.trim() == text && text.starts_with(|letter: char| letter == '-' || letter.is_ascii_digit());
            if !is_bare || serde_json::from_str::<&serde_json::value::RawValue>(&text).is_err() {
                return Err(fault(&text, "is not a number"));
            }
            out.extend_from_slice(plain.as_bytes());
        }
        (_, Cell::Number(_)) => encode::string(&plain, out),
        _ => encode::string(&text, out),
    }
    Ok(true)
}

/// The foreign value, or several joined; absent when any of them is.
fn foreign_value(foreign: &Foreign, cell: Cells<'_>) -> Result<Cell, &'static str> {
    if let [only] = foreign.parts[..] {
        return cell(only);
    }
    let mut texts = Vec::new();
    for part in &foreign.parts {
        match cell(*part)?.text() {
            Some(text) if !text.is_empty() => texts.push(text),
            _ => return Ok(Cell::Absent),
        }
    }
    Ok(Cell::Text(texts.join(&foreign.join)))
}
