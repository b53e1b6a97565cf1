//! From the bytes of a record to an event, or to the name of the field at fault. Nothing is guessed: section 2 and
//! "Records" of section 10 are read here line by line. It knows the packs only through what `Demands` names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::calendar;
use super::decimal::Decimal;
use super::json::{self, Json};

/// The longest record, without its line end.
const LONGEST_RECORD: usize = 65_536;

/// The fields that the engine knows.
const KNOWN: &[&str] = &[
    "id",
    "type",
    "time",
    "wallet",
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
    "attributes",
];

/// A field's value as rules see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(Decimal),
    Bool(bool),
    Address(IpAddr),
}

impl std::fmt::Display for Value {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Text(text) => write!(out, "{text}"),
            Value::Number(number) => write!(out, "{number}"),
            Value::Bool(yes) => write!(out, "{yes}"),
            Value::Address(address) => write!(out, "{address}"),
        }
    }
}

/// One event. `fields` holds what the record states and what is known beside it, but `time`.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub time: i64,
    pub wallet: String,
    pub fields: BTreeMap<String, Value>,
}

impl Event {
    pub fn field(&self, name: &str) -> Option<Value> {
        match name {
            "time" => Some(Value::Text(calendar::print(self.time))),
            _ => self.fields.get(name).cloned(),
        }
    }

    pub fn amount(&self) -> Option<Decimal> {
        match self.fields.get("amount") {
            Some(Value::Number(amount)) => Some(*amount),
            _ => None,
        }
    }

    pub fn counterparty(&self) -> Option<String> {
        self.fields.get("counterparty").map(Value::to_string)
    }

    pub fn address(&self) -> Option<IpAddr> {
        match self.fields.get("ip") {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        }
    }
}

/// What the packs ask of a record.
pub struct Demands<'a> {
    pub currency: &'a str,
    /// The required fields of every declared type.
    pub requires: &'a BTreeMap<String, Vec<String>>,
    /// The mistake of taking a mapped IPv4 address for another address.
    pub keeps_mapped: bool,
}

/// The field at fault, where there is one.
pub type Fault = Option<String>;

pub fn read(record: &[u8], demands: &Demands<'_>) -> Result<Event, Fault> {
    if record.len() > LONGEST_RECORD {
        return Err(None);
    }
    let text = std::str::from_utf8(record).map_err(|_| None)?;
    let Some(Json::Object(members)) = json::parse(text) else { return Err(None) };
    let mut seen: Vec<&str> = Vec::new();
    let mut fields = BTreeMap::new();
    let mut time = None;
    for (key, value) in &members {
        let name = key.value.as_str();
        if key.lone_surrogate {
            return Err(None);
        }
        if !KNOWN.contains(&name) {
            if value.has_lone_surrogate() {
                return Err(None);
            }
            continue;
        }
        let fault = || Some(name.to_owned());
        if seen.contains(&name) {
            return Err(fault());
        }
        seen.push(name);
        if *value == Json::Null {
            continue;
        }
        match name {
            "time" => time = Some(plain_text(value).and_then(calendar::parse).ok_or_else(fault)?),
            "attributes" => attributes(value, &mut fields)?,
            _ => {
                let known = known_value(name, value, demands).ok_or_else(fault)?;
                fields.insert(name.to_owned(), known);
            }
        }
    }
    let text_field = |name: &str| fields.get(name).map(Value::to_string).ok_or_else(|| Some(name.to_owned()));
    let (id, kind, wallet) = (text_field("id")?, text_field("type")?, text_field("wallet")?);
    let time = time.ok_or_else(|| Some("time".to_owned()))?;
    let required = demands.requires.get(&kind).ok_or_else(|| Some("type".to_owned()))?;
    if let Some(lacking) = required.iter().find(|name| *name != "time" && !fields.contains_key(*name)) {
        return Err(Some(lacking.clone()));
    }
    Ok(Event { id, kind, time, wallet, fields })
}

fn plain_text(value: &Json) -> Option<&str> {
    match value {
        Json::Text(text) if !text.lone_surrogate && !text.value.is_empty() => Some(&text.value),
        _ => None,
    }
}

/// The text of an amount: a string's content or a number as written.
fn figure(value: &Json) -> Option<&str> {
    match value {
        Json::Number(number) => Some(number),
        other => plain_text(other),
    }
}

fn known_value(name: &str, value: &Json, demands: &Demands<'_>) -> Option<Value> {
    if name == "anonymous" {
        return match value {
            Json::Bool(yes) => Some(Value::Bool(*yes)),
            _ => None,
        };
    }
    if name == "amount" {
        let amount = decimal(figure(value)?, 2, false)?;
        let in_range = amount.exceeds(Decimal::whole(0)) && !amount.exceeds(largest_amount());
        return in_range.then_some(Value::Number(amount));
    }
    if name == "balance" {
        let balance = decimal(figure(value)?, 2, true)?;
        let in_range = !balance.exceeds(largest_amount()) && !balance.negated().exceeds(largest_amount());
        return in_range.then_some(Value::Number(balance));
    }
    let text = plain_text(value)?;
    let good = match name {
        "id" => text.len() <= 128,
        "wallet" => text.len() <= 64,
        "currency" => text == demands.currency,
        "country" => text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()),
        "client_status" => matches!(text, "unregistered" | "unidentified" | "identified"),
        "ip" => return address(text, demands.keeps_mapped),
        _ => true,
    };
    good.then(|| Value::Text(text.to_owned()))
}

fn address(text: &str, keeps_mapped: bool) -> Option<Value> {
    let address: IpAddr = text.parse().ok()?;
    Some(Value::Address(if keeps_mapped { address } else { address.to_canonical() }))
}

fn largest_amount() -> Decimal {
    Decimal::whole(1_000_000_000_000_000)
}

/// A decimal of at most 16 digits before the point and `places` after it, without leading zeros.
fn decimal(text: &str, places: usize, minus_allowed: bool) -> Option<Decimal> {
    let unsigned = if minus_allowed { text.strip_prefix('-').unwrap_or(text) } else { text };
    let (before, after) = match unsigned.split_once('.') {
        Some((before, after)) => (before, Some(after)),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let good_before = all_digits(before) && before.len() <= 16 && (before == "0" || !before.starts_with('0'));
    let good_after = after.is_none_or(|after| all_digits(after) && after.len() <= places);
    if good_before && good_after { Decimal::parse(text) } else { None }
}

fn attributes(value: &Json, fields: &mut BTreeMap<String, Value>) -> Result<(), Fault> {
    let Json::Object(members) = value else { return Err(Some("attributes".to_owned())) };
    let mut seen: Vec<&str> = Vec::new();
    for (key, value) in members {
        let name = format!("attributes.{}", key.value);
        if key.lone_surrogate {
            return Err(Some("attributes".to_owned()));
        }
        if seen.contains(&key.value.as_str()) {
            return Err(Some(name));
        }
        seen.push(&key.value);
        let attribute = match value {
            Json::Null => continue,
            Json::Bool(yes) => Some(Value::Bool(*yes)),
            Json::Number(number) => decimal(number, 6, true).map(Value::Number),
            Json::Text(_) => plain_text(value).map(|text| Value::Text(text.to_owned())),
            Json::Array(_) | Json::Object(_) => None,
        };
        fields.insert(name.clone(), attribute.ok_or(Some(name))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(record: &str) -> Result<(), Fault> {
        let requires = BTreeMap::from([
            ("transfer".to_owned(), vec!["amount".to_owned(), "counterparty".to_owned()]),
            ("login".to_owned(), vec![]),
        ]);
        read(record.as_bytes(), &Demands { currency: "KZT", requires: &requires, keeps_mapped: false }).map(|_| ())
    }

    fn login(rest: &str) -> String {
        format!(r#"{{"id":"a","type":"login","time":"2026-01-01T00:00:00Z","wallet":"w"{rest}}}"#)
    }

    #[test]
    fn records_are_taken_or_refused_by_the_field() {
        for good in [
            "",
            r#","amount":5"#,
            r#","amount":"5.10""#,
            r#","amount":1000000000000000"#,
            r#","amount":null"#,
            r#","balance":"-1.5""#,
            r#","balance":0"#,
            r#","ip":"::ffff:10.0.0.1""#,
            r#","country":"QQ""#,
            r#","unknown":{"a":[{"a":""}],"a":1e400}"#,
            r#","attributes":{"a":-0.000001,"b":null,"c":true,"d":"x"}"#,
            r#","currency":"KZT""#,
            r#","x":1,"x":2"#,
        ] {
            assert_eq!(fault_of(&login(good)), Ok(()), "{good}");
        }
        for (bad, field) in [
            (r#","amount":0"#, "amount"),
            (r#","amount":-1"#, "amount"),
            (r#","amount":1e2"#, "amount"),
            (r#","amount":"1.100""#, "amount"),
            (r#","amount":1.100"#, "amount"),
            (r#","amount":"01""#, "amount"),
            (r#","amount":" 1""#, "amount"),
            (r#","amount":"+1""#, "amount"),
            (r#","amount":1000000000000000.01"#, "amount"),
            (r#","amount":true"#, "amount"),
            (r#","currency":"USD""#, "currency"),
            (r#","currency":"kzt""#, "currency"),
            (r#","country":"kz""#, "country"),
            (r#","country":"KAZ""#, "country"),
            (r#","ip":"1.2.3""#, "ip"),
            (r#","ip":"01.2.3.4""#, "ip"),
            (r#","anonymous":"true""#, "anonymous"),
            (r#","client_status":"known""#, "client_status"),
            (r#","merchant":"""#, "merchant"),
            (r#","device":5"#, "device"),
            (r#","id":"b""#, "id"),
            (r#","\u0069d":"b""#, "id"),
            (r#","attributes":[]"#, "attributes"),
            (r#","attributes":{"a":{}}"#, "attributes.a"),
            (r#","attributes":{"a":1,"a":1}"#, "attributes.a"),
            (r#","attributes":{"a":1e2}"#, "attributes.a"),
            (r#","attributes":{"a":""}"#, "attributes.a"),
            (r#","attributes":{"a":0.0000001}"#, "attributes.a"),
            (r#","cause":"\ud800""#, "cause"),
        ] {
            assert_eq!(fault_of(&login(bad)), Err(Some(field.to_owned())), "{bad}");
        }
    }

    #[test]
    fn what_a_type_requires_must_be_there() {
        let transfer = r#"{"id":"a","type":"transfer","time":"2026-01-01T00:00:00Z","wallet":"w","amount":1}"#;
        assert_eq!(fault_of(transfer), Err(Some("counterparty".to_owned())));
        assert_eq!(fault_of(&transfer.replace("transfer", "gift")), Err(Some("type".to_owned())));
        assert_eq!(fault_of(&transfer.replace("\"w\"", "null")), Err(Some("wallet".to_owned())));
        assert_eq!(fault_of("[]"), Err(None));
        assert_eq!(fault_of(&login(&format!(r#","x":{}{}"#, "[".repeat(15), "]".repeat(15)))), Ok(()));
        assert_eq!(fault_of(&login(&format!(r#","x":{}{}"#, "[".repeat(16), "]".repeat(16)))), Err(None));
    }
}
