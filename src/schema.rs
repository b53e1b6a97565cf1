//! JSON Schemas (draft 2020-12) of everything that Kuzet reads and writes, for editors and for other people's code.
//!
//! They are generated from the tables that the code itself uses, so that they say what the code does: the keys of
//! packs, the fields of events, the actions. A schema is necessary, not sufficient: it cannot say that a named
//! restriction exists. Each has a version in its `$id`; one that refuses what the last accepted gets the next number.

use crate::{
    decision::Action,
    event::{ClientStatus, Field},
    limits,
    rules::{
        Packs,
        pack::keys::{self, Key, Kind},
    },
};
use serde_json::{Map, Value, json};

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Schema {
    Pack,
    Event,
    Decision,
    Reject,
    Mapping,
}

impl Schema {
    pub const ALL: [Schema; 5] = [Self::Pack, Self::Event, Self::Decision, Self::Reject, Self::Mapping];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Event => "event",
            Self::Decision => "decision",
            Self::Reject => "reject",
            Self::Mapping => "mapping",
        }
    }

    fn version(self) -> u32 {
        1
    }

    /// The schema. That of events knows the types that the packs declare, where there are packs.
    #[must_use]
    pub fn generate(self, packs: Option<&Packs>) -> Value {
        let (title, mut schema) = match self {
            Self::Pack => ("A Kuzet pack: event types, rules and restrictions", pack()),
            Self::Event => ("An operation event", event(packs)),
            Self::Decision => ("What Kuzet decided on one event", object(DECISION)),
            Self::Reject => ("A record that could not be used", reject()),
            Self::Mapping => ("How records of a foreign schema become events", table(MAPPING)),
        };
        let head = schema.as_object_mut().expect("every schema is an object");
        head.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        head.insert("$id".to_owned(), json!(format!("urn:kuzet:schema:{}:{}", self.name(), self.version())));
        head.insert("title".to_owned(), json!(title));
        schema
    }
}

fn pack() -> Value {
    table(keys::PACK)
}

/// A table with these keys and no others.
fn table(keys: &'static [Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = kind(&key.kind);
        schema["description"] = json!(key.doc);
        properties.insert(key.name.to_owned(), schema);
    }
    let needed: Vec<&str> = keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    if let Some(exclusive) = exclusive(keys) {
        schema["allOf"] = exclusive;
    }
    schema
}

/// Keys of one table that cannot stand together, and whether one of them must.
const EXCLUSIVE: [(&[&str], bool); 3] =
    [(&keys::MEASURES, false), (&["from", "at"], true), (&["field", "fields", "row", "value"], true)];

/// What a table says of its keys that cannot stand together.
fn exclusive(keys: &'static [Key]) -> Option<Value> {
    let has = |name: &&str| keys.iter().any(|key| key.name == *name);
    let (names, must) = EXCLUSIVE.iter().find(|(names, _)| names.iter().all(has))?;
    if *must {
        let one: Vec<Value> = names.iter().map(|name| json!({ "required": [name] })).collect();
        return Some(json!([{ "oneOf": one }]));
    }
    let pairs = names.iter().enumerate().flat_map(|(place, first)| {
        names[place + 1..].iter().map(move |second| json!({ "not": { "required": [first, second] } }))
    });
    Some(pairs.collect())
}

fn kind(kind: &Kind) -> Value {
    let pattern = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match kind {
        Kind::Text(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
        Kind::File | Kind::Zone => json!({ "type": "string", "minLength": 1 }),
        Kind::Name => pattern(&format!("^[^\\u0000-\\u001f\\u007f]{{1,{}}}$", limits::NAME_BYTES)),
        Kind::PackName => pattern(&format!("^[^@+, \\u0000-\\u001f\\u007f]{{1,{}}}$", limits::NAME_BYTES)),
        Kind::Identifier => pattern(&format!("^[A-Za-z_][A-Za-z0-9_]{{0,{}}}$", limits::NAME_BYTES - 1)),
        Kind::Currency => pattern("^[A-Z]{3}$"),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Choice(_, words) => json!({ "enum": words() }),
        Kind::Span => pattern("^(calendar (day|month)|[0-9]+ ?(ms|s|m|h|d|months?))$"),
        Kind::Flowing => pattern("^[0-9]+ ?(ms|s|m|h|d|months?)$"),
        Kind::Exact => pattern("^[0-9]+ ?(ms|s|m|h|d)$"),
        Kind::Moment => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?$"),
        Kind::Date => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Kind::Over => {
            let text = pattern("^(0|[1-9][0-9]{0,15})(\\.[0-9]{1,6})?( [A-Za-z_][A-Za-z0-9_]*)?$");
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text] })
        }
        Kind::Most => {
            let text = pattern("^(0|[1-9][0-9]{0,15})(\\.0{1,6})?$");
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text] })
        }
        Kind::Worth => {
            let text = pattern("^(0|[1-9][0-9]{0,15})(\\.[0-9]{1,6})?$");
            json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, text] })
        }
        Kind::Field => json!({ "anyOf": [{ "enum": keys::field_names() }, pattern("^attributes\\..+$")] }),
        Kind::Condition => json!({ "type": "string", "minLength": 1, "maxLength": limits::CONDITION_BYTES }),
        Kind::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Instant => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+$"),
        Kind::Array(of @ Kind::Name, least) => {
            json!({ "type": "array", "items": self::kind(of), "minItems": least, "uniqueItems": true })
        }
        Kind::Array(of, least) => json!({ "type": "array", "items": self::kind(of), "minItems": least }),
        Kind::OneOrMany(of) => {
            json!({ "anyOf": [self::kind(of), { "type": "array", "items": self::kind(of) }] })
        }
        Kind::TableOr(first, second) => json!({ "anyOf": [self::kind(first), self::kind(second)] }),
        Kind::Table(keys) => table(keys),
        Kind::Open(key, value, most) => json!({
            "type": "object",
            "propertyNames": self::kind(key),
            "additionalProperties": self::kind(value),
            "maxProperties": most,
        }),
    }
}

/// A time as events may write it, and as decisions do.
const TIME_IN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?\
                       (Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";
const TIME_OUT: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?Z$";

/// An event. Fields that nobody knows are allowed, and `null` is absent.
fn event(packs: Option<&Packs>) -> Value {
    let always = [Field::Id, Field::Type, Field::Time, Field::Wallet];
    let mut properties = Map::new();
    for field in &Field::KNOWN {
        let (schema, doc) = event_field(field, packs);
        let nullable = json!({ "anyOf": [schema.clone(), { "type": "null" }] });
        let mut schema = if always.contains(field) { schema } else { nullable };
        schema["description"] = json!(doc);
        properties.insert(field.name().into_owned(), schema);
    }
    let scalar = json!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": ["number", "boolean", "null"] }] });
    let attributes = json!({
        "type": ["object", "null"],
        "additionalProperties": scalar,
        "description": "Anything else, flat; numbers with at most 6 decimals.",
    });
    properties.insert("attributes".to_owned(), attributes);
    let required: Vec<_> = always.iter().map(Field::name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    let by_type = packs.map(requirements).unwrap_or_default();
    if !by_type.is_empty() {
        schema["allOf"] = json!(by_type);
    }
    schema
}

/// The schema of a field's value, and what the field is for.
fn event_field(field: &Field, packs: Option<&Packs>) -> (Value, &'static str) {
    let text = || json!({ "type": "string", "minLength": 1 });
    let bounded = |most: usize| json!({ "type": "string", "minLength": 1, "maxLength": most });
    let pattern = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let free = "Free for rules.";
    match field {
        Field::Id => (bounded(limits::ID_BYTES), "The producer's id of the event; the key of duplicate detection."),
        Field::Type => (type_names(packs), "One of the types that the packs declare."),
        Field::Time => (pattern(TIME_IN), "When it happened (RFC 3339 with an offset)."),
        Field::Wallet => (bounded(limits::WALLET_BYTES), "The client's wallet; the partition key."),
        Field::Counterparty => (text(), "The other wallet, of a transfer."),
        Field::Merchant => (text(), "Who is paid."),
        Field::Amount => (money(false), "Over 0, at most 2 decimals, at most 10^15; a number's text is the amount."),
        Field::Currency => (pattern("^[A-Z]{3}$"), "ISO 4217; the packs' currency when absent."),
        Field::Ip => (text(), "An IPv4 or IPv6 address."),
        Field::Country => (pattern("^[A-Z]{2}$"), "ISO 3166-1 alpha-2; looked up from `ip` when absent."),
        Field::Anonymous => {
            (json!({ "type": "boolean" }), "Proxy, VPN, Tor or anonymiser; looked up from `ip` when absent.")
        }
        Field::ClientStatus => {
            let names: Vec<_> = ClientStatus::ALL.into_iter().map(ClientStatus::name).collect();
            (json!({ "enum": names }), "When absent, the last one known of the wallet.")
        }
        Field::Balance => (money(true), "What the wallet holds before the operation."),
        Field::Device | Field::Channel | Field::Cause | Field::Method | Field::Attribute(_) => (text(), free),
    }
}

fn type_names(packs: Option<&Packs>) -> Value {
    match packs {
        Some(packs) => {
            let names: Vec<&str> = packs.types.types.iter().map(|kind| kind.name.as_str()).collect();
            json!({ "enum": names })
        }
        None => kind(&Kind::Name),
    }
}

/// An amount, or a balance, which may be negative or nothing.
fn money(signed: bool) -> Value {
    let digits = format!(
        "(0|[1-9][0-9]{{0,{}}})(\\.[0-9]{{1,{}}})?$",
        limits::AMOUNT_WHOLE_DIGITS - 1,
        limits::AMOUNT_FRACTION_DIGITS
    );
    let most = limits::AMOUNT_MINOR_MAX / 100;
    let (text, number) = if signed {
        (format!("^-?{digits}"), json!({ "type": "number", "minimum": -most, "maximum": most }))
    } else {
        (format!("^(?!0(\\.0+)?$){digits}"), json!({ "type": "number", "exclusiveMinimum": 0, "maximum": most }))
    };
    json!({ "anyOf": [{ "type": "string", "pattern": text }, number] })
}

/// For each type that requires a field: which.
fn requirements(packs: &Packs) -> Vec<Value> {
    let mut rules = Vec::new();
    for kind in packs.types.types.iter().filter(|kind| !kind.requires.is_empty()) {
        let there = json!({ "not": { "type": "null" } });
        let mut required = Vec::new();
        let mut attributes = Vec::new();
        let mut properties = Map::new();
        for field in &kind.requires {
            match field {
                Field::Attribute(name) => attributes.push((name.to_string(), there.clone())),
                known => {
                    required.push(known.name().into_owned());
                    properties.insert(known.name().into_owned(), there.clone());
                }
            }
        }
        if !attributes.is_empty() {
            let names: Vec<&String> = attributes.iter().map(|(name, _)| name).collect();
            let inner =
                json!({ "type": "object", "required": names, "properties": Map::from_iter(attributes.clone()) });
            required.push("attributes".to_owned());
            properties.insert("attributes".to_owned(), inner);
        }
        rules.push(json!({
            "if": { "properties": { "type": { "const": kind.name } } },
            "then": { "required": required, "properties": properties },
        }));
    }
    rules
}

/// One key of what Kuzet writes.
struct Written {
    name: &'static str,
    always: bool,
    schema: fn() -> Value,
    doc: &'static str,
}

const fn always(name: &'static str, schema: fn() -> Value, doc: &'static str) -> Written {
    Written { name, always: true, schema, doc }
}

const fn maybe(name: &'static str, schema: fn() -> Value, doc: &'static str) -> Written {
    Written { name, always: false, schema, doc }
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn time() -> Value {
    json!({ "type": "string", "pattern": TIME_OUT })
}

fn action() -> Value {
    json!({ "enum": Action::ALL.map(Action::name) })
}

fn score() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": limits::SCORE })
}

fn number_text() -> Value {
    text()
}

fn ids() -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
}

fn one() -> Value {
    json!({ "const": true })
}

fn natural() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn line() -> Value {
    json!({ "type": "integer", "minimum": 1 })
}

fn flags() -> Value {
    json!({ "type": "array", "items": { "enum": FLAGS }, "minItems": 1, "uniqueItems": true })
}

fn of() -> Value {
    json!({ "enum": ["counterparty", "ip", "all"] })
}

fn standing() -> Value {
    let item = json!({
        "type": "object",
        "properties": { "name": text(), "status": text() },
        "required": ["name"],
    });
    json!({ "type": "array", "items": item, "minItems": 1 })
}

fn reasons() -> Value {
    json!({ "type": "array", "items": { "anyOf": [object(RULE_REASON), object(RESTRICTION_REASON)] }, "minItems": 1 })
}

fn rule_reasons() -> Value {
    json!({ "type": "array", "items": object(RULE_REASON), "minItems": 1 })
}

const FLAGS: [&str; 4] = ["late", "duplicate", "warming", "capped"];

/// The keys of a decision, in order.
const DECISION: &[Written] = &[
    always("event", text, "The event's id."),
    maybe("stage", text, "What the rules of this decision are keyed by, where it is not the wallet (`run` only)."),
    always("type", text, "The event's type."),
    always("wallet", text, "The event's wallet."),
    always("time", time, "The event's time, in UTC."),
    always("action", action, "The most severe of the rules', the score's and the standing restrictions'."),
    always("score", score, "The sum over the live rules that are over their limit."),
    maybe("reasons", reasons, "Rules that are over their limit, then restrictions that stood before this event."),
    maybe("shadow", rule_reasons, "Shadow rules that are over their limit."),
    maybe("restrictions", standing, "What stands on the wallet or the address after this event."),
    maybe("released", ids, "Operations that waited and may now be completed."),
    maybe("cancelled", ids, "Operations that waited and are cancelled."),
    maybe("expired", ids, "Operations that waited for what ran out, and must not be completed."),
    maybe("waiting_forgotten", one, "Older waiting operations were forgotten."),
    maybe("flags", flags, "What else there is to know."),
    always("pack", text, "Every pack with a hash of its text and its list files, and the GeoIP files in use."),
];

const RULE_REASON: &[Written] = &[
    always("rule", text, "The rule's id."),
    maybe("clause", text, "Where the rule comes from."),
    always("action", action, "What the rule asks for."),
    maybe("score", score, "What the rule adds to the score, when not 0."),
    maybe("measured", number_text, "What was measured: a plain decimal, a value or a time."),
    maybe("limit", number_text, "What it had to exceed or reach."),
    maybe("from", time, "The time of the first event counted."),
];

const RESTRICTION_REASON: &[Written] = &[
    always("restriction", text, "The restriction's name."),
    maybe("of", of, "Whose it is, where it is not the wallet's."),
    maybe("clause", text, "Where the restriction comes from."),
    always("action", action, "What it asks for."),
    always("since", time, "When it was imposed."),
    maybe("until", time, "When it ends."),
    always("by", text, "The rule or signal that imposed it."),
    always("by_event", text, "The event that imposed it."),
];

/// The keys of a reject, in order.
const REJECT: &[Written] = &[
    always("source", text, "The file, or the topic and partition."),
    maybe("line", line, "The line, from 1, blank ones counted (files only)."),
    always("offset", natural, "The line's first byte, from 0; in Kafka the record's offset."),
    always("error", text, "What was wrong."),
    maybe("field", text, "The field at fault."),
    maybe("record", text, "The record as it came; of one over 64 KiB its first 65,536 bytes."),
    maybe("record_base64", text, "The same where it is not UTF-8."),
    maybe("bytes", natural, "The record's length, where it is cut."),
    maybe("truncated", one, "The record is cut."),
];

fn object(keys: &[Written]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = (key.schema)();
        schema["description"] = json!(key.doc);
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.always).map(|key| key.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn reject() -> Value {
    let mut schema = object(REJECT);
    schema["oneOf"] = json!([{ "required": ["record"] }, { "required": ["record_base64"] }]);
    schema
}

const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: false, doc }
}

/// A field that every event needs.
const fn mapped(name: &'static str, doc: &'static str) -> Key {
    Key { name, kind: MAPPED, needed: true, doc }
}

const MAPPED_TEXT: Kind = Kind::Text(limits::PACK_TEXT_BYTES);
/// The same, or nothing at all: an empty cell has a name too.
const MAPPED_ANY: Kind = Kind::TableOr(&MAPPED_TEXT, &EMPTY);
const EMPTY: Kind = Kind::Choice("empty text", || vec![""]);
const MAPPED: Kind = Kind::Table(MAPPED_FIELD);

/// The keys of a mapping file.
const MAPPING: &[Key] = &[
    Key {
        name: "format",
        kind: Kind::Choice("`csv`, `json` or `parquet`", || vec!["csv", "json", "parquet"]),
        needed: true,
        doc: "What the records are.",
    },
    may("header", Kind::Flag, "The first line of a CSV file names the columns; `true` by default."),
    may("delimiter", Kind::Text(1), "What stands between the columns of a CSV file; `,` by default."),
    Key {
        name: "fields",
        kind: Kind::Table(MAPPED_FIELDS),
        needed: true,
        doc: "Where each field of an event comes from.",
    },
];

/// The fields of an event, each from somewhere.
const MAPPED_FIELDS: &[Key] = &[
    mapped("id", "The event's id."),
    mapped("type", "The event's type."),
    mapped("time", "The event's time."),
    mapped("wallet", "The client's wallet."),
    may("counterparty", MAPPED, "The other wallet."),
    may("merchant", MAPPED, "Who is paid."),
    may("amount", MAPPED, "The amount."),
    may("currency", MAPPED, "The currency."),
    may("ip", MAPPED, "The address."),
    may("country", MAPPED, "The country."),
    may("anonymous", MAPPED, "Proxy, VPN, Tor or anonymiser."),
    may("client_status", MAPPED, "What the client is to the operator."),
    may("balance", MAPPED, "What the wallet holds before the operation."),
    may("device", MAPPED, "Free for rules."),
    may("channel", MAPPED, "Free for rules."),
    may("cause", MAPPED, "Free for rules."),
    may("method", MAPPED, "Free for rules."),
    may("attributes", Kind::Open(&MAPPED_TEXT, &MAPPED, limits::TYPES), "Anything else."),
];

/// What a number that is a time may count; `s` is short for `second`.
const TIME_UNITS: [&str; 6] = ["ms", "s", "second", "minute", "hour", "day"];

const MAPPED_FIELD: &[Key] = &[
    may("field", MAPPED_TEXT, "A column of CSV, a JSON Pointer of JSON."),
    may("fields", Kind::Array(&MAPPED_TEXT, 1), "Several of them, joined."),
    may("join", MAPPED_ANY, "What stands between joined fields."),
    may("row", Kind::Flag, "The number of the record: `row-17`."),
    may("value", Kind::Scalar, "A constant."),
    may("values", Kind::Open(&MAPPED_ANY, &Kind::Scalar, limits::RULES), "What each value of the source becomes."),
    may(
        "other",
        Kind::Choice("`reject` or `skip`", || vec!["reject", "skip"]),
        "What becomes of a record of another value.",
    ),
    may("default", MAPPED_ANY, "What a record without the field has."),
    may(
        "type",
        Kind::Choice("type of attribute", || vec!["text", "number", "bool"]),
        "What an attribute is, where the source does not say.",
    ),
    may("unit", Kind::Choice("unit of time", || TIME_UNITS.to_vec()), "What a number that is a time counts."),
    may("start", Kind::Instant, "Where that count begins; 1970 by default."),
    may("format", MAPPED_TEXT, "How a text that is a time is written (strftime)."),
    may("zone", Kind::Zone, "The time zone of such a text."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decision::Decision,
        engine::{Changes, Engine, Input, Settings},
        event::decode::Decoder,
        pack_files,
    };

    fn errors(schema: &Value, instance: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(schema).expect("the schema is one");
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// TOML as JSON: dates are strings there.
    fn json_of(value: &toml::Value) -> Value {
        match value {
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(flag) => json!(flag),
            toml::Value::Datetime(moment) => json!(moment.to_string()),
            toml::Value::Array(entries) => entries.iter().map(json_of).collect(),
            toml::Value::Table(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
            }
        }
    }

    fn json_of_toml(text: &str) -> Value {
        json_of(&toml::Value::Table(text.parse().expect("the test writes TOML")))
    }

    #[test]
    fn the_shipped_packs_match_the_schema() {
        let schema = Schema::Pack.generate(None);
        for (name, text) in pack_files::SHIPPED {
            assert_eq!(errors(&schema, &json_of_toml(text)), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn wrong_packs_do_not() {
        let schema = Schema::Pack.generate(None);
        for wrong in [
            "version = \"1\"",
            "name = \"x\"\nversion = \"1,2\"",
            "name = \"x\"\nversion = \"1\"\nnote = \"y\"",
            "name = \"x\"\nversion = \"1\"\n[[rule]]\nid = \"r\"",
            "name = \"x\"\nversion = \"1\"\n[[rule]]\nid = \"r\"\non = []",
            "name = \"x\"\nversion = \"1\"\n[[rule]]\nid = \"r\"\non = [\"a\"]\nscore = 1001",
            "name = \"x\"\nversion = \"1\"\n[[rule]]\nid = \"r\"\non = [\"a\"]\ncount = { over = 1, within = \"1h\" }\nidle = { since = [\"a\"], over = \"1d\" }",
            "name = \"x\"\nversion = \"1\"\n[[rule]]\nid = \"r\"\non = [\"a\"]\nstreak = { within = \"1h\" }",
            "name = \"x\"\nversion = \"1\"\n[[rule]]\nid = \"r\"\non = [\"a\"]\nchange = { of = \"ip\", within = \"calendar day\" }",
            "name = \"x\"\nversion = \"1\"\n[score]\nhalt = 3",
            "name = \"x\"\nversion = \"1\"\n[units.MCI]\n\"2026\" = \"1\"",
        ] {
            assert_ne!(errors(&schema, &json_of_toml(wrong)), Vec::<String>::new(), "{wrong}");
        }
    }

    #[test]
    fn events_match_the_schema_of_the_loaded_packs() {
        let loaded = pack_files::builtin();
        let schema = Schema::Event.generate(Some(&loaded.packs));
        let validator = jsonschema::validator_for(&schema).expect("the schema is one");
        for example in &loaded.examples {
            for record in &example.records {
                let event: Value = serde_json::from_slice(record).expect("examples are JSON");
                assert!(validator.is_valid(&event), "{event}");
            }
        }
        let event = json!({"id": "1", "type": "transfer", "time": "2026-03-01T10:00:00+05:00", "wallet": "w",
            "counterparty": "v", "amount": "0.01", "merchant": null, "more": {"deep": [1]}});
        assert!(validator.is_valid(&event));
        for (field, value) in [
            ("id", json!("")),
            ("id", json!(null)),
            ("type", json!("teleport")),
            ("time", json!("2026-03-01T10:00:00")),
            ("time", json!("2026-03-01T10:00:60Z")),
            ("wallet", json!("7".repeat(65))),
            ("amount", json!("0.00")),
            ("amount", json!(0)),
            ("amount", json!("1e3")),
            ("amount", json!("01")),
            ("amount", json!("1.234")),
            ("amount", json!(null)),
            ("counterparty", json!(null)),
            ("country", json!("kz")),
            ("client_status", json!("known")),
            ("attributes", json!({"a": [1]})),
        ] {
            let mut wrong = event.clone();
            wrong[field] = value;
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }

    #[test]
    fn decisions_of_the_spec_match() {
        let decision = json!({"event":"e-11","type":"transfer","wallet":"77010000001","time":"2026-03-01T08:15:30.123Z",
            "action":"hold","score":400,
            "reasons":[{"rule":"equal-transfers","clause":"7.15(2)","action":"hold","score":400,"measured":"11",
                        "limit":"10","from":"2026-03-01T07:15:30.123Z"},
                       {"restriction":"suspicious","clause":"7.13","action":"hold","since":"2026-03-01T08:14:00Z",
                        "by":"large-transfer","by_event":"e-9"}],
            "restrictions":[{"name":"suspicious"},{"name":"monitoring","status":"monitored"}],
            "pack":"onevision@2026.1+9f2c1a7b"});
        let schema = Schema::Decision.generate(None);
        assert_eq!(errors(&schema, &decision), Vec::<String>::new());
        for (key, value) in
            [("action", json!("stop")), ("time", json!("2026-03-01T08:15:30+05:00")), ("extra", json!(1))]
        {
            let mut wrong = decision.clone();
            wrong[key] = value;
            assert_ne!(errors(&schema, &wrong), Vec::<String>::new(), "{wrong}");
        }
    }

    /// What the engine and the encoder say of every event of every shipped example.
    #[test]
    fn decisions_of_the_engine_match() {
        let schema = Schema::Decision.generate(None);
        let validator = jsonschema::validator_for(&schema).expect("the schema is one");
        let loaded = pack_files::builtin();
        let packs = std::sync::Arc::new(loaded.packs);
        let mut seen = std::collections::BTreeSet::new();
        for example in &loaded.examples {
            let geo = std::sync::Arc::new(crate::geo::Geo::default());
            let mut engine = Engine::new(packs.clone(), geo, Settings::default());
            let mut decoder = Decoder::default();
            let (mut decision, mut changes) = (Decision::default(), Changes::default());
            for record in &example.records {
                let event = decoder.decode(record, &packs.types, packs.currency).expect("an event");
                let input = Input::Event { event: &event, reference: None };
                engine.step(&input, &mut decision, &mut changes).expect("a decision");
                let mut line = Vec::new();
                crate::encode::encode(&decision, &event, &packs, &mut line);
                let written: Value = serde_json::from_slice(&line).expect("JSON");
                assert!(validator.is_valid(&written), "{written}");
                seen.extend(written.as_object().expect("an object").keys().cloned());
            }
        }
        assert!(["reasons", "restrictions", "released"].iter().all(|key| seen.contains(*key)), "{seen:?}");
    }

    /// The keys of the two tables that repeat the fields of an event.
    #[test]
    fn every_field_has_its_key() {
        let names = |keys: &[Key]| keys.iter().map(|key| key.name.to_owned()).collect::<Vec<_>>();
        let mut fields = keys::field_names();
        fields.push("attributes".to_owned());
        assert_eq!(names(MAPPED_FIELDS), fields);
        fields.extend(["repeat".to_owned(), "every".to_owned()]);
        assert_eq!(names(keys::EXAMPLE_EVENT), fields);
    }

    #[test]
    fn rejects_have_one_record() {
        let schema = Schema::Reject.generate(None);
        let reject =
            json!({"source":"a.ndjson","line":7,"offset":512,"error":"`amount` is -1","field":"amount","record":"{}"});
        assert_eq!(errors(&schema, &reject), Vec::<String>::new());
        let mut wrong = reject;
        wrong["record_base64"] = json!("e30=");
        assert_ne!(errors(&schema, &wrong), Vec::<String>::new());
    }

    #[test]
    fn the_mapping_of_the_spec_matches() {
        let mapping = r#"
            format = "csv"
            [fields]
            id      = { row = true }
            type    = { field = "kind", values = { TRANSFER = "transfer", PAYMENT = "payment" }, other = "reject" }
            time    = { field = "step", unit = "hour", start = "2026-01-01T00:00:00+05:00" }
            wallet  = { field = "/payer/phone" }
            amount  = { field = "sum" }
            channel = { value = "mobile" }
            attributes.device_model = { field = "model" }
        "#;
        assert_eq!(errors(&Schema::Mapping.generate(None), &json_of_toml(mapping)), Vec::<String>::new());
    }

    /// What the loader takes, the schema takes.
    #[test]
    fn the_mappings_in_fixtures_match_the_schema() {
        let folder = format!("{}/fixtures", env!("CARGO_MANIFEST_DIR"));
        let schema = std::fs::read_to_string(format!("{folder}/schema/mapping-1.json")).expect("a schema");
        let schema: Value = serde_json::from_str(&schema).expect("JSON");
        for name in ["till", "bank", "paysim", "amlsim"] {
            let text = std::fs::read_to_string(format!("{folder}/mapping/{name}.toml")).expect("a mapping");
            assert_eq!(errors(&schema, &json_of_toml(&text)), Vec::<String>::new(), "{name}");
        }
        let words = r#"
            format = "csv"
            [fields]
            id      = { fields = ["a", "b"], join = "" }
            type    = { field = "a", values = { x = "transfer", "" = "login" } }
            time    = { field = "t" }
            wallet  = { field = "w", default = "" }
            attributes.a = { field = "a", values = { 1 = true, 2 = 5, 3 = "" } }
        "#;
        assert_eq!(errors(&schema, &json_of_toml(words)), Vec::<String>::new());
    }

    /// The schemas that other people have: a change of one is a change of its version, or adds only.
    #[test]
    fn the_schemas_are_those_in_fixtures() {
        for schema in Schema::ALL {
            let path =
                format!("{}/fixtures/schema/{}-{}.json", env!("CARGO_MANIFEST_DIR"), schema.name(), schema.version());
            let generated = format!("{:#}\n", schema.generate(None));
            if std::env::var_os("KUZET_BLESS").is_some() {
                std::fs::write(&path, &generated).expect("fixtures can be written");
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(kept, generated, "write {path} anew with KUZET_BLESS=1");
        }
    }
}
