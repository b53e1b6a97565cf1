//! The language of packs as one table: which keys there are, what each may hold, what it is for.
//!
//! The reader of packs and the JSON Schema that editors use are both driven by this table, so that they cannot
//! differ. What one value says about another (an unknown name, two measures of one rule) is not here but in `link`.

use crate::{
    decision::Action,
    event::{ClientStatus, Field},
    limits,
};

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub needed: bool,
    /// One sentence for people who write packs.
    pub doc: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text of 1 to so many bytes.
    Text(usize),
    /// Any text of at most [`limits::NAME_BYTES`] without control characters.
    Name,
    /// Part of what decisions call a pack, `name@version+hash,…`: a name without `@`, `+`, `,` and blanks.
    PackName,
    /// A name that conditions can use: a letter or `_`, then letters, digits and `_`.
    Identifier,
    /// A file beside the pack.
    File,
    /// An IANA time zone.
    Zone,
    /// Three capital letters.
    Currency,
    Flag,
    /// An integer from the first to the second.
    Whole(i64, i64),
    /// One of a few words; the first text is what each of them is called.
    Choice(&'static str, fn() -> Vec<&'static str>),
    /// A length of time, calendar days and months among them.
    Span,
    /// A length of time that flows: no calendar day or month.
    Flowing,
    /// A length of time in fixed units: no months, no calendar.
    Exact,
    /// A TOML date or date-time.
    Moment,
    /// A date in quotes, as a key.
    Date,
    /// A limit: an integer, or a string with a decimal and maybe a unit.
    Over,
    /// A limit of a count: an integer.
    Most,
    /// A positive decimal in quotes, or an integer.
    Worth,
    /// A field of events.
    Field,
    /// A CEL expression.
    Condition,
    /// The value of a field of an example's event.
    Scalar,
    /// The time of an example's event: a TOML date-time with an offset, or that in quotes.
    Instant,
    /// A list of at least so many.
    Array(&'static Kind, usize),
    /// One value, or a list of them.
    OneOrMany(&'static Kind),
    /// A value of the first kind where it is a table, of the second where it is not.
    TableOr(&'static Kind, &'static Kind),
    /// A table with these keys and no others.
    Table(&'static [Key]),
    /// A table whose keys are free: what a key may be, what its value is, and how many there may be.
    Open(&'static Kind, &'static Kind, usize),
}

const fn needed(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: true, doc }
}

const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: false, doc }
}

/// Longest clause, title, note or status, in bytes.
const TEXT: Kind = Kind::Text(limits::PACK_TEXT_BYTES);
const NAMES: Kind = Kind::Array(&Kind::Name, 0);
const SOME_NAMES: Kind = Kind::Array(&Kind::Name, 1);
const FIELDS: Kind = Kind::Array(&Kind::Field, 0);
const SOME_FIELDS: Kind = Kind::Array(&Kind::Field, 1);
const ACTION: Kind = Kind::Choice("action", actions);
const SCORE: Kind = Kind::Whole(0, signed(limits::SCORE as usize));
const TIMES: Kind = Kind::Whole(1, signed(limits::WINDOW_EVENTS));

/// A bound as TOML has integers.
#[expect(clippy::cast_possible_wrap, reason = "the assertion stops the build where it would wrap")]
const fn signed(bound: usize) -> i64 {
    assert!(bound <= u32::MAX as usize);
    bound as i64
}

fn actions() -> Vec<&'static str> {
    Action::ALL.into_iter().map(Action::name).collect()
}

fn modes() -> Vec<&'static str> {
    vec!["live", "shadow", "off"]
}

fn counts() -> Vec<&'static str> {
    vec!["attempted", "accepted"]
}

fn targets() -> Vec<&'static str> {
    vec!["wallet", "ip", "all"]
}

fn client_statuses() -> Vec<&'static str> {
    ClientStatus::ALL.into_iter().map(ClientStatus::name).collect()
}

/// A whole pack.
pub const PACK: &[Key] = &[
    needed("name", Kind::PackName, "The pack's name, as decisions give it."),
    needed("version", Kind::PackName, "The pack's version, as decisions give it."),
    may("timezone", Kind::Zone, "The time zone of calendar windows and dates; needed where `uses` brings none."),
    may("currency", Kind::Currency, "The currency of amounts (ISO 4217); needed where `uses` brings none."),
    may("uses", Kind::Array(&Kind::File, 0), "Packs that this one builds on, relative to it; they are loaded first."),
    may("retired", NAMES, "Restrictions no longer declared that may still stand; they run on as they were imposed."),
    may(
        "units",
        Kind::Open(&Kind::Identifier, &Kind::Open(&Kind::Date, &Kind::Worth, limits::UNIT_DATES), limits::UNITS),
        "Units with a worth from each local date on.",
    ),
    may("lists", Kind::Open(&Kind::Identifier, &LIST, limits::LISTS), "Lists for `in` of conditions."),
    may(
        "event",
        Kind::Open(&Kind::Name, &Kind::Table(EVENT), limits::TYPES),
        "The event types that exist, and what each requires.",
    ),
    may("score", Kind::Open(&ACTION, &SCORE, Action::ALL.len()), "From which total score on which action is taken."),
    may("rule", Kind::Array(&Kind::Table(RULE), 0), "What is suspicious."),
    may(
        "restriction",
        Kind::Open(&Kind::Name, &Kind::Table(RESTRICTION), limits::RESTRICTIONS),
        "What stands on a wallet or an address until it is lifted or runs out.",
    ),
];

const LIST: Kind = Kind::TableOr(&Kind::Table(LIST_TABLE), &Kind::Array(&LIST_ENTRY, 0));
const LIST_ENTRY: Kind = Kind::TableOr(&Kind::Table(ENTRY), &Kind::Text(limits::LIST_ENTRY_BYTES));

/// A list that is a table.
pub const LIST_TABLE: &[Key] = &[
    may("entries", Kind::Array(&LIST_ENTRY, 0), "The entries themselves."),
    may("file", Kind::File, "A file beside the pack: one entry a line, `value` or `value,expires,note`."),
];

/// When an entry of a list ends, in both spellings.
pub const EXPIRES: &str = "expires";
pub const UNTIL: &str = "until";

/// An entry of a list that is a table.
pub const ENTRY: &[Key] = &[
    needed("value", Kind::Text(limits::LIST_ENTRY_BYTES), "The text, address or CIDR range."),
    may(EXPIRES, Kind::Moment, "The event time from which the entry no longer counts; in quotes too, as in a file."),
    may(UNTIL, Kind::Moment, "Another spelling of `expires`."),
    may("note", TEXT, "Why it is here."),
];

/// An event type.
pub const EVENT: &[Key] = &[may(
    "requires",
    FIELDS,
    "Fields without which an event of this type is rejected, beyond id, type, time, wallet.",
)];

/// A rule.
pub const RULE: &[Key] = &[
    needed("id", Kind::Name, "The rule's name, unique in all loaded packs."),
    may("clause", TEXT, "Where the rule comes from."),
    may("title", TEXT, "The rule in words."),
    needed("on", SOME_NAMES, "The event types that the rule judges."),
    may("when", Kind::Condition, "A CEL condition that an event must meet to match."),
    may("count", Kind::Table(COUNT), "Over its limit when the number of matching events exceeds `over`."),
    may("sum", Kind::Table(SUM), "Over its limit when the sum of `of` exceeds `over`."),
    may(
        "distinct",
        Kind::Table(DISTINCT),
        "Over its limit when the number of different values of `of` exceeds `over`.",
    ),
    may("change", Kind::Table(VALUE), "Over its limit when `of` differs from that of the neighbouring event."),
    may("streak", Kind::Table(STREAK), "Over its limit when so many matching events came in a row."),
    may("new", Kind::Table(VALUE), "Over its limit when the value of `of` was not seen, though another was."),
    may("idle", Kind::Table(IDLE), "Over its limit when the wallet's last event of `since` is longer ago than `over`."),
    may("after", Kind::Table(AFTER), "Over its limit when an event of a type in `of` came at most `within` before."),
    may("score", SCORE, "What the rule adds to the score."),
    may("action", ACTION, "What the operation gets; `allow` by default."),
    may("restrict", Kind::OneOrMany(&Kind::Name), "The restriction, or restrictions, that the rule imposes."),
    may("counts", Kind::Choice("way to count", counts), "`accepted` leaves out what was refused or blocked."),
    may("mode", Kind::Choice("mode", modes), "`live`, `shadow` (reported, changing nothing) or `off`."),
    may("valid_from", Kind::Moment, "The event time from which the rule fires."),
    may("valid_until", Kind::Moment, "The event time from which it no longer does."),
    may("example", Kind::Array(&Kind::Table(EXAMPLE), 0), "Events and the action of the last, run by `kuzet check`."),
];

/// The keys of a rule that are measures; a rule has at most one.
pub const MEASURES: [&str; 8] = ["count", "sum", "distinct", "change", "streak", "new", "idle", "after"];

const PER: Key = may("per", SOME_FIELDS, "What is counted apart; `[\"wallet\"]` by default.");
const OF: Key = needed("of", Kind::Field, "The field that is measured.");
const WITHIN: Key = needed("within", Kind::Span, "How long the window is.");
const FLOWING: Key = needed("within", Kind::Flowing, "How far back it looks.");
const OVER: Key = needed("over", Kind::Over, "The limit that must be exceeded.");

const MOST: Key = needed("over", Kind::Most, "The limit that must be exceeded, a whole number.");

pub const COUNT: &[Key] = &[PER, WITHIN, MOST];
pub const SUM: &[Key] = &[OF, PER, WITHIN, OVER];
pub const DISTINCT: &[Key] = &[OF, PER, WITHIN, MOST];
/// `change` and `new`.
pub const VALUE: &[Key] = &[OF, PER, FLOWING];
pub const STREAK: &[Key] = &[
    PER,
    may("reset", NAMES, "The event types that end the row."),
    FLOWING,
    may("from", TIMES, "The place in the row from which every event is over the limit; or `at`."),
    may("at", TIMES, "The one place in the row that is over it, whereupon the row starts afresh; or `from`."),
];
pub const IDLE: &[Key] = &[
    needed("since", SOME_NAMES, "The event types that show the wallet in use."),
    needed("over", Kind::Flowing, "How long ago is too long."),
];
pub const AFTER: &[Key] = &[needed("of", SOME_NAMES, "The event types that must have come before."), PER, FLOWING];

/// A restriction.
pub const RESTRICTION: &[Key] = &[
    needed("action", ACTION, "What the operations that it applies to get."),
    needed("on", SOME_NAMES, "The event types that it applies to; signals cannot be among them."),
    may("target", Kind::Choice("target", targets), "`wallet`, `ip`, or `all`: every event of its `on`."),
    may("incoming", Kind::Flag, "It also applies to operations whose counterparty is the wallet."),
    may("imposed_by", SOME_NAMES, "The signals that impose it; rules do so with `restrict`."),
    may("when", Kind::Condition, "A CEL condition that a signal of `imposed_by` must meet."),
    may("lasts", Kind::Span, "How long it stands at most; without end by default."),
    may("renews", Kind::Flag, "Imposed again while it stands, it takes the later end."),
    may("lifted_by", SOME_NAMES, "The signals that lift it."),
    may("cancelled_by", SOME_NAMES, "The signals that lift it and cancel what waited."),
    may("confirms", Kind::Flag, "Once lifted, the rules that imposed it stay silent for the rest of their window."),
    may("status", TEXT, "A status that decisions show beside its name."),
    may("clause", TEXT, "Where the restriction comes from."),
];

/// An example of a rule.
pub const EXAMPLE: &[Key] = &[
    may("title", TEXT, "What the example shows; its number by default."),
    needed("events", Kind::Array(&Kind::Table(EXAMPLE_EVENT), 1), "The events, in order."),
    needed("action", ACTION, "The action of the last event's decision."),
    may("fires", Kind::Flag, "Whether this rule is among the last decision's reasons, or among `shadow`."),
];

const STRING: Kind = Kind::Text(limits::RECORD_BYTES);

/// An event of an example: the fields of an event, and how often it comes.
pub const EXAMPLE_EVENT: &[Key] = &[
    may("id", STRING, "The producer's id; `e1`, `e2`, … by default."),
    needed("type", Kind::Name, "The event type."),
    needed("time", Kind::Instant, "When it happened."),
    may("wallet", STRING, "The client's wallet; `77010000001` by default."),
    may("counterparty", STRING, "The other wallet, of a transfer."),
    may("merchant", STRING, "Who is paid."),
    may("amount", Kind::Scalar, "A decimal over 0."),
    may("currency", STRING, "ISO 4217."),
    may("ip", STRING, "An IPv4 or IPv6 address."),
    may("country", STRING, "ISO 3166-1 alpha-2."),
    may("anonymous", Kind::Flag, "A proxy, VPN, Tor or anonymiser."),
    may("client_status", Kind::Choice("client status", client_statuses), "What the client is to the operator."),
    may("balance", Kind::Scalar, "What the wallet holds before the operation."),
    may("device", STRING, "Free for rules."),
    may("channel", STRING, "Free for rules."),
    may("cause", STRING, "Free for rules."),
    may("method", STRING, "Free for rules."),
    may("attributes", Kind::Open(&STRING, &Kind::Scalar, limits::EXAMPLE_EVENTS), "Anything else."),
    may("repeat", Kind::Whole(1, signed(limits::EXAMPLE_EVENTS)), "How often the event comes."),
    may("every", Kind::Exact, "The time from one repeat to the next."),
];

impl Kind {
    /// What a value of this kind is, for messages: `"score" must be …`.
    #[must_use]
    pub fn expectation(&self) -> String {
        match self {
            Kind::Text(_) | Kind::File => "a string that is not empty".to_owned(),
            Kind::Name => "a short string without control characters".to_owned(),
            Kind::PackName => "a short string without `@`, `+`, `,` and blanks".to_owned(),
            Kind::Identifier => "a name of letters, digits and `_` that does not begin with a digit".to_owned(),
            Kind::Zone => "the name of a time zone".to_owned(),
            Kind::Currency => "three capital letters (ISO 4217)".to_owned(),
            Kind::Flag => "`true` or `false`".to_owned(),
            Kind::Whole(least, most) => format!("an integer from {least} to {most}"),
            Kind::Choice(what, _) => format!("the name of a {what}").replace("a action", "an action"),
            Kind::Span => "a length of time or a calendar period".to_owned(),
            Kind::Flowing => "a length of time, not a calendar period".to_owned(),
            Kind::Exact => "a length of time without months".to_owned(),
            Kind::Moment => "a date or a date-time, without quotes".to_owned(),
            Kind::Date => "a date in quotes".to_owned(),
            Kind::Over => "an integer, or a decimal in quotes, maybe with a unit".to_owned(),
            Kind::Most => "a whole number from 0 on".to_owned(),
            Kind::Worth => "a positive decimal in quotes".to_owned(),
            Kind::Field => "a field of events".to_owned(),
            Kind::Condition => "a condition in quotes".to_owned(),
            Kind::Scalar => "a string, a number or a bool".to_owned(),
            Kind::Instant => "a date-time with an offset".to_owned(),
            Kind::Array(Kind::Table(_), _) => "a list of tables".to_owned(),
            Kind::Array(_, 0) => "a list".to_owned(),
            Kind::Array(_, _) => "a list that is not empty".to_owned(),
            Kind::OneOrMany(_) => "a name or a list of names".to_owned(),
            Kind::TableOr(Kind::Table(_), Kind::Text(_)) => "a string or a table".to_owned(),
            Kind::TableOr(..) => "a list or a table".to_owned(),
            Kind::Table(_) | Kind::Open(..) => "a table".to_owned(),
        }
    }

    /// A value of this kind as it would be written.
    #[must_use]
    pub fn sample(&self) -> String {
        match self {
            Kind::Text(_) => "\"some text\"".to_owned(),
            Kind::Name | Kind::PackName => "\"some-name\"".to_owned(),
            Kind::Identifier => "MCI".to_owned(),
            Kind::File => "\"onevision.toml\"".to_owned(),
            Kind::Zone => "\"Asia/Almaty\"".to_owned(),
            Kind::Currency => "\"KZT\"".to_owned(),
            Kind::Flag => "true".to_owned(),
            Kind::Whole(least, _) => least.to_string(),
            Kind::Choice(_, words) => words().iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or "),
            Kind::Span => "\"24h\"".to_owned(),
            Kind::Flowing => "\"24h\"".to_owned(),
            Kind::Exact => "\"1m\"".to_owned(),
            Kind::Moment => "2026-03-01".to_owned(),
            Kind::Date => "\"2026-01-01\"".to_owned(),
            Kind::Over | Kind::Most => "10".to_owned(),
            Kind::Worth => "\"4325\"".to_owned(),
            Kind::Field => "\"counterparty\"".to_owned(),
            Kind::Condition => "'amount > 100000'".to_owned(),
            Kind::Scalar => "\"5000\"".to_owned(),
            Kind::Instant => "\"2026-03-01T10:00:00+05:00\"".to_owned(),
            Kind::Array(of, _) => format!("[{}]", of.sample()),
            Kind::OneOrMany(of) => of.sample(),
            Kind::TableOr(_, other) => other.sample(),
            Kind::Table(keys) => {
                let keys = keys.iter().filter(|key| key.needed);
                let keys: Vec<String> = keys.map(|key| format!("{} = {}", key.name, key.sample())).collect();
                if keys.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", keys.join(", ")) }
            }
            Kind::Open(key, value, _) => format!("{{ {} = {} }}", key.sample(), value.sample()),
        }
    }
}

impl Key {
    /// Whether a moment may stand here in quotes: list files have no others, and entries move from there to here.
    #[must_use]
    pub fn takes_quoted_moment(&self) -> bool {
        matches!(self.name, EXPIRES | UNTIL)
    }

    /// A value of this key as it would be written.
    #[must_use]
    pub fn sample(&self) -> String {
        let sample = match self.name {
            "name" => "\"my-rules\"",
            "version" => "\"1\"",
            "id" => "\"large-transfer\"",
            "on" | "since" => "[\"transfer\"]",
            "type" => "\"transfer\"",
            "imposed_by" | "lifted_by" | "cancelled_by" => "[\"identity_confirmed\"]",
            "file" => "\"mules.txt\"",
            "value" => "\"77010000001\"",
            "title" => "\"One transfer over 100 000 tenge\"",
            "action" => "\"hold\"",
            "score" => "300",
            "from" | "at" => "3",
            _ => return self.kind.sample(),
        };
        sample.to_owned()
    }
}

/// Every name that [`Kind::Field`] takes, attributes aside.
#[must_use]
pub fn field_names() -> Vec<String> {
    Field::KNOWN.iter().map(|field| field.name().into_owned()).collect()
}
