//! A mapping file read and checked: every error at once, each with its line and column and what to write instead.

use super::{
    Format, Mapping, json, moment,
    rule::{Constant, FieldRule, Foreign, From, Other, Shape, Values},
};
use crate::{
    event::{Field, FieldType},
    limits,
    rules::diagnostic::{Diagnostic, Diagnostics, Source, closest},
    time::Timestamp,
    wording,
};
use moment::Moment;
use std::{collections::BTreeMap, io::Read, ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Reads a mapping file.
///
/// # Errors
/// A file that cannot be read, or everything that is wrong in it.
pub fn load_file(path: &Path) -> Result<Mapping, Diagnostics> {
    let name = path.to_string_lossy().into_owned();
    let longest = limits::MAPPING_BYTES as u64;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(longest + 1).read_to_string(&mut text));
    let why = match read {
        Ok(_) if text.len() as u64 <= longest => return load(&text, &name),
        Ok(_) => format!("{name} is longer than the {longest} bytes that a mapping may have"),
        Err(error) => format!("{name} cannot be read: {}", wording::unreadable(&error)),
    };
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(Diagnostic::error(why).help("name a mapping: a TOML file"));
    Err(diagnostics)
}

/// Reads the text of a mapping; `name` is for messages.
///
/// # Errors
/// Everything that is wrong in it.
pub fn load(text: &str, name: &str) -> Result<Mapping, Diagnostics> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut found = Findings::default();
    for error in &syntax {
        found.add(error.span().unwrap_or_default(), error.message());
    }
    // What is left of a file that is not TOML would only bring up errors that are none.
    let mapping = if syntax.is_empty() { found.mapping(document.get_ref()) } else { None };
    match mapping {
        Some(mapping) if found.problems.is_empty() => Ok(mapping),
        _ => {
            let source = Source { path: name.to_owned(), text: text.to_owned() };
            let mut diagnostics = Diagnostics { sources: vec![source], list: Vec::new() };
            for (span, message) in found.problems {
                diagnostics.push(Diagnostic::error(message).at(0, span, ""));
            }
            diagnostics.sort();
            Err(diagnostics)
        }
    }
}

type Value<'i> = Spanned<DeValue<'i>>;

/// A table of the file, with the place of its own.
struct Table<'t, 'i> {
    entries: &'t DeTable<'i>,
    span: Range<usize>,
}

impl<'t, 'i> Table<'t, 'i> {
    fn get(&self, key: &str) -> Option<&'t Value<'i>> {
        self.entries.get(key)
    }

    fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }
}

const TOP_KEYS: [&str; 4] = ["format", "header", "delimiter", "fields"];
const SOURCES: [&str; 4] = ["row", "value", "field", "fields"];

/// What has been found wrong so far.
#[derive(Default)]
struct Findings {
    problems: Vec<(Range<usize>, String)>,
    /// The foreign names that rules use, each once, with the place of its first use.
    names: Vec<(String, Range<usize>)>,
}

impl Findings {
    fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push((span, message.into()));
    }

    fn mapping(&mut self, document: &DeTable<'_>) -> Option<Mapping> {
        let top = Table { entries: document, span: 0..0 };
        self.only(&top, &TOP_KEYS, "a mapping has");
        let format = self.format(&top);
        let (mut fields, mut attributes) = (Vec::new(), Vec::new());
        match top.get("fields").map(|value| (value.get_ref(), value.span())) {
            Some((DeValue::Table(entries), span)) => {
                let table = Table { entries, span };
                self.fields(&table, &mut fields, &mut attributes);
                self.check_required(&table);
            }
            Some((other, span)) => self.add(span, format!("`fields` is a table, not {}", other.type_str())),
            None => self.add(0..0, "the section [fields] is missing"),
        }
        let (format, is_table) = format?;
        if is_table {
            self.point_at_columns();
        }
        fields.sort_by_key(|rule: &FieldRule| Field::KNOWN.iter().position(|field| field.name() == rule.name));
        attributes.sort_by(|one: &FieldRule, other| one.name.cmp(&other.name));
        let mut labels = String::new();
        for rule in &mut attributes {
            rule.label(&mut labels);
        }
        self.check_names(format);
        let names: Vec<String> = std::mem::take(&mut self.names).into_iter().map(|(name, _)| name).collect();
        let pointers = match format {
            Format::Json => json::Pointers::new(names.iter().map(String::as_str)),
            Format::Csv { .. } => json::Pointers::default(),
        };
        fields.append(&mut attributes);
        let json_bytes = fields.iter().map(FieldRule::json_bytes).sum();
        Some(Mapping { format, of_tables: is_table, names, pointers, rules: fields, labels, json_bytes })
    }

    /// Refuses keys that are not among `known`.
    fn only(&mut self, table: &Table<'_, '_>, known: &[&str], whose: &str) {
        for key in table.entries.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let meant = closest(key.get_ref(), known.iter().copied());
                let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
                self.add(key.span(), format!("unknown key `{}`; {meant}{whose} {}", key.get_ref(), listed(known)));
            }
        }
    }

    /// What the files are; and whether they are tables, whose columns are called by their names and whose rows come as JSON.
    fn format(&mut self, top: &Table<'_, '_>) -> Option<(Format, bool)> {
        let header = self.flag(top, "header");
        let delimiter = self.delimiter(top);
        let Some(format) = top.get("format") else {
            self.add(0..0, "`format` is missing; write format = \"csv\", \"json\" or \"parquet\"");
            return None;
        };
        match format.get_ref().as_str() {
            Some("csv") => {
                let (header, delimiter) = (header.unwrap_or(true), delimiter.unwrap_or(b','));
                Some((Format::Csv { header, delimiter }, false))
            }
            Some(name @ ("json" | "parquet")) => {
                for key in ["header", "delimiter"] {
                    if let Some(value) = top.get(key) {
                        self.add(value.span(), format!("`{key}` is for csv only; remove it"));
                    }
                }
                Some((Format::Json, name == "parquet"))
            }
            _ => {
                self.add(format.span(), "`format` is \"csv\", \"json\" or \"parquet\"");
                None
            }
        }
    }

    fn delimiter(&mut self, top: &Table<'_, '_>) -> Option<u8> {
        let text = self.text(top, "delimiter")?;
        match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
            _ => {
                let span = top.get("delimiter").map(Spanned::span).unwrap_or_default();
                self.add(span, "`delimiter` is one ASCII character, such as \",\", \";\" or \"\\t\"");
                None
            }
        }
    }

    fn fields(&mut self, table: &Table<'_, '_>, fields: &mut Vec<FieldRule>, attributes: &mut Vec<FieldRule>) {
        for (key, value) in table.entries {
            let name = key.get_ref().as_ref();
            if name == "attributes" {
                match value.get_ref() {
                    DeValue::Table(entries) => {
                        for (key, value) in entries {
                            let field = Field::Attribute(key.get_ref().as_ref().into());
                            attributes.extend(self.rule(&field, value));
                        }
                    }
                    _ => {
                        self.add(value.span(), "attributes are mapped one by one: attributes.name = { field = \"…\" }")
                    }
                }
                continue;
            }
            match Field::parse(name) {
                Some(field @ Field::Attribute(_)) => attributes.extend(self.rule(&field, value)),
                Some(field) => fields.extend(self.rule(&field, value)),
                None => {
                    let known: Vec<_> = Field::KNOWN.iter().map(|field| field.name().into_owned()).collect();
                    let known: Vec<_> = known.iter().map(String::as_str).collect();
                    let help = format!("events have {} and attributes.name", listed(&known));
                    self.add(key.span(), format!("no field of an event is called `{name}`; {help}"));
                }
            }
        }
    }

    fn check_required(&mut self, table: &Table<'_, '_>) {
        for field in ["id", "type", "time", "wallet"] {
            if !table.has(field) {
                let message =
                    format!("`{field}` is not mapped, and every event needs it; add {field} = {{ field = \"…\" }}");
                self.add(table.span.clone(), message);
            }
        }
    }

    /// A rule for one field; nothing when something is wrong with it.
    fn rule(&mut self, field: &Field, value: &Value<'_>) -> Option<FieldRule> {
        let before = self.problems.len();
        let DeValue::Table(entries) = value.get_ref() else {
            self.add(
                value.span(),
                "a field is mapped by a table, such as { field = \"column\" } or { value = \"constant\" }",
            );
            return None;
        };
        let table = Table { entries, span: value.span() };
        let sources: Vec<_> = SOURCES.into_iter().filter(|source| table.has(source)).collect();
        let from = match sources[..] {
            ["row"] => self.row(field, &table),
            ["value"] => self.constant(field, &table),
            ["field"] => self.foreign(field, &table, false),
            ["fields"] => self.foreign(field, &table, true),
            _ => {
                self.only(&table, &all_keys(), "a field is mapped with");
                self.add(table.span, "a field is mapped by exactly one of `field`, `fields`, `row` and `value`");
                None
            }
        }?;
        let shape = self.shape(field, value);
        (self.problems.len() == before).then(|| FieldRule::new(field, shape, from))
    }

    fn row(&mut self, field: &Field, table: &Table<'_, '_>) -> Option<From> {
        self.only(table, &["row"], "a field that is the row's number has only");
        if !matches!(field.value_type(), FieldType::Text | FieldType::Any) {
            self.add(table.span.clone(), "a row's number is a text such as \"row-17\", which this field cannot hold");
        }
        if self.flag(table, "row")? {
            return Some(From::Row);
        }
        self.add(table.span.clone(), "`row` can only be true");
        None
    }

    fn constant(&mut self, field: &Field, table: &Table<'_, '_>) -> Option<From> {
        self.only(table, &["value"], "a constant field has only");
        let value = table.get("value")?;
        let constant = match (field.value_type(), value.get_ref()) {
            (_, DeValue::String(text)) => Constant::Text(text.clone().into_owned()),
            (FieldType::Bool | FieldType::Any, DeValue::Boolean(flag)) => Constant::Flag(*flag),
            (FieldType::Number | FieldType::Any, DeValue::Integer(number)) => {
                // TOML writes whole numbers in other bases too.
                let value = i128::from_str_radix(number.as_str(), number.radix());
                Constant::Number(value.map_or_else(|_| number.to_string(), |value| value.to_string()))
            }
            (kind, other) => {
                let expected = match kind {
                    FieldType::Bool => "true or false",
                    FieldType::Number => "a text or a whole number",
                    FieldType::Any => "a text, a whole number, true or false",
                    FieldType::Text | FieldType::Time => "a text",
                };
                let found = other.type_str();
                self.add(value.span(), format!("the value of `{}` is {expected}, not {found}", field.name()));
                return None;
            }
        };
        Some(From::Constant(constant))
    }

    fn foreign(&mut self, field: &Field, table: &Table<'_, '_>, several: bool) -> Option<From> {
        self.only(table, &foreign_keys(field, several), &format!("`{}` is mapped with", field.name()));
        let parts = if several { self.parts(table) } else { self.part(table.get("field")?).into_iter().collect() };
        let join = if several { self.text(table, "join") } else { None };
        if several && !table.has("join") {
            self.add(table.span.clone(), "`join` is missing: what stands between the joined texts, such as \"-\"");
        }
        let moment = if *field == Field::Time { self.moment(table) } else { Moment::Rfc3339 };
        let values = self.values(table);
        let default = self.text(table, "default").map(str::to_owned);
        Some(From::Foreign(Foreign { parts, join: join.unwrap_or_default().to_owned(), values, default, moment }))
    }

    fn parts(&mut self, table: &Table<'_, '_>) -> Vec<usize> {
        let Some(list) = table.get("fields") else {
            return Vec::new();
        };
        match list.get_ref().as_array() {
            Some(items) if items.len() > limits::MAPPED_PARTS => {
                let most = limits::MAPPED_PARTS;
                self.add(list.span(), format!("`fields` has {} names; at most {most} are allowed", items.len()));
                Vec::new()
            }
            Some(items) if !items.is_empty() => items.iter().filter_map(|item| self.part(item)).collect(),
            _ => {
                self.add(list.span(), "`fields` is a list of at least one name, such as [\"a\", \"b\"]");
                Vec::new()
            }
        }
    }

    /// The place of a foreign name.
    fn part(&mut self, name: &Value<'_>) -> Option<usize> {
        let Some(text) = name.get_ref().as_str() else {
            self.add(name.span(), "a column or JSON Pointer is a text");
            return None;
        };
        let known = self.names.iter().position(|(name, _)| name == text);
        Some(known.unwrap_or_else(|| {
            self.names.push((text.to_owned(), name.span()));
            self.names.len() - 1
        }))
    }

    fn values(&mut self, table: &Table<'_, '_>) -> Option<Values> {
        let other = self.other(table);
        let Some(value) = table.get("values") else {
            if let Some(other) = table.get("other") {
                self.add(other.span(), "`other` says what becomes of words that `values` does not list; add `values`");
            }
            return None;
        };
        let Some(entries) = value.get_ref().as_table() else {
            self.add(value.span(), "`values` is a table of their words and ours, such as { TRANSFER = \"transfer\" }");
            return None;
        };
        let mut words = BTreeMap::new();
        for (theirs, ours) in entries {
            let ours = match ours.get_ref() {
                DeValue::String(text) => text.clone().into_owned(),
                DeValue::Boolean(flag) => flag.to_string(),
                DeValue::Integer(number) => number.to_string(),
                _ => {
                    self.add(
                        ours.span(),
                        "our word is a text, a whole number, true or false; other numbers go in quotes",
                    );
                    continue;
                }
            };
            words.insert(theirs.get_ref().clone().into_owned(), ours);
        }
        Some(Values { table: words, other })
    }

    fn other(&mut self, table: &Table<'_, '_>) -> Other {
        match (self.text(table, "other"), table.get("other")) {
            (Some("skip"), _) => Other::Skip,
            (Some("reject") | None, _) | (_, None) => Other::Reject,
            (Some(_), Some(value)) => {
                self.add(value.span(), "`other` is \"reject\" or \"skip\"");
                Other::Reject
            }
        }
    }

    fn moment(&mut self, table: &Table<'_, '_>) -> Moment {
        let unit = self.text(table, "unit");
        let format = self.text(table, "format");
        match (unit, format) {
            (Some(_), Some(_)) => {
                self.add(table.span.clone(), "a time has a `unit` or a `format`, not both");
                Moment::Rfc3339
            }
            (Some(unit), None) => self.count(table, unit),
            (None, Some(format)) => self.formatted(table, format),
            (None, None) => {
                for (key, needs) in [("start", "unit"), ("zone", "format")] {
                    if let Some(value) = table.get(key)
                        && !table.has(needs)
                    {
                        self.add(value.span(), format!("`{key}` needs a `{needs}` beside it"));
                    }
                }
                Moment::Rfc3339
            }
        }
    }

    fn count(&mut self, table: &Table<'_, '_>, unit: &str) -> Moment {
        if let Some(zone) = table.get("zone") {
            self.add(zone.span(), "`zone` goes with `format`; a count of units begins at `start`");
        }
        let start = match table.get("start").map(|value| (value.get_ref(), value.span())) {
            None => 0,
            Some((value, span)) => {
                // TOML has date-times of its own; both ways of writing one are taken.
                let text = match value {
                    DeValue::Datetime(time) => time.to_string(),
                    DeValue::String(text) => text.clone().into_owned(),
                    _ => String::new(),
                };
                match Timestamp::parse(&text) {
                    Ok(time) => time.0,
                    Err(why) => {
                        self.add(span, format!("`start` {why}"));
                        0
                    }
                }
            }
        };
        match moment::unit_millis(unit) {
            Some(unit) => Moment::Count { unit, start },
            None => {
                let span = table.get("unit").map(Spanned::span).unwrap_or_default();
                let known: Vec<_> = moment::UNITS.iter().map(|(name, _)| *name).collect();
                self.add(span, format!("no unit of time is called \"{unit}\"; there are {}", listed(&known)));
                Moment::Rfc3339
            }
        }
    }

    fn formatted(&mut self, table: &Table<'_, '_>, format: &str) -> Moment {
        let span = table.get("format").map(Spanned::span).unwrap_or_default();
        if let Some(start) = table.get("start") {
            self.add(start.span(), "`start` goes with `unit`; a format names the instant itself");
        }
        if let Err(why) = moment::check_format(format) {
            self.add(span.clone(), format!("\"{format}\" is no format of date and time: {why}"));
        }
        let zone = self.text(table, "zone").and_then(|name| match moment::zone(name) {
            Ok(zone) => Some(zone),
            Err(why) => {
                let span = table.get("zone").map(Spanned::span).unwrap_or_default();
                self.add(span, why);
                None
            }
        });
        if !table.has("zone") && !moment::has_offset(format) {
            self.add(span, "without an offset (%z) a time needs its `zone`, such as \"Asia/Almaty\"");
        }
        Moment::Format { format: format.to_owned(), zone }
    }

    fn shape(&mut self, field: &Field, value: &Value<'_>) -> Shape {
        let kind = value.get_ref().as_table().and_then(|table| table.get("type"));
        match field.value_type() {
            FieldType::Text => Shape::Text,
            FieldType::Number => Shape::Amount,
            FieldType::Bool => Shape::Flag,
            FieldType::Time => Shape::Time,
            FieldType::Any => match kind.map(|kind| (kind.get_ref().as_str(), kind.span())) {
                None => Shape::Attribute,
                Some((Some("text"), _)) => Shape::AttributeText,
                Some((Some("number"), _)) => Shape::AttributeNumber,
                Some((Some("bool"), _)) => Shape::AttributeFlag,
                Some((_, span)) => {
                    self.add(span, "the `type` of an attribute is \"text\", \"number\" or \"bool\"");
                    Shape::Attribute
                }
            },
        }
    }

    /// Makes pointers of the names of columns; what begins with `/` is one already, into a group.
    fn point_at_columns(&mut self) {
        for (name, _) in &mut self.names {
            if !name.starts_with('/') {
                let (group, column) =
                    name.strip_prefix("attributes.").map_or(("", &**name), |rest| ("/attributes", rest));
                *name = format!("{group}/{}", column.replace('~', "~0").replace('/', "~1"));
            }
        }
    }

    fn check_names(&mut self, format: Format) {
        for (name, span) in std::mem::take(&mut self.names) {
            match format {
                Format::Json if !name.starts_with('/') => {
                    let pointer = name.replace('~', "~0").replace('/', "~1").replace('.', "/");
                    self.add(span.clone(), format!("\"{name}\" is no JSON Pointer; write \"/{pointer}\""));
                }
                Format::Json if json::broken_escape(&name) => {
                    let message = format!("\"{name}\" is no JSON Pointer: after `~` comes 0 or 1; `~0` stands for `~`");
                    self.add(span.clone(), message);
                }
                Format::Csv { header: false, .. } if name.parse::<u16>().is_ok_and(|number| number > 0) => {}
                Format::Csv { header: false, .. } => {
                    let message = format!("without a header columns are called \"1\", \"2\" and so on, not \"{name}\"");
                    self.add(span.clone(), message);
                }
                _ => {}
            }
            self.names.push((name, span));
        }
    }

    /// A text, where there is one.
    fn text<'t>(&mut self, table: &Table<'t, '_>, key: &str) -> Option<&'t str> {
        let value = table.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.add(value.span(), format!("`{key}` is a text, not {}", value.get_ref().type_str()));
        }
        text
    }

    fn flag(&mut self, table: &Table<'_, '_>, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.add(value.span(), format!("`{key}` is true or false, not {}", value.get_ref().type_str()));
        }
        flag
    }
}

/// The keys that may stand beside `field` or `fields`.
fn foreign_keys(field: &Field, several: bool) -> Vec<&'static str> {
    let mut keys = if several { vec!["fields", "join"] } else { vec!["field"] };
    keys.extend(["values", "other", "default"]);
    match field.value_type() {
        FieldType::Time => keys.extend(["unit", "start", "format", "zone"]),
        FieldType::Any => keys.push("type"),
        _ => {}
    }
    keys
}

fn all_keys() -> Vec<&'static str> {
    let mut keys = SOURCES.to_vec();
    keys.extend(["join", "values", "other", "default", "type", "unit", "start", "format", "zone"]);
    keys
}

/// `` `a`, `b` and `c` ``
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is wrong in a mapping, as `line:column message`.
    fn problems(text: &str) -> Vec<String> {
        let Err(diagnostics) = load(text, "map.toml") else {
            return Vec::new();
        };
        let found = diagnostics.list.iter().map(|problem| {
            let (line, column) = diagnostics.position(problem.place.as_ref().expect("a place"));
            format!("{line}:{column} {}", problem.message)
        });
        found.collect()
    }

    /// The problems of a good mapping in which one line, the second of its fields, is `line`.
    fn problems_of(line: &str) -> Vec<String> {
        let text = format!(
            "format = \"csv\"\n[fields]\n{line}\nid = {{ row = true }}\ntype = {{ value = \"t\" }}\nwallet = {{ field = \"w\" }}\n{}",
            if line.starts_with("time") { "" } else { "time = { field = \"t\" }\n" }
        );
        problems(&text)
    }

    #[test]
    fn good_mappings_load() {
        for line in [
            "amount = { field = \"sum\" }",
            "time = { field = \"step\", unit = \"day\" }",
            "time = { field = \"step\", unit = \"hour\", start = \"2026-01-01T00:00:00+05:00\" }",
            "time = { field = \"step\", unit = \"hour\", start = 2026-01-01T00:00:00+05:00 }",
            "time = { field = \"ts\", format = \"%Y-%m-%d %H:%M:%S\", zone = \"Asia/Almaty\" }",
            "time = { field = \"ts\", format = \"%Y-%m-%dT%H:%M:%S%z\" }",
            "attributes.a.field = \"x\"",
            "\"attributes.a\" = { value = true }",
            "amount = { value = 5 }",
        ] {
            assert_eq!(problems_of(line), [""; 0], "{line}");
        }
    }

    /// A line of a mapping, and what is wrong with it.
    const FAULTS: &[(&str, &str)] = &[
        (
            "amount = \"sum\"",
            "3:10 a field is mapped by a table, such as { field = \"column\" } or { value = \"constant\" }",
        ),
        ("amount = {}", "3:10 a field is mapped by exactly one of `field`, `fields`, `row` and `value`"),
        (
            "amount = { field = \"a\", value = \"1\" }",
            "3:10 a field is mapped by exactly one of `field`, `fields`, `row` and `value`",
        ),
        (
            "amount = { field = \"a\", deflaut = \"1\" }",
            "3:25 unknown key `deflaut`; did you mean `default`? `amount` is mapped with `field`, `values`, `other` and `default`",
        ),
        ("amount = { field = 3 }", "3:20 a column or JSON Pointer is a text"),
        ("amount = { value = 1.5 }", "3:20 the value of `amount` is a text or a whole number, not float"),
        ("amount = { row = true }", "3:10 a row's number is a text such as \"row-17\", which this field cannot hold"),
        ("device = { row = false }", "3:10 `row` can only be true"),
        (
            "device = { fields = [\"a\", \"b\"] }",
            "3:10 `join` is missing: what stands between the joined texts, such as \"-\"",
        ),
        (
            "device = { fields = [], join = \"\" }",
            "3:21 `fields` is a list of at least one name, such as [\"a\", \"b\"]",
        ),
        (
            "device = { field = \"a\", other = \"skip\" }",
            "3:33 `other` says what becomes of words that `values` does not list; add `values`",
        ),
        ("device = { field = \"a\", values = {}, other = \"drop\" }", "3:46 `other` is \"reject\" or \"skip\""),
        (
            "device = { field = \"a\", values = { x = 1.5 } }",
            "3:40 our word is a text, a whole number, true or false; other numbers go in quotes",
        ),
        (
            "time = { field = \"a\", unit = \"fortnight\" }",
            "3:30 no unit of time is called \"fortnight\"; there are `ms`, `second`, `minute`, `hour` and `day`",
        ),
        (
            "time = { field = \"a\", unit = \"day\", start = \"now\" }",
            "3:45 `start` is not an RFC 3339 date-time with an offset, such as 2026-03-01T08:15:30.123+05:00",
        ),
        (
            "time = { field = \"a\", unit = \"day\", format = \"%Y\" }",
            "3:8 a time has a `unit` or a `format`, not both",
        ),
        ("time = { field = \"a\", zone = \"UTC\" }", "3:30 `zone` needs a `format` beside it"),
        (
            "time = { field = \"a\", format = \"%Y-%m-%d\" }",
            "3:32 without an offset (%z) a time needs its `zone`, such as \"Asia/Almaty\"",
        ),
        (
            "time = { field = \"a\", format = \"%Y-%m-%d\", zone = \"Almaty\" }",
            "3:51 no time zone is called \"Almaty\"; use an IANA name such as \"Asia/Almaty\"",
        ),
        ("attributes = 3", "3:14 attributes are mapped one by one: attributes.name = { field = \"…\" }"),
        (
            "attributes.a = { field = \"x\", type = \"date\" }",
            "3:38 the `type` of an attribute is \"text\", \"number\" or \"bool\"",
        ),
    ];

    #[test]
    fn each_fault_has_its_place_and_what_to_write() {
        for (line, expected) in FAULTS {
            assert_eq!(problems_of(line), [*expected], "{line}");
        }
        let unknown = problems_of("sum = { field = \"a\" }");
        assert!(
            unknown[0].starts_with("3:1 no field of an event is called `sum`; events have `id`, `type`"),
            "{unknown:?}"
        );
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let found =
            problems("format = \"xml\"\nfromat = 1\ndelimiter = \"ab\"\n[fields]\nid = { row = true }\nwallet = 5\n");
        assert_eq!(
            found,
            [
                "1:10 `format` is \"csv\", \"json\" or \"parquet\"",
                "2:1 unknown key `fromat`; did you mean `format`? a mapping has `format`, `header`, `delimiter` and `fields`",
                "3:13 `delimiter` is one ASCII character, such as \",\", \";\" or \"\\t\"",
                "4:1 `type` is not mapped, and every event needs it; add type = { field = \"…\" }",
                "4:1 `time` is not mapped, and every event needs it; add time = { field = \"…\" }",
                "6:10 a field is mapped by a table, such as { field = \"column\" } or { value = \"constant\" }",
            ]
        );
        assert_eq!(problems("").len(), 2);
        assert!(problems("format = \n[fields\n").len() >= 2);
        let json = "format = \"json\"\nheader = true\n[fields]\nid = { field = \"user.id\" }\ntype = { value = \"t\" }\ntime = { field = \"/t\" }\nwallet = { field = \"/w\" }\n";
        assert_eq!(
            problems(json),
            ["2:10 `header` is for csv only; remove it", "4:16 \"user.id\" is no JSON Pointer; write \"/user/id\""]
        );
        for (pointer, broken) in [("/a~2", true), ("/a~", true), ("/~~0", true), ("/a~0~1b", false)] {
            let found = problems(&json.replace("header = true\n", "").replace("user.id", pointer));
            let message = format!("3:16 \"{pointer}\" is no JSON Pointer: after `~` comes 0 or 1; `~0` stands for `~`");
            assert_eq!(found, if broken { vec![message] } else { Vec::new() }, "{pointer}");
        }
        let headless = json.replace("json", "csv").replace("true", "false").replace("/w", "2");
        assert_eq!(problems(&headless).len(), 2);
        let deep = format!("format = \"csv\"\nfields = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(!problems(&deep).is_empty());
    }
}
