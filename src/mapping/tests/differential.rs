//! Random mappings and random records, nasty ones among them: the direct way makes of each what the slow way through JSON
//! makes of it. A failing seed is printed.

use super::{Told, Ways};
use crate::{
    files::records::Records,
    limits::{READ_BYTES, RECORD_BYTES},
    mapping::load,
    random::Random,
};
use std::{fmt::Write, sync::Arc};

const MAPPINGS: u64 = 4_000;
const RECORDS: usize = 12;
const COLUMNS: usize = 6;

fn one_of<'c>(random: &mut Random, choices: &[&'c str]) -> &'c str {
    choices[random.place(choices.len())]
}

/// A text as TOML writes it on one line.
fn toml(text: &str) -> String {
    let escaped = |letter: char| match letter {
        '"' | '\\' | '\0'..=' ' | '\u{7f}' => format!("\\u{:04X}", u32::from(letter)),
        letter => letter.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

const WORDS: &[&str] = &[
    "",
    "a",
    "T",
    "login",
    "transfer",
    "tagged",
    "7701",
    "row-1",
    "true",
    "false",
    "null",
    "KZ",
    "KZT",
    "USD",
    "kz",
    "identified",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "10.0.0.01",
    "é",
    "😀",
    "\u{feff}",
    "a\"b",
    "\"",
    "\\",
    "\\u0041",
    "a b",
    " ",
    "\t",
    "\u{1}",
    "\0",
    "\u{7f}",
    "\u{2028}",
    "a,b;c",
    "line\nbreak",
    "x\r",
    "Қазақстан",
    "\u{202e}",
];

const FIGURES: &[&str] = &[
    "1",
    "0",
    "-0",
    "12.5",
    "12.50",
    "12.345",
    "1e3",
    "1.0E7",
    "1.916920493E7",
    "5E-1",
    "125e-3",
    "1e40",
    "-1.5e+2",
    "0.0e3",
    "01",
    ".5",
    "1.",
    "+1",
    " 1",
    "1 ",
    "1,5",
    "1e",
    "e5",
    "NaN",
    "0x10",
    "999999999999999",
    "1000000000000000",
    "1000000000000000.01",
    "99999999999999999999",
    "-5",
    "-0.0",
    "0.00",
    "123456789012345678",
    "0.123456789",
    "1e-400",
    "1E+400",
    "2147483648",
];

const TIMES: &[&str] = &[
    "2026-03-01T08:00:00Z",
    "2026-03-01T08:00:00.123+05:00",
    "2026-03-01 08:00:00",
    "01.03.2026 13:15",
    "0",
    "1",
    "17.5",
    "-1",
    "1772352930123",
    "999999999999999999",
    "253402300799",
    "-62167219200",
    "253402300800",
    "2026-02-30T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "31.12.9999 23:59",
    "2026-03-01T08:00:60Z",
    "soon",
    "24:00",
    "2026-03-01T08:00:00.1234567Z",
];

fn text(random: &mut Random) -> String {
    match random.below(40) {
        0..12 => one_of(random, WORDS).to_owned(),
        12..24 => one_of(random, FIGURES).to_owned(),
        24..32 => one_of(random, TIMES).to_owned(),
        32..38 => {
            let letters = [one_of(random, WORDS), one_of(random, WORDS), one_of(random, FIGURES)];
            letters.concat()
        }
        38 => "w".repeat(60 + random.place(80)),
        _ if random.chance(1, 12) => one_of(random, &["a", "\"", "\u{1}", "é"]).repeat(random.place(30_000)),
        _ => "é".repeat(random.place(70)),
    }
}

/// The columns or pointers that a rule names.
fn name(random: &mut Random, csv: Option<bool>) -> String {
    let number = 1 + random.place(COLUMNS);
    match csv {
        Some(true) => format!("c{number}"),
        Some(false) => number.to_string(),
        None => one_of(random, &["/c1", "/c2", "/c3", "/n/x", "/n/0", "/c1/x", "/d~1/é"]).to_owned(),
    }
}

/// Where a field comes from.
fn rule(random: &mut Random, csv: Option<bool>, field: &str) -> String {
    let mut rule = match random.below(12) {
        0 if !matches!(field, "amount" | "balance" | "anonymous" | "time") => return "{ row = true }".to_owned(),
        1 => return format!("{{ value = {} }}", toml(&text(random))),
        2 if field.starts_with("attributes") => return "{ value = -17 }".to_owned(),
        2 if field == "anonymous" => return "{ value = false }".to_owned(),
        2 | 3 => {
            let names: Vec<String> = (0..1 + random.place(3)).map(|_| toml(&name(random, csv))).collect();
            format!("{{ fields = [{}], join = {}", names.join(", "), toml(one_of(random, &["", "-", " ", "\"", "😀"])))
        }
        _ => format!("{{ field = {}", toml(&name(random, csv))),
    };
    let mut add = |text: String| write!(rule, ", {text}").expect("a String takes whatever is written");
    if random.chance(1, 4) {
        let usual = "login = \"login\", T = \"transfer\", tagged = \"tagged\", 1 = true, 0 = false, \"é\" = \"\"";
        // A word that comes twice makes it no mapping; there are enough others.
        add(format!("values = {{ {usual}, {} = {} }}", toml(&text(random)), toml(&text(random))));
        add(format!("other = \"{}\"", one_of(random, &["reject", "skip"])));
    }
    if random.chance(1, 5) {
        add(format!("default = {}", toml(&text(random))));
    }
    if field == "time" {
        match random.below(4) {
            0 => add(format!("unit = \"{}\"", one_of(random, &["ms", "second", "hour", "day"]))),
            1 => add("unit = \"minute\", start = \"2026-01-01T00:00:00+05:00\"".to_owned()),
            2 => add("format = \"%d.%m.%Y %H:%M\", zone = \"Asia/Almaty\"".to_owned()),
            _ => {}
        }
    }
    if field.starts_with("attributes") && random.chance(1, 2) {
        add(format!("type = \"{}\"", one_of(random, &["text", "number", "bool"])));
    }
    rule + " }"
}

fn mapping(random: &mut Random, csv: Option<bool>, delimiter: char) -> String {
    let mut text = match csv {
        Some(header) => format!("format = \"csv\"\nheader = {header}\ndelimiter = \"{delimiter}\"\n[fields]\n"),
        None => "format = \"json\"\n[fields]\n".to_owned(),
    };
    const OPTIONAL: [&str; 18] = [
        "counterparty",
        "merchant",
        "amount",
        "currency",
        "ip",
        "country",
        "anonymous",
        "client_status",
        "balance",
        "device",
        "channel",
        "cause",
        "method",
        "attributes.a",
        "attributes.\"b \\\" c\"",
        "attributes.\"é\"",
        "\"attributes.a\"",
        "attributes.\"\"",
    ];
    // Half of the mappings have the four that every event needs in a way that is mostly good.
    let good = random.chance(1, 2);
    let usual = [
        ("id", "{ row = true }"),
        ("type", "{ value = \"login\" }"),
        ("time", "{ value = \"2026-03-01T08:00:00Z\" }"),
        ("wallet", "{ value = \"7701\" }"),
    ];
    for (field, rule_of) in usual {
        let rule = if good && random.chance(9, 10) { rule_of.to_owned() } else { rule(random, csv, field) };
        writeln!(text, "{field} = {rule}").expect("a String takes whatever is written");
    }
    for field in OPTIONAL {
        // What would be two of one name in TOML is two of one name in an event, too.
        if random.chance(1, if good { 12 } else { 5 })
            && !(field == "\"attributes.a\"" && text.contains("attributes.\"\""))
        {
            writeln!(text, "{field} = {}", rule(random, csv, field.trim_matches('"'))).expect("a String takes it");
        }
    }
    text
}

/// A row of CSV with its line end; a few are broken.
fn row(random: &mut Random, delimiter: char, out: &mut Vec<u8>) {
    let count = match random.below(24) {
        0 => COLUMNS - 1,
        1 => COLUMNS + 1,
        2 if random.chance(1, 20) => 4_000 + random.place(200),
        _ => COLUMNS,
    };
    let same = text(random);
    for place in 0..count {
        if place > 0 {
            out.extend_from_slice(delimiter.to_string().as_bytes());
        }
        let cell = if count > 100 {
            String::new()
        } else if random.chance(1, 4) {
            same.clone()
        } else {
            text(random)
        };
        let needs_quotes = cell.contains(['"', '\n', '\r', delimiter]);
        match random.below(60) {
            0 => out.extend_from_slice(cell.as_bytes()),
            1 => out.extend_from_slice(format!("\"{cell}").as_bytes()),
            2 => out.extend_from_slice(format!("\"{}\"x", cell.replace('"', "\"\"")).as_bytes()),
            3 => out.extend_from_slice(b"\xff\xfe"),
            number if needs_quotes || number < 15 => {
                out.extend_from_slice(format!("\"{}\"", cell.replace('"', "\"\"")).as_bytes());
            }
            _ => out.extend_from_slice(cell.as_bytes()),
        }
    }
    out.extend_from_slice(one_of(random, &["\n", "\n", "\r\n", "\n\n"]).as_bytes());
}

/// A JSON value on one line; a few are broken.
fn json(random: &mut Random, depth: u32) -> String {
    match random.below(14) {
        0..6 => {
            let text = serde_json::to_string(&text(random)).expect("a text");
            if random.chance(1, 4) { text.replace('a', "\\u0061").replace('/', "\\/") } else { text }
        }
        6..9 => one_of(random, &FIGURES[..15]).to_owned(),
        9 => one_of(random, &["true", "false"]).to_owned(),
        10 => "null".to_owned(),
        11 if depth > 0 => format!("{{\"x\":{},\"y\":[{}]}}", json(random, depth - 1), json(random, depth - 1)),
        12 if depth > 0 => format!("[ {} , {} ]", json(random, depth - 1), json(random, depth - 1)),
        _ => one_of(random, &["\"\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "01", "\"\u{1}\"", "{}", "[]", "1e5", "-0"])
            .to_owned(),
    }
}

fn line(random: &mut Random, out: &mut Vec<u8>) {
    let members: Vec<String> = ["c1", "c2", "c3", "n", "d/", "é", "c1"]
        .iter()
        .enumerate()
        .filter(|(place, _)| if *place == 6 { random.chance(1, 15) } else { random.chance(6, 7) })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(place, key)| match place {
            3 => format!("\"n\":{{\"x\":{},\"0\":{}}}", json(random, 1), json(random, 1)),
            4 => format!("\"d/\": {{ \"é\" : {} }}", json(random, 1)),
            _ => format!("\"{key}\":{}", json(random, 2)),
        })
        .collect();
    let whole = format!("{{{}}}\n", members.join(","));
    let cut = if random.chance(1, 20) { random.place(whole.len()) } else { whole.len() };
    out.extend_from_slice(&whole.as_bytes()[..cut]);
    if random.chance(1, 60) {
        out.push(0xff);
    }
}

/// Compares all records of one mapping; gives how many made events, and how many were rejected or skipped.
fn check(seed: u64, counts: &mut [u64; 4]) {
    let mut random = Random::of(seed, 1);
    let (csv, delimiter) = match random.below(3) {
        0 => (None, ','),
        1 => (Some(false), ';'),
        _ => (Some(true), ','),
    };
    let toml = mapping(&mut random, csv, delimiter);
    let Ok(mapping) = load(&toml, "map.toml") else { return };
    let mut input = Vec::new();
    if random.chance(1, 3) && csv.is_some() {
        input.extend_from_slice("\u{feff}".as_bytes());
    }
    if csv == Some(true) {
        let titles: Vec<String> = (1..=COLUMNS).map(|number| format!("c{number}")).collect();
        input.extend_from_slice(format!("{}\n", titles.join(",")).as_bytes());
    }
    if csv == Some(false) {
        input.extend_from_slice(b"1;2;3;4;5;6\n");
    }
    for _ in 0..RECORDS {
        if csv.is_some() { row(&mut random, delimiter, &mut input) } else { line(&mut random, &mut input) }
    }
    let mapping = Arc::new(mapping);
    let mut ways = Ways::new(&mapping);
    let mut records = Records::new(mapping.framing(), RECORD_BYTES, READ_BYTES);
    let mut source = input.as_slice();
    while !records.is_finished() {
        while let Some(record) = records.take() {
            let seen = ways.go(&record).expect("the mapping fits");
            let shown = || format!("seed {seed}, {:.300?} by {toml:.2000}", String::from_utf8_lossy(record.bytes));
            assert_eq!(seen.direct, seen.slow, "{}", shown());
            assert_eq!(seen.dates.0, seen.dates.1, "{}", shown());
            counts[match seen.direct {
                Told::Event(_) => 0,
                Told::Rejected(_, message) if message.starts_with("the record has") => 1,
                Told::Rejected(..) => 2,
                Told::Skipped(..) => 3,
                Told::Header => continue,
            }] += 1;
        }
        records.fill(&mut source).expect("a slice can be read");
    }
}

#[test]
fn a_mapped_record_means_what_it_means_as_json() {
    let mut counts = [0; 4];
    for seed in 0..MAPPINGS {
        check(seed, &mut counts);
    }
    // Each kind of answer has come often.
    let [events, long, rejected, skipped] = counts;
    assert!(events > 2_000 && long > 20 && rejected > 2_000 && skipped > 200, "{counts:?}");
}
