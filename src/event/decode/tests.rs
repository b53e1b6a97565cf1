//! The decoder's rules as tables, and hostile input. The slow judges are in `differential`.

use super::{known::Known, *};
use crate::event::{Field, Scalar, TypeId};
use std::sync::LazyLock;

mod differential;

const KZT: Currency = Currency(*b"KZT");

/// A record that uses every field.
const FULL: &str = r#"{"id":"e-1","type":"transfer","time":"2026-03-01T08:15:30.123+05:00","wallet":"77010000001","counterparty":"77020000002","merchant":"m","amount":"5000.5","currency":"KZT","ip":"10.0.0.1","country":"KZ","anonymous":false,"client_status":"identified","balance":-20.01,"device":"d","channel":"c","cause":"u","method":"h","attributes":{"s":"t","n":-1.50,"b":true,"z":null},"unknown":[{"a":-1.5e3},[]]}"#;

fn types() -> TypeTable {
    let entry = |name: &str, requires: &[&str]| TypeEntry {
        name: name.to_owned(),
        requires: requires.iter().map(|field| Field::parse(field).expect("a field")).collect(),
    };
    TypeTable::new(vec![
        entry("login", &[]),
        entry("transfer", &["amount", "counterparty"]),
        entry("ip_unblocked", &["ip"]),
        entry("card_transfer", &["amount", "attributes.to_other_bank"]),
    ])
}

/// All of an event in one line of text: the fields that have a value, in the order of the spec's table.
fn written(event: &Event<'_>, types: &TypeTable) -> String {
    let mut line =
        format!("id={} type={} time={} wallet={}", event.id, types.name(event.kind), event.time, event.wallet);
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line.push_str(&format!(" {name}={value}"));
        }
    };
    put("counterparty", event.counterparty.map(str::to_owned));
    put("merchant", event.merchant.map(str::to_owned));
    put("amount", event.amount.map(|amount| amount.to_string()));
    put("currency", event.currency.map(|currency| currency.as_str().to_owned()));
    put("ip", event.ip.map(|ip| ip.to_string()));
    put("country", event.country.map(|country| country.as_str().to_owned()));
    put("anonymous", event.anonymous.map(|flag| flag.to_string()));
    put("client_status", event.client_status.map(|status| status.name().to_owned()));
    put("balance", event.balance.map(|amount| amount.to_string()));
    put("device", event.device.map(str::to_owned));
    put("channel", event.channel.map(str::to_owned));
    put("cause", event.cause.map(str::to_owned));
    put("method", event.method.map(str::to_owned));
    for (name, value) in event.attributes.iter() {
        let value = match value {
            Scalar::Text(text) => format!("{text:?}"),
            Scalar::Number(number) => number.to_string(),
            Scalar::Bool(flag) => flag.to_string(),
        };
        put(&format!("attributes.{name}"), Some(value));
    }
    line
}

/// Decodes one record with a new decoder, and with one that has read others: nothing of these may show.
fn decode(record: &[u8]) -> Result<String, Fault> {
    static TYPES: LazyLock<TypeTable> = LazyLock::new(types);
    let types = &*TYPES;
    let first = Decoder::default().decode(record, types, KZT).map(|event| written(&event, types));
    let mut used = Decoder::default();
    for before in [FULL, "{\"i\\u0064\":\"\\u0041\",\"attributes\":{\"a\\n\":\"\\n\"},"] {
        let _ = used.decode(before.as_bytes(), types, KZT);
    }
    let second = used.decode(record, types, KZT).map(|event| written(&event, types));
    assert_eq!(first, second);
    first
}

/// The least login, with `more` after its fields.
fn login(more: &str) -> String {
    format!(r#"{{"id":"e","type":"login","time":"2026-03-01T00:00:00Z","wallet":"w"{more}}}"#)
}

const LOGIN: &str = "id=e type=login time=2026-03-01T00:00:00Z wallet=w";

/// What is to come of a record: the event as [`written`], or the field at fault, `-` for none, and a part of the message.
type Expected<'a> = Result<&'a str, (&'a str, &'a str)>;

fn check<R: AsRef<[u8]>>(cases: &[(R, Expected<'_>)]) {
    for (record, expected) in cases {
        let record = record.as_ref();
        let shown = String::from_utf8_lossy(&record[..record.len().min(400)]);
        match (decode(record), expected) {
            (Ok(event), Ok(expected)) => assert_eq!(event, *expected, "{shown}"),
            (Err(fault), Err((field, message))) => {
                assert_eq!(fault.field.as_deref().unwrap_or("-"), *field, "{shown}: {fault}");
                assert!(fault.message.contains(message), "{shown}: {fault}");
            }
            (found, _) => panic!("{shown}: expected {expected:?}, found {found:?}"),
        }
    }
}

/// The same for a login with one more field.
fn check_field(cases: &[(&str, Expected<'_>)]) {
    for (field, expected) in cases {
        let record = login(&format!(",{field}"));
        let line = expected.map(|rest| format!("{LOGIN}{}{rest}", if rest.is_empty() { "" } else { " " }));
        let expected = match (&line, expected) {
            (Ok(line), _) => Ok(line.as_str()),
            (_, Err(fault)) => Err(*fault),
            (_, Ok(_)) => unreachable!("one comes from the other"),
        };
        check(&[(record, expected)]);
    }
}

#[test]
fn reads_whole_events() {
    check(&[
        (
            FULL.to_owned(),
            Ok("id=e-1 type=transfer time=2026-03-01T03:15:30.123Z wallet=77010000001 counterparty=77020000002 \
                merchant=m amount=5000.5 currency=KZT ip=10.0.0.1 country=KZ anonymous=false client_status=identified \
                balance=-20.01 device=d channel=c cause=u method=h attributes.s=\"t\" attributes.n=-1.5 \
                attributes.b=true"),
        ),
        (login(""), Ok(LOGIN)),
        (format!(" \t\r\n{}\n\r\t ", login("")), Ok(LOGIN)),
        (login("\t\r\n ,\n\"x\"\r:\t{ \"y\" : [ 1 , [ ] , { } ] }\n"), Ok(LOGIN)),
        (
            // All of the text with escapes, keys as well, and a null in the id.
            r#"{"\u0069d":"\u0000\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00","\u0074ype":"lo\u0067in","time":"2026-03-01T00:00:00\u005A","wallet":"\u0077"}"#.to_owned(),
            Ok("id=\0\"\\/\u{8}\u{c}\n\r\té😀 type=login time=2026-03-01T00:00:00Z wallet=w"),
        ),
    ]);
}

#[test]
fn requires_what_every_event_and_its_type_need() {
    check(&[
        ("{}", Err(("type", "missing; every event has one"))),
        (r#"{"type":"login","time":"2026-03-01T00:00:00Z","wallet":"w"}"#, Err(("id", "id: missing"))),
        (r#"{"id":"e","type":"login","wallet":"w"}"#, Err(("time", "missing"))),
        (r#"{"id":"e","type":"login","time":"2026-03-01T00:00:00Z"}"#, Err(("wallet", "missing"))),
        (r#"{"id":"e","type":"login","time":"2026-03-01T00:00:00Z","wallet":null}"#, Err(("wallet", "missing"))),
        (
            r#"{"id":"e","type":"transfer","time":"2026-03-01T00:00:00Z","wallet":"w","amount":1}"#,
            Err(("counterparty", "an event of type \"transfer\" requires it")),
        ),
        (
            r#"{"id":"e","type":"transfer","time":"2026-03-01T00:00:00Z","wallet":"w","amount":null,"counterparty":"c"}"#,
            Err(("amount", "requires it")),
        ),
        (
            r#"{"id":"e","type":"card_transfer","time":"2026-03-01T00:00:00Z","wallet":"w","amount":1,"attributes":{"to_other_bank":null}}"#,
            Err(("attributes.to_other_bank", "requires it")),
        ),
        (
            r#"{"id":"e","type":"card_transfer","time":"2026-03-01T00:00:00Z","wallet":"w","amount":1,"attributes":{"to_other_bank":false}}"#,
            Ok("id=e type=card_transfer time=2026-03-01T00:00:00Z wallet=w amount=1 attributes.to_other_bank=false"),
        ),
        (
            r#"{"id":"e","type":"transfers","time":"2026-03-01T00:00:00Z","wallet":"w"}"#,
            Err(("type", "type: \"transfers\" is not a type that the packs declare")),
        ),
    ]);
}

#[test]
fn amounts_are_plain_decimals() {
    let shape = "is not a plain decimal";
    let cases: &[(&str, Result<&str, &str>)] = &[
        ("1", Ok("1")),
        ("0.50", Ok("0.5")),
        ("0.01", Ok("0.01")),
        ("5000.2", Ok("5000.2")),
        ("1000000000000000", Ok("1000000000000000")),
        ("1000000000000000.00", Ok("1000000000000000")),
        ("1000000000000000.01", Err("is beyond the largest amount, 1000000000000000")),
        ("9999999999999999", Err("beyond")),
        ("10000000000000000", Err("has 17 digits before the point; at most 16 are allowed")),
        ("0", Err("is not over 0")),
        ("0.00", Err("is not over 0")),
        ("-1", Err("has a sign")),
        ("-0", Err("has a sign")),
        ("12.345", Err("12.345 has 3 digits after the point; at most 2 are allowed")),
        ("12.340", Err("3 digits after")),
        ("0.123456789012345678901234567890", Err("30 digits after")),
        ("1e3", Err(shape)),
        ("1E-2", Err(shape)),
        ("1e400", Err(shape)),
    ];
    for (text, expected) in cases {
        let line = expected.map(|value| format!("amount={value}"));
        let expected = line.as_deref().map_err(|message| ("amount", *message));
        check_field(&[(&format!(r#""amount":{text}"#), expected)]);
        if !text.contains("12.345") {
            check_field(&[(&format!(r#""amount":"{text}""#), expected)]);
        }
    }
}

#[test]
fn other_amounts_are_named() {
    let shape = "is not a plain decimal";
    check_field(&[
        (
            r#""amount":"12.345""#,
            Err(("amount", "amount: \"12.345\" has 3 digits after the point; at most 2 are allowed")),
        ),
        (r#""amount":"00.5""#, Err(("amount", "\"00.5\" has leading zeros"))),
        (r#""amount":"01""#, Err(("amount", "has leading zeros"))),
        (r#""amount":".5""#, Err(("amount", shape))),
        (r#""amount":"5.""#, Err(("amount", shape))),
        (r#""amount":".""#, Err(("amount", shape))),
        (r#""amount":"+5""#, Err(("amount", shape))),
        (r#""amount":" 5""#, Err(("amount", shape))),
        (r#""amount":"5 ""#, Err(("amount", shape))),
        (r#""amount":"5\u0000""#, Err(("amount", "\"5\\u0000\" is not"))),
        (r#""amount":"--5""#, Err(("amount", shape))),
        (r#""amount":"1,5""#, Err(("amount", shape))),
        (r#""amount":"1.5.5""#, Err(("amount", shape))),
        (r#""amount":"NaN""#, Err(("amount", shape))),
        (r#""amount":"٥""#, Err(("amount", shape))),
        (r#""amount":"\u0035""#, Ok("amount=5")),
        (r#""amount":"""#, Err(("amount", "is empty"))),
        (r#""amount":true"#, Err(("amount", "amount: a boolean is given; a decimal"))),
        (r#""amount":[5]"#, Err(("amount", "an array stands here"))),
        (r#""amount":{}"#, Err(("amount", "an object stands here"))),
        (r#""amount":null"#, Ok("")),
        (r#""amount":NaN"#, Err(("amount", "not JSON"))),
        (r#""amount":Infinity"#, Err(("amount", "not JSON"))),
        (r#""amount":+5"#, Err(("amount", "not JSON"))),
        (r#""amount":.5"#, Err(("amount", "not JSON"))),
        (r#""amount":5."#, Err(("amount", "not JSON"))),
        (r#""amount":05"#, Err(("-", "not JSON"))),
        (r#""amount":-"#, Err(("amount", "not JSON: a digit is expected"))),
    ]);
}

#[test]
fn balances_may_be_zero_or_less() {
    check_field(&[
        (r#""balance":0"#, Ok("balance=0")),
        (r#""balance":-0"#, Ok("balance=0")),
        (r#""balance":"-0.00""#, Ok("balance=0")),
        (r#""balance":"-12.3""#, Ok("balance=-12.3")),
        (r#""balance":-1000000000000000"#, Ok("balance=-1000000000000000")),
        (r#""balance":1000000000000000.00"#, Ok("balance=1000000000000000")),
        (r#""balance":-1000000000000000.01"#, Err(("balance", "beyond"))),
        (r#""balance":"+1""#, Err(("balance", "plain decimal"))),
        (r#""balance":"-""#, Err(("balance", "plain decimal"))),
        (r#""balance":"-01""#, Err(("balance", "leading zeros"))),
        (r#""balance":1.001"#, Err(("balance", "3 digits after"))),
        (r#""balance":"""#, Err(("balance", "empty"))),
    ]);
}

#[test]
fn texts_have_their_bounds() {
    for (field, longest) in [("id", 128), ("wallet", 64)] {
        let record = |value: String| {
            FULL.replace(r#""id":"e-1""#, r#""id":"e""#).replace(
                &format!("\"{field}\":\"{}\"", if field == "id" { "e" } else { "77010000001" }),
                &format!("\"{field}\":\"{value}\""),
            )
        };
        assert!(decode(record("é".repeat(longest / 2)).as_bytes()).is_ok());
        assert!(decode(record("\\u0041".repeat(longest)).as_bytes()).is_ok());
        let message = format!("has {} bytes; at most {longest} are allowed", longest + 1);
        check(&[
            (record("a".repeat(longest + 1)), Err((field, message.as_str()))),
            (record("\\u0041".repeat(longest + 1)), Err((field, message.as_str()))),
            (record(String::new()), Err((field, "is empty"))),
        ]);
    }
    for field in ["counterparty", "merchant", "device", "channel", "cause", "method"] {
        let long = "a".repeat(60_000);
        check_field(&[
            (&format!(r#""{field}":"{long}""#), Ok(&format!("{field}={long}"))),
            (&format!(r#""{field}":"""#), Err((field, "is empty"))),
            (&format!(r#""{field}":5"#), Err((field, "5 is a number; text is expected"))),
            (&format!(r#""{field}":false"#), Err((field, "text is expected"))),
            (&format!(r#""{field}":["a"]"#), Err((field, "text is expected"))),
            (&format!(r#""{field}":null"#), Ok("")),
        ]);
    }
}

#[test]
fn codes_addresses_and_flags() {
    check_field(&[
        (r#""currency":"KZT""#, Ok("currency=KZT")),
        (r#""currency":"USD""#, Err(("currency", "\"USD\" has no rate: only KZT"))),
        (r#""currency":"kzt""#, Err(("currency", "three capital letters"))),
        (r#""currency":"KZ""#, Err(("currency", "three capital letters"))),
        (r#""currency":"""#, Err(("currency", "empty"))),
        (r#""country":"QQ""#, Ok("country=QQ")),
        (r#""country":"kz""#, Err(("country", "two capital letters"))),
        (r#""country":"KAZ""#, Err(("country", "two capital letters"))),
        (r#""country":"É""#, Err(("country", "two capital letters"))),
        (r#""ip":"::FFFF:10.0.0.1""#, Ok("ip=10.0.0.1")),
        (r#""ip":"::ffff:a00:1""#, Ok("ip=10.0.0.1")),
        (r#""ip":"::10.0.0.1""#, Ok("ip=::a00:1")),
        (r#""ip":"2001:DB8:0:0:0:0:0:1""#, Ok("ip=2001:db8::1")),
        (r#""ip":"fe80::1%eth0""#, Err(("ip", "is not an IPv4 or IPv6 address"))),
        (r#""ip":"10.0.0.01""#, Err(("ip", "not an IPv4"))),
        (r#""ip":"10.0.0""#, Err(("ip", "not an IPv4"))),
        (r#""ip":"10.0.0.256""#, Err(("ip", "not an IPv4"))),
        (r#""ip":"10.0.0.1 ""#, Err(("ip", "not an IPv4"))),
        (r#""ip":"[::1]""#, Err(("ip", "not an IPv4"))),
        (r#""ip":"10.0.0.1:80""#, Err(("ip", "not an IPv4"))),
        (r#""ip":167772161"#, Err(("ip", "text is expected"))),
        (r#""anonymous":true"#, Ok("anonymous=true")),
        (r#""anonymous":"true""#, Err(("anonymous", "\"true\" is text; true or false is expected"))),
        (r#""anonymous":1"#, Err(("anonymous", "true or false is expected"))),
        (r#""anonymous":True"#, Err(("anonymous", "not JSON"))),
        (r#""anonymous":truee"#, Err(("-", "not JSON"))),
        (r#""client_status":"unregistered""#, Ok("client_status=unregistered")),
        (r#""client_status":"unidentified""#, Ok("client_status=unidentified")),
        (r#""client_status":"Identified""#, Err(("client_status", "is not one of"))),
        (r#""client_status":"known""#, Err(("client_status", "is not one of"))),
    ]);
    let time = |text: &str| login("").replace("\"2026-03-01T00:00:00Z\"", text);
    check(&[
        (time("\"2026-03-01T00:00:00\""), Err(("time", "time: \"2026-03-01T00:00:00\" is not an RFC 3339"))),
        (time("\"2026-02-29T00:00:00Z\""), Err(("time", "calendar"))),
        (time("1772323200"), Err(("time", "text is expected"))),
    ]);
}

#[test]
fn a_field_stands_once() {
    check_field(&[
        (r#""id":"e""#, Err(("id", "id: stands in the record twice"))),
        (r#""\u0069d":"e""#, Err(("id", "twice"))),
        (r#""id":null"#, Err(("id", "twice"))),
        (r#""amount":null,"amount":null"#, Err(("amount", "twice"))),
        (r#""amount":null,"amount":5"#, Err(("amount", "twice"))),
        (r#""attributes":{},"attributes":null"#, Err(("attributes", "twice"))),
        (r#""ID":"e","Id":5,"ids":null,"i":[],"":{},"\u0000":0,"idd":1"#, Ok("")),
        (r#""x":1,"x":{"id":1,"id":2}"#, Ok("")),
        (r#""attributes":{"id":"a","x":"b"}"#, Ok("attributes.id=\"a\" attributes.x=\"b\"")),
    ]);
}

#[test]
fn attributes_are_flat() {
    check_field(&[
        (r#""attributes":null"#, Ok("")),
        (r#""attributes":{ }"#, Ok("")),
        (r#""attributes":{ "a" : 1 , "b" : "\n" }"#, Ok(r#"attributes.a=1 attributes.b="\n""#)),
        (r#""attributes":{"":"x"}"#, Ok("attributes.=\"x\"")),
        (r#""attributes":{"a":0}"#, Ok("attributes.a=0")),
        (r#""attributes":{"a":-0}"#, Ok("attributes.a=0")),
        (r#""attributes":{"a":-0.000000}"#, Ok("attributes.a=0")),
        (r#""attributes":{"a":10.500}"#, Ok("attributes.a=10.5")),
        (r#""attributes":{"a":100}"#, Ok("attributes.a=100")),
        (r#""attributes":{"a":-9999999999999999.999999}"#, Ok("attributes.a=-9999999999999999.999999")),
        (r#""attributes":{"a":10000000000000000}"#, Err(("attributes.a", "17 digits before the point; at most 16"))),
        (r#""attributes":{"a":0.0000000}"#, Err(("attributes.a", "7 digits after the point; at most 6"))),
        (r#""attributes":{"a":1e2}"#, Err(("attributes.a", "plain decimal"))),
        (r#""attributes":{"a":"1e2"}"#, Ok("attributes.a=\"1e2\"")),
        (r#""attributes":{"a":""}"#, Err(("attributes.a", "attributes.a: \"\" is empty"))),
        (r#""attributes":{"a":[]}"#, Err(("attributes.a", "an array stands here"))),
        (r#""attributes":{"a":{}}"#, Err(("attributes.a", "an object stands here"))),
        (r#""attributes":{"a":1,"b":2,"\u0061":3}"#, Err(("attributes.a", "twice"))),
        (r#""attributes":{"a":null,"a":null}"#, Err(("attributes.a", "twice"))),
        (r#""attributes":[]"#, Err(("attributes", "an array stands here; an object is expected"))),
        (r#""attributes":"a""#, Err(("attributes", "\"a\" is text; an object is expected"))),
        (r#""attributes":7"#, Err(("attributes", "7 is a number"))),
        (r#""attributes":{"a":1,}"#, Err(("attributes", "not JSON"))),
        (r#""attributes":{"a"}"#, Err(("attributes", "not JSON: `:` is expected"))),
        (r#""attributes":{"a":}"#, Err(("attributes", "not JSON"))),
        (r#""attributes":{"a":1"#, Err(("-", "not JSON"))),
        (r#""attributes":{a:1}"#, Err(("attributes", "not JSON: a key in quotes is expected"))),
    ]);
}

#[test]
fn thousands_of_attributes_are_found_and_doubles_among_them() {
    let list = |count: usize| (0..count).map(|place| format!("\"{place}\":{place}")).collect::<Vec<_>>().join(",");
    let record = login(&format!(r#","attributes":{{{}}}"#, list(5_000)));
    let (mut decoder, types) = (Decoder::default(), types());
    let event = decoder.decode(record.as_bytes(), &types, KZT).expect("a good record");
    assert_eq!(event.attributes.iter().count(), 5_000);
    assert_eq!(event.attributes.get("4999"), Some(Scalar::Number(4_999.into())));
    assert_eq!(event.attributes.get("5000"), None);
    for count in [1, 2, 11, 12, 13, 5_000] {
        check_field(&[(
            &format!(r#""attributes":{{{},"{}":null}}"#, list(count), count / 2),
            Err((&format!("attributes.{}", count / 2), "twice")),
        )]);
    }
}

#[test]
fn what_nobody_knows_is_only_checked_to_be_json() {
    for value in [
        "1e400",
        "-0",
        "-0.0E+00",
        "0.123456789012345678901234567890",
        "\"\"",
        "null",
        "{}",
        "[]",
        "[[],{}]",
        r#"{"":{"":[0,true,false,null]}}"#,
        r#""\ud83d\ude00\u0000""#,
        r#""\ud800\udc00\udbff\udfff\ud7ff\ue000""#,
        "\"\u{7f}\u{feff}\u{10ffff}\"",
    ] {
        check_field(&[(&format!("\"x\":{value}"), Ok(""))]);
    }
}

const NOT_JSON: &[&str] = &[
    "NaN",
    "Infinity",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".1",
    "1e",
    "1e+",
    "1.e1",
    "0x1",
    "1_0",
    "",
    "tru",
    "nul",
    "True",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[",
    "]",
    "{",
    "}",
    "[}",
    "{]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{1:1}",
    "{a:1}",
    "\"\n\"",
    "\"\0\"",
    "\"\t\"",
    "\"\u{1f}\"",
    r#""\x""#,
    r#""\u12""#,
    r#""\u123g""#,
    r#""\""#,
    "\"",
    "'a'",
    "/**/1",
    "1//",
    r#""\ud800""#,
    r#""\udc00""#,
    r#""\ud800\ud800""#,
    r#""\ud800x""#,
    r#""\ud800\udbff""#,
    r#""\ud800\ue000""#,
    r#""\udbff\u0041""#,
    r#""\ud800\n""#,
    r#""\udc00\ud800""#,
    r#"{"\ud800":1}"#,
    "\u{feff}1",
    "1\u{a0}",
    "1\u{b}",
    "1\u{c}",
    "\u{2028}1",
    "1 1",
    "\"\"\"\"",
];

#[test]
fn what_nobody_knows_is_refused_where_it_is_not_json() {
    for value in NOT_JSON {
        check_field(&[(&format!("\"x\":{value}"), Err(("-", "not JSON")))]);
    }
}

#[test]
fn only_one_object_is_a_record() {
    for record in [
        "",
        " ",
        "null",
        "5",
        "\"{}\"",
        "[]",
        "[{}]",
        "{",
        "}",
        "{}}",
        "{} {}",
        "{},",
        "\u{feff}{}",
        "{}\u{feff}",
        "{}\0",
        "\0{}",
        "{\u{feff}}",
        "{,}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "//\n{}",
        "{\"\\ud800\":1}",
    ] {
        check(&[(record, Err(("-", "not JSON")))]);
    }
    check(&[
        ("\u{feff}{}", Err(("-", "the record's `{` is expected at byte 0, but a byte order mark stands there"))),
        ("[]", Err(("-", "but `[` stands there"))),
        ("", Err(("-", "at byte 0, but the record ends there"))),
        ("{} \u{1}", Err(("-", "nothing but blanks after the record's `}` is expected at byte 3, but `\\u0001`"))),
    ]);
}

#[test]
fn nesting_ends_at_sixteen() {
    let arrays = |count: usize| format!("\"x\":{}{}", "[".repeat(count), "]".repeat(count));
    let objects = |count: usize| format!("\"x\":{}{}{}", "{\"y\":".repeat(count - 1), "{}", "}".repeat(count - 1));
    let mixed = |count: usize| format!("\"x\":{}0{}", "[{\"y\":".repeat(count / 2), "}]".repeat(count / 2));
    check_field(&[
        (&arrays(15), Ok("")),
        (&objects(15), Ok("")),
        (&mixed(14), Ok("")),
        (&format!("{},{}", arrays(15), objects(15)), Ok("")),
        (&arrays(16), Err(("-", "deeper than 16"))),
        (&objects(16), Err(("-", "deeper than 16"))),
        (&mixed(16), Err(("-", "deeper than 16"))),
        (&format!("\"id2\":{}", "[".repeat(60_000)), Err(("-", "deeper than 16"))),
        (&format!("\"device\":{}", "[".repeat(16)), Err(("device", "text is expected"))),
        (&format!("\"device\":{}", "{\"a\":".repeat(10_000)), Err(("device", "text is expected"))),
        (&format!("\"attributes\":{}", "{\"a\":".repeat(10_000)), Err(("attributes.a", "an object stands here"))),
        (&format!("\"attributes\":{{\"a\":{}", "[".repeat(60_000)), Err(("attributes.a", "an array stands here"))),
    ]);
}

#[test]
fn records_have_at_most_65536_bytes() {
    let padded = |bytes: usize| {
        let record = login(",\"x\":\"\"");
        record.replace("\"x\":\"\"", &format!("\"x\":\"{}\"", "é".repeat((bytes - record.len()) / 2)))
            + &" ".repeat((bytes - record.len()) % 2)
    };
    assert_eq!(padded(65_536).len(), 65_536);
    check(&[
        (padded(65_536), Ok(LOGIN)),
        (padded(65_537), Err(("-", "the record has 65537 bytes; at most 65536 are allowed"))),
        (padded(10_000_000), Err(("-", "10000000 bytes"))),
        ("[".repeat(1_000_000), Err(("-", "1000000 bytes"))),
        ("[".repeat(65_536), Err(("-", "not JSON"))),
        ("{\"a\":".repeat(13_000), Err(("-", "deeper than 16"))),
        ("9".repeat(65_536), Err(("-", "not JSON"))),
    ]);
    let digits = "9".repeat(60_000);
    check_field(&[
        (&format!("\"x\":{digits}.{}", &digits[..5_000]), Ok("")),
        (&format!("\"x\":1e{digits}"), Ok("")),
        (&format!("\"amount\":{digits}"), Err(("amount", "has 60000 digits before the point"))),
        (&format!("\"amount\":\"0.{digits}\""), Err(("amount", "has 60000 digits after the point"))),
        (&format!("\"attributes\":{{\"a\":{digits}}}"), Err(("attributes.a", "has 60000 digits before the point"))),
    ]);
}

#[test]
fn scratch_space_does_not_grow_from_record_to_record() {
    let record = login(&format!(",\"device\":\"{}\"", "\\n".repeat(30_000)));
    let (mut decoder, types) = (Decoder::default(), types());
    for _ in 0..10 {
        let event = decoder.decode(record.as_bytes(), &types, KZT).expect("a good record");
        assert_eq!(event.device.map(str::len), Some(30_000));
        assert!(decoder.scratch.len() <= RECORD_BYTES);
    }
}

#[test]
fn messages_are_cut_between_characters() {
    let fault = decode(login(&format!(r#","ip":"a{}""#, "é".repeat(500))).as_bytes()).expect_err("no address");
    assert_eq!(fault.message, format!("ip: \"a{}…\" is not an IPv4 or IPv6 address", "é".repeat(31)));
    let name = "é\\n".repeat(500);
    let fault = decode(login(&format!(r#","attributes":{{"{name}":""}}"#)).as_bytes()).expect_err("an empty text");
    assert!(fault.message.len() < 300 && fault.message.starts_with("attributes.é\\u000aé"), "{fault}");
    assert!(fault.field.expect("a field").starts_with("attributes.é\né"));
}

#[test]
fn bytes_that_are_not_utf8_are_rejected_wherever_they_stand() {
    for at in 0..FULL.len() {
        for bytes in [&b"\x80"[..], b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"] {
            let mut inserted = FULL.as_bytes().to_vec();
            inserted.splice(at..at, bytes.iter().copied());
            let mut replaced = FULL.as_bytes().to_vec();
            replaced.splice(at..=at, bytes.iter().copied());
            for record in [inserted, replaced] {
                let fault = decode(&record).expect_err("not UTF-8");
                assert_eq!(fault.message, format!("not JSON: the record is not UTF-8 from byte {at} on"));
            }
        }
        // A null byte is text nowhere, unless it is escaped.
        let mut record = FULL.as_bytes().to_vec();
        record.insert(at, 0);
        assert!(decode(&record).is_err(), "a null byte at {at}");
    }
}

#[test]
fn blank_lines_are_no_records() {
    for (line, blank) in [
        ("", true),
        (" \t\r", true),
        ("\r", true),
        ("{}", false),
        ("\u{b}", false),
        ("\u{a0}", false),
        ("\0", false),
        (" \n", false),
    ] {
        assert_eq!(is_blank_line(line.as_bytes()), blank, "{line:?}");
    }
}

#[test]
fn types_are_found_by_name() {
    let entry = |name: String| TypeEntry { name, requires: Vec::new() };
    for count in [0, 1, 2, 255, 256] {
        // Names that agree in their first and last eight bytes share a slot.
        for form in ["", "abcdefgh", "aaaaaaaaa"] {
            let name = |place: usize| format!("{form}{place:03}{form}");
            let table = TypeTable::new((0..count).map(|place| entry(name(place))).collect());
            for place in 0..256 {
                let expected = (place < count).then(|| TypeId(u8::try_from(place).expect("below 256")));
                assert_eq!(table.find(&name(place)), expected);
            }
            assert_eq!(table.find(""), None);
        }
    }
    assert_eq!(TypeTable::default().find("login"), None);
    let doubled = TypeTable::new(vec![entry("a".to_owned()), entry("a".to_owned())]);
    assert_eq!(doubled.find("a"), Some(TypeId(0)));
}

#[test]
fn of_several_faults_the_same_is_told_wherever_they_stand() {
    let told = |members: &[&str]| {
        let record = format!("{{{}}}", members.join(","));
        decode(record.as_bytes()).expect_err("a bad record").field
    };
    // Each is told before all that come after it.
    let ranked = [
        (r#""attributes":{"a":""}"#, "attributes.a"),
        (r#""type":"none""#, "type"),
        (r#""id":"""#, "id"),
        (r#""time":"now""#, "time"),
        (r#""wallet":7"#, "wallet"),
        (r#""amount":"1.234""#, "amount"),
        (r#""ip":"1.2.3""#, "ip"),
        (r#""country":"kz""#, "country"),
        (r#""anonymous":"""#, "anonymous"),
        (r#""balance":"""#, "balance"),
        (r#""method":[]"#, "method"),
    ];
    let (syntax, values) = ranked.split_last().expect("some");
    for first in 0..values.len() {
        // What every event has is good where it is not bad.
        let good = [r#""type":"login""#, r#""id":"e""#, r#""time":"2026-03-01T00:00:00Z""#, r#""wallet":"w""#];
        let good = &good[..first.saturating_sub(1).min(good.len())];
        let mut members: Vec<&str> =
            values[first..].iter().map(|(member, _)| *member).chain(good.iter().copied()).collect();
        for _ in 0..members.len() {
            members.rotate_left(1);
            assert_eq!(told(&members).as_deref(), Some(values[first].1), "{members:?}");
            assert_eq!(told(&[&members[..], &[syntax.0]].concat()).as_deref(), Some(syntax.1));
        }
    }
    // What `attributes` is tells itself at once, as all that is not as JSON should be.
    assert_eq!(told(&[r#""amount":"""#, r#""attributes":"text""#, r#""cause":{}"#]).as_deref(), Some("attributes"));
}

#[test]
fn every_known_field_is_found_by_its_name_alone() {
    let find = |key: &[u8]| {
        let found = Known::find(key);
        // The same from the record itself, whatever follows there.
        for after in [&b"\":"[..], b"\":1}", b"\":\"0123456789abcdef\""] {
            let mut written = [b"\"", key, after].concat();
            written.resize(written.len().max(known::WORD), 0);
            let leading = Known::leading(&written).filter(|(_, rest)| written.len() - rest.len() == key.len() + 3);
            assert_eq!(leading.map(|(known, _)| known), found, "{key:?}");
            if let Some((other, rest)) = Known::leading(&written) {
                let length = written.len() - rest.len();
                assert_eq!(&written[..length], format!("\"{}\":", other.name()).as_bytes(), "{key:?}");
            }
        }
        found
    };
    for known in Known::ALL {
        let name = known.name();
        assert_eq!(find(name.as_bytes()), Some(known));
        assert_eq!(Field::parse(name).map_or(Known::Attributes, |field| Known::of(&field)), known);
        for at in 0..name.len() {
            let mut changed = name.as_bytes().to_vec();
            changed[at] ^= 0x20;
            assert_eq!(find(&changed), None);
            assert_eq!(find(&name.as_bytes()[..at]), None);
        }
        for more in ["\0", "\"", "\":", "\":1"] {
            for times in 1..20 {
                assert_eq!(Known::find(format!("{name}{}", more.repeat(times)).as_bytes()), None);
            }
        }
    }
}
