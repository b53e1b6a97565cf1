//! What to write instead: the words in which conditions refuse.

use super::{
    Scope,
    check::Typed,
    nearest::nearest,
    program::{Number, Test},
};
use crate::{
    event::{ClientStatus, Field},
    rules::lists,
};
use std::net::IpAddr;

/// The message and the advice for a name that is no field.
pub(super) fn unknown_name(name: &str, scope: &Scope<'_>) -> (String, String) {
    if let "attributes" | "units" | "lists" = name {
        let example = match name {
            "attributes" => "attributes.device_model",
            "units" => "100 * units.MCI",
            _ => "counterparty in lists.mules",
        };
        return (format!("`{name}` alone is no value"), format!("name one of them: {example}"));
    }
    let message = format!("there is no field `{name}`");
    if scope.units.iter().any(|unit| unit.name == name) {
        return (message, format!("write units.{name}"));
    }
    if scope.lists.iter().any(|list| list.name == name) {
        return (message, format!("write lists.{name}, on the right of `in`"));
    }
    let known = Field::KNOWN.map(|field| field.name());
    let help = match nearest(name, known.iter().map(AsRef::as_ref)) {
        Some(near) => format!("did you mean {near}? An attribute is written attributes.{name}"),
        None => format!("an attribute is written attributes.{name}, a text stands in quotes"),
    };
    (message, help)
}

/// The advice for a unit or list that does not exist.
pub(super) fn one_of<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("did you mean {what}.{near}?");
    }
    match known.take(10).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => format!("the packs declare no {what}"),
        names => format!("the packs declare {names}"),
    }
}

pub(super) fn call_of(name: &str) -> &'static str {
    match name {
        "has" => "write has(balance) or has(attributes.name)",
        "startsWith" => "write counterparty.startsWith(\"7701\")",
        "endsWith" => "write counterparty.endsWith(\"00\")",
        "contains" => "write merchant.contains(\"casino\")",
        _ => "write wallet.matches(\"^7701[0-9]+$\")",
    }
}

pub(super) fn unknown_function(name: &str) -> (String, String) {
    const KNOWN: [&str; 5] = ["has", "startsWith", "endsWith", "contains", "matches"];
    let help = match name {
        "all" | "exists" | "exists_one" | "map" | "filter" => {
            "there are no macros over lists; write a comparison for each part, or use `in`".to_owned()
        }
        "size" => "whether there is a text is has(…), its length is matches(\"^.{3,}$\")".to_owned(),
        "timestamp" => "leave it out: time >= \"2026-03-18T00:00:00+05:00\"".to_owned(),
        "duration" => "spans belong to a rule's measure: within = \"1h\"".to_owned(),
        "int" | "uint" | "double" => "leave it out: numbers are decimals".to_owned(),
        "string" | "bool" | "bytes" | "dyn" | "type" => "leave it out: types do not change".to_owned(),
        "lowerAscii" | "upperAscii" | "lower" | "upper" => "write matches(\"(?i)…\") to ignore case".to_owned(),
        "starts_with" | "startswith" => call_of("startsWith").to_owned(),
        "ends_with" | "endswith" => call_of("endsWith").to_owned(),
        _ => match nearest(name, KNOWN) {
            Some(near) => call_of(near).to_owned(),
            None => format!("the functions are {}", KNOWN.join(", ")),
        },
    };
    (format!("there is no function {name}()"), help)
}

pub(super) fn no_division(divide: bool) -> &'static str {
    if divide {
        "multiply the other side instead: not amount / 2 > balance but amount > balance * 2; a half is * 0.5"
    } else {
        "remainders are not offered; list the amounts with `in`, or send one as an attribute"
    }
}

/// The message and the advice for two sides that do not compare.
pub(super) fn no_comparison(left: (&str, &Typed), right: (&str, &Typed)) -> (String, String) {
    let message =
        format!("`{}` is {} and `{}` is {}: they do not compare", left.0, left.1.name(), right.0, right.1.name());
    let help = match (left.1, right.1) {
        // What compares was meant to go on; what is true or false in itself was meant to be compared.
        (Typed::Test(test), Typed::Test(_) | Typed::Attribute(_)) | (Typed::Attribute(_), Typed::Test(test))
            if !compares(test) =>
        {
            "true and false have no order; write == or !=".to_owned()
        }
        (Typed::Number(_), Typed::Text(_)) | (Typed::Text(_), Typed::Number(_)) => {
            "a number stands without quotes, a text within them".to_owned()
        }
        (Typed::Test(_), Typed::Text(_)) | (Typed::Text(_), Typed::Test(_)) => {
            "true and false stand without quotes".to_owned()
        }
        (Typed::Time(_), _) | (_, Typed::Time(_)) => {
            "a time is compared with a text in quotes: time >= \"2026-03-18T00:00:00+05:00\"".to_owned()
        }
        (Typed::Test(_), _) | (_, Typed::Test(_)) => {
            "join two comparisons with &&: 1000 < amount && amount < 5000".to_owned()
        }
        _ => "both sides must be of one type".to_owned(),
    };
    (message, help)
}

fn compares(test: &Test) -> bool {
    matches!(
        test,
        Test::Money { .. } | Test::Numbers { .. } | Test::Texts { .. } | Test::Times { .. } | Test::Attributes { .. }
    )
}

/// How something that is not true or false could become it.
pub(super) fn comparison_of(written: &str, typed: &Typed) -> String {
    match typed {
        Typed::Number(_) => format!("compare it: {written} > 0"),
        Typed::Text(_) => format!("compare it: {written} == \"…\", or ask has(…)"),
        _ => format!("compare it: {written} >= \"2026-03-18T00:00:00+05:00\""),
    }
}

pub(super) fn number_of(typed: &Typed) -> &'static str {
    match typed {
        Typed::Text(_) => "a number stands without quotes; texts cannot be added",
        Typed::Time(_) => "spans of time belong to a rule's measure: within = \"1h\"",
        _ => "amount, balance, units, attributes and numbers can be added and multiplied",
    }
}

pub(super) fn text_of(written: &str, typed: &Typed) -> String {
    match typed {
        Typed::Number(Number::Constant(_)) => format!("write it in quotes: \"{written}\""),
        Typed::Number(_) => {
            format!("compare numbers with ==, < and >=, or put them in a list: {written} in [1000, 5000]")
        }
        _ => {
            "texts are counterparty, merchant, ip, country and so on, attributes, and what stands in quotes".to_owned()
        }
    }
}

/// What to write instead of a text that is no time.
pub(super) fn time_of(text: &str) -> String {
    let date =
        text.get(..10).filter(|date| date.parse::<toml::value::Datetime>().is_ok_and(|date| date.time.is_none()));
    format!("write a date, a time and an offset: \"{}T00:00:00+05:00\"", date.unwrap_or("2026-03-18"))
}

/// Why a text is never the canonical text of an address, as advice; nothing where it is one.
fn no_address(text: &str) -> Option<String> {
    let canonical = text.parse::<IpAddr>().map(|address| address.to_canonical().to_string());
    match canonical {
        Ok(canonical) if canonical == text => None,
        Ok(canonical) => Some(format!("an address is written in its shortest form: \"{canonical}\"")),
        Err(_) if lists::network(text).is_some() => {
            Some(format!("ranges stand in lists: `[lists]` with shared = [\"{text}\"], then ip in lists.shared"))
        }
        Err(_) => Some("an address is \"203.0.113.7\" or \"2001:db8::1\"; ranges stand in lists".to_owned()),
    }
}

/// Why `field` can never be `text`, as advice; nothing where it can.
pub(super) fn impossible(field: &Field, text: &str) -> Option<String> {
    let capitals = |count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_uppercase());
    match field {
        Field::ClientStatus => {
            let names = ClientStatus::ALL.map(ClientStatus::name);
            let help = match nearest(text, names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("it is one of {}", names.join(", ")),
            };
            (!names.contains(&text)).then_some(help)
        }
        Field::Ip => no_address(text),
        Field::Country if !capitals(2) => Some("a country is two capital letters, such as \"KZ\"".to_owned()),
        Field::Currency if !capitals(3) => Some("a currency is three capital letters, such as \"KZT\"".to_owned()),
        _ => None,
    }
}

/// The message and the advice for a pattern that does not compile.
pub(super) fn bad_pattern(error: &regex::Error) -> (String, &'static str) {
    match error {
        regex::Error::CompiledTooBig(limit) => (
            format!("this pattern needs more than {limit} bytes when it is compiled"),
            "make it shorter, or its repetitions {n} smaller",
        ),
        // The last line says what is wrong; those before it draw the pattern.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let help = match last.as_str() {
                last if last.starts_with("unclosed character class") => {
                    "close the set with `]`; the character itself is \\[ in r\"…\""
                }
                last if last.starts_with("unclosed group") => {
                    "close the group with `)`; the character itself is \\( in r\"…\""
                }
                last if last.starts_with("unopened group") => {
                    "write the `(` that it closes; the character itself is \\) in r\"…\""
                }
                last if last.starts_with("look-around") => "join two matches() with && or ||, or with ! before one",
                last if last.starts_with("backreference") => "RE2 has none; write what may stand there once more",
                last if last.starts_with("repetition") => {
                    "write what is repeated before it, as in [0-9]+; the character itself is \\+ in r\"…\""
                }
                last if last.contains("range") => {
                    "the lower end comes first, as in [a-z]; a `-` itself is \\- in r\"…\""
                }
                last if last.contains("nest") => "take groups out",
                last if last.contains("escape") => {
                    "a backslash itself is \\\\ in r\"…\"; \\d, \\w, \\s and \\b are the classes"
                }
                _ => "write RE2, such as \"^7701[0-9]{7}$\"",
            };
            (format!("this is no regular expression: {last}"), help)
        }
    }
}
