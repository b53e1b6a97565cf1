//! `kuzet check`: every error of a pack, its examples run, and its rules as a table for people.
//!
//! Each pack is loaded on its own, with what it uses, so that `kuzet check rules/*.toml` works although the packs
//! of that folder may not go together. The examples are those of the packs that are asked for: what another pack's
//! examples say holds without this one. Who judges an example is handed in; nothing here knows the engine. Where it
//! refuses a record, the record is decoded here once more, for the place of what is wrong with it.

use crate::{
    decision::Action,
    event::{Field, TypeSet, decode::Decoder},
    pack_files,
    rules::{
        Limit, Measure, Mode, Packs, Rule,
        diagnostic::{Diagnostic, Diagnostics, Place, Severity},
        example::Example,
        pack::{Loaded, Part},
    },
    schema::Schema,
    time::Span,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The arguments of `kuzet check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Packs, each checked on its own with the packs that it uses
    #[arg(value_name = "PACK", required_unless_present = "schema")]
    pub packs: Vec<PathBuf>,
    /// Print a JSON Schema instead; that of events knows the types of the packs
    #[arg(long, value_name = "NAME", value_enum)]
    pub schema: Option<Schema>,
    /// One JSON object a pack instead of text
    #[arg(long, conflicts_with = "schema")]
    pub json: bool,
}

/// What became of an example's last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub action: Action,
    /// The example's rule is among the reasons, or in `shadow`.
    pub fired: bool,
}

/// Runs an example through a fresh engine. The error says which record could not be used, and why.
pub type Judge<'a> = dyn FnMut(&Arc<Packs>, &Example) -> Result<Outcome, String> + 'a;

/// Exit codes: all well, and a pack that is wrong.
pub const WELL: u8 = 0;
pub const WRONG: u8 = 2;

/// Checks packs: findings go to `talk`, tables, JSON and schemas to `out`. Gives the exit code.
///
/// # Errors
/// Only those of `out` and `talk`.
pub fn run(
    arguments: &CheckArgs,
    judge: &mut Judge<'_>,
    out: &mut impl Write,
    talk: &mut impl Write,
    styled: bool,
) -> io::Result<u8> {
    if let Some(schema) = arguments.schema {
        return print_schema(schema, &arguments.packs, out, talk, styled);
    }
    let mut code = WELL;
    for path in &arguments.packs {
        let report = check(path, judge);
        if report.diagnostics.has_errors() {
            code = WRONG;
        }
        if arguments.json {
            writeln!(out, "{}", report.json())?;
        } else {
            write!(talk, "{}", report.diagnostics.render(styled))?;
            talk.flush()?;
            write!(out, "{}", report.text())?;
        }
    }
    Ok(code)
}

fn print_schema(
    schema: Schema,
    packs: &[PathBuf],
    out: &mut impl Write,
    talk: &mut impl Write,
    styled: bool,
) -> io::Result<u8> {
    if packs.is_empty() {
        writeln!(out, "{:#}", schema.generate(None))?;
        return Ok(WELL);
    }
    match pack_files::load_paths(packs) {
        Ok(loaded) => {
            writeln!(out, "{:#}", schema.generate(Some(&loaded.packs)))?;
            Ok(WELL)
        }
        Err(diagnostics) => {
            write!(talk, "{}", diagnostics.render(styled))?;
            Ok(WRONG)
        }
    }
}

/// What was found of one pack.
struct Report {
    path: String,
    diagnostics: Diagnostics,
    checked: Option<Checked>,
}

/// A pack that loaded, with how many examples of each of its rules passed.
struct Checked {
    packs: Arc<Packs>,
    parts: Vec<Part>,
    /// Passed and all, by the rule's place.
    examples: Vec<(usize, usize)>,
}

fn check(path: &Path, judge: &mut Judge<'_>) -> Report {
    let shown = path.display().to_string();
    match pack_files::load_paths(std::slice::from_ref(&path.to_path_buf())) {
        Ok(loaded) => {
            let (diagnostics, checked) = run_examples(loaded, judge);
            Report { path: shown, diagnostics, checked: Some(checked) }
        }
        Err(diagnostics) => Report { path: shown, diagnostics, checked: None },
    }
}

/// What the examples of one rule have shown.
#[derive(Clone, Copy, Default)]
struct Shown {
    passed: usize,
    all: usize,
    firing: bool,
    not_firing: bool,
    /// One could not be run, so that what is missing is not known.
    unknown: bool,
}

fn run_examples(loaded: Loaded, judge: &mut Judge<'_>) -> (Diagnostics, Checked) {
    let Loaded { packs, parts, examples, rule_places, mut diagnostics } = loaded;
    let packs = Arc::new(packs);
    // What the examples of a rule that is off say is not asked: it is off.
    let asked = |rule: usize| {
        let asked = parts.iter().any(|part| part.asked && part.rules.contains(&rule));
        asked && packs.rules[rule].mode != Mode::Off
    };
    let mut shown = vec![Shown::default(); packs.rules.len()];
    for example in examples.iter().filter(|example| asked(usize::from(example.rule.0))) {
        let outcome = judge(&packs, example);
        let shown = &mut shown[usize::from(example.rule.0)];
        shown.all += 1;
        match &outcome {
            Ok(outcome) if outcome.fired => shown.firing = true,
            Ok(_) => shown.not_firing = true,
            Err(_) => shown.unknown = true,
        }
        match fault(&packs, example, &outcome) {
            Some(fault) => diagnostics.push(fault),
            None => shown.passed += 1,
        }
    }
    for (place, shown) in shown.iter().enumerate().filter(|(place, _)| asked(*place)) {
        let rule = &packs.rules[place];
        if let Some(lacking) = lacking(shown) {
            let here = &rule_places[place];
            diagnostics.push(
                Diagnostic::warning(format!("no example shows `{}` {lacking}", rule.id))
                    .at(here.source, here.span.clone(), "this rule")
                    .help("add a `[[rule.example]]`: `kuzet check` runs it, and a reader sees what the rule means"),
            );
        }
    }
    diagnostics.sort();
    let examples = shown.iter().map(|shown| (shown.passed, shown.all)).collect();
    (diagnostics, Checked { packs, parts, examples })
}

/// What an example says and the engine does not.
fn fault(packs: &Packs, example: &Example, outcome: &Result<Outcome, String>) -> Option<Diagnostic> {
    let rule = &packs.rule(example.rule).id;
    let (message, help) = match outcome {
        Err(why) => (format!("this example of `{rule}` cannot be run: {why}"), "correct the events".to_owned()),
        Ok(outcome) if outcome.action != example.action => (
            format!(
                "this example of `{rule}` ends with the action `{}`, not `{}`",
                outcome.action.name(),
                example.action.name()
            ),
            format!("correct the rule, or write `action = \"{}\"`", outcome.action.name()),
        ),
        Ok(outcome) if example.fires.is_some_and(|fires| fires != outcome.fired) => {
            let does = if outcome.fired { "fires" } else { "does not fire" };
            (
                format!("`{rule}` {does} on the last event of this example"),
                format!("correct the rule, or write `fires = {}`", outcome.fired),
            )
        }
        Ok(_) => return None,
    };
    let unusable = outcome.as_ref().err().and_then(|_| unusable(packs, example));
    let place = unusable.as_ref().unwrap_or(&example.place);
    Some(Diagnostic::error(message).at(place.source, place.span.clone(), &example.title).help(help))
}

/// Where the first event is written that is no event, or the field that is to blame; nothing where all are events.
fn unusable(packs: &Packs, example: &Example) -> Option<Place> {
    let mut decoder = Decoder::default();
    example.records.iter().enumerate().find_map(|(record, bytes)| {
        let fault = decoder.decode(bytes, &packs.types, packs.currency).err()?;
        Some(example.place_of(record, fault.field.as_deref()))
    })
}

fn lacking(shown: &Shown) -> Option<&'static str> {
    match (shown.firing, shown.not_firing) {
        _ if shown.unknown => None,
        (false, false) => Some("at work"),
        (false, true) => Some("firing"),
        (true, false) => Some("nearly firing"),
        (true, true) => None,
    }
}

impl Report {
    /// The table and the summary, for people.
    fn text(&self) -> String {
        let errors = self.diagnostics.errors();
        let warnings = self.diagnostics.list.len() - errors;
        let found = match (errors, warnings) {
            (0, 0) => String::new(),
            (0, warnings) => format!(", {}", several(warnings, "warning")),
            (errors, 0) => format!(", {}", several(errors, "error")),
            (errors, warnings) => format!(", {}, {}", several(errors, "error"), several(warnings, "warning")),
        };
        let Some(checked) = &self.checked else {
            return format!("{}: does not load{found}\n\n", self.path);
        };
        let mut text = String::new();
        let (asked, used): (Vec<&Part>, Vec<&Part>) = checked.parts.iter().partition(|part| part.asked);
        for part in asked {
            let (passed, all) =
                checked.examples[part.rules.clone()].iter().fold((0, 0), |sum, rule| (sum.0 + rule.0, sum.1 + rule.1));
            let examples = if passed == all { format!("{all} passed") } else { format!("{passed} of {all} passed") };
            text += &format!(
                "{}: {}, {}, {}, examples: {examples}{found}\n",
                self.path,
                part.name,
                several(part.rules.len(), "rule"),
                several(part.restrictions.len(), "restriction"),
            );
            for other in &used {
                text += &format!("uses {} ({})\n", other.name, other.path);
            }
            if !part.rules.is_empty() {
                text.push('\n');
                text += &table(checked, part);
            }
            text.push('\n');
        }
        text
    }

    /// The same as JSON, for editors and pipelines.
    fn json(&self) -> Value {
        let of = |severity: Severity| -> Value {
            self.diagnostics
                .list
                .iter()
                .filter(|found| found.severity == severity)
                .map(|found| self.entry(found))
                .collect()
        };
        let mut report = json!({ "pack": self.path, "errors": of(Severity::Error), "warnings": of(Severity::Warning) });
        if let Some(checked) = &self.checked {
            let (passed, all) = checked.examples.iter().fold((0, 0), |sum, rule| (sum.0 + rule.0, sum.1 + rule.1));
            report["name"] = json!(checked.packs.name);
            report["examples"] = json!({ "passed": passed, "failed": all - passed });
        }
        report
    }

    fn entry(&self, found: &Diagnostic) -> Value {
        let mut entry = json!({ "message": found.message });
        if let Some(place) = &found.place {
            let (line, column) = self.diagnostics.position(place);
            entry["file"] = json!(self.diagnostics.sources[place.source].path);
            entry["line"] = json!(line);
            entry["column"] = json!(column);
        }
        if let Some(help) = &found.help {
            entry["help"] = json!(help);
        }
        entry
    }
}

fn several(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

const COLUMNS: usize = 10;
const HEADER: [&str; COLUMNS] =
    ["rule", "clause", "on", "measure", "limit", "action", "restricts", "score", "mode", "examples"];
/// How wide a column may be, in characters, before its text is broken.
const WIDEST: [usize; COLUMNS] = [28, 14, 22, 42, 14, 8, 20, 5, 6, 8];

/// The rules of one pack.
fn table(checked: &Checked, part: &Part) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    for place in part.rules.clone() {
        rows.push(row(&checked.packs, &checked.packs.rules[place], checked.examples[place]));
    }
    let wrapped: Vec<[Vec<String>; COLUMNS]> =
        rows.iter().map(|row| std::array::from_fn(|column| wrap(&row[column], WIDEST[column]))).collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let lines = wrapped.iter().flat_map(|row| &row[column]);
        lines.map(|line| line.chars().count()).max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in &wrapped {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let cells = (0..COLUMNS).map(|column| {
                let cell = row[column].get(line).map_or("", String::as_str);
                format!("{cell:width$}", width = widths[column])
            });
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
    }
    text
}

fn row(packs: &Packs, rule: &Rule, (passed, all): (usize, usize)) -> [String; COLUMNS] {
    let restricts: Vec<&str> = rule.restrict.iter().map(|id| packs.restriction(*id).name.as_str()).collect();
    let mode = match rule.mode {
        Mode::Live => "live",
        Mode::Shadow => "shadow",
        Mode::Off => "off",
    };
    [
        rule.id.clone(),
        rule.clause.clone().unwrap_or_default(),
        type_names(packs, &rule.on),
        measure_in_words(packs, rule),
        rule.measure.as_ref().map(|measure| limit_in_words(packs, measure)).unwrap_or_default(),
        rule.action.name().to_owned(),
        restricts.join(", "),
        if rule.score == 0 { String::new() } else { rule.score.to_string() },
        mode.to_owned(),
        format!("{passed}/{all}"),
    ]
}

fn type_names(packs: &Packs, types: &TypeSet) -> String {
    let names: Vec<&str> = types.iter().map(|kind| packs.types.types[usize::from(kind.0)].name.as_str()).collect();
    names.join(", ")
}

/// What a rule looks at: its measure and its condition.
#[must_use]
pub fn measure_in_words(packs: &Packs, rule: &Rule) -> String {
    let within = |within: &Span| match within {
        Span::Calendar(_) => format!("in a {within}"),
        _ => format!("within {within}"),
    };
    let per = |per: &[Field]| per.iter().map(|field| field.name().into_owned()).collect::<Vec<_>>().join(" and ");
    let measure = rule.measure.as_ref().map(|measure| match measure {
        Measure::Count { per: key, within: span, .. } => format!("count per {} {}", per(key), within(span)),
        Measure::Sum { of, per: key, within: span, .. } => {
            format!("sum of {} per {} {}", of.name(), per(key), within(span))
        }
        Measure::Distinct { of, per: key, within: span, .. } => {
            format!("different values of {} per {} {}", of.name(), per(key), within(span))
        }
        Measure::Change { of, per: key, within: span } => {
            format!("change of {} per {} {}", of.name(), per(key), within(span))
        }
        Measure::Streak { per: key, reset, within: span, .. } => {
            let reset =
                if reset.is_empty() { String::new() } else { format!(", reset by {}", type_names(packs, reset)) };
            format!("in a row per {}{reset}, gaps {}", per(key), within(span))
        }
        Measure::New { of, per: key, within: span } => {
            format!("new {} per {} {}", of.name(), per(key), within(span))
        }
        Measure::Idle { since, .. } => format!("idle since {}", type_names(packs, since)),
        Measure::After { of, per: key, within: span } => {
            format!("after {} per {} {}", type_names(packs, of), per(key), within(span))
        }
    });
    match (measure, &rule.when) {
        (Some(measure), Some(when)) => format!("{measure}, where {}", one_line(when.source())),
        (Some(measure), None) => measure,
        (None, Some(when)) => one_line(when.source()),
        (None, None) => "every event".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a measure must exceed or reach.
#[must_use]
pub fn limit_in_words(packs: &Packs, measure: &Measure) -> String {
    let over = |limit: &Limit| match limit.unit {
        Some(unit) => format!("over {} {}", limit.number.normalize(), packs.units[usize::from(unit.0)].name),
        None => format!("over {}", limit.number.normalize()),
    };
    match measure {
        Measure::Count { over: limit, .. }
        | Measure::Sum { over: limit, .. }
        | Measure::Distinct { over: limit, .. } => over(limit),
        Measure::Streak { at_least, exactly: true, .. } => format!("at {at_least}"),
        Measure::Streak { at_least, exactly: false, .. } => format!("from {at_least}"),
        Measure::Idle { over_text, .. } => format!("over {over_text}"),
        Measure::Change { .. } | Measure::New { .. } | Measure::After { .. } => String::new(),
    }
}

/// Breaks a text at blanks into lines of at most `width` characters; a longer word is cut.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ') {
        let mut letters = word.chars().peekable();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(String::new());
            length = 0;
        } else if length > 0 {
            lines.last_mut().expect("there is a line").push(' ');
            length += 1;
        }
        while letters.peek().is_some() {
            if length >= width {
                lines.push(String::new());
                length = 0;
            }
            let part: String = letters.by_ref().take(width - length).collect();
            length += part.chars().count();
            lines.last_mut().expect("there is a line").push_str(&part);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PACK: &str = r#"name = "mine"
version = "1"
uses = ["onevision.toml"]
[[rule]]
id = "many"
clause = "1.1"
on = ["transfer", "payment"]
count = { per = ["wallet", "amount"], within = "1h", over = 10 }
score = 400
action = "hold"
restrict = ["suspicious", "monitoring"]
[[rule.example]]
title = "it fires"
events = [{ type = "payment", time = 2026-03-01T10:00:00Z, amount = 1 }]
action = "hold"
[[rule.example]]
title = "it nearly fires"
events = [{ type = "payment", time = 2026-03-01T10:00:00Z, amount = 2 }]
action = "allow"
fires = false
[[rule]]
id = "silent"
on = ["login"]
when = 'anonymous'
mode = "shadow"
[[rule]]
id = "pin"
on = ["payment"]
sum = { of = "amount", within = "calendar day", over = "100 MCI" }
mode = "off"
"#;

    /// An engine that holds what costs 1.
    fn judge(_: &Arc<Packs>, example: &Example) -> Result<Outcome, String> {
        let last = example.records.last().ok_or("there is no event")?;
        let fired = String::from_utf8_lossy(last).contains("\"amount\":1}");
        Ok(Outcome { action: if fired { Action::Hold } else { Action::Allow }, fired })
    }

    fn checked(pack: &str, arguments: &[&str], judge: &mut Judge<'_>) -> (u8, String, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.toml");
        fs::write(&path, pack).expect("a file");
        let mut given = CheckArgs { packs: vec![path.clone()], schema: None, json: arguments.contains(&"--json") };
        if arguments.contains(&"--schema") {
            given.schema = Some(Schema::Event);
        }
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let code = run(&given, judge, &mut out, &mut talk, false).expect("memory takes it");
        let shown = |bytes| {
            let text = String::from_utf8(bytes).expect("UTF-8");
            text.replace(&path.display().to_string(), "mine.toml")
        };
        (code, shown(out), shown(talk))
    }

    /// A hash changes with its pack; these tests are not about it.
    fn without_hashes(text: &str) -> String {
        let mut parts = text.split('+');
        let first = parts.next().unwrap_or("").to_owned();
        parts.fold(first, |text, part| text + "+" + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
    }

    #[test]
    fn a_sound_pack_is_shown_as_a_table() {
        let (code, out, talk) = checked(PACK, &[], &mut judge);
        let warning = "warning: no example shows `silent` at work
  --> mine.toml:22:6
   |
22 | id = \"silent\"
   |      ^^^^^^^^ this rule
   |
   = help: add a `[[rule.example]]`: `kuzet check` runs it, and a reader sees what the rule means
";
        assert_eq!((code, talk.as_str()), (WELL, warning));
        let table = "mine.toml: mine@1+, 3 rules, 0 restrictions, examples: 2 passed, 1 warning
uses onevision@2026.1+ (built-in/onevision.toml)

rule    clause  on                 measure                                     limit         action  restricts    score  mode    examples
many    1.1     transfer, payment  count per wallet and amount within 1h       over 10       hold    suspicious,  400    live    2/2
                                                                                                     monitoring
silent          login              anonymous                                                 allow                       shadow  0/0
pin             payment            sum of amount per wallet in a calendar day  over 100 MCI  allow                       off     0/0

";
        assert_eq!(without_hashes(&out), table);
    }

    #[test]
    fn examples_that_fail_are_errors_at_their_place() {
        let wrong =
            PACK.replace("amount = 2", "amount = 1").replace("action = \"allow\"\nfires", "action = \"hold\"\nfires");
        let (code, out, talk) = checked(&wrong, &[], &mut judge);
        let error = "error: `many` fires on the last event of this example
  --> mine.toml:16:1
   |
16 | [[rule.example]]
   | ^^^^^^^^^^^^^^^^ \"it nearly fires\"
   |
   = help: correct the rule, or write `fires = true`
";
        assert!(talk.contains(error), "{talk}");
        assert!(talk.contains("no example shows `many` nearly firing"), "{talk}");
        assert_eq!((code, out.contains("examples: 1 of 2 passed, 1 error, 2 warnings")), (WRONG, true), "{out}");
        let (code, _, talk) = checked(PACK, &[], &mut |_, _| Err("`amount` is missing".to_owned()));
        assert!(talk.contains("error: this example of `many` cannot be run: `amount` is missing\n"), "{talk}");
        assert_eq!(code, WRONG);
        let block = &mut |_: &Arc<Packs>, _: &Example| Ok(Outcome { action: Action::Block, fired: true });
        let (_, _, talk) = checked(PACK, &[], block);
        assert!(talk.contains("error: this example of `many` ends with the action `block`, not `hold`\n"), "{talk}");
    }

    #[test]
    fn an_example_that_cannot_be_run_is_underlined_at_its_event_or_field() {
        let pack = PACK.replace("title = \"it fires\"\n", "").replace("amount = 1 }", "amount = -1 }");
        let judge = &mut |_: &Arc<Packs>, _: &Example| Err("it is no event".to_owned());
        let (_, _, talk) = checked(&pack, &[], judge);
        let field = "
13 | events = [{ type = \"payment\", time = 2026-03-01T10:00:00Z, amount = -1 }]
   |                                                                     ^^ example 1
";
        assert!(talk.contains(field), "{talk}");
        let (_, _, talk) = checked(&pack.replace(", amount = -1", ""), &[], judge);
        let event = "
13 | events = [{ type = \"payment\", time = 2026-03-01T10:00:00Z }]
   |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ example 1
";
        assert!(talk.contains(event), "{talk}");
        let (_, _, talk) = checked(PACK, &[], &mut |_, _| Err("it came twice".to_owned()));
        assert!(talk.contains("\n12 | [[rule.example]]\n   | ^^^^^^^^^^^^^^^^ \"it fires\"\n"), "{talk}");
    }

    #[test]
    fn wrong_packs_end_with_two() {
        let (code, out, talk) = checked("name = 1\n", &[], &mut judge);
        assert_eq!((code, out.as_str()), (WRONG, "mine.toml: does not load, 4 errors\n\n"));
        assert!(talk.contains(" --> mine.toml:1:8\n"), "{talk}");
    }

    #[test]
    fn json_is_one_object_a_pack() {
        let (code, out, talk) = checked("name = 1\n", &["--json"], &mut judge);
        let report: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((code, talk.as_str(), out.lines().count()), (WRONG, "", 1));
        let entry = json!({ "file": "mine.toml", "line": 1, "column": 8, "help": "write `name = \"1\"`",
            "message": "`name` must be a short string without `@`, `+`, `,` and blanks" });
        assert!(report["errors"].as_array().is_some_and(|errors| errors.contains(&entry)), "{report}");
        let (_, out, _) = checked(PACK, &["--json"], &mut judge);
        let report: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(report["examples"], json!({ "passed": 2, "failed": 0 }));
    }

    #[test]
    fn the_schema_of_events_knows_the_packs() {
        let (code, out, _) = checked(PACK, &["--schema"], &mut judge);
        let schema: Value = serde_json::from_str(&out).expect("JSON");
        let names = schema["properties"]["type"]["enum"].as_array().expect("the types");
        assert_eq!((code, names.contains(&json!("operator_debit"))), (WELL, true));
    }

    #[test]
    fn texts_are_broken_at_blanks() {
        for (text, lines) in [
            ("", vec![""]),
            ("one two three", vec!["one two", "three"]),
            ("abcdefghijk", vec!["abcdefg", "hijk"]),
            ("ab abcdefghi c", vec!["ab", "abcdefg", "hi c"]),
        ] {
            assert_eq!(wrap(text, 7), lines, "{text}");
        }
    }
}
