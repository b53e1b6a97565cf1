//! Options in layers: the built-in file, the operator's, variables, flags; each value remembers where it came from.
//!
//! Tables, names and kinds of values are all that is judged here, against the built-in file, so that a new option is a line
//! there and nothing here. An unknown name is a mistake and never ignored: whoever misspells `wrong_partition` must hear of it.
//! What the values mean is read in `options/read.rs`.

mod read;

pub use read::{secret_in, secret_of};

use crate::rules::diagnostic::{Diagnostic, Diagnostics, Source, closest};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The table that takes any name: librdkafka knows what it has.
const FREE: &str = "kafka.options";

/// A built-in file: what it says is the default, and what it does not have does not exist.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its path in the repository, as people are referred to it.
    pub path: &'static str,
    pub text: &'static str,
    /// What the names of its variables begin with.
    pub variables: &'static str,
    /// A table that may come several times, `[[endpoints]]`, and the one that has its defaults, `[endpoint]`.
    pub several: Option<Several>,
}

/// The names of a table that may come several times, and of its defaults.
#[derive(Clone, Copy, Debug)]
pub struct Several {
    pub each: &'static str,
    pub defaults: &'static str,
}

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
    built_in: BuiltIn,
    values: BTreeMap<String, (Value, Origin)>,
    /// Where each of the tables stands that may come several times.
    tables: Vec<Range<usize>>,
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
    variables: &'static str,
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
        format!("{}{}", self.variables, self.path.replace('.', "_").to_ascii_uppercase())
    }
}

impl BuiltIn {
    /// Every option, in the order of the file.
    ///
    /// # Panics
    /// When the file is wrong, which a test excludes.
    #[must_use]
    pub fn options(&self) -> Vec<Known> {
        let defaults = self.defaults();
        let mut known = Vec::new();
        let (mut table, mut comment) = (String::new(), Vec::new());
        for line in self.text.lines() {
            if let Some(words) = line.strip_prefix("# ") {
                comment.push(words);
            } else if let Some(name) = line.strip_prefix('[') {
                table = format!("{}.", name.trim_end_matches(']'));
                comment.clear();
            } else if let Some((name, _)) = line.split_once('=') {
                let path = format!("{table}{}", name.trim());
                // What the file says once of several lines is said of each.
                let (value, _) = defaults.get(&path).expect("the walk over lines sees what the parser sees");
                let is_flag = matches!(value, Value::Flag(_));
                known.push(Known { help: comment.join(" "), is_flag, path, variables: self.variables });
            } else {
                comment.clear();
            }
            if line.contains('=') && !line.starts_with('#') {
                comment.clear();
            }
        }
        known
    }

    fn defaults(&self) -> BTreeMap<String, (Value, Origin)> {
        let table = DeTable::parse(self.text).expect("a built-in configuration is TOML");
        let mut values = BTreeMap::new();
        walk("", table.get_ref(), &mut |path, _, value| {
            let value = leaf(value.get_ref()).expect("a built-in configuration has texts, numbers, flags and lists");
            values.insert(path.to_owned(), (value, Origin::Default));
        });
        values
    }

    /// Lays an operator's file over the built-in one, and over both what variables and flags say, the last first. Each of
    /// `given` is an option's path, the name of the flag or variable, and the text.
    #[must_use]
    pub fn read(&self, file: Option<Source>, given: &[(String, String, String)]) -> Layers {
        let values = self.defaults();
        let mut layers = Layers { built_in: *self, values, tables: Vec::new(), diagnostics: Diagnostics::default() };
        if let Some(source) = file {
            layers.diagnostics.sources.push(source.clone());
            match DeTable::parse(&source.text) {
                Ok(table) => layers.lay_all(table.get_ref()),
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
}

impl Layers {
    /// The operator's file. Tables that come several times are numbered: `endpoints.0.url`.
    fn lay_all(&mut self, table: &DeTable<'_>) {
        let each = self.built_in.several.map(|several| several.each);
        walk("", table, &mut |path, name, value| match value.get_ref() {
            DeValue::Array(items) if each == Some(path) => {
                for item in items {
                    let place = self.tables.len();
                    self.tables.push(item.span());
                    match item.get_ref() {
                        DeValue::Table(table) => {
                            walk(&format!("{path}.{place}"), table, &mut |path, name, value| {
                                self.lay(path, name, value)
                            });
                        }
                        _ => {
                            let said = Diagnostic::error(format!("each of `{path}` is a table: [[{path}]]"));
                            self.diagnostics.push(said.at(0, item.span(), ""));
                        }
                    }
                }
            }
            _ => self.lay(path, name, value),
        });
    }

    /// Where the default of the value at `path` stands: that of `endpoints.0.url` at `endpoint.url`.
    fn default_of(&self, path: &str) -> String {
        let inside = || {
            let several = self.built_in.several?;
            let (_, name) = path.strip_prefix(several.each)?.strip_prefix('.')?.split_once('.')?;
            Some(format!("{}.{name}", several.defaults))
        };
        inside().unwrap_or_else(|| path.to_owned())
    }

    /// How many tables came that may come several times.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

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
        let Some((default, _)) = self.values.get(&self.default_of(path)) else {
            let said = error(format!("there is no option `{path}`")).at(0, name, "");
            let wanted = self.default_of(path);
            let help = match closest(&wanted, self.values.keys().map(String::as_str)) {
                Some(meant) if wanted == path => format!("did you mean `{meant}`?"),
                // Within a table, its name goes without saying.
                Some(meant) => format!("did you mean `{}`?", meant.rsplit('.').next().unwrap_or(meant)),
                None => format!("{} has them all", self.built_in.path),
            };
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
        let own = self.values.get(path).or_else(|| self.values.get(&self.default_of(path)));
        &own.unwrap_or_else(|| panic!("{path} is an option")).0
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

    /// Blots the value at `path` out of the operator's file, so that no message shows it.
    pub fn hide(&mut self, path: &str) {
        if let (Origin::File(span), Some(source)) = (self.origin(path), self.diagnostics.sources.first_mut()) {
            source.text.replace_range(span.clone(), &"*".repeat(span.len()));
        }
    }

    /// Says what is wrong with the value at `path`, where it was given.
    pub fn refuse(&mut self, path: &str, message: &str) {
        let said = Diagnostic::error(format!("`{path}` {message}"));
        let said = match self.origin(path) {
            Origin::File(span) => said.at(0, span, ""),
            Origin::Given(name) => Diagnostic::error(format!("{name} {message}")),
            Origin::Default => said,
        };
        self.diagnostics.push(said);
    }

    /// Where the value at `path` came from; of one that a table lacks and that has no default of the operator's either, where
    /// the table stands.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        let value = self.values.get(path).or_else(|| self.values.get(&self.default_of(path)));
        match value.map(|(_, origin)| origin) {
            Some(Origin::Default) | None => self.table_of(path).map_or(Origin::Default, Origin::File),
            Some(origin) => origin.clone(),
        }
    }

    /// Where the table stands that holds `path`, of those that come several times.
    fn table_of(&self, path: &str) -> Option<Range<usize>> {
        let inside = path.strip_prefix(self.built_in.several?.each)?.strip_prefix('.')?;
        let place: usize = inside.split('.').next()?.parse().ok()?;
        self.tables.get(place).cloned()
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

    /// That of `kuzet run`.
    const BUILT_IN: BuiltIn = BuiltIn {
        path: "deploy/kuzet.toml",
        text: include_str!("../deploy/kuzet.toml"),
        variables: "KUZET_",
        several: None,
    };
    const TABLES: BuiltIn = BuiltIn {
        path: "deploy/tables.toml",
        text: "a = 1\n[ship]\nname = \"\"\nguns = 3\n",
        variables: "X_",
        several: Some(Several { each: "ships", defaults: "ship" }),
    };

    fn of(built_in: BuiltIn, text: &str) -> Layers {
        built_in.read(Some(Source { path: "k.toml".to_owned(), text: text.to_owned() }), &[])
    }

    fn told(text: &str) -> String {
        of(BUILT_IN, text).diagnostics.render(false)
    }

    #[test]
    fn tables_that_come_several_times_have_defaults_of_their_own() {
        let layers = of(TABLES, "[ship]\nguns = 4\n[[ships]]\nname = \"one\"\n[[ships]]\nguns = 9\n");
        assert_eq!(layers.diagnostics.render(false), "");
        assert_eq!(layers.tables(), 2);
        assert_eq!((layers.text("ships.0.name"), layers.value("ships.0.guns")), ("one", &Value::Whole(4)));
        assert_eq!((layers.text("ships.1.name"), layers.value("ships.1.guns")), ("", &Value::Whole(9)));
        let mut layers = of(TABLES, "[[ships]]\nnmae = \"one\"\nguns = true\n");
        layers.refuse("ships.0.name", "must not be empty");
        let said = layers.diagnostics.render(false);
        for part in [
            "there is no option `ships.0.nmae`",
            "did you mean `name`?",
            "k.toml:2:1",
            "`ships.0.guns` must be a whole number",
            "`ships.0.name` must not be empty",
            "k.toml:1:1",
        ] {
            assert!(said.contains(part), "no {part} in\n{said}");
        }
        assert!(of(TABLES, "ships = [1]").diagnostics.render(false).contains("each of `ships` is a table"));
        assert!(of(BUILT_IN, "[[ships]]\n").diagnostics.render(false).contains("no option `ships`"));
    }

    #[test]
    fn the_built_in_file_is_every_option() {
        let options = BUILT_IN.options();
        let defaults = BUILT_IN.defaults();
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
        let layers = BUILT_IN.read(Some(source), &given);
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
        let layers = of(BUILT_IN, &text);
        assert_eq!(layers.free().collect::<Vec<_>>(), [("client.rack", "a"), ("security.protocol", "ssl")]);
    }
}
