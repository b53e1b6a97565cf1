//! Packs as the reference reads them: TOML texts in load order, joined into one set of rules and restrictions.
//! It validates nothing, since packs are judged elsewhere; a wrong pack panics or is misread.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use toml::value::Datetime;
use toml::{Table, Value as Toml};

use super::calendar::{self, Calendar, Span, Window};
use super::condition::Condition;
use super::decimal::Decimal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Allow,
    Monitor,
    Captcha,
    Pin,
    Hold,
    Refuse,
    Block,
}

const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("monitor", Action::Monitor),
    ("captcha", Action::Captcha),
    ("pin", Action::Pin),
    ("hold", Action::Hold),
    ("refuse", Action::Refuse),
    ("block", Action::Block),
];

impl Action {
    fn parse(text: &str) -> Action {
        ACTIONS.iter().find(|(name, _)| *name == text).unwrap_or_else(|| panic!("no action {text}")).1
    }

    pub fn name(self) -> &'static str {
        ACTIONS.iter().find(|(_, action)| *action == self).expect("every action has a name").0
    }

    /// What `counts = "accepted"` leaves out.
    pub fn turns_away(self) -> bool {
        matches!(self, Action::Refuse | Action::Block)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Live,
    Shadow,
    Off,
}

/// What a figure must exceed: a plain decimal, or so many of a unit.
#[derive(Clone, Debug)]
pub struct Limit {
    pub figure: Decimal,
    pub unit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    From(u64),
    At(u64),
}

#[derive(Clone, Debug)]
pub enum Measure {
    Nothing,
    Count { within: Window, over: Limit },
    Sum { of: String, within: Window, over: Limit },
    Distinct { of: String, within: Window, over: Limit },
    Change { of: String, within: Span },
    Streak { reset: Vec<String>, within: Span, goal: Goal },
    New { of: String, within: Span },
    Idle { since: Vec<String>, over: Span, written: String },
    After { of: Vec<String>, within: Span },
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub clause: Option<String>,
    pub on: Vec<String>,
    pub when: Option<Condition>,
    pub measure: Measure,
    pub per: Vec<String>,
    pub score: u64,
    pub action: Action,
    pub restrict: Vec<String>,
    pub accepted: bool,
    pub mode: Mode,
    pub valid_from: Option<i64>,
    pub valid_until: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Wallet,
    Address,
    All,
}

#[derive(Clone, Debug)]
pub struct Restriction {
    pub name: String,
    pub clause: Option<String>,
    pub action: Action,
    pub on: Vec<String>,
    pub target: Target,
    pub incoming: bool,
    pub imposed_by: Vec<String>,
    pub when: Option<Condition>,
    pub lasts: Option<Window>,
    pub renews: bool,
    pub lifted_by: Vec<String>,
    pub cancelled_by: Vec<String>,
    pub confirms: bool,
    pub status: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ListEntry {
    pub value: String,
    pub until: Option<i64>,
}

pub struct Packs {
    pub calendar: Calendar,
    pub currency: String,
    /// The required fields of every declared type.
    pub events: BTreeMap<String, Vec<String>>,
    /// A unit's worth from each date on, oldest first.
    pub units: BTreeMap<String, Vec<(NaiveDate, Decimal)>>,
    pub lists: BTreeMap<String, Vec<ListEntry>>,
    pub rules: Vec<Rule>,
    pub restrictions: Vec<Restriction>,
    /// The total that each band begins at.
    pub bands: Vec<(Action, u64)>,
}

impl Packs {
    pub fn read(texts: &[&str]) -> Packs {
        let tables: Vec<Table> =
            texts.iter().map(|text| text.parse().expect("packs are validated elsewhere")).collect();
        let of_any = |key: &str| tables.iter().find_map(|table| text(table, key));
        let zone = of_any("timezone").unwrap_or_else(|| "Asia/Almaty".to_owned());
        let mut packs = Packs {
            calendar: Calendar::new(zone.parse().expect("packs are validated elsewhere")),
            currency: of_any("currency").unwrap_or_else(|| "KZT".to_owned()),
            events: BTreeMap::new(),
            units: BTreeMap::new(),
            lists: BTreeMap::new(),
            rules: Vec::new(),
            restrictions: Vec::new(),
            bands: Vec::new(),
        };
        for table in &tables {
            packs.take_in(table);
        }
        packs
    }

    fn take_in(&mut self, pack: &Table) {
        let calendar = self.calendar;
        for (name, unit) in members(pack, "units") {
            let dated = unit.as_table().expect("a unit is a table of dates");
            let mut worth: Vec<_> =
                dated.iter().map(|(date, worth)| (date.parse().expect("a date"), decimal(worth))).collect();
            worth.sort_by_key(|(date, _)| *date);
            self.units.insert(name.clone(), worth);
        }
        for (name, event) in members(pack, "event") {
            self.events.insert(name.clone(), names(event.as_table().expect("an event type is a table"), "requires"));
        }
        for (name, list) in members(pack, "lists") {
            let entries = list.as_array().expect("a list is inline here");
            self.lists.insert(name.clone(), entries.iter().map(|entry| list_entry(entry, calendar)).collect());
        }
        for (band, from) in members(pack, "score") {
            self.bands.push((Action::parse(band), figure(from)));
        }
        for (name, restriction) in members(pack, "restriction") {
            self.restrictions.push(restriction_of(name, restriction.as_table().expect("a restriction is a table")));
        }
        for rule in pack.get("rule").and_then(Toml::as_array).into_iter().flatten() {
            self.rules.push(rule_of(rule.as_table().expect("a rule is a table"), calendar));
        }
    }

    /// A unit's worth on the local date of a time, in the given calendar.
    pub fn worth(&self, unit: &str, time: i64, calendar: Calendar) -> Option<Decimal> {
        let date = calendar.date(time);
        self.units.get(unit)?.iter().rev().find(|(from, _)| *from <= date).map(|(_, worth)| *worth)
    }
}

fn members<'a>(pack: &'a Table, key: &str) -> impl Iterator<Item = (&'a String, &'a Toml)> {
    pack.get(key).and_then(Toml::as_table).into_iter().flatten()
}

fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key).map(|value| value.as_str().expect("a string").to_owned())
}

/// One name or a list of names.
fn names(table: &Table, key: &str) -> Vec<String> {
    match table.get(key) {
        None => Vec::new(),
        Some(Toml::String(one)) => vec![one.clone()],
        Some(list) => {
            list.as_array().expect("names").iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
        }
    }
}

fn yes(table: &Table, key: &str) -> bool {
    table.get(key).is_some_and(|value| value.as_bool().expect("true or false"))
}

fn figure(value: &Toml) -> u64 {
    value.as_integer().and_then(|figure| figure.try_into().ok()).expect("a whole figure")
}

fn decimal(value: &Toml) -> Decimal {
    match value {
        Toml::Integer(figure) => Decimal::whole(i128::from(*figure)),
        other => Decimal::parse(other.as_str().expect("a decimal")).expect("a decimal"),
    }
}

fn limit(table: &Table) -> Limit {
    match &table["over"] {
        Toml::String(written) => match written.split_once(' ') {
            Some((figure, unit)) => {
                Limit { figure: Decimal::parse(figure).expect("a figure"), unit: Some(unit.trim().to_owned()) }
            }
            None => Limit { figure: Decimal::parse(written).expect("a figure"), unit: None },
        },
        other => Limit { figure: decimal(other), unit: None },
    }
}

/// A date (local midnight) or a date-time, as TOML's own type or in a string.
fn instant(value: &Toml, calendar: Calendar) -> i64 {
    let moment: Datetime = match value {
        Toml::Datetime(moment) => *moment,
        other => other.as_str().expect("a date").parse().expect("a date"),
    };
    let date = moment.date.expect("a date");
    let date =
        NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day)).expect("a date");
    let time: NaiveTime = moment.time.map_or(NaiveTime::MIN, |time| time.to_string().parse().expect("a time"));
    let local = date.and_time(time);
    match moment.offset {
        Some(toml::value::Offset::Z) => local.and_utc().timestamp_millis(),
        Some(toml::value::Offset::Custom { minutes }) => {
            local.and_utc().timestamp_millis() - i64::from(minutes) * calendar::MINUTE
        }
        None => calendar.instant(local),
    }
}

fn list_entry(entry: &Toml, calendar: Calendar) -> ListEntry {
    match entry {
        Toml::String(value) => ListEntry { value: value.clone(), until: None },
        other => {
            let table = other.as_table().expect("an entry is a string or a table");
            let until = table.get("until").or_else(|| table.get("expires"));
            ListEntry {
                value: text(table, "value").expect("a value"),
                until: until.map(|until| instant(until, calendar)),
            }
        }
    }
}

fn window(table: &Table, key: &str) -> Window {
    Window::parse(&text(table, key).expect("a window")).expect("packs are validated elsewhere")
}

fn span(table: &Table, key: &str) -> Span {
    match window(table, key) {
        Window::Sliding(span) => span,
        other => panic!("{other:?} does not slide"),
    }
}

fn measure_of(rule: &Table) -> (Measure, Vec<String>) {
    const MEASURES: &[&str] = &["count", "sum", "distinct", "change", "streak", "new", "idle", "after"];
    let Some((kind, keys)) =
        MEASURES.iter().find_map(|kind| rule.get(*kind).and_then(Toml::as_table).map(|keys| (*kind, keys)))
    else {
        return (Measure::Nothing, Vec::new());
    };
    let per = if keys.contains_key("per") { names(keys, "per") } else { vec!["wallet".to_owned()] };
    let of = || text(keys, "of").expect("this measure is of a field");
    let measure = match kind {
        "count" => Measure::Count { within: window(keys, "within"), over: limit(keys) },
        "sum" => Measure::Sum { of: of(), within: window(keys, "within"), over: limit(keys) },
        "distinct" => Measure::Distinct { of: of(), within: window(keys, "within"), over: limit(keys) },
        "change" => Measure::Change { of: of(), within: span(keys, "within") },
        "streak" => {
            let goal = keys.get("at").map_or_else(|| Goal::From(figure(&keys["from"])), |at| Goal::At(figure(at)));
            Measure::Streak { reset: names(keys, "reset"), within: span(keys, "within"), goal }
        }
        "new" => Measure::New { of: of(), within: span(keys, "within") },
        "idle" => Measure::Idle {
            since: names(keys, "since"),
            over: span(keys, "over"),
            written: text(keys, "over").expect("a span"),
        },
        _ => Measure::After { of: names(keys, "of"), within: span(keys, "within") },
    };
    (measure, per)
}

fn rule_of(rule: &Table, calendar: Calendar) -> Rule {
    let (measure, per) = measure_of(rule);
    Rule {
        id: text(rule, "id").expect("a rule has an id"),
        clause: text(rule, "clause"),
        on: names(rule, "on"),
        when: text(rule, "when").map(|when| Condition::parse(&when)),
        measure,
        per,
        score: rule.get("score").map_or(0, figure),
        action: text(rule, "action").map_or(Action::Allow, |action| Action::parse(&action)),
        restrict: names(rule, "restrict"),
        accepted: text(rule, "counts").is_some_and(|counts| counts == "accepted"),
        mode: match text(rule, "mode").as_deref() {
            None | Some("live") => Mode::Live,
            Some("shadow") => Mode::Shadow,
            Some("off") => Mode::Off,
            Some(other) => panic!("no mode {other}"),
        },
        valid_from: rule.get("valid_from").map(|from| instant(from, calendar)),
        valid_until: rule.get("valid_until").map(|until| instant(until, calendar)),
    }
}

fn restriction_of(name: &str, restriction: &Table) -> Restriction {
    Restriction {
        name: name.to_owned(),
        clause: text(restriction, "clause"),
        action: Action::parse(&text(restriction, "action").expect("a restriction has an action")),
        on: names(restriction, "on"),
        target: match text(restriction, "target").as_deref() {
            None | Some("wallet") => Target::Wallet,
            Some("ip") => Target::Address,
            Some("all") => Target::All,
            Some(other) => panic!("no target {other}"),
        },
        incoming: yes(restriction, "incoming"),
        imposed_by: names(restriction, "imposed_by"),
        when: text(restriction, "when").map(|when| Condition::parse(&when)),
        lasts: restriction.contains_key("lasts").then(|| window(restriction, "lasts")),
        renews: yes(restriction, "renews"),
        lifted_by: names(restriction, "lifted_by"),
        cancelled_by: names(restriction, "cancelled_by"),
        confirms: yes(restriction, "confirms"),
        status: text(restriction, "status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_read_in_load_order() {
        let first = "timezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n[units.MCI]\n\"2025-01-01\" = \"3932\"\n\"2024-01-01\" = \"3692\"\n\
            [event.transfer]\nrequires = [\"amount\"]\n[score]\nmonitor = 300\n[restriction.z]\naction = \"hold\"\non = [\"transfer\"]\n\
            [restriction.a]\naction = \"pin\"\non = [\"transfer\"]\nlasts = \"calendar day\"\n[[rule]]\nid = \"r1\"\non = [\"transfer\"]\n\
            sum = { of = \"amount\", within = \"1h\", over = \"1.5 MCI\" }\nvalid_from = 2026-03-18\n";
        let second =
            "[[rule]]\nid = \"r2\"\non = [\"transfer\"]\nmode = \"shadow\"\nvalid_until = 2026-03-18T00:00:00Z\n";
        let packs = Packs::read(&[first, second]);
        assert_eq!(packs.restrictions.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
        assert_eq!(packs.rules.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["r1", "r2"]);
        // Local midnight is 19:00 UTC of the day before.
        assert_eq!(packs.rules[0].valid_from, calendar::parse("2026-03-17T19:00:00Z"));
        assert_eq!(packs.rules[1].valid_until, calendar::parse("2026-03-18T00:00:00Z"));
        let worth = |time: &str| {
            packs.worth("MCI", calendar::parse(time).unwrap(), packs.calendar).map(|worth| worth.to_string())
        };
        assert_eq!(worth("2024-12-31T18:59:59Z").as_deref(), Some("3692"));
        assert_eq!(worth("2024-12-31T19:00:00Z").as_deref(), Some("3932"));
        assert_eq!(worth("2023-12-31T00:00:00Z"), None);
    }
}
