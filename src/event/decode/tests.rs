//! The decoder's rules as tables, hostile input, and two slow judges: `serde_json`, and a plain model of an event.

use super::*;
use crate::{event::Scalar, number::Decimal};
use std::str::FromStr;

const KZT: Currency = Currency(*b"KZT");

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

#[test]
fn reads_a_whole_event() {
    let record = br#"{"id":"e-1","type":"transfer","time":"2026-03-01T08:15:30.123+05:00","wallet":"77010000001",
        "counterparty":"7702","amount":5000.5,"balance":"-1","ip":"::ffff:1.2.3.4","country":"KZ","anonymous":true,
        "client_status":"identified","currency":"KZT","x":{"y":[1,{}]},"attributes":{"a":-1.50,"b":"\u0441","c":true,"d":null}}"#;
    let mut decoder = Decoder::default();
    let types = types();
    let event = decoder.decode(record, &types, KZT).unwrap();
    println!("{event:?}");
    assert_eq!(event.amount, Some(Amount(500_050)));
    assert_eq!(event.attributes.get("b"), Some(Scalar::Text("с")));
    assert_eq!(event.attributes.get("a"), Some(Scalar::Number(Decimal::from_str("-1.5").unwrap())));
}
