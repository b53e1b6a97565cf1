//! The decoder beside two slow judges that share no code with it.
//!
//! `serde_json` says whether bytes are JSON. What an event means is said by [`Model`]: a generator draws values, writes
//! them as JSON with odd blanks and escapes, and a plain reading of the spec over regular expressions and `chrono` says
//! what is to come out. A failing seed is printed; `KUZET_SEED=… cargo test --lib differential` runs that one alone.

use super::*;
use crate::number::Decimal;
use regex::Regex;
use serde_json::Value as Json;
use std::net::IpAddr;
use std::str::FromStr;

/// Seeds of one run; each is one record and some damaged copies of it.
const SEEDS: u64 = 4_000;

/// Whether `serde_json` takes `record` for one JSON object. Where it stops at a number out of its range, such as 1e400,
/// it is asked again to look at values without reading them.
fn is_object(record: &[u8]) -> bool {
    match serde_json::from_slice::<Json>(record) {
        Ok(value) => value.is_object(),
        Err(error) if error.to_string().starts_with("number out of range") => {
            record.trim_ascii_start().starts_with(b"{")
                && serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok()
        }
        Err(_) => false,
    }
}

/// What is no JSON is rejected, and what is JSON is not called anything else.
fn agrees_about_json(record: &[u8]) {
    let shown = String::from_utf8_lossy(record);
    match decode(record) {
        Ok(event) => assert!(is_object(record), "{shown}: decoded as {event}"),
        Err(fault) if fault.message.contains("not JSON") => assert!(!is_object(record), "{shown}: {fault}"),
        Err(_) => {}
    }
}

#[test]
fn every_truncation_and_single_byte_change_agrees_with_serde_json() {
    let record = FULL.as_bytes();
    for at in 0..record.len() {
        agrees_about_json(&record[..at]);
        agrees_about_json(&record[at..]);
        let mut changed = record.to_vec();
        changed.remove(at);
        agrees_about_json(&changed);
        for byte in 0..=u8::MAX {
            changed = record.to_vec();
            changed[at] = byte;
            agrees_about_json(&changed);
        }
    }
}

/// A small generator of pseudo-random numbers (splitmix64), so that a seed is a test for ever.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A JSON value with the text of its numbers.
#[derive(Clone, Debug)]
enum Made {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Made>),
    Object(Vec<(String, Made)>),
}

impl Made {
    /// As `serde_json` would read it, which keeps the last of doubled keys.
    fn json(&self) -> Json {
        match self {
            Made::Null => Json::Null,
            Made::Bool(flag) => Json::Bool(*flag),
            Made::Number(text) => serde_json::from_str(text).expect("a number"),
            Made::Text(text) => Json::String(text.clone()),
            Made::Array(values) => values.iter().map(Made::json).collect(),
            Made::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value.json())).collect(),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Made::Array(values) => 1 + values.iter().map(Made::depth).max().unwrap_or(0),
            Made::Object(fields) => 1 + fields.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

fn draw_text(draw: &mut Draw) -> String {
    const LETTERS: [char; 16] =
        ['a', 'Z', '7', ' ', '"', '\\', '/', '\0', '\n', '\u{1f}', '\u{7f}', 'é', 'Қ', '€', '\u{feff}', '😀'];
    let length = *draw.of(&[0, 1, 2, 7, 8, 9, 20]);
    let plain = draw.one_in(2);
    (0..length).map(|_| if plain { 'k' } else { *draw.of(&LETTERS) }).collect()
}

/// A number: mostly one that is good anywhere, else one on the edge of what attributes and amounts take.
fn draw_number(draw: &mut Draw, signed: bool) -> String {
    const EDGES: [&str; 22] = [
        "0",
        "-0",
        "1",
        "-1",
        "0.5",
        "0.50",
        "0.05",
        "-0.000001",
        "0.0000001",
        "10.100",
        "5000",
        "5000.25",
        "999999999999999.99",
        "1000000000000000",
        "1000000000000000.01",
        "9999999999999999.999999",
        "10000000000000000",
        "1e2",
        "1E-2",
        "1.5e+300",
        "12.345",
        "100000000000000000000000000000",
    ];
    if draw.one_in(8) {
        return (*draw.of(&EDGES)).to_owned();
    }
    let sign = if signed && draw.one_in(4) { "-" } else { "" };
    match draw.below(3) {
        0 => format!("{sign}{}", 1 + draw.below(1_000_000)),
        1 => format!("{sign}{}.{}", 1 + draw.below(100_000), draw.below(10)),
        _ => format!("{sign}{}.{:02}", 1 + draw.below(100_000), draw.below(100)),
    }
}

fn draw_any(draw: &mut Draw, levels: usize) -> Made {
    match draw.below(if levels == 0 { 4 } else { 7 }) {
        0 => Made::Null,
        1 => Made::Bool(draw.one_in(2)),
        2 => Made::Number(draw_number(draw, true)),
        3 => Made::Text(draw_text(draw)),
        4 => Made::Array((0..draw.below(4)).map(|_| draw_any(draw, levels - 1)).collect()),
        5 => Made::Object((0..draw.below(4)).map(|_| (draw_text(draw), draw_any(draw, levels - 1))).collect()),
        // A chain that comes near the deepest nesting allowed.
        _ => (0..draw.below(17)).fold(Made::Null, |inner, _| {
            if draw.one_in(2) { Made::Array(vec![inner]) } else { Made::Object(vec![(draw_text(draw), inner)]) }
        }),
    }
}

/// A value that `field` may well have, or, once in a while, nearly.
fn draw_value(draw: &mut Draw, field: &str) -> Made {
    let (good, bad): (&[&str], &[&str]) = match field {
        "type" => (&["login", "ip_unblocked", "transfer", "card_transfer"], &["Login", "transfer ", "l"]),
        "time" => (
            &[
                "2026-03-01T08:15:30Z",
                "2026-03-01T08:15:30.1Z",
                "2024-02-29T23:59:59.123456+05:00",
                "1969-12-31T23:59:59.999-00:00",
            ],
            &["2026-02-29T00:00:00Z", "2026-03-01T08:15:30z", "2026-03-01T08:15:60Z", "2026-03-01T24:00:00Z"],
        ),
        "currency" => (&["KZT"], &["USD", "kzt", "KZTT"]),
        "ip" => (
            &["10.0.0.1", "::ffff:10.0.0.1", "::1", "2001:db8::1"],
            &["10.0.0.256", "10.0.0.01", "fe80::1%1", "1.2.3.4.5"],
        ),
        "country" => (&["KZ", "QQ"], &["kz", "KAZ", "K1"]),
        "client_status" => (&["unregistered", "unidentified", "identified"], &["Identified", "identifie"]),
        "amount" | "balance" => {
            let number = draw_number(draw, field == "balance");
            return if draw.one_in(2) { Made::Number(number) } else { Made::Text(number) };
        }
        "anonymous" => return Made::Bool(draw.one_in(2)),
        "attributes" => return draw_attributes(draw),
        "id" | "wallet" => (&["e-1", "77010000001", "k", "é", "\0"], &[""]),
        _ => (&["77020000002", "shop", "Қазақстан", "a\\b\"c"], &[""]),
    };
    let choices = if draw.one_in(40) { bad } else { good };
    Made::Text((*draw.of(choices)).to_owned())
}

fn draw_attributes(draw: &mut Draw) -> Made {
    const KEYS: [&str; 8] = ["to_other_bank", "a", "b", "ж", "", "a\"", "abcdefgh", "abcdefghi"];
    let mut fields: Vec<(String, Made)> = Vec::new();
    for _ in 0..draw.below(6) {
        let key = (*draw.of(&KEYS)).to_owned();
        if draw.one_in(30) || !fields.iter().any(|(known, _)| *known == key) {
            let value = match draw.below(30) {
                0 => draw_any(draw, 1),
                1..10 => Made::Text(format!("{}t", draw_text(draw))),
                10..20 => Made::Number(draw_number(draw, true)),
                _ => Made::Bool(draw.one_in(2)),
            };
            fields.push((key, value));
        }
    }
    Made::Object(fields)
}

/// The fields of a record that is, more often than not, nearly right.
fn draw_record(draw: &mut Draw) -> Vec<(String, Made)> {
    let mut fields = Vec::new();
    for known in Known::ALL {
        let needed = matches!(known, Known::Id | Known::Type | Known::Time | Known::Wallet);
        if if needed { !draw.one_in(100) } else { draw.one_in(2) } {
            let value = if draw.one_in(100) { draw_any(draw, 1) } else { draw_value(draw, known.name()) };
            fields.push((known.name().to_owned(), value));
        }
    }
    if draw.one_in(30) && !fields.is_empty() {
        let again = draw.of(&fields).clone();
        fields.push(again);
    }
    for _ in 0..draw.below(4) {
        let key = if draw.one_in(2) { "unknown".to_owned() } else { draw_text(draw) };
        fields.push((key, draw_any(draw, 3)));
    }
    for place in (1..fields.len()).rev() {
        fields.swap(place, draw.below(place + 1));
    }
    fields
}

/// Writes values as JSON, in one of the many ways there are.
struct Pen<'d> {
    draw: &'d mut Draw,
    out: String,
    blanks: bool,
    escapes: usize,
}

impl Pen<'_> {
    fn blank(&mut self) {
        while self.blanks && self.draw.one_in(3) {
            self.out.push(*self.draw.of(&[' ', '\t', '\n', '\r']));
        }
    }

    fn value(&mut self, value: &Made) {
        match value {
            Made::Null => self.out.push_str("null"),
            Made::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Made::Number(text) => self.out.push_str(text),
            Made::Text(text) => self.text(text),
            Made::Array(values) => self.list('[', ']', values, |pen, value| pen.value(value)),
            Made::Object(fields) => self.list('{', '}', fields, |pen, (key, value)| {
                pen.text(key);
                pen.blank();
                pen.out.push(':');
                pen.blank();
                pen.value(value);
            }),
        }
    }

    fn list<T>(&mut self, opening: char, closing: char, items: &[T], one: impl Fn(&mut Self, &T)) {
        self.out.push(opening);
        self.blank();
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.out.push(',');
                self.blank();
            }
            one(self, item);
            self.blank();
        }
        self.out.push(closing);
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            if letter < ' ' || matches!(letter, '"' | '\\') || (self.escapes > 0 && self.draw.one_in(self.escapes)) {
                self.escape(letter);
            } else {
                self.out.push(letter);
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, letter: char) {
        let short = match letter {
            '"' | '\\' | '/' => Some(letter),
            '\n' => Some('n'),
            _ => None,
        };
        if let Some(short) = short.filter(|_| self.draw.one_in(2)) {
            self.out.extend(['\\', short]);
            return;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let escape = if self.draw.one_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
            self.out.push_str(&escape);
        }
    }
}

/// What the spec says of a record, read slowly.
struct Model {
    amount: Regex,
    balance: Regex,
    attribute: Regex,
    time: Regex,
}

impl Model {
    fn new() -> Self {
        let regex = |pattern: &str| Regex::new(pattern).expect("a pattern");
        Model {
            amount: regex(r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$"),
            balance: regex(r"^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$"),
            attribute: regex(r"^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?$"),
            time: regex(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"),
        }
    }

    /// The line that [`written`] writes of the event; nothing where the record is to be rejected.
    fn line(&self, fields: &[(String, Made)]) -> Option<String> {
        if Made::Object(fields.to_vec()).depth() > 16 {
            return None;
        }
        let mut parts = Vec::new();
        for known in Known::ALL {
            let stated: Vec<&Made> =
                fields.iter().filter(|(key, _)| key == known.name()).map(|(_, value)| value).collect();
            match stated[..] {
                [] | [Made::Null] => {}
                [value] => parts.extend(self.value(known.name(), value)?),
                _ => return None,
            }
        }
        let has = |name: &str| parts.iter().any(|(known, _)| known == name);
        let kind = parts.iter().find(|(name, _)| name == "type").map(|(_, value)| value.clone())?;
        let required: &[&str] = match kind.as_str() {
            "login" => &[],
            "transfer" => &["amount", "counterparty"],
            "ip_unblocked" => &["ip"],
            "card_transfer" => &["amount", "attributes.to_other_bank"],
            _ => return None,
        };
        let all = ["id", "time", "wallet"].iter().chain(required).all(|name| has(name));
        let line: Vec<String> = parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        all.then(|| line.join(" "))
    }

    /// What one field adds to the line; nothing where its value is bad.
    fn value(&self, name: &str, value: &Made) -> Option<Vec<(String, String)>> {
        let text = match (name, value) {
            ("attributes", Made::Object(fields)) => return self.attributes(fields),
            ("anonymous", Made::Bool(flag)) => flag.to_string(),
            ("anonymous" | "attributes", _) => return None,
            ("amount", Made::Text(text) | Made::Number(text)) => {
                Some(decimal(&self.amount, text)?).filter(|value| *value > Decimal::ZERO)?.to_string()
            }
            ("balance", Made::Text(text) | Made::Number(text)) => decimal(&self.balance, text)?.to_string(),
            (_, Made::Text(text)) if !text.is_empty() => self.text(name, text)?,
            _ => return None,
        };
        Some(vec![(name.to_owned(), text)])
    }

    fn text(&self, name: &str, text: &str) -> Option<String> {
        let capitals = |count: usize| text.len() == count && text.chars().all(|letter| letter.is_ascii_uppercase());
        let good = match name {
            "id" => text.len() <= 128,
            "wallet" => text.len() <= 64,
            "time" => {
                self.time.is_match(text).then_some(())?;
                let time = chrono::DateTime::parse_from_rfc3339(text).ok()?.to_utc();
                let millis = if time.timestamp_subsec_millis() == 0 { "" } else { "%.3f" };
                return Some(time.format(&format!("%Y-%m-%dT%H:%M:%S{millis}Z")).to_string());
            }
            "currency" => text == "KZT",
            "country" => capitals(2),
            "client_status" => matches!(text, "unregistered" | "unidentified" | "identified"),
            "ip" => {
                let plain = text.strip_prefix("::ffff:").unwrap_or(text);
                return plain.parse::<IpAddr>().ok().map(|ip| ip.to_string());
            }
            _ => true,
        };
        good.then(|| text.to_owned())
    }

    fn attributes(&self, fields: &[(String, Made)]) -> Option<Vec<(String, String)>> {
        let mut parts: Vec<(String, String)> = Vec::new();
        for (place, (key, value)) in fields.iter().enumerate() {
            if fields[..place].iter().any(|(earlier, _)| earlier == key) {
                return None;
            }
            let text = match value {
                Made::Null => continue,
                Made::Bool(flag) => flag.to_string(),
                Made::Number(text) => {
                    self.attribute.is_match(text).then_some(())?;
                    plain(text)?.to_string()
                }
                Made::Text(text) if !text.is_empty() => format!("{text:?}"),
                _ => return None,
            };
            parts.push((format!("attributes.{key}"), text));
        }
        Some(parts)
    }
}

/// The value of a text of that shape, if it is at most 10^15 either way.
fn decimal(shape: &Regex, text: &str) -> Option<Decimal> {
    shape.is_match(text).then_some(())?;
    plain(text).filter(|value| value.abs() <= Decimal::from(1_000_000_000_000_000_i64))
}

fn plain(text: &str) -> Option<Decimal> {
    let value = Decimal::from_str(text).ok()?.normalize();
    Some(if value.is_zero() { Decimal::ZERO } else { value })
}

fn run(seed: u64, model: &Model) -> bool {
    let mut draw = Draw(seed);
    let fields = draw_record(&mut draw);
    let (blanks, escapes) = (draw.one_in(2), *draw.of(&[0, 0, 1, 5]));
    let mut pen = Pen { draw: &mut draw, out: String::new(), blanks, escapes };
    pen.blank();
    pen.value(&Made::Object(fields.clone()));
    pen.blank();
    let record = pen.out;

    let read: Json = serde_json::from_str(&record).expect("the generator writes JSON");
    assert_eq!(read, Made::Object(fields.clone()).json(), "{record}");
    let expected = model.line(&fields);
    match (decode(record.as_bytes()), &expected) {
        (Ok(event), Some(expected)) => assert_eq!(event, *expected, "{record}"),
        (Err(_), None) => {}
        (found, expected) => panic!("{record}: expected {expected:?}, found {found:?}"),
    }
    for _ in 0..8 {
        let mut damaged = record.clone().into_bytes();
        let at = draw.below(damaged.len());
        match draw.below(3) {
            0 => damaged.truncate(at),
            1 => damaged[at] = *draw.of(b"\"\\{}[]:,0-.eEu\0\n nt/"),
            _ => damaged.insert(at, *draw.of(b"\"\\{}[]:,0-.eEu\0\n nt/")),
        }
        agrees_about_json(&damaged);
    }
    expected.is_some()
}

#[test]
fn generated_records_mean_what_the_model_says() {
    let model = Model::new();
    if let Some(seed) = std::env::var("KUZET_SEED").ok().and_then(|seed| seed.parse().ok()) {
        run(seed, &model);
        return;
    }
    let mut accepted = 0;
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &model)));
        match outcome {
            Ok(good) => accepted += u64::from(good),
            Err(_) => panic!("replay with: KUZET_SEED={seed} cargo test --lib differential"),
        }
    }
    // A judge that sees only one kind of record judges little.
    assert!((SEEDS / 10..SEEDS * 9 / 10).contains(&accepted), "{accepted} of {SEEDS} records were good");
}
