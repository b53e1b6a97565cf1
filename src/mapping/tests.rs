//! What a mapping makes of records: by hand here, at random in `differential`. Both ways go over each record and must agree.

mod differential;
mod model;

use super::*;
use crate::{
    event::{
        Currency, Field,
        decode::{TypeEntry, TypeTable},
    },
    files::records::Records,
};
use model::{Made, Model};
use serde::Deserialize;
use std::borrow::Cow;

const CURRENCY: Currency = Currency(*b"KZT");

/// What becomes of a record.
#[derive(Debug, PartialEq)]
enum Told {
    Event(String),
    Rejected(Option<String>, String),
    Skipped(String, String),
    Header,
}

/// What the direct way and the slow one make of a record.
struct Seen {
    direct: Told,
    slow: Told,
    /// The slow way's event before it was decoded, or what else became of the record.
    made: Made,
    dates: (Dated, Dated),
}

/// Both ways, side by side.
struct Ways<'m> {
    types: TypeTable,
    mapper: Mapper,
    /// Looks at times only.
    dater: Mapper,
    decoder: Decoder,
    model: Model<'m>,
}

impl<'m> Ways<'m> {
    fn new(mapping: &'m Arc<Mapping>) -> Ways<'m> {
        let entry = |name: &str, requires: &[&str]| TypeEntry {
            name: name.to_owned(),
            requires: requires.iter().map(|field| Field::parse(field).expect("a field")).collect(),
        };
        Ways {
            types: TypeTable::new(vec![
                entry("t", &[]),
                entry("login", &[]),
                entry("transfer", &["amount", "counterparty"]),
                entry("tagged", &["ip", "attributes.a"]),
            ]),
            mapper: Mapper::new(Arc::clone(mapping)),
            dater: Mapper::new(Arc::clone(mapping)),
            decoder: Decoder::default(),
            model: Model { mapping, titles: None, rows: 0 },
        }
    }

    fn go(&mut self, record: &Record<'_>) -> Result<Seen, Misfit> {
        let told = |decoded: &Decoded<'_, '_>| format!("{:?}", decoded.event());
        let direct = match self.mapper.map_as(0, record, &mut self.decoder, (&self.types, CURRENCY), told)? {
            Mapped::Event(told) => Told::Event(told),
            Mapped::Rejected(fault) => Told::Rejected(fault.field, fault.message),
            Mapped::Skipped { field, value } => Told::Skipped(field.to_owned(), value.to_owned()),
            Mapped::Header => Told::Header,
        };
        let made = self.model.map(record);
        let (slow, date) = match &made {
            Made::Header => (Told::Header, Dated::Header),
            Made::Rejected(fault) => (Told::Rejected(fault.field.clone(), fault.message.clone()), Dated::Unknown),
            Made::Skipped { field, value } => (Told::Skipped(field.clone(), value.clone()), Dated::Unknown),
            Made::Json(json) => (self.decoded(json), date(json)),
        };
        let dates = (self.dater.date(0, record)?, date);
        Ok(Seen { direct, slow, made, dates })
    }

    fn decoded(&self, json: &[u8]) -> Told {
        match Decoder::default().decode(json, &self.types, CURRENCY) {
            Ok(event) => Told::Event(format!("{event:?}")),
            Err(fault) => Told::Rejected(fault.field, fault.message),
        }
    }
}

/// The time in an event's JSON.
fn date(json: &[u8]) -> Dated {
    #[derive(Deserialize)]
    struct Timed<'a> {
        #[serde(borrow)]
        time: Cow<'a, str>,
    }
    let timed: Option<Timed<'_>> = serde_json::from_slice(json).ok();
    timed.and_then(|timed| Timestamp::parse(&timed.time).ok()).map_or(Dated::Unknown, Dated::At)
}

/// What a mapping makes of each record of a text, one line a record.
fn map(mapping: &str, input: &str) -> Result<Vec<String>, String> {
    let mapping = Arc::new(load(mapping, "map.toml").map_err(|errors| errors.render(false))?);
    let mut records = Records::new(mapping.framing(), 65_536, 200_000);
    let mut ways = Ways::new(&mapping);
    let mut source = input.as_bytes();
    let mut told = Vec::new();
    while !records.is_finished() {
        while let Some(record) = records.take() {
            let seen = ways.go(&record).map_err(|misfit| misfit.to_string())?;
            assert_eq!((&seen.direct, seen.dates.0), (&seen.slow, seen.dates.1));
            match seen.made {
                Made::Json(json) => told.push(String::from_utf8(json).expect("JSON")),
                Made::Skipped { field, value } => told.push(format!("skipped {field} {value}")),
                Made::Rejected(fault) => told.push(format!("rejected {:?} {}", fault.field, fault.message)),
                Made::Header => {}
            }
        }
        records.fill(&mut source).map_err(|error| error.to_string())?;
    }
    Ok(told)
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
    ("attributes.x = { value = 0x1F }", ",", r#"{"attributes":{"x":31}}"#),
    ("attributes.x = { value = -1_000 }", ",", r#"{"attributes":{"x":-1000}}"#),
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
    let mapping = format!("format = \"csv\"\n[fields]\n{}{TIME}", BARE.replace("{ value = \"i\" }", "{ row = true }"));
    let mapping = Arc::new(load(&mapping, "map.toml").expect("a good mapping"));
    let (mut mapper, mut decoder) = (Mapper::new(Arc::clone(&mapping)), Decoder::default());
    let types = Ways::new(&mapping).types;
    let mut ids = Vec::new();
    for source in 0..2 {
        for bytes in [b"a,b", b"1,2", b"3,4"] {
            let record = Record { bytes, total: 3, line: 1, offset: 1, unclosed: None, row: None, logged: None };
            let take = |decoded: &Decoded<'_, '_>| ids.push(decoded.event().id.to_owned());
            mapper.map_as(source, &record, &mut decoder, (&types, CURRENCY), take).expect("no column is named");
        }
    }
    assert_eq!(ids, ["row-1", "row-2", "row-3", "row-4"]);
}
