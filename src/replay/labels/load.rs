//! A file of labels: CSV with a header, or NDJSON, also compressed.
//!
//! Columns are `event`, `wallet`, `counterparty`, `label` and `known`, or whatever [`Columns`] calls them; others are
//! left alone, for such files come from elsewhere.

use super::{Case, CaseId, Label, Labels};
use crate::{
    event::Field,
    files::open,
    limits,
    replay::moment::{self, Edge},
    time::{Timestamp, Zone},
    wording,
};
use serde_json::{Map, Value};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

/// What the columns of a file of labels are called.
#[derive(Clone, Debug)]
pub struct Columns {
    pub event: String,
    pub wallet: String,
    pub counterparty: String,
    pub label: String,
    pub known: String,
}

impl Default for Columns {
    fn default() -> Self {
        let [event, wallet, counterparty, label, known] =
            ["event", "wallet", "counterparty", "label", "known"].map(str::to_owned);
        Columns { event, wallet, counterparty, label, known }
    }
}

impl Columns {
    /// Reads `wallet=nodeid,label=isFraud`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Columns, String> {
        let mut columns = Columns::default();
        for part in text.split(',') {
            let (ours, theirs) =
                part.split_once('=').ok_or_else(|| format!("\"{part}\" is not NAME=COLUMN, such as label=isFraud"))?;
            let place = match ours.trim() {
                "event" => &mut columns.event,
                "wallet" => &mut columns.wallet,
                "counterparty" => &mut columns.counterparty,
                "label" => &mut columns.label,
                "known" => &mut columns.known,
                other => {
                    return Err(format!("\"{other}\" is none of event, wallet, counterparty, label and known"));
                }
            };
            theirs.trim().clone_into(place);
        }
        Ok(columns)
    }
}

/// Labels that a field of the events carries.
///
/// # Errors
/// A field that cannot carry one.
pub fn of_field(name: &str, as_of: Option<Timestamp>) -> Result<Labels, String> {
    match Field::parse(name) {
        Some(field @ (Field::Attribute(_) | Field::Cause | Field::Method | Field::Channel | Field::Device)) => {
            Ok(Labels { field: Some(field), as_of, ..Labels::default() })
        }
        _ => Err(format!("{name} cannot carry a label; name an attribute, such as attributes.is_fraud")),
    }
}

/// Reads a file of labels, as one knew them at a time. A date without a time is that day's end in the packs' time zone.
///
/// # Errors
/// A file that cannot be read, or the first line that is no label.
pub fn of_file(path: &Path, columns: &Columns, zone: &Zone, as_of: Option<Timestamp>) -> Result<Labels, String> {
    let shown = path.display();
    let cannot = |error: &std::io::Error| format!("cannot read {shown}: {}", wording::unreadable(error));
    let opened = open::open(path, &Arc::default()).map_err(|error| cannot(&error))?;
    let mut reader = BufReader::new(opened.reader);
    let head = reader.fill_buf().map_err(|error| cannot(&error))?;
    let is_json = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let mut labels = Labels { as_of, ..Labels::default() };
    let mut take = |line: u64, row: Row| {
        let added = row.read(zone).and_then(|read| labels.add(read));
        added.map_err(|why| format!("{shown}:{line}: {why}"))
    };
    if is_json {
        json(reader, columns, &mut take)?
    } else {
        csv(reader, columns, &mut take)?
    }
    Ok(labels)
}

/// One row as it is written; an empty cell is an absent one.
struct Row {
    event: Option<String>,
    wallet: Option<String>,
    counterparty: Option<String>,
    label: Option<String>,
    known: Option<String>,
}

/// What a row labels.
enum Named {
    Event { id: String, wallet: Option<String> },
    Wallet(String),
    Counterparty(String),
}

impl Row {
    fn read(self, zone: &Zone) -> Result<(Named, Label, Option<Timestamp>), String> {
        let label = self.label.ok_or("there is no label")?;
        let label = Label::parse(&label).ok_or_else(|| {
            format!("the label \"{label}\" is neither fraud (true, yes, 1) nor legitimate (false, no, 0)")
        })?;
        let known = self
            .known
            .map(|known| moment::read(&known, Edge::End, zone))
            .transpose()
            .map_err(|why| format!("known: {why}"))?;
        let named = match (self.event, self.wallet, self.counterparty) {
            (Some(id), wallet, None) => Named::Event { id, wallet },
            (None, Some(wallet), None) => Named::Wallet(wallet),
            (None, None, Some(counterparty)) => Named::Counterparty(counterparty),
            (None, None, None) => return Err("it names no event, wallet or counterparty".to_owned()),
            _ => return Err("it names a counterparty and something else; label one of them a line".to_owned()),
        };
        Ok((named, label, known))
    }
}

impl Labels {
    fn add(&mut self, (named, label, known): (Named, Label, Option<Timestamp>)) -> Result<(), String> {
        if known.zip(self.as_of).is_some_and(|(known, as_of)| known > as_of) {
            return self.later.get_or_insert_default().add((named, label, known));
        }
        let id = CaseId(u32::try_from(self.cases.len()).map_err(|_| "there are too many labels".to_owned())?);
        let case = |wallet: Option<String>| Case { label, known, wallet: wallet.map(String::into_boxed_str) };
        let Labels { cases, events, wallets, counterparties, .. } = self;
        let (known_as, case) = match named {
            Named::Event { id: event, wallet } => {
                let case = case(wallet);
                let same = events.entry(event.into()).or_default();
                match same.iter().find(|id| cases[id.0 as usize].wallet == case.wallet) {
                    Some(earlier) => (Some(*earlier), case),
                    None => {
                        same.push(id);
                        (None, case)
                    }
                }
            }
            Named::Wallet(name) => (known_or(wallets, name, id), case(None)),
            Named::Counterparty(name) => (known_or(counterparties, name, id), case(None)),
        };
        match known_as {
            None => cases.push(case),
            Some(earlier) => revise(&mut cases[earlier.0 as usize], case)?,
        }
        Ok(())
    }
}

/// The case that a name has already; otherwise it gets this one.
fn known_or(names: &mut std::collections::HashMap<Box<str>, CaseId>, name: String, id: CaseId) -> Option<CaseId> {
    let found = names.get(name.as_str()).copied();
    if found.is_none() {
        names.insert(name.into(), id);
    }
    found
}

/// A second label of one thing: the later one stands; where they agree, the earlier time.
fn revise(case: &mut Case, other: Case) -> Result<(), String> {
    match (case.known, other.known) {
        (old, new) if case.label == other.label => case.known = old.into_iter().chain(new).min(),
        (Some(old), Some(new)) if old != new => {
            if new > old {
                *case = other;
            }
        }
        _ => return Err("it was labelled otherwise before, and `known` does not say which is the later".to_owned()),
    }
    Ok(())
}

type Take<'a> = dyn FnMut(u64, Row) -> Result<(), String> + 'a;

fn csv(reader: impl Read, columns: &Columns, take: &mut Take<'_>) -> Result<(), String> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
    let headings = rows.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| headings.iter().position(|heading| heading == name);
    let Columns { event, wallet, counterparty, label, known } = columns;
    let places = [event, wallet, counterparty, label, known].map(|name| place(name));
    if places[3].is_none() {
        let there = headings.iter().collect::<Vec<_>>().join(", ");
        return Err(format!("the labels have no column \"{label}\" (they have {there}); see --label-columns"));
    }
    for row in rows.records() {
        let row = row.map_err(|error| error.to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        let [event, wallet, counterparty, label, known] =
            places.map(|place| row.get(place?).filter(|cell| !cell.is_empty()).map(str::to_owned));
        take(line, Row { event, wallet, counterparty, label, known })?;
    }
    Ok(())
}

fn json(mut reader: impl BufRead, columns: &Columns, take: &mut Take<'_>) -> Result<(), String> {
    let most = u64::try_from(limits::RECORD_BYTES).expect("the bound of a record fits");
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        let read = reader.by_ref().take(most).read_line(&mut text).map_err(|error| format!("line {line}: {error}"))?;
        if read == 0 {
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        let object: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| format!("line {line}: it is no JSON object: {error}"))?;
        let cell = |name: &str| match object.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            Some(other) => Some(other.to_string()),
        };
        let Columns { event, wallet, counterparty, label, known } = columns;
        let [event, wallet, counterparty, label, known] =
            [event, wallet, counterparty, label, known].map(|name| cell(name));
        take(line, Row { event, wallet, counterparty, label, known })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::TypeId, replay::labels::Class};

    fn zone() -> Zone {
        Zone::load("Asia/Almaty").expect("a zone")
    }

    fn load(text: &str, columns: &str) -> Result<Labels, String> {
        load_as_of(text, columns, None)
    }

    fn load_as_of(text: &str, columns: &str, as_of: Option<Timestamp>) -> Result<Labels, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labels");
        std::fs::write(&path, text).expect("a file");
        let columns = if columns.is_empty() { Columns::default() } else { Columns::parse(columns)? };
        of_file(&path, &columns, &zone(), as_of).map_err(|why| why.replace(&format!("{}:", path.display()), "line "))
    }

    fn class(labels: &Labels, id: &str, wallet: &str, counterparty: &str) -> (Class, usize) {
        let time = Timestamp::parse("2026-03-01T00:00:00Z").expect("a time");
        let event = Event { counterparty: Some(counterparty), ..Event::new(id, TypeId(0), time, wallet) };
        let mut cases = Vec::new();
        (labels.class(&event, &mut cases), cases.len())
    }
    use crate::event::Event;

    #[test]
    fn labels_name_events_wallets_and_counterparties() {
        let csv = "wallet,event,counterparty,label,known,note\n,e-1,,fraud,2026-03-05,x\nw-1,,,1,,\n,,c-1,legitimate,,\nw-9,e-2,,0,,\n";
        let json = r#"{"event":"e-1","label":true,"known":"2026-03-05"}
            {"wallet":"w-1","label":"Fraud"}

            {"counterparty":"c-1","label":0,"other":[1]}
            {"event":"e-2","wallet":"w-9","label":"no"}"#;
        for text in [csv, json] {
            let labels = load(text, "").expect("good labels");
            assert_eq!(labels.cases[0].known, Some(Timestamp::parse("2026-03-05T18:59:59.999Z").expect("a time")));
            for (id, wallet, counterparty, expected) in [
                ("e-1", "w-7", "c-1", (Class::Fraud, 1)),
                ("e-5", "w-1", "c-7", (Class::Fraud, 1)),
                ("e-5", "w-1", "c-1", (Class::Fraud, 1)),
                ("e-5", "w-7", "c-1", (Class::Legitimate, 0)),
                ("e-2", "w-9", "c-7", (Class::Legitimate, 0)),
                ("e-2", "w-7", "c-7", (Class::Unlabelled, 0)),
                // The event's own label outweighs that of its wallet.
                ("e-5", "c-1", "w-1", (Class::Unlabelled, 0)),
            ] {
                assert_eq!(class(&labels, id, wallet, counterparty), expected, "{id} {wallet} {counterparty}");
            }
        }
    }

    #[test]
    fn what_is_too_young_is_neither() {
        let text = "event,label,known\ne-1,0,2026-03-10T00:00:00Z\ne-2,1,2026-03-20T00:00:00Z\n";
        let mut labels = load(text, "").expect("good");
        let day = 24 * 60 * 60 * 1_000;
        let both = |labels: &Labels| ["e-1", "e-2"].map(|id| class(labels, id, "w", "c").0);
        assert_eq!(both(&labels), [Class::Legitimate, Class::Fraud]);
        labels.age = 9 * day;
        assert_eq!(both(&labels), [Class::Legitimate, Class::Fraud]);
        labels.age += 1;
        assert_eq!(both(&labels), [Class::Young, Class::Fraud]);
        let as_of = Timestamp::parse("2026-03-19T23:59:59Z").expect("a time");
        let mut labels = load_as_of(text, "", Some(as_of)).expect("good");
        assert_eq!(both(&labels), [Class::Legitimate, Class::Young]);
        labels.age = 9 * day + 1;
        assert_eq!(both(&labels), [Class::Young, Class::Young]);
    }

    #[test]
    fn what_became_known_later_hides_nothing() {
        let text = "event,wallet,label,known\n,w,1,2026-03-02T12:00:00Z\ne-1,,0,2026-04-20\ne-2,,0,2026-03-03\ne-2,,1,2026-04-20\n";
        let as_of = Timestamp::parse("2026-03-31T00:00:00Z").ok();
        let labels = load_as_of(text, "", as_of).expect("good");
        assert_eq!(class(&labels, "e-1", "w", "c"), (Class::Fraud, 1));
        assert_eq!(class(&labels, "e-2", "w", "c"), (Class::Legitimate, 0));
        assert_eq!(class(&labels, "e-1", "x", "c"), (Class::Young, 0));
        // What says no time was not known before its event, which happened in March.
        let as_of = Timestamp::parse("2026-02-20T00:00:00Z").ok();
        let labels = load_as_of("event,label\ne-1,1\n", "", as_of).expect("good");
        assert_eq!(class(&labels, "e-1", "w", "c"), (Class::Young, 0));
    }

    #[test]
    fn columns_may_have_other_names() {
        let labels = load("nodeid,isFraud\nw-1,1\n", "wallet=nodeid, label=isFraud").expect("good labels");
        assert_eq!(class(&labels, "e", "w-1", "c"), (Class::Fraud, 1));
    }

    #[test]
    fn the_later_of_two_labels_stands() {
        let text = "event,label,known\ne-1,0,2026-03-10\ne-1,1,2026-03-20\ne-1,0,2026-03-05\n";
        assert_eq!(class(&load(text, "").expect("good labels"), "e-1", "w", "c"), (Class::Fraud, 1));
    }

    #[test]
    fn what_is_no_label_is_told_with_its_line() {
        for (text, why) in [
            (
                "event,label\ne-1,maybe\n",
                "line 2: the label \"maybe\" is neither fraud (true, yes, 1) nor legitimate (false, no, 0)",
            ),
            ("event,label\ne-1,1\n,1\n", "line 3: it names no event, wallet or counterparty"),
            (
                "event,label\ne-1,1\ne-1,0\n",
                "line 3: it was labelled otherwise before, and `known` does not say which is the later",
            ),
            (
                "event,counterparty,label\ne-1,c,1\n",
                "line 2: it names a counterparty and something else; label one of them a line",
            ),
            (
                "event,label,known\ne-1,1,soon\n",
                "line 2: known: \"soon\" is not an RFC 3339 date-time with an offset, such as 2026-03-01T08:15:30.123+05:00, or a date such as 2026-03-01",
            ),
            (
                "event,fraud\ne-1,1\n",
                "the labels have no column \"label\" (they have event, fraud); see --label-columns",
            ),
            ("{\"event\":\"e-1\"}\n", "line 1: there is no label"),
        ] {
            assert_eq!(load(text, "").err().as_deref(), Some(why), "{text}");
        }
    }
}
