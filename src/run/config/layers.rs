//! Options in layers: the built-in file, the operator's, variables, flags; each value remembers where it came from.
//!
//! Tables, names and kinds of values are all that is judged here, against the built-in file, so that a new option is a line
//! there and nothing here. An unknown name is a mistake and never ignored: whoever misspells `wrong_partition` must hear of it.

use crate::rules::diagnostic::{Diagnostic, Diagnostics, Source, closest};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The built-in file.
pub const DEFAULTS: &str = include_str!("../../../deploy/kuzet.toml");
/// The table that takes any name: librdkafka knows what it has.
const FREE: &str = "kafka.options";

/// A value, as much as TOML says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Whole(i64),
    Flag(bool),
    Texts(Vec<String>),
}

impl Value {
    /// What it must be, in words.
    fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text in quotes",
            Value::Whole(_) => "a whole number",
            Value::Flag(_) => "true or false",
            Value::Texts(_) => "a list of texts",
        }
    }

    /// The value that a variable or flag stands for, of the kind that this one is.
    fn like(&self, text: &str) -> Option<Value> {
        Some(match self {
            Value::Text(_) => Value::Text(text.to_owned()),
            Value::Whole(_) => Value::Whole(text.parse().ok()?),
            Value::Flag(_) => Value::Flag(match text.to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => true,
                "0" | "false" | "no" | "off" => false,
                _ => return None,
            }),
            Value::Texts(_) => {
                Value::Texts(text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
        })
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// A place in the operator's file.
    File(Range<usize>),
    /// A variable or a flag, by its name.
    Given(String),
}

/// Everything that was said, by path; and what was wrong with it so far.
#[derive(Debug)]
pub struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
    pub diagnostics: Diagnostics,
}

/// An option as the command line knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `kafka.brokers`.
    pub path: String,
    /// The comment above it.
    pub help: String,
    /// It is given without a value, too.
    pub is_flag: bool,
}

impl Known {
    /// `--kafka-brokers`; the options of the whole process need no table's name.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// `KUZET_KAFKA_BROKERS`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("KUZET_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }
}

/// Every option, in the order of the built-in file.
///
/// # Panics
/// When the built-in file is wrong, which a test excludes.
#[must_use]
pub fn options() -> Vec<Known> {
    let defaults = defaults();
    let mut known = Vec::new();
    let (mut table, mut comment) = (String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
            comment.clear();
        } else if let Some((name, _)) = line.split_once('=') {
            let path = format!("{table}{}", name.trim());
            // What the file says once of several lines is said of each.
            let (value, _) = defaults.get(&path).expect("the walk over lines sees what the parser sees");
            known.push(Known { help: comment.join(" "), is_flag: matches!(value, Value::Flag(_)), path });
        } else {
            comment.clear();
        }
        if line.contains('=') && !line.starts_with('#') {
            comment.clear();
        }
    }
    known
}

fn defaults() -> BTreeMap<String, (Value, Origin)> {
    let table = DeTable::parse(DEFAULTS).expect("the built-in configuration is TOML");
    let mut values = BTreeMap::new();
    walk("", table.get_ref(), &mut |path, _, value| {
        let value = leaf(value.get_ref()).expect("the built-in configuration has texts, numbers, flags and lists");
        values.insert(path.to_owned(), (value, Origin::Default));
    });
    values
}

/// Lays an operator's file over the built-in one, and over both what variables and flags say, the last first.
#[must_use]
pub fn read(file: Option<Source>, given: &[(String, String, String)]) -> Layers {
    let mut layers = Layers { values: defaults(), diagnostics: Diagnostics::default() };
    if let Some(source) = file {
        layers.diagnostics.sources.push(source.clone());
        match DeTable::parse(&source.text) {
            Ok(table) => walk("", table.get_ref(), &mut |path, name, value| layers.lay(path, name, value)),
            Err(error) => {
                let said = Diagnostic::error(format!("this is not TOML: {}", error.message()));
                layers.diagnostics.push(said.at(0, error.span().unwrap_or(0..0), ""));
            }
        }
    }
    for (path, name, text) in given {
        layers.give(path, name, text);
    }
    layers
}

impl Layers {
    /// One value of the operator's file.
    fn lay(&mut self, path: &str, name: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let error = |message: String| Diagnostic::error(message);
        if path.starts_with(&format!("{FREE}.")) {
            match leaf(value.get_ref()) {
                Some(Value::Text(text)) => {
                    self.values.insert(path.to_owned(), (Value::Text(text), Origin::File(value.span())));
                }
                _ => {
                    let said = error(format!("`{path}` must be a text in quotes"));
                    self.diagnostics.push(said.at(0, value.span(), ""));
                }
            }
            return;
        }
        let Some((default, _)) = self.values.get(path) else {
            let said = error(format!("there is no option `{path}`")).at(0, name, "");
            let meant = closest(path, self.values.keys().map(String::as_str));
            let help = meant.map_or_else(
                || "deploy/kuzet.toml has them all".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            self.diagnostics.push(said.help(help));
            return;
        };
        match leaf(value.get_ref()) {
            Some(found) if found.kind() == default.kind() => {
                self.values.insert(path.to_owned(), (found, Origin::File(value.span())));
            }
            _ => {
                let said = error(format!("`{path}` must be {}", default.kind()));
                self.diagnostics.push(said.at(0, value.span(), ""));
            }
        }
    }

    /// One value of a variable or a flag, called `name`.
    fn give(&mut self, path: &str, name: &str, text: &str) {
        let (default, _) = self.values.get(path).expect("flags and variables are made of the options");
        match default.like(text) {
            Some(value) => {
                self.values.insert(path.to_owned(), (value, Origin::Given(name.to_owned())));
            }
            None => self.diagnostics.push(Diagnostic::error(format!("{name} must be {}", default.kind()))),
        }
    }

    /// The value at a path of the built-in file.
    ///
    /// # Panics
    /// Where there is no such option.
    #[must_use]
    pub fn value(&self, path: &str) -> &Value {
        &self.values.get(path).unwrap_or_else(|| panic!("{path} is an option")).0
    }

    #[must_use]
    pub fn text(&self, path: &str) -> &str {
        match self.value(path) {
            Value::Text(text) => text,
            other => panic!("{path} is {}", other.kind()),
        }
    }

    /// The options of librdkafka.
    pub fn free(&self) -> impl Iterator<Item = (&str, &str)> {
        let inside = |path: &'_ str| path.strip_prefix(FREE).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
        self.values.iter().filter_map(move |(path, (value, _))| {
            inside(path)?;
            match value {
                Value::Text(text) => Some((&path[FREE.len() + 1..], text.as_str())),
                _ => None,
            }
        })
    }

    /// Says what is wrong with the value at `path`, where it was given.
    pub fn refuse(&mut self, path: &str, message: &str) {
        let origin = self.values.get(path).map_or(Origin::Default, |(_, origin)| origin.clone());
        self.diagnostics.push(match origin {
            Origin::File(span) => Diagnostic::error(format!("`{path}` {message}")).at(0, span, ""),
            Origin::Given(name) => Diagnostic::error(format!("{name} {message}")),
            Origin::Default => Diagnostic::error(format!("`{path}` {message}")),
        });
    }
}

/// Hands out each value of a table and of those in it, with its path and the place of its name. Names with dots are whole
/// below `kafka.options`, written in quotes there or not.
fn walk(above: &str, table: &DeTable<'_>, found: &mut impl FnMut(&str, Range<usize>, &Spanned<DeValue<'_>>)) {
    for (name, value) in table {
        let path = if above.is_empty() { name.get_ref().to_string() } else { format!("{above}.{}", name.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => walk(&path, inner, found),
            _ => found(&path, name.span(), value),
        }
    }
}

fn leaf(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Whole(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(items) => {
            let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            Value::Texts(items.iter().map(text).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let source = Source { path: "k.toml".to_owned(), text: text.to_owned() };
        read(Some(source), &[]).diagnostics.render(false)
    }

    #[test]
    fn the_built_in_file_is_every_option() {
        let options = options();
        let defaults = defaults();
        assert_eq!(options.len(), defaults.len());
        for option in &options {
            let named = option.path.starts_with("topics.") || option.path.starts_with("secrets.");
            let grouped = ["geo.anonymous", "engine.max_past", "tick.records"].contains(&option.path.as_str());
            assert!(!option.help.is_empty() || named || grouped, "{} says why", option.path);
        }
        assert_eq!(options[0].variable(), "KUZET_RULES");
        let group = options.iter().find(|option| option.path == "kafka.single_node").expect("it is there");
        assert_eq!((group.flag().as_str(), group.is_flag), ("kafka-single-node", true));
    }

    #[test]
    fn a_later_layer_goes_before() {
        let source = Source { path: "k.toml".to_owned(), text: "kafka.group = \"a\"\ntick.records = 7".to_owned() };
        let given = [("kafka.group".to_owned(), "--kafka-group".to_owned(), "b".to_owned())];
        let layers = read(Some(source), &given);
        assert_eq!(layers.diagnostics.render(false), "");
        assert_eq!(layers.text("kafka.group"), "b");
        assert_eq!(layers.value("tick.records"), &Value::Whole(7));
        assert_eq!(layers.text("topics.state"), "state");
    }

    #[test]
    fn mistakes_have_places() {
        let said = told("[kafka]\ngruop = \"a\"\n");
        assert!(said.contains("there is no option `kafka.gruop`") && said.contains("k.toml:2:1"), "{said}");
        assert!(said.contains("did you mean `kafka.group`?"), "{said}");
        let said = told("[tick]\nrecords = \"many\"\n");
        assert!(said.contains("`tick.records` must be a whole number") && said.contains("k.toml:2:11"), "{said}");
        assert!(told("[tick\n").contains("this is not TOML"), "broken");
        assert!(told("[kafka.options]\n\"client.rack\" = 1\n").contains("must be a text"), "librdkafka takes texts");
        assert_eq!(told("[kafka.options]\n\"client.rack\" = \"a\"\n"), "");
    }

    #[test]
    fn options_of_librdkafka_keep_their_dots() {
        let text = "[kafka.options]\n\"client.rack\" = \"a\"\nsecurity.protocol = \"ssl\"\n".to_owned();
        let layers = read(Some(Source { path: "k.toml".to_owned(), text }), &[]);
        assert_eq!(layers.free().collect::<Vec<_>>(), [("client.rack", "a"), ("security.protocol", "ssl")]);
    }
}
