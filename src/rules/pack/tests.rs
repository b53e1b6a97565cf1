//! Wrong packs and what is said of them, as data: `fixtures/packs/wrong.txt`, judged by one `check`.
//!
//! A case is a title (`#### …`), files (`==== path`; the first is asked for, `HEAD` stands for [`HEAD`]) and what is
//! said (`---- says`). `KUZET_BLESS=1 cargo test wrong_packs` writes what is said now; read the difference.

use super::{Loaded, load};
use crate::{
    limits,
    rules::{
        Counts, Limit, Measure, Mode,
        diagnostic::{Diagnostics, Source},
    },
    time::{Span, Timestamp},
};
use std::collections::HashMap;

/// The beginning that most packs of the tests have.
const HEAD: &str = r#"name     = "test"
version  = "1"
timezone = "Asia/Almaty"
currency = "KZT"
event.transfer.requires = ["amount", "counterparty"]
event.login     = {}
event.confirmed = {}"#;

fn load_files(files: &[(String, String)]) -> Result<Loaded, Diagnostics> {
    let known: HashMap<&str, &str> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut beside = |_: &str, name: &str| match known.get(name) {
        Some(text) => Ok(Source { path: name.to_owned(), text: (*text).to_owned() }),
        None => Err(format!("there is no file {name}").into()),
    };
    let (path, text) = &files[0];
    load(&[Source { path: path.clone(), text: text.clone() }], &mut beside)
}

/// Everything that is said of a pack, warnings of one that loads too.
fn says(files: &[(String, String)]) -> String {
    match load_files(files) {
        Ok(loaded) => loaded.diagnostics.render(false),
        Err(diagnostics) => diagnostics.render(false),
    }
}

fn one(text: &str) -> Result<Loaded, Diagnostics> {
    load_files(&[("test.toml".to_owned(), text.replace("HEAD", HEAD))])
}

fn loaded(text: &str) -> Loaded {
    one(text).unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)))
}

fn errors(text: &str) -> Vec<String> {
    one(text).expect_err("the pack is wrong").list.into_iter().map(|found| found.message).collect()
}

struct Case<'a> {
    title: &'a str,
    body: &'a str,
    files: Vec<(String, String)>,
    says: &'a str,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let case = |case| {
        let (title, rest): (&str, &str) = str::split_once(case, '\n').expect("a case has a title");
        let (body, says) = rest.split_once("---- says\n").expect("a case has `---- says`");
        let files = body.split("==== ").skip(1).map(|file| {
            let (path, text) = file.split_once('\n').expect("a file has a path");
            (path.to_owned(), text.replace("HEAD", HEAD))
        });
        Case { title, body, files: files.collect(), says }
    };
    text.split("#### ").skip(1).map(case).collect()
}

#[test]
fn wrong_packs_are_told_what_to_write() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/packs/wrong.txt");
    let text = std::fs::read_to_string(path).expect("the fixture is there");
    let bless = std::env::var_os("KUZET_BLESS").is_some();
    let mut blessed = String::new();
    for case in cases(&text) {
        let said = says(&case.files);
        let told = |diagnostics: &Diagnostics| {
            diagnostics.list.iter().all(|found| found.help.as_deref().is_some_and(|help| !help.is_empty()))
        };
        assert!(
            load_files(&case.files).is_ok_and(|loaded| told(&loaded.diagnostics))
                || load_files(&case.files).is_err_and(|diagnostics| told(&diagnostics)),
            "no advice: {}",
            case.title
        );
        if bless {
            blessed += &format!("#### {}\n{}---- says\n{}\n", case.title, case.body, said);
        } else {
            assert_eq!(said, case.says.strip_suffix('\n').unwrap_or(case.says), "{}", case.title);
        }
    }
    if bless {
        std::fs::write(path, blessed).expect("the fixture can be written");
    }
}

#[test]
fn a_pack_with_ten_errors_reports_ten() {
    let pack = r#"HEAD
[[rule]]
id = ""
on = ["tranfser"]
score = 1001
action = "holt"
mode = "on"
restrict = "nobody"
count = { within = "1w", over = -1, per = ["walet"] }
valid_from = "2026"
"#;
    assert_eq!(errors(pack).len(), 10);
}

#[test]
fn hostile_texts_are_told_so_and_nothing_breaks() {
    let deep = |open: &str| format!("HEAD\nx = {}", open.repeat(100_000));
    for (pack, message) in [
        (deep("["), "this is not TOML: this nests too deep"),
        (deep("{a="), "this is not TOML: this nests too deep"),
        (format!("HEAD\n{}b = 1", "a.".repeat(100_000)), "this is not TOML: this nests too deep"),
        (format!("HEAD\n[{}b]", "a.".repeat(100_000)), "this is not TOML: this nests too deep"),
        ("\0".repeat(10_000), "this is not TOML: "),
        ("[".repeat(100_000), "this is not TOML: "),
        ("a=1\n".repeat(100_000), "this is not TOML: this stands here for the second time"),
        (format!("[a]\n{}", "[a]\nb=1\n".repeat(10_000)), "this is not TOML: this stands here for the second time"),
        ("(\n".repeat(100_000), "this is not TOML: a key has no value"),
        (format!("HEAD\n{}", "[[rule]]\n".repeat(limits::RULES + 1)), "too many rules"),
        (format!("HEAD\nlists.a = [{}]", "7,".repeat(100_000)), "each entry of `a` must be a string or a table"),
        (
            "x".repeat(limits::PACK_BYTES + 1),
            "test.toml has 8388609 bytes, more than the 8388608 that a pack or a list file may have",
        ),
    ] {
        let diagnostics = one(&pack).expect_err("the pack is wrong");
        assert!(
            diagnostics.list.iter().any(|found| found.message.starts_with(message)),
            "{message}: {:?}",
            diagnostics.list.first()
        );
        assert!(diagnostics.render(false).len() < 1 << 20, "{message}");
    }
}

#[test]
fn a_condition_of_twenty_thousand_dots_meets_its_bound_first() {
    let pack = format!("HEAD\n[[rule]]\nid = \"r\"\non = [\"login\"]\nwhen = \"{}\"\n", ".".repeat(20_000));
    assert_eq!(errors(&pack), ["`when` has 20000 bytes, more than 1024"]);
}

#[test]
fn places_do_not_mind_line_ends_and_marks() {
    let pack =
        "\u{feff}HEAD\n[[rule]]\nid = 'r'\non = ['login']\nscore = 1001\n".replace("HEAD", HEAD).replace('\n', "\r\n");
    let diagnostics = one(&pack).expect_err("the pack is wrong");
    let place = diagnostics.list[0].place.clone().expect("a place");
    assert_eq!(diagnostics.position(&place), (11, 9));
    assert!(diagnostics.render(false).contains("11 | score = 1001\n"), "{}", diagnostics.render(false));
    let nothing = one("\u{feff}").expect_err("nothing is there");
    assert_eq!(nothing.list.len(), 4);
}

#[test]
fn a_line_of_megabytes_is_shown_in_part() {
    let pack = format!("HEAD\nlists.a = [{}7]\n", "\"x\", ".repeat(100_000));
    let said = one(&pack).expect_err("the pack is wrong").render(false);
    assert!(said.len() < 1_000 && said.contains("test.toml:8:500012"), "{said}");
}

/// Every key once, each with the meaning that it has.
#[test]
#[expect(clippy::too_many_lines, reason = "one pack with every key, and what each of them means")]
fn a_pack_says_what_it_means() {
    let loaded = loaded(
        r#"retired = ["old"]
HEAD
[units.MCI]
"2026-01-01" = "4325"
"2025-01-01" = 3932
[lists]
mules = ["77010000001", { value = "10.0.0.0/8", expires = 2026-05-01, note = "office" }]
[score]
hold = 600
monitor = 300
[event.cash]
requires = ["amount", "attributes.atm"]
[[rule]]
id = "first"
clause = "1"
title = "One"
on = ["transfer", "cash"]
when = 'amount > 1'
sum = { of = "amount", within = "calendar day", over = "100 MCI" }
score = 400
action = "hold"
restrict = ["pin", "pin"]
counts = "accepted"
mode = "shadow"
valid_from = 2026-03-18
valid_until = 2026-03-19T00:00:00
[[rule]]
id = "second"
on = ["cash"]
streak = { per = ["ip"], reset = ["login"], within = "24h", at = 6 }
valid_from = 2026-03-18T00:00:00Z
mode = "off"
[[rule]]
id = "third"
on = ["cash"]
idle = { since = ["login"], over = "12 months" }
[restriction.pin]
action = "pin"
on = ["transfer"]
lasts = "calendar day"
lifted_by = ["confirmed"]
confirms = true
status = "asked"
"#,
    );
    let packs = &loaded.packs;
    assert_eq!(loaded.diagnostics.render(false), "");
    assert_eq!(packs.retired, ["old"]);
    assert_eq!(packs.currency.as_str(), "KZT");
    let names: Vec<&str> = packs.types.types.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names, ["transfer", "login", "confirmed", "cash"]);
    assert_eq!(packs.units[0].worth.iter().map(|(_, worth)| worth.to_string()).collect::<Vec<_>>(), ["3932", "4325"]);
    assert_eq!(
        packs.bands.iter().map(|(from, action)| (*from, action.name())).collect::<Vec<_>>(),
        [(300, "monitor"), (600, "hold")]
    );
    let expires = Timestamp::parse("2026-05-01T00:00:00+05:00").ok();
    assert_eq!(packs.lists[0].texts["10.0.0.0/8"], expires);
    assert_eq!((packs.lists[0].texts.len(), packs.lists[0].networks.len()), (2, 1));
    let [first, second, third] = &packs.rules[..] else { panic!("three rules") };
    let on: Vec<u8> = first.on.iter().map(|kind| kind.0).collect();
    assert_eq!((on, first.counts, first.mode, first.restrict.len()), (vec![0, 3], Counts::Accepted, Mode::Shadow, 1));
    assert_eq!(first.valid_from, Timestamp::parse("2026-03-18T00:00:00+05:00").ok());
    assert_eq!(first.valid_until, Timestamp::parse("2026-03-19T00:00:00+05:00").ok());
    let Some(Measure::Sum { per, within, over: Limit { number, unit: Some(_) }, .. }) = &first.measure else {
        panic!("{:?}", first.measure)
    };
    assert_eq!((per.len(), within.to_string(), number.to_string()), (1, "calendar day".to_owned(), "100".to_owned()));
    let Some(Measure::Streak { at_least: 6, exactly: true, reset, .. }) = &second.measure else {
        panic!("{:?}", second.measure)
    };
    assert_eq!((reset.iter().count(), second.mode), (1, Mode::Off));
    assert_eq!(second.valid_from, Timestamp::parse("2026-03-18T00:00:00Z").ok());
    let Some(Measure::Idle { over: Span::Months(12), over_text, .. }) = &third.measure else {
        panic!("{:?}", third.measure)
    };
    assert_eq!(over_text, "12 months");
    let pin = &packs.restrictions[0];
    assert_eq!((pin.name.as_str(), pin.confirms, pin.status.as_deref()), ("pin", true, Some("asked")));
    assert_eq!(packs.signals.iter().map(|kind| kind.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn restrictions_and_rules_keep_the_order_of_the_text() {
    let restriction = |name: &str| {
        format!(
            "[restriction.{name}]\naction = \"hold\"\non = [\"transfer\"]\nimposed_by = [\"confirmed\"]\nlasts = \"1h\"\n"
        )
    };
    let pack = format!("HEAD\n{}{}{}", restriction("z"), restriction("a"), restriction("m"));
    let names: Vec<String> = loaded(&pack).packs.restrictions.into_iter().map(|restriction| restriction.name).collect();
    assert_eq!(names, ["z", "a", "m"]);
}

#[test]
fn packs_are_loaded_once_and_before_what_uses_them() {
    let pack = |name: &str, uses: &str| {
        let uses = if uses.is_empty() { String::new() } else { format!("uses = [{uses}]\n") };
        (
            format!("{name}.toml"),
            format!("{uses}name = \"{name}\"\nversion = \"1\"\ntimezone = \"UTC\"\ncurrency = \"KZT\"\n"),
        )
    };
    let files = [
        pack("top", "\"left.toml\", \"right.toml\""),
        pack("left", "\"base.toml\""),
        pack("right", "\"base.toml\""),
        pack("base", ""),
    ];
    let loaded = load_files(&files).unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)));
    let parts: Vec<(&str, bool)> =
        loaded.parts.iter().map(|part| (part.name.split('@').next().unwrap_or(""), part.asked)).collect();
    assert_eq!(parts, [("base", false), ("left", false), ("right", false), ("top", true)]);
}

/// `printf 'one' | sha256sum`, and with the list file behind it.
#[test]
fn a_pack_is_named_by_its_text_and_its_list_files() {
    use sha2::{Digest, Sha256};
    let pack = "HEAD\nlists.b = { file = \"b.txt\" }\nlists.a = { entries = [\"x\"], file = \"a.txt\" }\n"
        .replace("HEAD", HEAD);
    let files = |a: &str| {
        [
            ("test.toml".to_owned(), pack.clone()),
            ("a.txt".to_owned(), a.to_owned()),
            ("b.txt".to_owned(), "2\n".to_owned()),
        ]
    };
    let name = |a: &str| {
        load_files(&files(a)).unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false))).packs.name
    };
    let digest = Sha256::digest(format!("{pack}2\n1\n"));
    let hex: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(name("1\n"), format!("test@1+{hex}"));
    assert_ne!(name("1\n"), name("3\n"));
}

#[test]
fn identity_is_what_the_measure_remembers() {
    let identity = |rule: &str| loaded(&format!("HEAD\n[[rule]]\nid = \"r\"\n{rule}\n")).packs.rules[0].identity;
    let first = identity("on = [\"transfer\", \"login\"]\ncount = { within = \"1h\", over = 10 }");
    for same in [
        "on = [\"login\", \"transfer\"]\ncount = { within = \"1h\", over = 10 }",
        "on = [\"transfer\", \"login\"]\ncount = { per = [\"wallet\"], within = \"2h\", over = 11 }\naction = \"hold\"\nscore = 5",
    ] {
        assert_eq!(identity(same), first, "{same}");
    }
    for other in [
        "on = [\"transfer\"]\ncount = { within = \"1h\", over = 10 }",
        "on = [\"transfer\", \"login\"]\ncount = { per = [\"ip\"], within = \"1h\", over = 10 }",
        "on = [\"transfer\", \"login\"]\ncount = { within = \"calendar day\", over = 10 }",
        "on = [\"transfer\", \"login\"]\nsum = { of = \"amount\", within = \"1h\", over = 10 }",
        "on = [\"transfer\", \"login\"]\nwhen = 'anonymous'\ncount = { within = \"1h\", over = 10 }",
        "on = [\"transfer\", \"login\"]\ncounts = \"accepted\"\ncount = { within = \"1h\", over = 10 }",
    ] {
        assert_ne!(identity(other), first, "{other}");
    }
    assert_eq!(first, 18_222_515_654_503_638_157, "the value is stable over versions: state is addressed by it");
}

#[test]
fn examples_become_records() {
    let loaded = loaded(
        r#"HEAD
[[rule]]
id = "r"
on = ["transfer"]
[[rule.example]]
title = "two and one"
action = "allow"
fires = true
events = [
  { type = "transfer", time = "2026-03-01T10:00:00+05:00", amount = 5000.50, counterparty = "a\"b", repeat = 2, every = "1m" },
  { type = "login", time = 2026-03-01T10:00:00Z, id = "own", wallet = "w", anonymous = true, attributes = { b = 1, a = "x" } },
]
"#,
    );
    let records: Vec<&str> =
        loaded.examples[0].records.iter().map(|record| std::str::from_utf8(record).expect("UTF-8")).collect();
    assert_eq!(
        records,
        [
            r#"{"id":"e1","type":"transfer","time":"2026-03-01T10:00:00+05:00","wallet":"77010000001","counterparty":"a\"b","amount":5000.50}"#,
            r#"{"id":"e2","type":"transfer","time":"2026-03-01T05:01:00Z","wallet":"77010000001","counterparty":"a\"b","amount":5000.50}"#,
            r#"{"id":"own","type":"login","time":"2026-03-01T10:00:00Z","wallet":"w","anonymous":true,"attributes":{"b":1,"a":"x"}}"#,
        ]
    );
}
