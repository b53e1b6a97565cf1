//! Records that must be rejected, of every kind that section 2 and section 10 of the spec name.
//!
//! Each is an event that would be good but for one fault, so that a decoder which misses the fault is caught.

use super::Record;
use crate::{limits, time::Timestamp};

/// One kind of fault.
pub struct Kind {
    pub name: &'static str,
    /// The field that the reject must name, where the record has one that is at fault and no other could be named.
    pub field: Option<&'static str>,
    fault: Fault,
}

enum Fault {
    /// Put between the fields of a good payment, or instead of the field of that name.
    Field(&'static str, &'static str),
    /// The field is left out.
    Lacks(&'static str),
    /// The same, of an event of this type.
    OfType(&'static str, &'static str),
    /// The whole line.
    Line(fn(&str) -> Vec<u8>),
    /// The event is older than what has been decided allows.
    TooOld,
    /// The last good operation again, with another amount.
    Conflict,
}

use Fault::{Conflict, Field, Lacks, Line, OfType, TooOld};

const fn bad(name: &'static str, field: &'static str, fault: Fault) -> Kind {
    Kind { name, field: Some(field), fault }
}

const fn broken(name: &'static str, fault: Fault) -> Kind {
    Kind { name, field: None, fault }
}

/// Every kind; `--bad N` goes through them in turn.
pub const KINDS: &[Kind] = &[
    broken("not-json", Line(|_| b"2026-03-01;payment;5000".to_vec())),
    broken("cut-off", Line(|good| good.as_bytes()[..good.len() - 9].to_vec())),
    broken("two-objects", Line(|good| format!("{good}{good}").into_bytes())),
    broken("array", Line(|good| format!("[{good}]").into_bytes())),
    broken("bare-text", Line(|_| b"\"payment\"".to_vec())),
    broken("byte-order-mark", Line(|good| format!("\u{feff}{good}").into_bytes())),
    broken("not-utf-8", Line(|good| instead(good, "\"app\"", b"\"\xff\xfe\""))),
    broken("lone-surrogate", Line(|good| instead(good, "\"app\"", b"\"\\ud83d\""))),
    broken("control-character", Line(|good| instead(good, "\"app\"", b"\"\x01\""))),
    broken("single-quotes", Line(|good| good.replace('"', "'").into_bytes())),
    broken("comma-at-the-end", Line(|good| instead(good, "\"app\"}", b"\"app\",}"))),
    broken("too-deep", Line(too_deep)),
    broken("too-deep-unclosed", Line(|good| instead(good, "\"app\"}", "[".repeat(20_000).as_bytes()))),
    broken("too-long", Line(too_long)),
    broken("field-twice", Line(|good| instead(good, "\"app\"}", b"\"app\",\"channel\":\"web\"}"))),
    bad("no-id", "id", Lacks("id")),
    bad("no-type", "type", Lacks("type")),
    bad("no-time", "time", Lacks("time")),
    bad("no-wallet", "wallet", Lacks("wallet")),
    bad("no-amount", "amount", Lacks("amount")),
    bad("no-counterparty", "counterparty", OfType("transfer", "counterparty")),
    bad("no-status", "client_status", OfType("status_changed", "client_status")),
    bad("no-ip", "ip", OfType("ip_unblocked", "ip")),
    bad("null-amount", "amount", Field("amount", "null")),
    bad("unknown-type", "type", Field("type", "\"teleport\"")),
    bad("type-in-capitals", "type", Field("type", "\"PAYMENT\"")),
    bad("empty-id", "id", Field("id", "\"\"")),
    bad("number-id", "id", Field("id", "17")),
    bad("long-id", "id", Field("id", LONG_ID)),
    bad("empty-wallet", "wallet", Field("wallet", "\"\"")),
    bad("long-wallet", "wallet", Field("wallet", LONG_WALLET)),
    bad("time-without-offset", "time", Field("time", "\"2026-03-01T10:00:00\"")),
    bad("time-with-small-t", "time", Field("time", "\"2026-03-01t10:00:00Z\"")),
    bad("time-with-blank", "time", Field("time", "\"2026-03-01 10:00:00Z\"")),
    bad("leap-second", "time", Field("time", "\"2026-03-01T10:00:60Z\"")),
    bad("no-such-day", "time", Field("time", "\"2026-02-30T10:00:00Z\"")),
    bad("time-as-number", "time", Field("time", "1772341200000")),
    bad("too-old", "time", TooOld),
    bad("zero-amount", "amount", Field("amount", "\"0.00\"")),
    bad("negative-amount", "amount", Field("amount", "\"-5\"")),
    bad("negative-number", "amount", Field("amount", "-5")),
    bad("plus-sign", "amount", Field("amount", "\"+5\"")),
    bad("third-decimal", "amount", Field("amount", "\"10.000\"")),
    bad("exponent", "amount", Field("amount", "1e3")),
    bad("exponent-text", "amount", Field("amount", "\"1E3\"")),
    bad("leading-zero", "amount", Field("amount", "\"007\"")),
    bad("blank-in-amount", "amount", Field("amount", "\"1 000\"")),
    bad("comma-in-amount", "amount", Field("amount", "\"1,5\"")),
    bad("point-at-the-end", "amount", Field("amount", "\"5.\"")),
    bad("point-in-front", "amount", Field("amount", "\".5\"")),
    bad("amount-too-large", "amount", Field("amount", "\"1000000000000000.01\"")),
    bad("seventeen-digits", "amount", Field("amount", "10000000000000000")),
    bad("words-for-amount", "amount", Field("amount", "\"NaN\"")),
    bad("amount-true", "amount", Field("amount", "true")),
    bad("other-currency", "currency", Field("currency", "\"USD\"")),
    bad("small-currency", "currency", Field("currency", "\"kzt\"")),
    bad("no-address", "ip", Field("ip", "\"10.0.0\"")),
    bad("octal-address", "ip", Field("ip", "\"010.0.0.1\"")),
    bad("address-with-port", "ip", Field("ip", "\"10.0.0.1:443\"")),
    bad("small-country", "country", Field("country", "\"kz\"")),
    bad("long-country", "country", Field("country", "\"KAZ\"")),
    bad("anonymous-as-text", "anonymous", Field("anonymous", "\"true\"")),
    bad("unknown-status", "client_status", Field("client_status", "\"vip\"")),
    bad("plus-balance", "balance", Field("balance", "\"+10\"")),
    bad("balance-too-low", "balance", Field("balance", "\"-1000000000000000.01\"")),
    bad("empty-device", "device", Field("device", "\"\"")),
    bad("number-device", "device", Field("device", "5")),
    bad("attributes-as-list", "attributes", Field("attributes", "[1]")),
    broken("nested-attribute", Field("attributes", "{\"a\":{\"b\":1}}")),
    broken("attribute-seven-decimals", Field("attributes", "{\"a\":0.1234567}")),
    broken("attribute-exponent", Field("attributes", "{\"a\":1e3}")),
    broken("attribute-twice", Field("attributes", "{\"a\":1,\"a\":2}")),
    bad("another-amount", "id", Conflict),
];

/// 129 and 65 bytes, in quotes.
const LONG_ID: &str = "\"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\"";
const LONG_WALLET: &str = "\"77070000000000000000000000000000000000000000000000000000000000000\"";
const _: () = assert!(LONG_ID.len() == limits::ID_BYTES + 3 && LONG_WALLET.len() == limits::WALLET_BYTES + 3);

/// What good events came before a bad record.
pub struct Before<'a> {
    /// When the stream begins.
    pub start: i64,
    /// The time of the newest one.
    pub newest: Option<i64>,
    /// The newest of its wallet, with an amount.
    pub operation: Option<&'a Record>,
}

impl Kind {
    /// The bytes of the bad record, without a line end; `number` names it. Nothing when it would be no fault, for want
    /// of a good event before it.
    pub fn write(&self, number: u64, before: &Before<'_>) -> Option<Vec<u8>> {
        let good = Fields::new(number, before.newest.unwrap_or(before.start));
        Some(match self.fault {
            Field(name, value) => good.with(name, value).line().into_bytes(),
            Lacks(name) => good.without(name).line().into_bytes(),
            OfType(kind, name) => good.with("type", &format!("\"{kind}\"")).without(name).line().into_bytes(),
            Line(spoil) => spoil(&good.line()),
            TooOld => Fields::new(number, before.newest? - limits::MAX_PAST_MS - 1).line().into_bytes(),
            Conflict => {
                let mut again = before.operation?.clone();
                again.amount.as_mut()?.0 += 1;
                let mut line = Vec::new();
                again.write(&mut line);
                line.pop();
                line
            }
        })
    }
}

/// A good payment as names and JSON values, to be spoiled.
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn new(number: u64, time: i64) -> Fields {
        Fields(vec![
            ("id", format!("\"x-{number}\"")),
            ("type", "\"payment\"".to_owned()),
            ("time", format!("\"{}\"", Timestamp(time))),
            ("wallet", "\"77070000001\"".to_owned()),
            ("amount", "\"5000\"".to_owned()),
            ("channel", "\"app\"".to_owned()),
        ])
    }

    fn with(mut self, name: &'static str, value: &str) -> Fields {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => value.clone_into(&mut field.1),
            None => self.0.push((name, value.to_owned())),
        }
        self
    }

    fn without(mut self, name: &str) -> Fields {
        self.0.retain(|(known, _)| *known != name);
        self
    }

    fn line(&self) -> String {
        let fields: Vec<String> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    }
}

/// The good line with other bytes in the place of `old`.
fn instead(good: &str, old: &str, new: &[u8]) -> Vec<u8> {
    let at = good.find(old).expect("every good line has the text that is replaced");
    [&good.as_bytes()[..at], new, &good.as_bytes()[at + old.len()..]].concat()
}

/// The record is level 1, so that many lists in an unknown field are one level too deep.
fn too_deep(good: &str) -> Vec<u8> {
    let lists = limits::RECORD_DEPTH;
    let field = format!("\"app\",\"unknown\":{}{}}}", "[".repeat(lists), "]".repeat(lists));
    instead(good, "\"app\"}", field.as_bytes())
}

/// One byte too long.
fn too_long(good: &str) -> Vec<u8> {
    let padding = limits::RECORD_BYTES + 1 - good.len() - ",\"unknown\":\"\"".len();
    instead(good, "\"app\"}", format!("\"app\",\"unknown\":\"{}\"}}", "x".repeat(padding)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn kinds_have_names_of_their_own_and_the_good_line_is_good() {
        let names: HashSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        let good = Fields::new(1, 0).line();
        serde_json::from_str::<serde_json::Value>(&good).expect("a good line is JSON");
        assert_eq!(too_long(&good).len(), limits::RECORD_BYTES + 1);
        let nothing = Before { start: 0, newest: None, operation: None };
        for kind in KINDS.iter().filter(|kind| !matches!(kind.fault, Conflict | TooOld)) {
            let line = kind.write(1, &nothing).expect("a line that needs nothing before it");
            assert!(!line.contains(&b'\n') && line != good.as_bytes(), "{}", kind.name);
        }
    }
}
